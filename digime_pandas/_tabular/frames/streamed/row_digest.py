"""A digest by which two readings of a source are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from digime_pandas._tabular.columns import is_of_a_library
from digime_pandas._tabular.engines.polars_text import polars_is_usable

if TYPE_CHECKING:
    import polars as pl

_MODULUS = 1 << 64


@dataclass(slots=True)
class RowDigest:
    """Counts rows, and adds up a hash of each.

    It is the same however the rows are cut into batches, and in whatever order they come: a query without an order may
    give its rows in another one each time. It finds changes, and is no proof against someone who forges rows.

    Attributes:
        rows: How many rows.
        total: The sum of their hashes.
    """

    rows: int = 0
    total: int = 0

    def add(self, columns: Sequence[pa.Array], rows: int) -> None:
        """Add rows.

        Args:
            columns: Their values, which are valid.
            rows: How many rows they are.
        """
        self.rows += rows
        kept = [_plain(each) for each in columns if not pa.types.is_null(each.type)]
        if rows and kept:
            hashes = _hashes_by_polars(kept) if polars_is_usable() else _combined([_hashes(each) for each in kept])
            self.total = (self.total + int(np.add.reduce(hashes))) % _MODULUS


def _plain(array: pa.Array) -> pa.Array:
    """Return values without what two batches may have in different forms, or polars does not have."""
    if isinstance(array.type, pa.BaseExtensionType):
        return _plain(array.storage)
    if pa.types.is_dictionary(array.type):
        return _plain(array.dictionary_decode())
    if pa.types.is_float16(array.type):
        return array.cast(pa.float32())
    if pa.types.is_fixed_size_list(array.type):
        return array.cast(pa.list_(array.type.value_type))
    if pa.types.is_timestamp(array.type) or pa.types.is_duration(array.type) or pa.types.is_date64(array.type):
        return array.view(pa.int64())  # polars lacks some of their units
    return array


def _hashes_by_polars(columns: Sequence[pa.Array]) -> npt.NDArray[np.uint64]:
    import polars as pl

    frame = pl.DataFrame({str(place): _series(pl, each) for place, each in enumerate(columns)})
    hashes: npt.NDArray[np.uint64] = frame.hash_rows(seed=0).to_numpy()
    return hashes


def _series(polars: Any, array: pa.Array) -> pl.Series:
    if _is_hashed_by_polars(array.type):
        try:
            found: pl.Series = polars.Series("", polars.from_arrow(array))
            # Alone, since some versions of polars have no hash of lists.
            return found.hash(seed=0) if pa.types.is_nested(array.type) else found
        except BaseException as error:
            if not is_of_a_library(error):
                raise
    return polars.Series("", _hashes(array))  # type: ignore[no-any-return]


def _is_hashed_by_polars(type: pa.DataType) -> bool:
    types = pa.types
    if types.is_list(type) or types.is_large_list(type):
        return _is_hashed_by_polars(type.value_type)
    if types.is_struct(type):
        return type.num_fields > 0 and all(_is_hashed_by_polars(each.type) for each in type)
    if isinstance(type, pa.BaseExtensionType) or types.is_dictionary(type) or types.is_nested(type):
        return False
    # Of others, which are rare, polars fails at some.
    return not (types.is_decimal(type) or types.is_float16(type) or types.is_interval(type))


def _hashes(array: pa.Array) -> npt.NDArray[np.uint64]:
    """Return a hash of each value, by its text: slow, and for any type."""
    try:
        texts = map(repr, array.to_pylist())
    except BaseException as error:
        if not is_of_a_library(error):
            raise
        texts = map(_text, array)
    return np.fromiter((hash(each) % _MODULUS for each in texts), np.uint64, len(array))


def _text(value: pa.Scalar) -> str:
    try:
        return repr(value.as_py())
    except BaseException as error:
        if not is_of_a_library(error):
            raise
        return "a value that Python lacks"  # as a time that is too far away


def _combined(columns: Sequence[npt.NDArray[np.uint64]]) -> npt.NDArray[np.uint64]:
    """Return one hash per row of one per value."""
    rows = zip(*(each.tolist() for each in columns), strict=True)
    return np.fromiter((hash(row) % _MODULUS for row in rows), np.uint64, len(columns[0]))
