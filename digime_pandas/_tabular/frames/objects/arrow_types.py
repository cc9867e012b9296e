"""The Arrow type that holds all values of an object column."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from digime_pandas._tabular.frames.objects.advice import UnsupportedValueError, shown, type_name, unsupported
from digime_pandas._tabular.frames.objects.profile import Profile, Sample
from digime_pandas._tabular.frames.objects.python_types import NUMPY_TIMES, PANDAS_TIMES, Family, FloatNaN

_FIXED: dict[Family, pa.DataType] = {
    "text": pa.string(),
    "bytes": pa.binary(),
    "boolean": pa.bool_(),
    "float": pa.float64(),
    "date": pa.date32(),
    "time": pa.time64("us"),
}
_DIGITS_OF_128_BITS = 38


def type_of(profile: Profile, *, nan_is_missing: bool = False) -> pa.DataType:
    """Return the Arrow type that holds all values.

    Args:
        profile: What the values are.
        nan_is_missing: Whether NaN means a missing value, as in a column of pandas, and not a float.

    Raises:
        UnsupportedValueError: There is none. It names the first row of another kind than those before it.
    """
    if profile.dtype is not None:
        return pa.from_numpy_dtype(profile.dtype)
    families = profile.families
    if not nan_is_missing:
        if FloatNaN in profile.samples and not families.keys() - {"integer", "float"}:
            families.setdefault("float", profile.samples[FloatNaN])
        if families.keys() == {"integer", "float"} and profile.depth:
            del families["integer"]  # Arrow holds such lists as floats where that changes no number
    if not families:
        return pa.null()
    if len(families) > 1:
        raise _mixed(profile.path, *list(families.values())[:2])
    return _type_of_family(next(iter(families)), profile)


def _type_of_family(family: Family, profile: Profile) -> pa.DataType:  # noqa: PLR0911 - one case per family
    match family:
        case "integer":
            return _integers(profile)
        case "decimal":
            digits = max(1, profile.whole + profile.places)
            return (pa.decimal128 if digits <= _DIGITS_OF_128_BITS else pa.decimal256)(digits, profile.places)
        case "datetime":
            return pa.timestamp(_unit(profile), _zone(profile))
        case "duration":
            return pa.duration(_unit(profile))
        case "list":
            return pa.list_(pa.null() if profile.item is None else type_of(profile.item))
        case "struct":
            return pa.struct([(name, type_of(member)) for name, member in profile.members.items()])
    return _FIXED[family]


def _integers(profile: Profile) -> pa.DataType:
    negative, large = profile.negative, profile.large
    if negative is None or large is None:
        return pa.int64() if large is None else pa.uint64()
    first, second = sorted((negative, large), key=lambda sample: sample.row)
    seen = (
        f"no integers of 64 bits have both {shown(second.value)}{profile.path} and, in row {first.row}, {first.value}"
    )
    raise unsupported("objects of another type", second.row, seen, "astype(str)")


def _unit(profile: Profile) -> str:
    # Arrow gives times in nanoseconds back as those of pandas, others as those of Python.
    of_pandas = profile.samples.keys() & (PANDAS_TIMES | NUMPY_TIMES)
    return "ns" if of_pandas and profile.in_nanoseconds else "us"


def _zone(profile: Profile) -> str | None:
    if None not in profile.zones:
        names: list[Any] = list(profile.zones)
        return names[0] if len(names) == 1 and names[0] else "UTC"
    if len(profile.zones) == 1:
        return None
    naive, zoned = profile.zones[None], next(each for name, each in profile.zones.items() if name is not None)
    first, second = sorted((naive, zoned), key=lambda sample: sample.row)
    seen = f"{shown(second.value)}{profile.path} and, in row {first.row}, {shown(first.value)}: one of them has a zone"
    raise unsupported("mixed objects", second.row, seen)


def _mixed(path: str, first: Sample, second: Sample) -> UnsupportedValueError:
    seen = (
        f"{shown(second.value)}{path} is of type {type_name(type(second.value))}, "
        f"{shown(first.value)} in row {first.row} of type {type_name(type(first.value))}"
    )
    return unsupported("mixed objects", second.row, seen)
