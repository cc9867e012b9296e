"""What is said of a value that no file holds: its type, a short form of it, and what to call."""

from __future__ import annotations

import dataclasses
from reprlib import Repr
from typing import Any

import pandas as pd

from digime_pandas._tabular.columns import Finding, RuleName

_MOST_LETTERS = 60
_SHORT = Repr()
_SHORT.maxlevel = 3
_SHORT.maxother = _SHORT.maxstring = _SHORT.maxlong = _MOST_LETTERS

_AS_TEXT = "astype(str)"
# By module or package, and name, of the type or one that it is made from.
_BY_NAME: dict[str, str] = {
    "enum.Enum": "map(lambda each: each.value)",
    "builtins.set": "map(list)",
    "builtins.frozenset": "map(list)",
    "builtins.range": "map(list)",
    "collections.deque": "map(list)",
    "array.array": "map(list)",
    "numpy.ndarray": "map(lambda each: each.tolist())",
    "pandas.Series": "map(list)",
    "pandas.Index": "map(list)",
    "pandas.DataFrame": 'map(lambda each: each.to_dict("records"))',
    "pandas.ExtensionArray": "map(list)",
    "builtins.bytearray": "map(bytes)",
    "builtins.memoryview": "map(bytes)",
    "numpy.longdouble": "astype('float64')",
    "pandas.Interval": "astype('interval')",
    "pyarrow.Scalar": "map(lambda each: each.as_py())",
    "shapely.Geometry": "map(shapely.to_wkb)",
    "shapely.BaseGeometry": "map(shapely.to_wkb)",
}


class UnsupportedValueError(Exception):
    """Values of a column that no file holds.

    Args:
        finding: The rule, the row and what was seen there.
    """

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding)
        self.finding = finding


def unsupported(rule: RuleName, row: int | None, seen: str, advice: str | None = None) -> UnsupportedValueError:
    """Return the error about a value that no file holds.

    Args:
        rule: The rule it falls under.
        row: Its row.
        seen: What it is, in words.
        advice: What to call on the column.
    """
    return UnsupportedValueError(Finding(rule, None if row is None else int(row), seen=seen, advice=advice))


def unsupported_type(value: Any, row: int, path: str) -> UnsupportedValueError:
    """Return the error about a value of a type that no file holds.

    Args:
        value: The value.
        row: Its row.
        path: Where in the row it is.
    """
    seen = f"{shown(value)}{path} is of type {type_name(type(value))}"
    # What is called on a column changes its values, and not what is inside them.
    return unsupported("objects of another type", row, seen, None if path else advice_for(value))


def shown(value: Any) -> str:
    """Return a short form of a value, in one line of at most 60 characters.

    Args:
        value: Any value, whose `repr` may fail.
    """
    try:
        text = " ".join(_SHORT.repr(value).split())
    except Exception:  # noqa: BLE001 - `repr` of a foreign type may raise anything
        text = f"<{type(value).__name__}>"
    return text if len(text) <= _MOST_LETTERS else f"{text[: _MOST_LETTERS - 1]}…"


def type_name(kind: type) -> str:
    """Return the name of a type, with the package it is from.

    Args:
        kind: The type.
    """
    package = kind.__module__.partition(".")[0]
    return kind.__qualname__ if package in {"builtins", "__main__"} else f"{package}.{kind.__qualname__}"


def advice_for(value: Any) -> str:
    """Return what to call on the column to make its values such that files hold them.

    Args:
        value: One of its values.
    """
    kind = type(value)
    if kind is pd.Period:
        return f"astype('period[{value.freqstr}]')"
    if dataclasses.is_dataclass(kind):
        return "map(dataclasses.asdict)"
    for each in kind.__mro__:
        for place in (each.__module__, each.__module__.partition(".")[0]):
            if (known := _BY_NAME.get(f"{place}.{each.__qualname__}")) is not None:
                return known
    return _AS_TEXT
