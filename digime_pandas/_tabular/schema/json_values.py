"""Single values, such as names and labels, as JSON and back.

None, text, whole numbers, floats and truth values are what JSON has, and a tuple is an array. Any other value is an
object of one member, which is called like its type: ``{"date": "2024-05-01"}``. JSON that is read is not trusted.
"""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

_NUMPY_TYPES = frozenset(np.dtype(code).type for code in "?bhilqBHILQefdUmM")
_LONGEST_INTEGER = 1_000  # bits: Python makes no text of integers that are much longer


def value_to_json(value: object) -> Any:
    """Return a value as JSON.

    Args:
        value: Any value.

    Returns:
        A value of None, bool, int, float, str, list and dict, of which `value_from_json` makes exactly this value.

    Raises:
        ValueError: There is none. It is so of subclasses too, such as enumerations.
    """
    kind = type(value)
    if kind is tuple:
        return [value_to_json(each) for each in value]  # type: ignore[attr-defined]
    if value is None or kind in {bool, str} or _is_plain_number(value):
        return value
    tag = "numpy" if kind in _NUMPY_TYPES else _TAG_OF_TYPE.get(kind)
    if tag is None:
        raise ValueError(f"a {kind.__name__} has no JSON form")
    stored = {tag: _TAGS[tag][0](value)}
    # The text that Python shows has all that values of these types are made of: zone, unit, digits.
    if repr(value_from_json(stored)) != repr(value):
        raise ValueError(f"this {kind.__name__} has no JSON form")
    return stored


def value_from_json(stored: Any) -> Any:
    """Return the value that `value_to_json` returned this form of.

    Args:
        stored: The form, not trusted.

    Raises:
        ValueError: It is not the form of a value.
    """
    if isinstance(stored, list):
        return tuple(value_from_json(each) for each in stored)
    if not isinstance(stored, dict):
        return stored
    try:
        [(tag, content)] = stored.items()
        return _TAGS[tag][1](content)
    except (KeyError, TypeError, AttributeError, ArithmeticError) as error:
        raise ValueError("not a value") from error


def sayable(value: object) -> Any:
    """Return a value itself where JSON can say it, or else its text; of a tuple, each member.

    Args:
        value: Any value.
    """
    try:
        value_to_json(value)
    except ValueError:
        return tuple(map(sayable, value)) if isinstance(value, tuple) else str(value)
    return value


def _is_plain_number(value: Any) -> bool:
    if type(value) is int:
        return value.bit_length() <= _LONGEST_INTEGER
    return type(value) is float and bool(np.isfinite(value))


def _numpy_to_json(value: np.generic) -> Any:
    is_time = isinstance(value, np.datetime64 | np.timedelta64)
    return [value.dtype.str, str(value.view("i8")) if is_time else value_to_json(value.item())]


def _numpy_from_json(stored: Any) -> Any:
    kind, content = stored
    dtype = np.dtype(str(kind))
    if dtype.type not in _NUMPY_TYPES:
        raise ValueError("not a value of numpy")
    return np.int64(int(content)).view(dtype) if dtype.kind in "mM" else dtype.type(value_from_json(content))


def _timestamp_to_json(value: pd.Timestamp) -> Any:
    zone = [] if value.tz is None else [str(value.tz)]
    return [str(value.asm8), value.unit, *zone]  # in UTC, as its clock may show the same time twice


def _timestamp_from_json(stored: Any) -> pd.Timestamp:
    text, unit, *zone = stored
    naive = pd.Timestamp(np.datetime64(text, unit))
    return naive.tz_localize("UTC").tz_convert(zone[0]) if zone else naive


def _timedelta_from_json(stored: Any) -> pd.Timedelta:
    ticks, unit = stored
    return pd.Timedelta(np.timedelta64(ticks, unit))


def _period_from_json(stored: Any) -> Any:
    ordinal, freq = stored
    return pd.Period(ordinal=ordinal, freq=freq)


def _interval_from_json(stored: Any) -> Any:
    left, right, closed = stored
    return pd.Interval(value_from_json(left), value_from_json(right), closed)


def _special_float(stored: Any) -> float:
    if stored not in {"nan", "inf", "-inf"}:
        raise ValueError("not a float")
    return float(stored)


def _missing_value(stored: Any) -> Any:
    return {"NaT": pd.NaT, "NA": pd.NA}[stored]


# How values of each tag become JSON, and how they are made again.
_TAGS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "float": (repr, _special_float),
    "missing": (lambda value: "NaT" if value is pd.NaT else "NA", _missing_value),
    "date": (dt.date.isoformat, dt.date.fromisoformat),
    "datetime": (dt.datetime.isoformat, dt.datetime.fromisoformat),
    "time": (dt.time.isoformat, dt.time.fromisoformat),
    "timedelta": (
        lambda value: [value.days, value.seconds, value.microseconds],
        lambda stored: dt.timedelta(*stored),
    ),
    "bytes": (lambda value: base64.b64encode(value).decode(), lambda stored: base64.b64decode(stored, validate=True)),
    "decimal": (str, Decimal),
    "Timestamp": (_timestamp_to_json, _timestamp_from_json),
    "Timedelta": (lambda value: [int(value.asm8.view("i8")), value.unit], _timedelta_from_json),
    "Period": (lambda value: [value.ordinal, value.freqstr], _period_from_json),
    "Interval": (
        lambda value: [value_to_json(value.left), value_to_json(value.right), value.closed],
        _interval_from_json,
    ),
    "numpy": (_numpy_to_json, _numpy_from_json),
}
_TAG_OF_TYPE: dict[type, str] = {
    float: "float",
    type(pd.NaT): "missing",
    type(pd.NA): "missing",
    dt.date: "date",
    dt.datetime: "datetime",
    dt.time: "time",
    dt.timedelta: "timedelta",
    bytes: "bytes",
    Decimal: "decimal",
    pd.Timestamp: "Timestamp",
    pd.Timedelta: "Timedelta",
    pd.Period: "Period",
    pd.Interval: "Interval",
}
