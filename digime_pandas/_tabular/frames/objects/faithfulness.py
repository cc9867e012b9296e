"""Whether values of object columns come back as what they are: by value, by type, by zone."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Container, Iterator
from decimal import Decimal
from types import NoneType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from digime_pandas._tabular.columns import RuleName
from digime_pandas._tabular.frames.objects.advice import shown, unsupported
from digime_pandas._tabular.frames.objects.containers import Rows, items_of
from digime_pandas._tabular.frames.objects.profile import Profile, zone_name
from digime_pandas._tabular.frames.objects.python_types import (
    MISSING,
    NULLS,
    PANDAS_TIMES,
    FloatNaN,
    as_pandas,
    exact_types,
    family_of,
)

# Types whose values Arrow gives back as they are when nothing else is beside them. Times have to be without a zone.
_PLAIN: frozenset[type] = frozenset((str, bytes, bool, int, float, dt.date, dt.datetime, dt.timedelta))

Difference = tuple[RuleName, int]  # a rule, and the first row that falls under it


def is_plain(profile: Profile) -> bool:
    """Return whether the types alone say that all values come back as what they are.

    Args:
        profile: What the values are; those that are missing in the column itself do not matter.
    """
    kinds = profile.samples.keys() - (MISSING if not profile.depth else {NoneType})
    if float in kinds:
        kinds -= {FloatNaN}
    if kinds <= {list}:
        return profile.item is None or is_plain(profile.item)
    if kinds == {dict}:
        return not profile.incomplete and all(map(is_plain, profile.members.values()))
    plain = _PLAIN | PANDAS_TIMES if profile.in_nanoseconds else _PLAIN
    one_zone = len(profile.zones) == 1 and "" not in profile.zones and profile.in_fixed_offsets
    return len(kinds) == 1 and kinds <= plain and (one_zone or profile.zones.keys() <= {None})


def differences_by_format(profile: Profile) -> Iterator[Difference]:
    """Yield what some formats do not hold of lists and dicts, or not as what it is: NaN, and NUL in keys.

    Args:
        profile: What the values are.
    """
    nan = profile.samples.get(FloatNaN)
    if profile.depth and nan is not None and profile.families.keys() <= {"integer", "float"}:
        yield "NaN inside", nan.row
    for name, member in profile.members.items():
        if "\0" in name:
            yield "member names that JSON lacks", min(sample.row for sample in member.samples.values())
    for inner in (profile.item, *profile.members.values()):
        if inner is not None:
            yield from differences_by_format(inner)


def differences(values: Any, array: pa.Array, rows: Rows, profile: Profile) -> Iterator[Difference]:
    """Compare values with what comes back, and yield each rule of what differs with its first row, maybe repeatedly.

    Args:
        values: Lists, dicts and other values, or the numbers of numpy arrays.
        array: What `to_arrow` made of them.
        rows: The row of each.
        profile: What they and those of other blocks are.

    Raises:
        UnsupportedValueError: A value comes back as another one.
    """
    if isinstance(values, np.ndarray) or is_plain(profile):
        return
    if pa.types.is_list(array.type) and profile.item is not None:
        yield from _of_lists(values, array, rows, profile.item)
    elif pa.types.is_struct(array.type):
        yield from _of_dicts(values, array, rows, profile)
    else:
        yield from _of_leaves(values, array, rows)


def _of_lists(values: list[Any], array: pa.Array, rows: Rows, item: Profile) -> Iterator[Difference]:
    present, at = _present(values, "list")
    yield from _nulls(values, rows)
    others = [i for i, value in zip(at, present, strict=True) if type(value) is not list]
    if others:
        yield "sequences of other types", int(rows[others[0]])
    items, lengths = items_of(present)
    yield from differences(items, array.flatten(), np.repeat(rows[at], lengths), item)


def _of_dicts(values: list[Any], array: pa.Array, rows: Rows, profile: Profile) -> Iterator[Difference]:
    present, at = _present(values, "struct")
    yield from _nulls(values, rows)
    for i, value in zip(at, present, strict=True):
        if len(value) < len(profile.members):
            yield "structs with different members", int(rows[i])
            break
    others = [i for i, value in zip(at, present, strict=True) if type(value) is not dict]
    if others:
        yield "other Python types", int(rows[others[0]])
    for name, member in profile.members.items():
        has = [i for i, value in zip(at, present, strict=True) if name in value]
        taken = array.field(name).take(pa.array(has, pa.int64()))
        yield from differences([values[i][name] for i in has], taken, rows[has], member)


def _present(values: list[Any], family: str) -> tuple[list[Any], list[int]]:
    at = [i for i, value in enumerate(values) if type(value) not in NULLS and family_of(type(value)) == family]
    return [values[i] for i in at], at


def _nulls(values: list[Any], rows: Rows) -> Iterator[Difference]:
    """Yield where something is missing that is not None, which is what comes back."""
    for kind in set(kinds := exact_types(values)) & (MISSING - {NoneType}):
        yield "missing values inside", int(rows[kinds.index(kind)])


def _of_leaves(values: list[Any], array: pa.Array, rows: Rows) -> Iterator[Difference]:
    zones = {id(zone): zone for value in values if (zone := getattr(value, "tzinfo", None)) is not None}
    same_name = {key for key, zone in zones.items() if zone_name(zone) == array.type.tz}
    for value, back, row in zip(values, _given_back(array), rows, strict=True):
        rule = _difference(value, back, same_name)
        if rule == "objects of another type":
            raise unsupported(rule, row, f"{shown(value)} would come back as {shown(back)}", "astype(str)")
        if rule is not None:
            yield rule, int(row)


def _given_back(array: pa.Array) -> list[Any]:
    """Return what `to_pylist` returns, for times in a zone without a search for pytz on the disk per value."""
    if not pa.types.is_timestamp(array.type) or array.type.tz is None:
        return list(array.to_pylist())
    instants = array.cast(pa.timestamp(array.type.unit)).to_pylist()
    if array.type.unit == "ns":
        zone: Any = pd.Timestamp(0, tz=array.type.tz).tzinfo
        return [None if each is None else each.tz_localize("UTC").tz_convert(zone) for each in instants]
    zone = pa.lib.string_to_tzinfo(array.type.tz)
    return [None if each is None else each.replace(tzinfo=dt.UTC).astimezone(zone) for each in instants]


def _difference(  # noqa: PLR0911 - one per rule
    value: Any, back: Any, same_name: Container[int]
) -> RuleName | None:
    if value is None and back is None:
        return None
    if back is None:
        return "missing values inside"
    if not _is_same(value, back):
        return "objects of another type"
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        if id(value.tzinfo) not in same_name:
            return "several time zones"
        if value.utcoffset() != back.utcoffset():
            return "other offset"
    if isinstance(value, Decimal) and value.is_signed() != back.is_signed():
        return "negative zero"
    return None if type(value) is type(back) else _other_type(value, back)


def _other_type(value: Any, back: Any) -> RuleName:
    is_item = isinstance(value, np.generic) and type(value.item()) is type(back)
    return "numpy scalars" if is_item else "other Python types"


def _is_same(value: Any, back: Any) -> bool:
    """Return whether a value comes back as an equal one, whatever its type and zone."""
    value = as_pandas(value)
    if isinstance(value, dt.datetime):
        return _is_same_instant(value, back)
    if isinstance(back, float):
        return (math.isnan(value) and math.isnan(back)) or (
            value == back and math.copysign(1, value) == math.copysign(1, back)
        )
    return bool(value == back)


def _is_same_instant(value: dt.datetime, back: dt.datetime) -> bool:
    one, other = value.utcoffset(), back.utcoffset()
    if one is None or other is None:
        return one is None and other is None and bool(value == back)
    # Python takes times that a change of the clock makes ambiguous for different ones.
    return bool(value.replace(tzinfo=None) - back.replace(tzinfo=None) == one - other)
