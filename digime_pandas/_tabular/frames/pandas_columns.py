"""One pandas column (or index level) as a `Column`.

Nothing here changes the values, and nothing is converted as a whole: `Column.read` converts the rows that are asked
for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from digime_pandas._tabular.arrow import as_array, rule_of_type
from digime_pandas._tabular.columns import (
    CategoryParameters,
    Column,
    ColumnSpec,
    DtypeFamily,
    Finding,
    RuleName,
    StringParameters,
    is_of_a_library,
    raise_about_column,
    unreadable,
    unsupported_column,
)
from digime_pandas._tabular.frames.arrow_input.arrow_columns import describe_arrow, first_invalid
from digime_pandas._tabular.frames.arrow_input.type_facts import is_encodable, stored_type
from digime_pandas._tabular.frames.frequencies import INDEX_OF_TIMES, named_frequency
from digime_pandas._tabular.frames.object_columns import describe_objects, first_unconvertible_row
from digime_pandas._tabular.frames.used_values import code_blocks, new_positions, used_positions


def describe_columns(frame: pd.DataFrame, *, keep_unused: bool = False) -> tuple[Column, ...]:
    """Return the columns of a frame, named by the text of their labels; see `describe`."""
    return tuple(describe(str(label), raw_values(series), keep_unused=keep_unused) for label, series in frame.items())


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


def _described(name: str, values: Any, *, keep_unused: bool) -> Column:
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _category(name, values, keep_unused=keep_unused)
    if isinstance(dtype, pd.SparseDtype):
        return _sparse(name, values)
    if isinstance(dtype, pd.IntervalDtype):
        return _interval(name, values)
    if isinstance(dtype, np.dtype) and dtype.kind == "O":
        return describe_objects(name, values)
    if isinstance(dtype, pd.ArrowDtype):
        return _arrow(name, values, keep_unused=keep_unused)
    return (_zoned if isinstance(dtype, pd.DatetimeTZDtype) else _typed)(name, values)


def _typed(name: str, values: Any) -> Column:
    """Return a column whose dtype says what its values are."""
    dtype = values.dtype
    if isinstance(dtype, np.dtype) and (dtype.kind == "c" or dtype.itemsize > np.dtype("float64").itemsize):
        return unsupported_column(name, dtype, Finding("complex" if dtype.kind == "c" else "long double"))
    try:
        arrow_type = _arrow_type(dtype, values)
    except (TypeError, NotImplementedError, pa.ArrowException):
        # The errors by which pandas, pyarrow or the package of the type report that it has no Arrow form.
        return unsupported_column(name, dtype, Finding("extension without Arrow form"))
    if isinstance(dtype, pd.StringDtype):
        return _column(name, values, arrow_type, _findings_of_text(values, arrow_type))
    swapped = isinstance(dtype, np.dtype) and not dtype.isnative
    return _column(name, values, arrow_type, (Finding("byte order"),) if swapped else ())


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
    return Column(name, rule, text, type, spec, lambda start, stop: _to_arrow(values[start:stop], type), findings)


def _findings_of_text(values: Any, type: pa.DataType) -> tuple[Finding, ...]:
    if values.dtype.storage == "python":
        row = first_unconvertible_row(values, type)
        return () if row is None else (Finding("text with a lone surrogate", row),)
    invalid = first_invalid(values.__arrow_array__())
    return () if invalid is None else (invalid,)


@lru_cache(maxsize=1024)
def _of_dtype(dtype: Any, arrow_type: pa.DataType) -> tuple[RuleName, str, ColumnSpec]:
    """Return what is the same for all columns of a dtype: its rule, the dtype as text, the specification."""
    spec = ColumnSpec(_family(dtype), arrow_type, _parameters(dtype))
    return "extension" if spec.dtype_family == "extension" else rule_of_type(arrow_type), str(dtype), spec


def _arrow_type(dtype: Any, values: Any) -> pa.DataType:
    if isinstance(dtype, np.dtype):
        return pa.from_numpy_dtype(dtype.newbyteorder("="))
    arrow_type = pa.array(values[:0]).type
    return stored_type(arrow_type) if _family(dtype) == "extension" else arrow_type


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


def _to_arrow(values: Any, type: pa.DataType) -> pa.Array:
    # Asked for an extension type by its name, pandas returns its storage.
    asked = None if isinstance(type, pa.BaseExtensionType) else type
    dtype = getattr(values, "dtype", None)
    if isinstance(dtype, pd.DatetimeTZDtype):
        values = values.asi8.view(f"M8[{values.unit}]")  # or pyarrow would name the zone again
    elif isinstance(dtype, np.dtype) and not dtype.isnative:
        values = values.astype(dtype.newbyteorder("="))
    array = pa.array(values, type=asked, from_pandas=True)
    if isinstance(array, pa.ChunkedArray):
        array = as_array(array)
    return array if array.type == type else array.cast(type)


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
        return _to_arrow(values[start:stop].to_dense(), dense.type)

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
    used = used_positions(code_blocks(codes), len(categories))
    unused = int(np.count_nonzero(~used))
    positions = new_positions(used) if unused and not keep_unused else None
    if positions is not None:
        categories = categories[used]
    inner = describe(name, raw_values(categories))
    kept = np.flatnonzero(used) if positions is not None else np.arange(len(used))
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
        return _to_arrow(values[start:stop], arrow_type)

    return Column(name, "interval", str(values.dtype), arrow_type, spec, read, inner.findings)


def raw_values(values: pd.Series[Any] | pd.Index[Any]) -> Any:
    """Return the values without copying them.

    Args:
        values: A column or index.

    Returns:
        A numpy array for numpy dtypes, else the extension array.
    """
    return values.to_numpy() if isinstance(values.dtype, np.dtype) else values.array


class SlicesOfColumns:
    """Returns the next rows of columns at each call, as one batch, and None at the end.

    Args:
        columns: The columns, which can be read at any row.
        rows: How many rows they have.
    """

    def __init__(self, columns: Sequence[Column], rows: int) -> None:
        self._columns = columns
        self._schema = pa.schema([(column.name, column.type) for column in columns])
        self._position = 0
        self._rows = rows

    def __call__(self, count: int) -> pa.RecordBatch | None:
        """Return the next rows.

        Args:
            count: How many at most.
        """
        start, stop = self._position, min(self._position + count, self._rows)
        if start == stop:
            return None
        self._position = stop
        arrays = []
        for column in self._columns:
            try:
                arrays.append(column.read(start, stop))
            except BaseException as error:  # noqa: BLE001 - raised again
                raise_about_column(error, column.name)
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)
