"""One pandas column (or index level) as a `Column`.

Nothing here changes the values, and nothing is converted as a whole: `Column.read` converts the rows that are asked
for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from digime_pandas._tabular.arrow import rule_of_type
from digime_pandas._tabular.columns import (
    CategoryParameters,
    Column,
    ColumnSpec,
    DtypeFamily,
    Finding,
    RuleName,
    StringParameters,
    is_of_a_library,
    unreadable,
    unsupported_column,
)
from digime_pandas._tabular.frames.arrow_input.arrow_columns import describe_arrow, first_invalid
from digime_pandas._tabular.frames.arrow_input.type_facts import is_encodable, stored_type
from digime_pandas._tabular.frames.conversion.pandas_rows import read_rows, to_arrow
from digime_pandas._tabular.frames.frequencies import INDEX_OF_TIMES, named_frequency
from digime_pandas._tabular.frames.object_columns import describe_objects, first_unconvertible_row
from digime_pandas._tabular.frames.used_values import are_all_used, code_blocks, new_positions, used_positions

# The errors by which pandas, pyarrow or the package of a type report that it has no Arrow form.
_NO_ARROW_FORM = (TypeError, NotImplementedError, pa.ArrowException)
_LONGEST_ITEM = np.dtype("float64").itemsize
_MASKED_DTYPES: frozenset[type] = frozenset(
    (
        *(pd.Int8Dtype, pd.Int16Dtype, pd.Int32Dtype, pd.Int64Dtype, pd.Float32Dtype, pd.Float64Dtype),
        *(pd.UInt8Dtype, pd.UInt16Dtype, pd.UInt32Dtype, pd.UInt64Dtype, pd.BooleanDtype),
    )
)


def describe_columns(frame: pd.DataFrame, *, keep_unused: bool = False) -> tuple[Column, ...]:
    """Return the columns of a frame, named by the text of their labels; see `describe`."""
    pairs = zip(_texts_of_labels(frame.columns), _values_of_columns(frame), strict=True)
    return tuple([describe(text, values, keep_unused=keep_unused) for text, values in pairs])


def _texts_of_labels(labels: pd.Index[Any]) -> list[str]:
    dtype = labels.dtype
    if isinstance(dtype, pd.StringDtype) and dtype.storage == "pyarrow" and not labels.hasnans:
        texts: list[str] = raw_values(labels).__arrow_array__().to_pylist()  # one by one takes ten times as long
        return texts
    return list(map(str, labels))


def _values_of_columns(frame: pd.DataFrame) -> Iterator[Any]:
    """Yield what `raw_values` returns of each column, without making a Series of it where pandas can do without."""
    arrays: Any = getattr(frame, "_iter_column_arrays", None) if type(frame) is pd.DataFrame else None
    if arrays is None:
        return (raw_values(series) for _, series in frame.items())
    return (
        each.to_numpy() if isinstance(each.dtype, np.dtype) and not isinstance(each, np.ndarray) else each
        for each in arrays()
    )


def describe(name: str, values: Any, *, keep_unused: bool = False) -> Column:
    """Return the column of some values; one that pandas or Arrow fails to read is described as unreadable.

    What the dtype lists and no row has is left out: unused categories, the values of an Arrow dictionary, the fill
    value of a sparse column.

    Args:
        name: Its name in the file.
        values: All its values, as a numpy array or pandas extension array. They are not copied.
        keep_unused: Whether unused categories and dictionary values stay.
    """
    try:
        return _described(name, values, keep_unused=keep_unused)
    except BaseException as error:
        if not is_of_a_library(error):
            raise
        return unsupported_column(name, values.dtype, unreadable(error), error)


def _described(name: str, values: Any, *, keep_unused: bool) -> Column:  # noqa: PLR0911 - one case per kind
    dtype = values.dtype
    if isinstance(dtype, np.dtype):
        return describe_objects(name, values) if dtype.kind == "O" else _of_numpy(name, values)
    if isinstance(dtype, pd.StringDtype):
        return _text(name, values)
    if isinstance(dtype, pd.DatetimeTZDtype):
        return _zoned(name, values)
    if isinstance(dtype, pd.CategoricalDtype):
        return _category(name, values, keep_unused=keep_unused)
    if isinstance(dtype, pd.ArrowDtype):
        return _arrow(name, values, keep_unused=keep_unused)
    if isinstance(dtype, pd.SparseDtype):
        return _sparse(name, values)
    return (_interval if isinstance(dtype, pd.IntervalDtype) else _typed)(name, values)


def _of_numpy(name: str, values: Any) -> Column:
    dtype = values.dtype
    if dtype.kind == "c" or dtype.itemsize > _LONGEST_ITEM:
        return unsupported_column(name, dtype, Finding("complex" if dtype.kind == "c" else "long double"))
    try:
        arrow_type = _type_of_numpy(dtype)
    except _NO_ARROW_FORM:
        return unsupported_column(name, dtype, Finding("extension without Arrow form"))
    return _column(name, values, arrow_type, () if dtype.isnative else (Finding("byte order"),))


def _text(name: str, values: Any) -> Column:
    if values.dtype.storage == "python":
        arrow_type = pa.array(values[:0]).type
        row = first_unconvertible_row(values, arrow_type)
        return _column(name, values, arrow_type, () if row is None else (Finding("text with a lone surrogate", row),))
    chunks = values.__arrow_array__()
    invalid = first_invalid(chunks)
    return _column(name, values, chunks.type, () if invalid is None else (invalid,))


def _typed(name: str, values: Any) -> Column:
    """Return a column whose dtype, of an extension of pandas, says what its values are."""
    dtype = values.dtype
    try:
        if type(dtype) in _MASKED_DTYPES:
            arrow_type = _type_of_numpy(dtype.numpy_dtype)
        else:
            arrow_type = pa.array(values[:0]).type
            arrow_type = stored_type(arrow_type) if _family(dtype) == "extension" else arrow_type
    except _NO_ARROW_FORM:
        return unsupported_column(name, dtype, Finding("extension without Arrow form"))
    return _column(name, values, arrow_type, ())


def _arrow(name: str, values: Any, *, keep_unused: bool) -> Column:
    column = describe_arrow(name, values.__arrow_array__(), keep_unused=keep_unused).column
    if column.readable and column.spec.dtype_family != "arrow":
        other = Finding("Arrow type that is not restored", seen=f"{values.dtype} comes back as a dtype of pandas")
        column = replace(column, findings=(*column.findings, other))
    return replace(column, dtype=str(values.dtype))


def _zoned(name: str, values: Any) -> Column:
    zone = _zone(values.dtype)
    if zone is None:
        return unsupported_column(name, values.dtype, Finding("zone without a name"))
    return _column(name, values, zone.type, zone.findings)


def _column(name: str, values: Any, type: pa.DataType, findings: tuple[Finding, ...]) -> Column:
    rule, text, spec = _of_dtype(values.dtype, type)
    return Column(name, rule, text, type, spec, partial(read_rows, values, type, []), findings)


@lru_cache(maxsize=1024)
def _of_dtype(dtype: Any, arrow_type: pa.DataType) -> tuple[RuleName, str, ColumnSpec]:
    """Return what is the same for all columns of a dtype: its rule, the dtype as text, the specification."""
    spec = ColumnSpec(_family(dtype), arrow_type, _parameters(dtype))
    return "extension" if spec.dtype_family == "extension" else rule_of_type(arrow_type), str(dtype), spec


@lru_cache(maxsize=1024)
def _type_of_numpy(dtype: np.dtype[Any]) -> pa.DataType:
    return pa.from_numpy_dtype(dtype.newbyteorder("="))


@dataclass(frozen=True, slots=True)
class _Zone:
    """The Arrow type of times in a zone, and whether the zone of that name is another one to pandas."""

    type: pa.DataType
    findings: tuple[Finding, ...]


@lru_cache(maxsize=1024)
def _zone(dtype: pd.DatetimeTZDtype) -> _Zone | None:
    """Return what is known of the zone of a dtype, or None where it has no name by which pandas finds it again."""
    # Cached: to name a zone, pyarrow searches for pytz on the disk, each time anew where it is not installed.
    try:
        arrow_type = pa.array(pd.DatetimeIndex([], dtype=dtype)).type
        restored = pd.DatetimeTZDtype(dtype.unit, arrow_type.tz)
    except Exception:  # noqa: BLE001 - of zones of all kinds, which raise errors of all kinds
        return None
    findings = (
        () if restored == dtype else (Finding("zone of another kind", seen=f"{dtype.tz} becomes {arrow_type.tz}"),)
    )
    return _Zone(arrow_type, findings)


def _family(dtype: Any) -> DtypeFamily:
    if isinstance(dtype, np.dtype | pd.DatetimeTZDtype):
        return "numpy"
    if isinstance(dtype, pd.StringDtype):
        return "string"
    if isinstance(dtype, pd.ArrowDtype):
        return "arrow"
    if isinstance(dtype, pd.PeriodDtype):
        return "period"
    return "masked" if hasattr(dtype, "numpy_dtype") else "extension"


def _parameters(dtype: Any) -> StringParameters | str | None:
    if isinstance(dtype, pd.StringDtype):
        return StringParameters(dtype.storage, "NA" if dtype.na_value is pd.NA else "nan")
    return str(dtype).removeprefix("period[").removesuffix("]") if isinstance(dtype, pd.PeriodDtype) else None


def _sparse(name: str, values: Any) -> Column:
    dtype = values.dtype
    # Only objects have to be inspected: the dense values of other dtypes are made slice by slice.
    dense = describe(name, (values if dtype.subtype.kind == "O" else values[:0]).to_dense())
    findings = (Finding(dense.rule), *dense.findings)
    fill, natural = dtype.fill_value, pd.SparseDtype(dtype.subtype).fill_value
    if not _is_same(fill, natural) and not _has_fill(values, fill):
        fill = natural
        findings += (Finding("unused fill value"),)

    def read(start: int, stop: int) -> pa.Array:
        return to_arrow(values[start:stop].to_dense(), dense.type)

    spec = ColumnSpec("sparse", dense.type, _plain_fill(fill), dense.spec)
    take = dense.read if dtype.subtype.kind == "O" else read
    return Column(name, "sparse", str(dtype), dense.type, spec, take, findings, dense.cause)


def _is_same(one: Any, other: Any) -> bool:
    return bool(pd.isna(one) if pd.isna(other) else one == other)


def _has_fill(values: Any, fill: Any) -> bool:
    stored = values.sp_values
    return len(stored) < len(values) or bool((pd.isna(stored) if pd.isna(fill) else stored == fill).any())


def _plain_fill(value: Any) -> Any:
    return (
        None
        if pd.isna(value)
        else value.item()
        if isinstance(value, np.bool_ | np.number) and not isinstance(value, np.timedelta64)
        else value
    )


def _category(name: str, values: Any, *, keep_unused: bool) -> Column:
    categories, codes, ordered = values.categories, values.codes, bool(values.ordered)
    positions, unused = None, 0
    if not are_all_used(codes, len(categories)):
        used = used_positions(code_blocks(codes), len(categories))
        unused = int(np.count_nonzero(~used))
        if unused and not keep_unused:
            positions, categories = new_positions(used), categories[used]
    inner = describe(name, raw_values(categories))
    found: tuple[Finding, ...] = ()
    if inner.findings:
        kept = np.arange(len(categories)) if positions is None else np.flatnonzero(positions[:-1] >= 0)
        found = tuple(_of_rows(each, codes, kept) for each in inner.findings)
    if not inner.readable:
        return replace(inner, rule="category", dtype=str(values.dtype), findings=found)
    if inner.spec.dtype_family in {"arrow", "object"} and not is_encodable(inner.type):
        return unsupported_column(name, values.dtype, Finding("other", seen=f"categories of {inner.type}"))
    dictionary = inner.read(0, len(categories))
    arrow_type = pa.dictionary(pa.int32(), inner.type, ordered=ordered)

    def read(start: int, stop: int) -> pa.Array:
        part = codes[start:stop]
        indices = pa.array(part.astype(np.int32) if positions is None else positions[part], mask=part < 0)
        return pa.DictionaryArray.from_arrays(indices, dictionary, ordered=ordered)

    # Categories that are just the sorted values are not written down: `restore` sorts the values.
    implied = inner.rule != "null" and categories.is_monotonic_increasing and not (unused and keep_unused)
    freq, of_freq = named_frequency(categories) if isinstance(categories, INDEX_OF_TIMES) else (None, ())
    parameters = CategoryParameters(ordered, None if implied else dictionary, freq, categories.name)
    spec = ColumnSpec("category", arrow_type, parameters, inner.spec)
    findings = (Finding(inner.rule), *found, *of_freq)
    if unused:
        findings += (Finding("unused categories sent" if keep_unused else "unused categories", None, unused),)
    return Column(name, "category", str(values.dtype), arrow_type, spec, read, findings)


def _of_rows(finding: Finding, codes: Any, kept: Any) -> Finding:
    """Return a finding about categories, whose row is the position of a category, as one about rows."""
    # What was seen may name positions too, where it is about several.
    seen = None if finding.rule == "mixed objects" else finding.seen
    has = [] if finding.row is None else np.flatnonzero(codes == kept[finding.row]).tolist()
    return replace(finding, row=has[0] if has else None, seen=seen)


def _interval(name: str, values: Any) -> Column:
    inner = describe(name, raw_values(values[:0].left))
    if not inner.readable:
        return unsupported_column(name, values.dtype, inner.findings[0], inner.cause)
    try:
        arrow_type = pa.array(values[:0]).type
    except TypeError:  # before pandas 3, for intervals of zoned times
        return unsupported_column(name, values.dtype, Finding("extension without Arrow form"))
    spec = ColumnSpec("interval", arrow_type, values.dtype.closed, inner.spec)

    def read(start: int, stop: int) -> pa.Array:
        return to_arrow(values[start:stop], arrow_type)

    return Column(name, "interval", str(values.dtype), arrow_type, spec, read, inner.findings)


def raw_values(values: pd.Series[Any] | pd.Index[Any]) -> Any:
    """Return the values without copying them.

    Args:
        values: A column or index.

    Returns:
        A numpy array for numpy dtypes, else the extension array.
    """
    return values.to_numpy() if isinstance(values.dtype, np.dtype) else values.array
