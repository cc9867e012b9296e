"""One pandas column (or index level) as a `Column`.

Nothing here changes the values, and nothing is converted as a whole: `Column.read` converts the rows that are asked
for.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    unsupported_column,
)
from digime_pandas._tabular.frames.object_columns import describe_objects, first_unconvertible_row
from digime_pandas._tabular.frames.used_values import (
    code_blocks,
    has_dictionary,
    new_positions,
    used_positions,
    with_used_values,
)


def describe_columns(frame: pd.DataFrame, *, keep_unused: bool = False) -> tuple[Column, ...]:
    """Return the columns of a frame, named by the text of their labels; see `describe`."""
    return tuple(describe(str(label), raw_values(series), keep_unused=keep_unused) for label, series in frame.items())


def describe(name: str, values: Any, *, keep_unused: bool = False) -> Column:
    """Return the column of some values.

    What the dtype lists and no row has is left out: unused categories, the values of an Arrow dictionary, the fill
    value of a sparse column.

    Args:
        name: Its name in the file.
        values: All its values, as a numpy array or pandas extension array. They are not copied.
        keep_unused: Whether unused categories and dictionary values stay.
    """
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _category(name, values, keep_unused=keep_unused)
    if isinstance(dtype, pd.SparseDtype):
        return _sparse(name, values)
    if isinstance(dtype, pd.IntervalDtype):
        return _interval(name, values)
    if isinstance(dtype, np.dtype) and dtype.kind == "O":
        return describe_objects(name, values)
    if isinstance(dtype, pd.ArrowDtype) and has_dictionary(dtype.pyarrow_dtype):
        return _arrow_dictionaries(name, values, keep_unused=keep_unused)
    return _typed(name, values)


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
    rule, text, spec = _of_dtype(dtype, arrow_type)
    findings: tuple[Finding, ...] = ()
    if isinstance(dtype, pd.StringDtype) and dtype.storage == "python":
        row = first_unconvertible_row(values, arrow_type)
        findings = () if row is None else (Finding("text with a lone surrogate", row),)
    return Column(
        name, rule, text, arrow_type, spec, lambda start, stop: _to_arrow(values[start:stop], arrow_type), findings
    )


@lru_cache(maxsize=1024)
def _of_dtype(dtype: Any, arrow_type: pa.DataType) -> tuple[RuleName, str, ColumnSpec]:
    """Return what is the same for all columns of a dtype: its rule, the dtype as text, the specification."""
    spec = ColumnSpec(_family(dtype), arrow_type, _parameters(dtype))
    return "extension" if spec.dtype_family == "extension" else rule_of_type(arrow_type), str(dtype), spec


def _arrow_type(dtype: Any, values: Any) -> pa.DataType:
    if isinstance(dtype, np.dtype):
        return pa.from_numpy_dtype(dtype)
    return _zoned_type(dtype) if isinstance(dtype, pd.DatetimeTZDtype) else pa.array(values[:0]).type


@lru_cache(maxsize=1024)
def _zoned_type(dtype: pd.DatetimeTZDtype) -> pa.DataType:
    # Cached: to name a zone, pyarrow searches for pytz on the disk, each time anew where it is not installed.
    return pa.array(pd.DatetimeIndex([], dtype=dtype)).type


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
    if isinstance(getattr(values, "dtype", None), pd.DatetimeTZDtype):
        values = values.asi8.view(f"M8[{values.unit}]")  # or pyarrow would name the zone again
    array = pa.array(values, type=asked, from_pandas=True)
    return as_array(array) if isinstance(array, pa.ChunkedArray) else array


def _arrow_dictionaries(name: str, values: Any, *, keep_unused: bool) -> Column:
    rule, text, spec = _of_dtype(values.dtype, values.dtype.pyarrow_dtype)
    used, unused = with_used_values(values.__arrow_array__(), keep_unused=keep_unused)

    def read(start: int, stop: int) -> pa.Array:
        return as_array(used.slice(start, stop - start))

    return Column(name, rule, text, used.type, spec, read, dictionary_findings(unused, keep_unused=keep_unused))


def dictionary_findings(unused: int | None, *, keep_unused: bool) -> tuple[Finding, ...]:
    """Return the findings about dictionary values that no row has.

    Args:
        unused: How many there are, or None where they were not counted.
        keep_unused: Whether they are sent.
    """
    if unused == 0:
        return ()
    return (Finding("unused dictionary values sent" if keep_unused else "unused dictionary values", None, unused),)


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
    return Column(name, "sparse", str(dtype), dense.type, spec, read, findings)


def _is_same(one: Any, other: Any) -> bool:
    return bool(pd.isna(one) if pd.isna(other) else one == other)


def _has_fill(values: Any, fill: Any) -> bool:
    stored = values.sp_values
    return len(stored) < len(values) or bool((pd.isna(stored) if pd.isna(fill) else stored == fill).any())


def _plain_fill(value: Any) -> Any:
    return None if pd.isna(value) else value.item() if isinstance(value, np.generic) else value


def _category(name: str, values: Any, *, keep_unused: bool) -> Column:
    categories, codes, ordered = values.categories, values.codes, bool(values.ordered)
    used = used_positions(code_blocks(codes), len(categories))
    unused = int(np.count_nonzero(~used))
    positions = new_positions(used) if unused and not keep_unused else None
    if positions is not None:
        categories = categories[used]
    inner = describe(name, raw_values(categories))
    if not inner.readable:
        return Column(name, "category", str(values.dtype), inner.type, inner.spec, inner.read, inner.findings)
    dictionary = inner.read(0, len(categories))
    arrow_type = pa.dictionary(pa.int32(), inner.type, ordered=ordered)

    def read(start: int, stop: int) -> pa.Array:
        part = codes[start:stop]
        indices = pa.array(part.astype(np.int32) if positions is None else positions[part], mask=part < 0)
        return pa.DictionaryArray.from_arrays(indices, dictionary, ordered=ordered)

    # Categories that are just the sorted values are not written down: `restore` sorts the values.
    implied = inner.rule != "null" and categories.is_monotonic_increasing and not (unused and keep_unused)
    parameters = CategoryParameters(ordered, None if implied else dictionary)
    spec = ColumnSpec("category", arrow_type, parameters, inner.spec)
    # Rows of the categories' findings are positions of categories, not of rows.
    findings = (Finding(inner.rule), *(Finding(each.rule) for each in inner.findings))
    if unused:
        findings += (Finding("unused categories sent" if keep_unused else "unused categories", None, unused),)
    return Column(name, "category", str(values.dtype), arrow_type, spec, read, findings)


def _interval(name: str, values: Any) -> Column:
    inner = describe(name, raw_values(values[:0].left))
    try:
        arrow_type = pa.array(values[:0]).type
    except TypeError:  # before pandas 3, for intervals of zoned times
        return unsupported_column(name, values.dtype, Finding("extension without Arrow form"))
    spec = ColumnSpec("interval", arrow_type, values.dtype.closed, inner.spec)
    return Column(
        name,
        "interval",
        str(values.dtype),
        arrow_type,
        spec,
        lambda start, stop: _to_arrow(values[start:stop], arrow_type),
    )


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
        return pa.RecordBatch.from_arrays([each.read(start, stop) for each in self._columns], schema=self._schema)
