"""One pandas column (or index level) as Arrow arrays, slice by slice, with what is needed to make it again.

Nothing here changes the column it looks at, and nothing is converted as a whole: `Column.read` converts the rows it
is asked for. Object columns are the exception in time, not in memory: what they hold is only known after every value
was looked at, block by block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.api.types import infer_dtype

BLOCK_ROWS = 65_536

_OBJECTS = {
    "string": ("text", pa.string()),
    "bytes": ("bytes", pa.binary()),
    "integer": ("integer", pa.int64()),
    "floating": ("float", pa.float64()),
    "boolean": ("boolean", pa.bool_()),
    "decimal": ("decimal", None),
    "date": ("date", pa.date32()),
    "time": ("time", pa.time64("us")),
    "datetime": ("timestamp", None),
    "datetime64": ("timestamp", None),
    "timedelta": ("duration", None),
    "timedelta64": ("duration", None),
    "empty": ("null", pa.null()),
}
_CONTAINERS = (list, tuple, dict, np.ndarray)

Take = Callable[[int, int], Any]


@dataclass(frozen=True, slots=True)
class Spec:
    """How a column is made again from Arrow values.

    Attributes:
        origin: What the column was: ``numpy``, ``masked``, ``string``, ``object``, ``arrow``, ``period``, ``interval``,
            ``category``, ``sparse`` or ``range``.
        type: The Arrow type of its values (of its categories, for ``category``).
        detail: What else `origin` needs, as plain JSON values; see `_restore.py`.
        inner: The column inside a ``category``, ``interval`` or ``sparse`` column.
    """

    origin: str
    type: pa.DataType
    detail: Any = None
    inner: Spec | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """Something about a column's values that a rule of fidelity speaks of.

    Attributes:
        rule: Name of the rule.
        row: Position of the first value it is true of, counted from 0, or None when it is true of the column.
        count: How many values it is true of, or None when they were not counted.
    """

    rule: str
    row: int | None = None
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """One column as it goes into a file.

    Attributes:
        name: Its name in the file.
        kind: Name of the rule of fidelity that its type falls under.
        dtype: The type by which its owner knows it, as text.
        type: Arrow type of the arrays that `read` gives.
        spec: How it is made again.
        read: Gives rows `start` to `stop` as one Arrow array.
        facts: What was found while looking at it.
    """

    name: str
    kind: str
    dtype: str
    type: pa.DataType
    spec: Spec
    read: Callable[[int, int], pa.Array]
    facts: tuple[Fact, ...] = ()

    def blocks(self, rows: int) -> Iterator[tuple[int, pa.Array]]:
        """Yield the column in bounded pieces, each with the position of its first row."""
        for start in range(0, rows, BLOCK_ROWS):
            yield start, self.read(start, min(start + BLOCK_ROWS, rows))


def describe(name: str, dtype: Any, take: Take, rows: int) -> Column:
    """Return the column that `take` gives the values of.

    Args:
        name: Its name in the file.
        dtype: Its pandas or numpy dtype.
        take: Gives rows `start` to `stop` as a numpy array or pandas extension array, without copying.
        rows: How many rows it has.
    """
    if isinstance(dtype, pd.CategoricalDtype):
        return _category(name, dtype, take, rows)
    if isinstance(dtype, pd.SparseDtype):
        dense = describe(name, dtype.subtype, lambda start, stop: take(start, stop).to_dense(), rows)
        spec = Spec("sparse", dense.type, _fill(dtype.fill_value), dense.spec)
        return Column(name, "sparse", str(dtype), dense.type, spec, dense.read, (Fact(dense.kind), *dense.facts))
    if isinstance(dtype, pd.IntervalDtype):
        return _interval(name, dtype, take)
    if isinstance(dtype, np.dtype) and dtype.kind == "O":
        return _objects(name, take, rows)
    return _typed(name, dtype, take, rows)


def _typed(name: str, dtype: Any, take: Take, rows: int) -> Column:
    """Describe a column whose dtype says what its values are."""
    if isinstance(dtype, np.dtype) and (dtype.kind == "c" or dtype.itemsize > np.dtype("float64").itemsize):
        return _impossible(name, dtype, Fact("complex" if dtype.kind == "c" else "long double"))
    try:
        type = pa.array(take(0, 0), from_pandas=True).type
    except (TypeError, NotImplementedError, pa.ArrowException):
        return _impossible(name, dtype, Fact("extension without Arrow form"))
    spec = Spec(_origin(dtype), type, _detail(dtype))
    facts: tuple[Fact, ...] = ()

    def read(start: int, stop: int) -> pa.Array:
        return _to_arrow(take(start, stop), type)

    if isinstance(dtype, pd.StringDtype) and dtype.storage == "python":
        facts = _unconvertible(read, rows, "text with a lone surrogate")
    kind = "extension" if spec.origin == "extension" else kind_of(type)
    return Column(name, kind, str(dtype), type, spec, read, facts)


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


def kind_of(type: pa.DataType) -> str:
    """Return the name of the rule of fidelity for an Arrow type."""
    types = pa.types
    if isinstance(type, pa.BaseExtensionType):
        named = {"pandas.period": "period", "pandas.interval": "interval"}.get(type.extension_name)
        return named or kind_of(type.storage_type)
    if types.is_timestamp(type):
        return "zoned timestamp" if type.tz else "timestamp"
    if types.is_list_view(type) or types.is_large_list_view(type):
        return "other"
    for kind, is_kind in (
        ("null", types.is_null),
        ("boolean", types.is_boolean),
        ("integer", types.is_integer),
        ("float", types.is_floating),
        ("decimal", types.is_decimal),
        ("date", types.is_date),
        ("time", types.is_time),
        ("duration", types.is_duration),
        ("category", types.is_dictionary),
        ("map", types.is_map),
        ("struct", types.is_struct),
        ("list", lambda each: types.is_nested(each) and not types.is_union(each) and not types.is_struct(each)),
        ("text", lambda each: types.is_string(each) or types.is_large_string(each) or types.is_string_view(each)),
        ("bytes", lambda each: types.is_binary(each) or types.is_large_binary(each) or types.is_binary_view(each)),
        ("bytes", types.is_fixed_size_binary),
    ):
        if is_kind(type):
            return kind
    return "other"


def _to_arrow(values: Any, type: pa.DataType) -> pa.Array:
    return as_array(pa.array(values, type=type, from_pandas=True))


def as_array(array: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return a chunked array as one array, without copying when it is one already."""
    if not isinstance(array, pa.ChunkedArray):
        return array
    if array.num_chunks == 1:
        return array.chunk(0)
    return pa.concat_arrays(array.chunks) if array.num_chunks else pa.nulls(0, array.type)


