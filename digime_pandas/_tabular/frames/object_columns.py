"""Object columns: what they hold is only known after every value was looked at."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.api.types import infer_dtype

from digime_pandas._tabular.columns import (
    BLOCK_ROWS,
    Column,
    ColumnSpec,
    Finding,
    Take,
    first_unconvertible_row,
    rule_of_type,
    unsupported_column,
)

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
_WIDENING = (pa.types.is_decimal, pa.types.is_timestamp, pa.types.is_duration)
_CONTAINERS = (list, tuple, dict, np.ndarray)


def describe_objects(name: str, take: Take, rows: int) -> Column:
    """Describe an object column by looking at every value."""
    values = take(0, rows)
    missing = pd.isna(values)
    inferred = infer_dtype(values[~missing], skipna=False) if rows else "empty"
    kind, found = _OBJECTS.get(inferred, ("mixed", None))
    present = np.flatnonzero(~missing)
    if kind == "date" and any(isinstance(values[i], dt.datetime) for i in present):
        kind = "mixed"  # a datetime is a date to Python, and Arrow would drop its time
    if kind == "mixed" and all(isinstance(values[i], _CONTAINERS) for i in present):
        kind = "nested"
    if kind == "mixed":
        return unsupported_column(name, "object", Finding("mixed objects", _odd_one_out(values, present)))
    null, facts = _null_of(values[missing])
    if kind in {"decimal", "timestamp", "duration", "nested"} or inferred == "integer":
        found, row = _common_type(values, rows)
        if found is None:
            return unsupported_column(name, "object", Finding("mixed objects", row))
        kind = rule_of_type(found)
    arrow_type = found

    def read(start: int, stop: int) -> pa.Array:
        return pa.array(take(start, stop), type=arrow_type, from_pandas=True)

    rule = "text with a lone surrogate" if kind == "text" else "mixed objects"
    facts += first_unconvertible_row(read, rows, rule)
    if kind in {"struct", "list"}:
        facts += _oddities(values, present, arrow_type)
    return Column(name, kind, "object", arrow_type, ColumnSpec("object", arrow_type, null), read, facts)


def _odd_one_out(values: Any, present: Any) -> int:
    first = type(values[present[0]])
    return int(next((i for i in present if type(values[i]) is not first), present[0]))


def _null_of(nulls: Any) -> tuple[str, tuple[Finding, ...]]:
    names = {
        "None" if each is None else "NA" if each is pd.NA else "NaT" if each is pd.NaT else "nan" for each in nulls
    }
    if len(names) > 1:
        return "None", (Finding("nulls of several kinds"),)
    return next(iter(names), "None"), ()


def _common_type(values: Any, rows: int) -> tuple[pa.DataType | None, int | None]:
    """Return the Arrow type of all the values, or None and the row whose type does not go with those before it."""
    common: pa.DataType = pa.null()
    for start in range(0, rows, BLOCK_ROWS):
        block = values[start : start + BLOCK_ROWS]
        try:
            common = _unified(common, _inferred(block))
        except (pa.ArrowException, OverflowError, ValueError, TypeError):
            for row in range(start, start + len(block)):
                try:
                    common = _unified(common, _inferred(values[row : row + 1]))
                except (pa.ArrowException, OverflowError, ValueError, TypeError):
                    return None, row
            return None, start
    return common, None


def _inferred(block: Any) -> pa.DataType:
    """Return the Arrow type of some values. Arrow's own inference overlooks two things about times."""
    leaves = (each for each in _leaves(block) if each is not pd.NaT)
    times = [each for each in leaves if isinstance(each, dt.datetime | dt.timedelta)]
    if len({each.tzinfo is None for each in times if isinstance(each, dt.datetime)}) > 1:
        raise pa.ArrowInvalid("naive and zoned times in one column")
    try:
        inferred = pa.array(block, from_pandas=True).type
    except OverflowError:
        return pa.array(block, type=pa.uint64(), from_pandas=True).type
    return _in_nanoseconds(inferred) if any(map(_has_nanoseconds, times)) else inferred


def _has_nanoseconds(time: dt.datetime | dt.timedelta) -> bool:
    return bool(getattr(time, "nanosecond", 0) or getattr(time, "nanoseconds", 0))


def _in_nanoseconds(type: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(type):
        return pa.timestamp("ns", type.tz)
    if pa.types.is_duration(type):
        return pa.duration("ns")
    if pa.types.is_list(type):
        return pa.list_(_in_nanoseconds(type.value_type))
    if pa.types.is_struct(type):
        return pa.struct([(field.name, _in_nanoseconds(field.type)) for field in type])
    return type


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, _CONTAINERS):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _leaves(each)
    else:
        yield value


def _unified(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    if one == other:
        return one
    if pa.types.is_integer(one) and pa.types.is_integer(other):
        return pa.uint64()
    schemas = [pa.schema([("value", one)]), pa.schema([("value", other)])]
    # More places or a finer unit hold the others' values too; other promotions may change a value.
    widens = any(is_kind(one) and is_kind(other) for is_kind in _WIDENING)
    return pa.unify_schemas(schemas, promote_options="permissive" if widens else "default").field(0).type


def _oddities(values: Any, present: Any, type: pa.DataType) -> tuple[Finding, ...]:
    """Return, with its first row, each thing about nested values that Arrow does not keep."""
    found: dict[str, Finding] = {}
    for row in present:
        for rule in _oddities_of(values[row], type):
            found.setdefault(rule, Finding(rule, int(row)))
    return tuple(found.values())


def _oddities_of(value: Any, type: pa.DataType) -> Iterator[str]:
    if isinstance(value, dict):
        if len(value) < type.num_fields:
            yield "structs with different members"
        for field in type:
            yield from _oddities_of(value.get(field.name), field.type)
    elif isinstance(value, _CONTAINERS):
        if not isinstance(value, list):
            yield "sequences of other types"
        for each in value:
            yield from _oddities_of(each, type.value_type)
