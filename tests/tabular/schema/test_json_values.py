from __future__ import annotations

import datetime as dt
import enum
import json
import uuid
import zoneinfo
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
import pytest

from digime_pandas._tabular.schema.json_values import sayable, value_from_json, value_to_json


class Color(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    LOW = 1


class Name(str):
    __slots__ = ()


EAST = dt.timezone(dt.timedelta(hours=5))
SAID: list[Any] = [
    *(None, "None", True, 1, 2**70, 1.5, -0.0, float("nan"), float("-inf")),
    *((), ("a", 1, None), (float("nan"), (dt.date(2020, 1, 1),))),
    *(
        dt.date(1, 1, 1),
        dt.time(1, 2, 3, tzinfo=dt.UTC),
        dt.timedelta(1, 2, 3),
        b"\xff",
        Decimal("1.50"),
        Decimal("sNaN"),
    ),
    *(dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 1, tzinfo=EAST)),  # noqa: DTZ001 - naive on purpose
    *(
        pd.Timestamp("2020-01-01"),
        pd.Timestamp.min,
        pd.Timestamp("2020-10-25T00:30", tz="UTC").tz_convert("Europe/Berlin"),
    ),
    *(pd.Timedelta(5, unit="ns"), pd.Timedelta(1, unit="s").as_unit("s"), pd.Period("2024-01", "M"), pd.NaT, pd.NA),
    *(pd.Interval(0, 1), pd.Interval(pd.Timestamp("2020"), pd.Timestamp("2021"), "both")),
    *(np.int64(5), np.uint64(2**64 - 1), np.float32(0.1), np.float64("nan"), np.bool_(True), np.str_("a")),
    *(np.datetime64("2020-01-01", "D"), np.timedelta64(5, "s"), np.datetime64("NaT", "ns")),
]
NOT_SAID: list[Any] = [
    *(Color.RED, Level.LOW, Name("x"), uuid.UUID(int=1), PurePosixPath("a"), frozenset([1]), 1j, np.complex64(1)),
    *([1], {}, 10**400),
    dt.datetime(2020, 1, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")),
    dt.datetime(2020, 1, 1, fold=1),  # noqa: DTZ001
]


@pytest.mark.parametrize("value", SAID, ids=repr)
def test_a_value_comes_back_as_what_it_was(value: object) -> None:
    found = value_from_json(json.loads(json.dumps(value_to_json(value), allow_nan=False)))
    assert type(found) is type(value)
    assert repr(found) == repr(value)
    assert sayable(value) is value


@pytest.mark.parametrize("value", NOT_SAID, ids=repr)
def test_any_other_value_becomes_its_text_and_in_a_tuple_it_alone(value: object) -> None:
    with pytest.raises(ValueError, match="no JSON form"):
        value_to_json(value)
    assert sayable(value) == str(value)
    assert sayable((1, value)) == (1, str(value))


def test_what_json_has_is_stored_as_it_is() -> None:
    for value in (None, "a", True, 7, 0.5):
        assert value_to_json(value) is value
    assert value_to_json(("a", 1)) == ["a", 1]
    assert value_to_json(dt.date(2024, 5, 1)) == {"date": "2024-05-01"}


@pytest.mark.parametrize(
    "stored",
    [
        {},
        {"date": "yesterday"},
        {"date": 7},
        {"date": "2024-01-01", "time": "10:00"},
        {"object": "os"},
        {"numpy": ["O", "x"]},
        {"numpy": ["nonsense", 1]},
        {"numpy": 7},
        {"bytes": "no base64!"},
        {"decimal": "seven"},
        {"Timestamp": ["2024-01-01", "ns", "No/Where"]},
        {"Timestamp": ["2024-01-01", "parsecs"]},
        {"Timedelta": ["x", "ns"]},
        {"Period": [1, "nonsense"]},
        {"Interval": [1, 2]},
        {"Interval": [1, 2, "sideways"]},
        {"float": "seven"},
        {"missing": "nothing"},
        [{"missing": "nothing"}],
    ],
    ids=repr,
)
def test_what_is_no_value_is_a_value_error(stored: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - which one does not matter
        value_from_json(stored)
