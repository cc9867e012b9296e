"""Object columns: what they hold is only known after every value was looked at."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.api.types import infer_dtype

from digime_pandas._columns import BLOCK_ROWS, Column, Fact, Spec, Take, kind_of, unconvertible, unreadable

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


def describe_objects(name: str, take: Take, rows: int) -> Column:
    """Describe an object column by looking at every value."""
    values = take(0, rows)
    missing = pd.isna(values)
    inferred = infer_dtype(values[~missing], skipna=False) if rows else "empty"
    kind, type = _OBJECTS.get(inferred, ("mixed", None))
    present = np.flatnonzero(~missing)
    if kind == "mixed" and all(isinstance(values[i], _CONTAINERS) for i in present):
        kind = "nested"
    if kind == "mixed":
        return unreadable(name, "object", Fact("mixed objects", _odd_one_out(values, present)))
    null, facts = _null_of(values[missing])
    if kind in {"decimal", "timestamp", "duration", "nested"} or inferred == "integer":
        type, row = _common_type(values, rows)
        if type is None:
            return unreadable(name, "object", Fact("mixed objects", row))
        kind = kind_of(type)
    found = type

    def read(start: int, stop: int) -> pa.Array:
        return pa.array(take(start, stop), type=found, from_pandas=True)

    rule = "text with a lone surrogate" if kind == "text" else "mixed objects"
    facts += unconvertible(read, rows, rule)
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
