from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from digime_pandas._tabular.frames.objects.advice import UnsupportedValueError
from digime_pandas._tabular.frames.objects.arrow_types import type_of
from digime_pandas._tabular.frames.objects.profile import Profile

NOON = dt.datetime(2024, 1, 1, 12)  # noqa: DTZ001 - naive on purpose
BERLIN = ZoneInfo("Europe/Berlin")


def profile_of(*blocks: list[Any]) -> Profile:
    profile, row = Profile(), 0
    for block in blocks:
        profile.add(block, np.arange(row, row + len(block)))
        row += len(block)
    return profile


@pytest.mark.parametrize(
    ("values", "type"),
    [
        ([None, "a"], pa.string()),
        ([True, np.bool_(False)], pa.bool_()),
        ([-(2**63), 2**63 - 1], pa.int64()),
        ([0, 2**64 - 1], pa.uint64()),
        ([np.int8(1), np.uint64(2**64 - 1)], pa.uint64()),
        ([np.float32(0.1), 2.5], pa.float64()),
        ([Decimal("0.001"), Decimal("20.5")], pa.decimal128(5, 3)),
        ([Decimal("1E+3"), Decimal("0.5")], pa.decimal128(5, 1)),
        ([Decimal("1" * 39)], pa.decimal256(39, 0)),
        ([Decimal("1" * 76)], pa.decimal256(76, 0)),
        ([NOON], pa.timestamp("us")),
        ([NOON, pd.Timestamp(NOON)], pa.timestamp("ns")),
        ([pd.Timestamp.min, pd.Timestamp.max], pa.timestamp("ns")),
        ([pd.Timestamp(NOON), dt.datetime(2500, 1, 1)], pa.timestamp("us")),  # noqa: DTZ001
        ([np.datetime64("2024-01-01")], pa.timestamp("ns")),
        ([NOON.replace(tzinfo=BERLIN)], pa.timestamp("us", "Europe/Berlin")),
        ([NOON.replace(tzinfo=BERLIN), NOON.replace(tzinfo=dt.UTC)], pa.timestamp("us", "UTC")),
        ([NOON.replace(tzinfo=dt.timezone(dt.timedelta(seconds=1)))], pa.timestamp("us", "UTC")),
        ([dt.timedelta(1)], pa.duration("us")),
        ([pd.Timedelta(1), dt.timedelta(1)], pa.duration("ns")),
        ([pd.Timedelta(1), dt.timedelta(10**6)], pa.duration("us")),
        ([[1], [2.5]], pa.list_(pa.float64())),
        ([[1, float("nan")]], pa.list_(pa.float64())),
        ([["a", float("nan"), pd.NA]], pa.list_(pa.string())),
        ([[]], pa.list_(pa.null())),
        ([[None]], pa.list_(pa.null())),
        ([np.array([1.5], "f4")], pa.list_(pa.float32())),
        ([np.array([1], "i2"), np.array([2], "i2")], pa.list_(pa.int16())),
        ([np.array([1], "i2"), [2]], pa.list_(pa.int64())),
        ([np.array([[1]])], pa.list_(pa.list_(pa.int64()))),
        ([{"b": 1}, {"a": "x", "b": None}], pa.struct([("b", pa.int64()), ("a", pa.string())])),
        ([{}], pa.struct([])),
    ],
    ids=str,
)
def test_values_get_the_type_that_holds_them_all_in_one_block_or_two(values: list[Any], type: pa.DataType) -> None:
    assert type_of(profile_of(values)) == type
    assert type_of(profile_of(*([value] for value in values))) == type


@pytest.mark.parametrize(
    ("values", "rule", "row", "seen"),
    [
        ([None, "a", 1], "mixed objects", 2, "1 is of type int, 'a' in row 1 of type str"),
        ([1, 2.5], "mixed objects", 1, "2.5 is of type float, 1 in row 0 of type int"),
        ([True, 1], "mixed objects", 1, "1 is of type int, True in row 0 of type bool"),
        ([[1], [], ["a"]], "mixed objects", 2, "'a' in a list is of type str, 1 in row 0 of type int"),
        ([{"k": 1}, {"k": "a"}], "mixed objects", 1, "'a' under the key 'k' is of type str, 1 in row 0 of type int"),
        ([[True, 0.5]], "mixed objects", 0, "0.5 in a list is of type float, True in row 0 of type bool"),
        ([-1, 0, 2**63], "objects of another type", 2, "9223372036854775808 and, in row 0, -1"),
        ([2**63, 0, -1], "objects of another type", 2, "-1 and, in row 0, 9223372036854775808"),
        ([0, -(2**63) - 1], "objects of another type", 1, "-9223372036854775809 is an int of more than 64 bits"),
        ([0, [], 2**64], "objects of another type", 2, "18446744073709551616 is an int of more than 64 bits"),
        ([Decimal(1), Decimal("-Infinity")], "objects of another type", 1, "Decimal('-Infinity') is no number"),
        ([Decimal("1E+59"), Decimal("1E-30")], "objects of another type", 1, "Decimal('1E-30') is longer than 76"),
        ([NOON, NOON.replace(tzinfo=dt.UTC)], "mixed objects", 1, "one of them has a zone"),
        ([[NOON.replace(tzinfo=BERLIN)], [NOON]], "mixed objects", 1, "in a list"),
        ([dt.time(12), dt.time(12, tzinfo=dt.UTC)], "time of day with a zone", 1, "datetime.time(12, 0, tzinfo"),
        ([[], [[[1j]]]], "objects of another type", 1, "1j in a list is of type complex"),
    ],
    ids=str,
)
def test_what_has_no_type_is_refused_with_the_first_row_of_another_kind(
    values: list[Any], rule: str, row: int, seen: str
) -> None:
    for blocks in ([values], [[value] for value in values]):
        with pytest.raises(UnsupportedValueError) as caught:
            type_of(profile_of(*blocks))
        finding = caught.value.finding
        assert (finding.rule, finding.row) == (rule, row)
        assert seen in str(finding.seen)


def test_nan_is_a_float_where_it_does_not_mean_missing() -> None:
    values: list[Any] = [float("nan"), None]
    assert type_of(profile_of(values)) == pa.float64()
    assert type_of(profile_of(values), nan_is_missing=True) == pa.null()
    assert type_of(profile_of(["a", float("nan")]), nan_is_missing=True) == pa.string()
