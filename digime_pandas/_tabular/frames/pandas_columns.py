"""One pandas column (or index level) as a `Column`.

Nothing here changes the column it looks at, and nothing is converted as a whole: `Column.read` converts the rows it
is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from digime_pandas._tabular.columns import (
    BLOCK_ROWS,
    Column,
    ColumnSpec,
    Finding,
    Take,
    as_array,
    first_unconvertible_row,
    raw_values,
    rule_of_type,
    unsupported_column,
)
from digime_pandas._tabular.frames.object_columns import describe_objects
from digime_pandas._tabular.frames.used_values import (
    Codes,
    has_dictionary,
    new_positions,
    used_positions,
    with_used_values,
)


def describe_values(
    name: str, values: pd.Series[Any] | pd.Index[Any], rows: int, *, keep_unused: bool = False
) -> Column:
    """Return a pandas column or index as a column; the other arguments are those of `describe`."""
    array = raw_values(values)
    return describe(name, values.dtype, lambda start, stop: array[start:stop], rows, keep_unused=keep_unused)


def describe(name: str, dtype: Any, take: Take, rows: int, *, keep_unused: bool = False) -> Column:
    """Return the column that `take` gives the values of.

    What the dtype lists and no row has is left out: unused categories, the values of an Arrow dictionary, the fill
    value of a sparse column.

    Args:
        name: Its name in the file.
        dtype: Its pandas or numpy dtype.
        take: Gives rows `start` to `stop` as a numpy array or pandas extension array, without copying.
        rows: How many rows it has.
        keep_unused: Whether unused categories and dictionary values stay.
    """
    if isinstance(dtype, pd.CategoricalDtype):
        return _category(name, dtype, take, rows, keep_unused=keep_unused)
    if isinstance(dtype, pd.SparseDtype):
        return _sparse(name, dtype, take, rows)
    if isinstance(dtype, pd.IntervalDtype):
        return _interval(name, dtype, take)
    if isinstance(dtype, np.dtype) and dtype.kind == "O":
        return describe_objects(name, take, rows)
    if isinstance(dtype, pd.ArrowDtype) and has_dictionary(dtype.pyarrow_dtype):
        return _arrow_dictionaries(name, dtype, take, rows, keep_unused=keep_unused)
    return _typed(name, dtype, take, rows)


def _typed(name: str, dtype: Any, take: Take, rows: int) -> Column:
    """Describe a column whose dtype says what its values are."""
    if isinstance(dtype, np.dtype) and (dtype.kind == "c" or dtype.itemsize > np.dtype("float64").itemsize):
        return unsupported_column(name, dtype, Finding("complex" if dtype.kind == "c" else "long double"))
    try:
        arrow_type = _arrow_type(dtype, take)
    except (TypeError, NotImplementedError, pa.ArrowException):
        # However pandas, pyarrow or the type's own package say that a type has no Arrow form: the column is refused.
        return unsupported_column(name, dtype, Finding("extension without Arrow form"))
    kind, text, spec = _of_type(dtype, arrow_type)
    facts: tuple[Finding, ...] = ()

    def read(start: int, stop: int) -> pa.Array:
        return _to_arrow(take(start, stop), arrow_type)

    if isinstance(dtype, pd.StringDtype) and dtype.storage == "python":
        facts = first_unconvertible_row(read, rows, "text with a lone surrogate")
    return Column(name, kind, text, arrow_type, spec, read, facts)


@lru_cache(maxsize=1024)
def _of_type(dtype: Any, arrow_type: pa.DataType) -> tuple[str, str, ColumnSpec]:
    """Return what is the same for all columns of a type: kind, name of the type, specification."""
    spec = ColumnSpec(_origin(dtype), arrow_type, _detail(dtype))
    return "extension" if spec.dtype_family == "extension" else rule_of_type(arrow_type), str(dtype), spec


def _arrow_type(dtype: Any, take: Take) -> pa.DataType:
    if isinstance(dtype, np.dtype):
        return pa.from_numpy_dtype(dtype)
    return _zoned_type(dtype) if isinstance(dtype, pd.DatetimeTZDtype) else pa.array(take(0, 0)).type


@lru_cache(maxsize=1024)
def _zoned_type(dtype: pd.DatetimeTZDtype) -> pa.DataType:
    # Remembered: to name a zone, pyarrow looks for pytz on the disk, each time anew where it is not installed.
    return pa.array(pd.DatetimeIndex([], dtype=dtype)).type


def _origin(dtype: Any) -> str:
    if isinstance(dtype, np.dtype | pd.DatetimeTZDtype):
        return "numpy"
    if isinstance(dtype, pd.StringDtype):
        return "string"
    if isinstance(dtype, pd.ArrowDtype):
        return "arrow"
    if isinstance(dtype, pd.PeriodDtype):
        return "period"
    return "masked" if hasattr(dtype, "numpy_dtype") else "extension"


def _detail(dtype: Any) -> Any:
    if isinstance(dtype, pd.StringDtype):
        return [dtype.storage, "NA" if dtype.na_value is pd.NA else "nan"]
    return str(dtype).removeprefix("period[").removesuffix("]") if isinstance(dtype, pd.PeriodDtype) else None


def _to_arrow(values: Any, type: pa.DataType) -> pa.Array:
    # Asked for an extension type by its name, pandas gives the storage of it.
    asked = None if isinstance(type, pa.BaseExtensionType) else type
    if isinstance(getattr(values, "dtype", None), pd.DatetimeTZDtype):
        values = values.asi8.view(f"M8[{values.unit}]")  # or pyarrow would name the zone again
    return as_array(pa.array(values, type=asked, from_pandas=True))


def _arrow_dictionaries(name: str, dtype: pd.ArrowDtype, take: Take, rows: int, *, keep_unused: bool) -> Column:
    kind, text, spec = _of_type(dtype, dtype.pyarrow_dtype)
    values, unused = with_used_values(take(0, rows).__arrow_array__(), keep_unused=keep_unused)

    def read(start: int, stop: int) -> pa.Array:
        return as_array(values.slice(start, stop - start))

    return Column(name, kind, text, values.type, spec, read, dictionary_facts(unused, keep_unused=keep_unused))


def dictionary_facts(unused: int | None, *, keep_unused: bool) -> tuple[Finding, ...]:
    """Return what there is to say of dictionary values that no row has.

    Args:
        unused: How many there are, or None where they were not counted.
        keep_unused: Whether they are sent.
    """
    if unused == 0:
        return ()
    return (Finding("unused dictionary values sent" if keep_unused else "unused dictionary values", None, unused),)


def _sparse(name: str, dtype: pd.SparseDtype, take: Take, rows: int) -> Column:
    dense = describe(name, dtype.subtype, lambda start, stop: take(start, stop).to_dense(), rows)
    facts = (Finding(dense.rule), *dense.facts)
    fill, natural = dtype.fill_value, pd.SparseDtype(dtype.subtype).fill_value
    if not _is_same(fill, natural) and not _has_fill(take(0, rows), fill):
        fill = natural
        facts += (Finding("unused fill value"),)
    spec = ColumnSpec("sparse", dense.type, _fill(fill), dense.spec)
    return Column(name, "sparse", str(dtype), dense.type, spec, dense.read, facts)


def _is_same(one: Any, other: Any) -> bool:
    return bool(pd.isna(one) if pd.isna(other) else one == other)


def _has_fill(values: Any, fill: Any) -> bool:
    stored = values.sp_values
    return len(stored) < len(values) or bool((pd.isna(stored) if pd.isna(fill) else stored == fill).any())


def _fill(value: Any) -> Any:
    return None if pd.isna(value) else value.item() if isinstance(value, np.generic) else value


def _category(name: str, dtype: pd.CategoricalDtype, take: Take, rows: int, *, keep_unused: bool) -> Column:
    categories = dtype.categories
    used = used_positions(_codes(take, rows), len(categories))
    unused = int(np.count_nonzero(~used))
    positions = new_positions(used) if unused and not keep_unused else None
    if positions is not None:
        categories = categories[used]
    distinct = raw_values(categories)
    inner = describe(name, categories.dtype, lambda start, stop: distinct[start:stop], len(categories))
    if not inner.readable:
        return Column(name, "category", str(dtype), inner.type, inner.spec, inner.read, inner.facts)
    dictionary = inner.read(0, len(categories))
    arrow_type = pa.dictionary(pa.int32(), inner.type, ordered=bool(dtype.ordered))

    def read(start: int, stop: int) -> pa.Array:
        codes = take(start, stop).codes
        indices = pa.array(codes.astype(np.int32) if positions is None else positions[codes], mask=codes < 0)
        return pa.DictionaryArray.from_arrays(indices, dictionary, ordered=bool(dtype.ordered))

    # Where they are just the sorted values, they need not be written down.
    implied = inner.rule != "null" and categories.is_monotonic_increasing and not (unused and keep_unused)
    parameters = [bool(dtype.ordered), None if implied else dictionary]
    facts = (Finding(inner.rule), *(Finding(fact.rule) for fact in inner.facts))
    if unused:
        facts += (Finding("unused categories sent" if keep_unused else "unused categories", None, unused),)
    return Column(
        name,
        "category",
        str(dtype),
        arrow_type,
        ColumnSpec("category", arrow_type, parameters, inner.spec),
        read,
        facts,
    )


def _codes(take: Take, rows: int) -> Iterator[Codes]:
    for start in range(0, rows, BLOCK_ROWS):
        yield take(start, min(start + BLOCK_ROWS, rows)).codes


def _interval(name: str, dtype: pd.IntervalDtype, take: Take) -> Column:
    ends = take(0, 0)
    inner = describe(name, dtype.subtype, lambda start, stop: raw_values(ends.left[start:stop]), 0)
    try:
        arrow_type = pa.array(ends).type
    except TypeError:  # before pandas 3, for intervals of zoned times
        return unsupported_column(name, dtype, Finding("extension without Arrow form"))

    def read(start: int, stop: int) -> pa.Array:
        return _to_arrow(take(start, stop), arrow_type)

    spec = ColumnSpec("interval", arrow_type, dtype.closed, inner.spec)
    return Column(name, "interval", str(dtype), arrow_type, spec, read)