def _fill(value: Any) -> Any:
    return None if pd.isna(value) else value.item() if isinstance(value, np.generic) else value


def _category(name: str, dtype: pd.CategoricalDtype, take: Take, rows: int) -> Column:
    categories = dtype.categories
    inner = describe(name, categories.dtype, lambda start, stop: categories[start:stop].array, len(categories))
    if any(fact.rule in UNREADABLE for fact in inner.facts):
        return Column(name, "category", str(dtype), inner.type, inner.spec, inner.read, inner.facts)
    dictionary = inner.read(0, len(categories))
    type = pa.dictionary(pa.int32(), inner.type, ordered=bool(dtype.ordered))

    def read(start: int, stop: int) -> pa.Array:
        codes = take(start, stop).codes
        indices = pa.array(codes.astype(np.int32), mask=codes < 0)
        return pa.DictionaryArray.from_arrays(indices, dictionary, ordered=bool(dtype.ordered))

    implied = inner.kind != "null" and _implied(categories, take, rows)
    detail = [bool(dtype.ordered), None if implied else dictionary]
    facts = (Fact(inner.kind), *(Fact(fact.rule) for fact in inner.facts))
    return Column(name, "category", str(dtype), type, Spec("category", type, detail, inner.spec), read, facts)


def _implied(categories: pd.Index, take: Take, rows: int) -> bool:
    """Say whether the categories are just the sorted values, so that they need not be written down."""
    if not categories.is_monotonic_increasing or len(categories) > rows:
        return False
    used = np.zeros(len(categories), dtype=bool)
    for start in range(0, rows, BLOCK_ROWS):
        codes = take(start, min(start + BLOCK_ROWS, rows)).codes
        used[codes[codes >= 0]] = True
    return bool(used.all())


def _interval(name: str, dtype: pd.IntervalDtype, take: Take) -> Column:
    ends = take(0, 0)
    inner = describe(name, dtype.subtype, lambda start, stop: ends.left[start:stop].array, 0)
    type = pa.array(ends).type

    def read(start: int, stop: int) -> pa.Array:
        return _to_arrow(take(start, stop), type)

    spec = Spec("interval", type, dtype.closed, inner.spec)
    return Column(name, "interval", str(dtype), type, spec, read)


