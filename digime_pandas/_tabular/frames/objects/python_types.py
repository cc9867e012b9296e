"""Types of Python and numpy that values in object columns have: the families that are stored alike."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import compress, repeat
from operator import is_
from types import NoneType
from typing import Any, Literal

import numpy as np
import pandas as pd

Family = Literal[
    "text",
    "bytes",
    "boolean",
    "integer",
    "float",
    "decimal",
    "date",
    "time",
    "datetime",
    "duration",
    "list",
    "struct",
]


class FloatNaN:
    """Stands for the type of NaN, to tell it from other floats."""


class DecimalNaN:
    """Stands for the type of `Decimal("NaN")`, to tell it from other decimals."""


class NumpyNaT:
    """Stands for the type of ``NaT`` of numpy, to tell it from other times."""


NA, NAT = type(pd.NA), type(pd.NaT)
NULLS: frozenset[type] = frozenset((NoneType, NA, NAT))  # missing whatever stands beside them
MISSING: frozenset[type] = NULLS | {FloatNaN, DecimalNaN, NumpyNaT}
NUMPY_TIMES: frozenset[type] = frozenset((np.datetime64, np.timedelta64))
PANDAS_TIMES: frozenset[type] = frozenset((pd.Timestamp, pd.Timedelta))

# The first that fits counts: a bool is an int, a datetime a date, and numpy's timedelta64 a whole number.
_FAMILIES: tuple[tuple[tuple[type, ...], Family], ...] = (
    ((str,), "text"),
    ((bytes,), "bytes"),
    ((bool, np.bool_), "boolean"),
    ((dt.timedelta, np.timedelta64), "duration"),
    ((int, np.integer), "integer"),
    ((float, np.float16, np.float32), "float"),
    ((Decimal,), "decimal"),
    ((dt.datetime, np.datetime64), "datetime"),
    ((dt.date,), "date"),
    ((dt.time,), "time"),
    ((list, tuple), "list"),
    ((dict,), "struct"),
)


def family_of(kind: type) -> Family | None:
    """Return the family of a type, or None when no file holds its values.

    Args:
        kind: The exact type of a value.
    """
    if kind is np.ndarray:  # and none made from it, which may have units or a mask
        return "list"
    return next((family for types, family in _FAMILIES if issubclass(kind, types)), None)


def exact_types(values: Sequence[Any]) -> list[type]:
    """Return the type of each value, with `FloatNaN`, `DecimalNaN` and `NumpyNaT` for what is missing by value.

    Args:
        values: Any values; their own code is not called but for numbers and times.
    """
    kinds: list[type] = list(map(type, values))
    distinct = set(kinds)
    for kind in distinct:
        find = _missing_by_value(kind)
        if find is None:
            continue
        marker, are_missing = find
        at = positions(kinds, kind) if len(distinct) > 1 else range(len(kinds))
        of_kind = [values[i] for i in at] if len(distinct) > 1 else values
        for i in np.flatnonzero(are_missing(of_kind)).tolist():
            kinds[at[i]] = marker
    return kinds


def positions(kinds: Sequence[type], kind: type) -> list[int]:
    """Return where a type is among others."""
    return list(compress(range(len(kinds)), map(is_, kinds, repeat(kind))))


def _missing_by_value(kind: type) -> tuple[type, Callable[[Sequence[Any]], Any]] | None:
    """Return, for types with values that mean "missing", what stands for their type, and what finds them."""
    if kind in NUMPY_TIMES:
        return NumpyNaT, lambda values: list(map(np.isnat, values))
    match None if kind in NULLS else family_of(kind):
        case "float":
            return FloatNaN, lambda values: np.isnan(np.array(values, np.float64))
        case "decimal":
            return DecimalNaN, lambda values: list(map(Decimal.is_nan, values))
    return None


def as_pandas(value: Any) -> Any:
    """Return a time of numpy as one of pandas, anything else as it is.

    Args:
        value: Any value.

    Raises:
        ValueError: The time is in a unit or of a size that pandas does not have.
    """
    if type(value) is np.datetime64:
        return pd.Timestamp(value)
    return pd.Timedelta(value) if type(value) is np.timedelta64 else value
