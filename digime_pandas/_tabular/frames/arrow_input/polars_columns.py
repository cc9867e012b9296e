"""The columns of a polars frame as columns of Arrow values."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from digime_pandas._tabular.columns import Finding, is_of_a_library, unreadable, unsupported_column
from digime_pandas._tabular.engines.polars_text import polars_is_usable
from digime_pandas._tabular.frames.arrow_input.arrow_columns import ArrowColumn, describe_arrow

_NOT_OF_ARROW = frozenset(("Int128", "UInt128", "Object", "Unknown"))


def describe_polars(frame: Any, *, keep_unused: bool = False) -> list[ArrowColumn]:
    """Return the columns of a frame; those that polars does not export to Arrow are described as unsupported.

    Args:
        frame: A polars DataFrame.
        keep_unused: Whether categories that no row has stay.
    """
    findings = [unsupported_dtype(each) for each in frame.dtypes]
    exportable = [i for i, finding in enumerate(findings) if finding is None]
    try:
        arrays = dict(zip(exportable, exported_columns(frame, exportable), strict=True))
    except BaseException as error:
        if not is_of_a_library(error):
            raise
        arrays = {}  # one of them fails: each is tried alone
    return [
        _described(frame, i, arrays.get(i), keep_unused=keep_unused)
        if finding is None
        else _refused(frame, i, finding, None)
        for i, finding in enumerate(findings)
    ]


def _described(frame: Any, position: int, values: pa.ChunkedArray | None, *, keep_unused: bool) -> ArrowColumn:
    try:
        [found] = exported_columns(frame, [position]) if values is None else [values]
    except BaseException as error:
        if not is_of_a_library(error):
            raise
        return _refused(frame, position, unreadable(error), error)
    return describe_arrow(frame.columns[position], found, keep_unused=keep_unused)


def _refused(frame: Any, position: int, finding: Finding, cause: BaseException | None) -> ArrowColumn:
    column = unsupported_column(frame.columns[position], frame.dtypes[position], finding, cause)
    return ArrowColumn(column, pa.chunked_array([], pa.null()))


def exported_columns(frame: Any, positions: list[int]) -> list[pa.ChunkedArray]:
    """Return columns of a polars DataFrame, by their positions, as Arrow values."""
    bare = frame.clone()
    bare.columns = [str(i) for i in range(frame.width)]  # polars fails at a name with a NUL
    if not polars_is_usable():  # a conversion of several takes the threads of polars
        return [pa.chunked_array([bare.to_series(i).to_arrow()]) for i in positions]
    columns: list[pa.ChunkedArray] = (bare if len(positions) == frame.width else bare[:, positions]).to_arrow().columns
    return columns


def unsupported_dtype(dtype: Any) -> Finding | None:
    """Return what of a type Arrow does not have, or polars fails to export."""
    if dtype.base_type().__name__ in _NOT_OF_ARROW:
        # Of Python's objects polars would export the addresses.
        return Finding("other", seen=f"{dtype} of polars")
    fields = getattr(dtype, "fields", ())
    if any("\0" in each.name for each in fields):
        return Finding("other", seen=f"{dtype} of polars, with a NUL in a name")
    inner = [each.dtype for each in fields] or [getattr(dtype, "inner", None)]
    return next((found for each in inner if each is not None and (found := unsupported_dtype(each)) is not None), None)