def _objects(name: str, take: Take, rows: int) -> Column:
    """Describe an object column by looking at every value."""
    values = take(0, rows)
    missing = pd.isna(values)
    inferred = infer_dtype(values[~missing], skipna=False) if rows else "empty"
    kind, type = _OBJECTS.get(inferred, ("mixed", None))
    present = np.flatnonzero(~missing)
    if kind == "mixed" and all(isinstance(values[i], _CONTAINERS) for i in present):
        kind = "nested"
    if kind == "mixed":
        return _impossible(name, "object", Fact("mixed objects", _odd_one_out(values, present)))
    null, facts = _null_of(values[missing])
    if kind in {"decimal", "timestamp", "duration", "nested"} or inferred == "integer":
        type, row = _common_type(values, rows)
        if type is None:
            return _impossible(name, "object", Fact("mixed objects", row))
        kind = kind_of(type)
    found = type

    def read(start: int, stop: int) -> pa.Array:
        return pa.array(take(start, stop), type=found, from_pandas=True)

    rule = "text with a lone surrogate" if kind == "text" else "mixed objects"
    facts += _unconvertible(read, rows, rule)
    if kind in {"struct", "list"} and not facts:
        facts += _incomplete(values, present, type)
    return Column(name, kind, "object", type, Spec("object", type, null), read, facts)


def _odd_one_out(values: Any, present: Any) -> int:
    first = type(values[present[0]])
    return int(next((i for i in present if type(values[i]) is not first), present[0]))


def _null_of(nulls: Any) -> tuple[str, tuple[Fact, ...]]:
    names = {
        "None" if each is None else "NA" if each is pd.NA else "NaT" if each is pd.NaT else "nan" for each in nulls
    }
    if len(names) > 1:
        return "None", (Fact("nulls of several kinds"),)
    return next(iter(names), "None"), ()


def _common_type(values: Any, rows: int) -> tuple[pa.DataType | None, int | None]:
    """Return the Arrow type of all the values, or None and the row whose type does not go with those before it."""
    common: pa.DataType = pa.null()
    for start in range(0, rows, BLOCK_ROWS):
        block = values[start : start + BLOCK_ROWS]
        try:
            common = _unified(common, _inferred(block))
        except (pa.ArrowException, OverflowError, ValueError, TypeError):
            for row, value in enumerate(block, start):
                try:
                    common = _unified(common, _inferred(values[row : row + 1]))
                except (pa.ArrowException, OverflowError, ValueError, TypeError):
                    return None, row
            return None, start
    return common, None


def _inferred(block: Any) -> pa.DataType:
    zones = {each.tzinfo is None for each in block if hasattr(each, "tzinfo")}
    if len(zones) > 1:
        raise pa.ArrowInvalid("naive and zoned times in one column")
    try:
        return pa.array(block, from_pandas=True).type
    except OverflowError:
        return pa.array(block, type=pa.uint64(), from_pandas=True).type


def _unified(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    if pa.types.is_integer(one) and pa.types.is_integer(other) and one != other:
        return pa.uint64()
    schemas = [pa.schema([("value", one)]), pa.schema([("value", other)])]
    both_decimal = pa.types.is_decimal(one) and pa.types.is_decimal(other)
    return pa.unify_schemas(schemas, promote_options="permissive" if both_decimal else "default").field(0).type


def _unconvertible(read: Callable[[int, int], pa.Array], rows: int, rule: str) -> tuple[Fact, ...]:
    """Convert everything once, and return the first row that does not convert, if any."""
    for start in range(0, rows, BLOCK_ROWS):
        stop = min(start + BLOCK_ROWS, rows)
        if _converts(read, start, stop):
            continue
        return (Fact(rule, next(row for row in range(start, stop) if not _converts(read, row, row + 1))),)
    return ()


def _converts(read: Callable[[int, int], pa.Array], start: int, stop: int) -> bool:
    try:
        read(start, stop)
    except (pa.ArrowException, OverflowError, ValueError, TypeError):
        return False
    return True


def _incomplete(values: Any, present: Any, type: pa.DataType) -> tuple[Fact, ...]:
    row = next((int(i) for i in present if not _complete(values[i], type)), None)
    return () if row is None else (Fact("structs with different members", row),)


def _complete(value: Any, type: pa.DataType) -> bool:
    if value is None:
        return True
    if isinstance(value, dict):
        return len(value) == type.num_fields and all(_complete(value[field.name], field.type) for field in type)
    if pa.types.is_nested(type) and not pa.types.is_struct(type):
        return all(_complete(each, type.value_type) for each in value)
    return True


def _impossible(name: str, dtype: Any, fact: Fact) -> Column:
    spec = Spec("object", pa.null())
    return Column(name, fact.rule, str(dtype), pa.null(), spec, lambda start, stop: pa.nulls(stop - start), (fact,))


UNREADABLE = frozenset(
    {
        "complex",
        "long double",
        "extension without Arrow form",
        "mixed objects",
        "text with a lone surrogate",
    }
)
