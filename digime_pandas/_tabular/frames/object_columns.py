"""Object columns: what they hold is only known after every value was inspected."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pandas.api.types import infer_dtype

from digime_pandas._tabular.arrow import rule_of_type
from digime_pandas._tabular.columns import (
    BLOCK_ROWS,
    Column,
    ColumnSpec,
    Finding,
    NullName,
    RuleName,
    unsupported_column,
)

# The Arrow type of what `infer_dtype` says; where it is the same for all such columns.
_FIXED_TYPES: dict[str, pa.DataType] = {
    "string": pa.string(),
    "bytes": pa.binary(),
    "floating": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "empty": pa.null(),
}
_TYPES_BY_VALUES = frozenset(("integer", "decimal", "datetime", "datetime64", "timedelta", "timedelta64"))
_WIDENING = (pa.types.is_decimal, pa.types.is_timestamp, pa.types.is_duration)
_CONTAINERS = (list, tuple, dict, np.ndarray)
_NOT_CONVERTIBLE = (pa.ArrowException, OverflowError, ValueError, TypeError)


def describe_objects(name: str, values: npt.NDArray[np.object_]) -> Column:
    """Return an object column, by inspecting every value.

    Args:
        name: Its name in the file.
        values: All its values.
    """
    missing = pd.isna(values)
    present = np.flatnonzero(~missing)
    arrow_type, odd_row = _type_of(values, present)
    if arrow_type is None:
        return unsupported_column(name, "object", Finding("mixed objects", odd_row))
    null, findings = _null_of(values[missing])
    rule: RuleName = "text with a lone surrogate" if arrow_type == pa.string() else "mixed objects"
    odd_row = first_unconvertible_row(values, arrow_type)
    if odd_row is not None:
        findings += (Finding(rule, odd_row),)
    if pa.types.is_nested(arrow_type):
        findings += _changed_by_arrow(values, present, arrow_type)

    def read(start: int, stop: int) -> pa.Array:
        return pa.array(values[start:stop], type=arrow_type, from_pandas=True)

    spec = ColumnSpec("object", arrow_type, null)
    return Column(name, rule_of_type(arrow_type), "object", arrow_type, spec, read, findings)


def first_unconvertible_row(values: Any, type: pa.DataType) -> int | None:
    """Return the first row whose value does not convert to an Arrow type, or None.

    Args:
        values: A numpy or extension array.
        type: The type.
    """
    for start in range(0, len(values), BLOCK_ROWS):
        block = values[start : start + BLOCK_ROWS]
        if not _converts(block, type):
            return start + next(i for i in range(len(block)) if not _converts(block[i : i + 1], type))
    return None


def _converts(values: Any, type: pa.DataType) -> bool:
    try:
        pa.array(values, type=type, from_pandas=True)
    except _NOT_CONVERTIBLE:
        return False
    return True


def _type_of(values: Any, present: Any) -> tuple[pa.DataType | None, int | None]:
    """Return the Arrow type of all values, or None and the first row that is of another kind than those before it.

    Args:
        values: All values.
        present: Positions of those that are not missing.
    """
    inferred = infer_dtype(values[present], skipna=False) if len(values) else "empty"
    if inferred == "date" and any(isinstance(values[i], dt.datetime) for i in present):
        inferred = "mixed"  # a datetime is a date to Python, and Arrow would drop its time
    if inferred in _FIXED_TYPES:
        return _FIXED_TYPES[inferred], None
    if inferred in _TYPES_BY_VALUES or all(isinstance(values[i], _CONTAINERS) for i in present):
        return _common_type(values)
    return None, _odd_one_out(values, present)


def _odd_one_out(values: Any, present: Any) -> int:
    first = type(values[present[0]])
    return int(next((i for i in present if type(values[i]) is not first), present[0]))


def _null_of(nulls: Any) -> tuple[NullName, tuple[Finding, ...]]:
    names: set[NullName] = {
        "None" if each is None else "NA" if each is pd.NA else "NaT" if each is pd.NaT else "nan" for each in nulls
    }
    if len(names) > 1:
        return "None", (Finding("nulls of several kinds"),)
    return next(iter(names), "None"), ()


def _common_type(values: Any) -> tuple[pa.DataType | None, int | None]:
    """Return the Arrow type of all values, or None and the row whose type does not go with those before it."""
    common: pa.DataType = pa.null()
    for start in range(0, len(values), BLOCK_ROWS):
        block = values[start : start + BLOCK_ROWS]
        try:
            common = _unified(common, _inferred(block))
        except _NOT_CONVERTIBLE:
            return None, start + _first_of_another_type(block, common)
    return common, None


def _first_of_another_type(block: Any, common: pa.DataType) -> int:
    for i in range(len(block)):
        try:
            common = _unified(common, _inferred(block[i : i + 1]))
        except _NOT_CONVERTIBLE:
            return i
    return 0  # each goes with the one before it, but not all with each other: -1 and 2**63


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
    widens = any(is_widening(one) and is_widening(other) for is_widening in _WIDENING)
    return pa.unify_schemas(schemas, promote_options="permissive" if widens else "default").field(0).type


def _changed_by_arrow(values: Any, present: Any, type: pa.DataType) -> tuple[Finding, ...]:
    """Return, with its first row, each rule about nested values that come back from Arrow as others."""
    found: dict[RuleName, Finding] = {}
    for row in present:
        for rule in _changes_of(values[row], type):
            found.setdefault(rule, Finding(rule, int(row)))
    return tuple(found.values())


def _changes_of(value: Any, type: pa.DataType) -> Iterator[RuleName]:
    if isinstance(value, dict):
        if len(value) < type.num_fields:
            yield "structs with different members"
        for field in type:
            yield from _changes_of(value.get(field.name), field.type)
    elif isinstance(value, _CONTAINERS):
        if not isinstance(value, list):
            yield "sequences of other types"
        for each in value:
            yield from _changes_of(each, type.value_type)
