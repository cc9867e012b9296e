# The stubs of pandas know fewer inputs than it takes.
# mypy: disable-error-code="arg-type, call-overload"
from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from digime_pandas._tabular.columns import Finding
from digime_pandas._tabular.frames.frequencies import (
    frequencies_of,
    frequency_name,
    named_frequency,
    with_frequency,
)

DAYS = pd.date_range("2024-01-01", periods=3)
MONTHS = pd.date_range("2024-01-01", periods=3, freq=pd.DateOffset(months=1))


class OddOffset(pd.offsets.DateOffset):
    """An offset of a user, which has no text at all."""

    @property
    def freqstr(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("freq", "name"),
    [
        (None, None),
        (pd.offsets.Day(), "D"),
        (pd.offsets.Minute(-15), "-15min"),
        (pd.offsets.Week(weekday=2), "W-WED"),
        (pd.DateOffset(months=1), None),
        (pd.offsets.Easter(), None),
        (pd.offsets.CustomBusinessDay(holidays=["2024-01-02"]), None),
        (pd.offsets.BusinessHour(start="10:00"), None),
        (OddOffset(), None),
    ],
    ids=["none", "day", "negative", "week", "offset", "easter", "holidays", "hours", "odd"],
)
def test_a_frequency_has_the_name_that_makes_it_again(freq: Any, name: str | None) -> None:
    assert frequency_name(freq) == name


def test_each_level_has_a_frequency_of_its_own() -> None:
    assert frequencies_of(DAYS) == (pd.offsets.Day(),)
    assert frequencies_of(pd.MultiIndex.from_arrays([list("abc"), DAYS])) == (None, pd.offsets.Day())
    assert frequencies_of(pd.period_range("2024", periods=2, freq="M")) == (None,)


def test_only_a_frequency_without_a_name_is_found() -> None:
    assert named_frequency(MONTHS) == (None, (Finding("frequency without a name", seen="DateOffset"),))
    assert named_frequency(DAYS) == ("D", ())
    assert named_frequency(pd.DatetimeIndex(MONTHS, freq=None)) == (None, ())


def test_an_index_gets_the_frequency_that_its_values_have() -> None:
    plain = pd.DatetimeIndex(DAYS, freq=None)
    assert frequencies_of(with_frequency(plain, "D")) == (pd.offsets.Day(),)
    assert with_frequency(plain, "h") is plain
    assert with_frequency(plain, None) is plain
    numbers = pd.Index([1, 2])
    assert with_frequency(numbers, "D") is numbers
