from __future__ import annotations

import datetime as dt
from collections import OrderedDict
from decimal import Decimal
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from digime_pandas._tabular.frames.objects.advice import UnsupportedValueError
from digime_pandas._tabular.frames.objects.arrow_types import type_of
from digime_pandas._tabular.frames.objects.conversion import to_arrow
from digime_pandas._tabular.frames.objects.faithfulness import differences, differences_by_format, is_plain
from digime_pandas._tabular.frames.objects.profile import Profile

NAN = float("nan")
NOON = dt.datetime(2024, 1, 1, 12)  # noqa: DTZ001 - naive on purpose
BERLIN = ZoneInfo("Europe/Berlin")


class Sex(StrEnum):
    MALE = "m"


class OwnList(list[int]):
    pass


def profile_of(values: list[Any]) -> Profile:
    profile = Profile()
    profile.add(values, np.arange(len(values)))
    return profile


def found(values: list[Any]) -> dict[str, int]:
    profile, rows = profile_of(values), np.arange(len(values))
    first: dict[str, int] = {}
    for rule, row in differences(values, to_arrow(values, type_of(profile), rows), rows, profile):
        first.setdefault(rule, row)
    return first


@pytest.mark.parametrize(
    "values",
    [
        ["a"],
        [1, 2**62],
        [1.5, NAN],
        [NOON],
        [pd.Timestamp(1)],
        [NOON.replace(tzinfo=dt.UTC)],
        [NOON.replace(tzinfo=dt.timezone(dt.timedelta(hours=5)))],
        [[1], [None, 2]],
        [[[0.5], [NAN]]],
        [{"a": 1, "b": [NOON]}, {"b": [], "a": None}],
    ],
    ids=str,
)
def test_plain_types_need_no_comparison(values: list[Any]) -> None:
    assert is_plain(profile_of(values))
    assert found(values) == {}


@pytest.mark.parametrize(
    "values",
    [
        [Decimal("1.5"), Decimal("1.50")],
        [dt.time(12)],
        [NOON.replace(tzinfo=BERLIN)],
        [dt.datetime(2024, 10, 27, 2, 30, fold=fold, tzinfo=BERLIN) for fold in (0, 1)],
        [pd.Timestamp(NOON, tz="Europe/Berlin")],
        [dt.datetime.min.replace(tzinfo=dt.UTC), dt.datetime.max.replace(tzinfo=dt.UTC)],
        [{"a": Decimal(1)}],
    ],
    ids=str,
)
def test_what_is_compared_and_comes_back_has_no_finding(values: list[Any]) -> None:
    assert found(values) == {}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([[1], [1, pd.NA]], {"missing values inside": 1}),
        ([{"a": None}, {"a": pd.NaT}], {"missing values inside": 1}),
        ([["a"], ["b", NAN]], {"missing values inside": 1}),
        ([[[1]], [pd.NA]], {"missing values inside": 1}),
        ([[Decimal(1)], [Decimal("NaN")]], {"missing values inside": 1}),
        ([[1], (2,)], {"sequences of other types": 1}),
        ([[1], OwnList([2])], {"sequences of other types": 1}),
        ([np.array([1.5])], {"sequences of other types": 0}),
        ([{"a": [1]}, {"a": (1,), "b": 2}], {"structs with different members": 0, "sequences of other types": 1}),
        ([{"a": 1}, OrderedDict(a=1)], {"other Python types": 1}),
        (["a", Sex.MALE], {"other Python types": 1}),
        ([NOON, pd.Timestamp(NOON)], {"other Python types": 0}),
        ([[0.5], [1]], {"other Python types": 1}),
        ([np.datetime64("2024")], {"other Python types": 0}),
        ([np.timedelta64(1, "s")], {"other Python types": 0}),
        ([1, np.int8(1)], {"numpy scalars": 1}),
        ([[np.int64(1), np.float64(0.5)]], {"other Python types": 0, "numpy scalars": 0}),
        ([Decimal(0), Decimal("-0.0")], {"negative zero": 1}),
        ([NOON.replace(tzinfo=dt.UTC), NOON.replace(tzinfo=BERLIN)], {"several time zones": 1}),
        ([[NOON.replace(tzinfo=dt.timezone(dt.timedelta(seconds=1)))]], {"several time zones": 0}),
        ([dt.datetime(2024, 3, 31, 2, 30, tzinfo=BERLIN)], {"other offset": 0}),
    ],
    ids=str,
)
def test_each_difference_is_found_with_its_first_row(values: list[Any], expected: dict[str, int]) -> None:
    assert not is_plain(profile_of(values))
    assert found(values) == expected


def test_a_value_that_comes_back_as_another_is_refused_with_its_row() -> None:
    far = dt.datetime(2500, 1, 1)  # noqa: DTZ001 - naive on purpose
    with pytest.raises(UnsupportedValueError) as caught:
        found([far, pd.Timestamp(1)])
    finding = caught.value.finding
    assert (finding.rule, finding.row) == ("objects of another type", 1)
    assert "would come back as datetime.datetime(1970, 1, 1, 0, 0)" in str(finding.seen)


def test_nan_among_the_numbers_of_lists_is_found_with_its_row() -> None:
    assert list(differences_by_format(profile_of([[1.5], [], [NAN]]))) == [("NaN inside", 2)]
    assert list(differences_by_format(profile_of([{"a": [1]}, {"a": [NAN, 1]}]))) == [("NaN inside", 1)]
    assert list(differences_by_format(profile_of([np.array([1.5]), np.array([NAN], "f4")]))) == [("NaN inside", 1)]
    assert list(differences_by_format(profile_of([NAN, ["a", NAN]]))) == []


def test_a_key_with_a_nul_is_found_with_its_row() -> None:
    values = [{"a": 1}, {"a": 1, "b\0": None}]
    assert list(differences_by_format(profile_of(values))) == [("member names that JSON lacks", 1)]
    assert list(differences_by_format(profile_of([[each] for each in values]))) == [("member names that JSON lacks", 1)]
