from __future__ import annotations

import base64
import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from digime_pandas._tabular.text_values import from_text, text_type, to_text

TICKS = [0, 1, -1, 1_700_000_000_123_456_789, None, -999_999_999]
ARRAYS: dict[str, pa.Array] = {
    **{
        f"timestamp {unit}": pa.array([0, 1, -1, None, 1_700_000_000], pa.timestamp(unit)) for unit in ("s", "ms", "us")
    },
    "timestamp ns": pa.array(TICKS, pa.timestamp("ns")),
    **{
        f"zoned {zone}": pa.array(TICKS, pa.timestamp("ns", zone))
        for zone in ("UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "+05:30", "-00:30")
    },
    **{
        f"duration {unit}": pa.array([0, 1, -1, None, 10**12, -(10**12) - 1], pa.duration(unit))
        for unit in ("s", "ms", "us", "ns")
    },
    "duration ends": pa.array([2**63 - 1, -(2**63) + 1], pa.duration("ns")),
    "time32": pa.array([0, 86_399, None], pa.time32("s")),
    "time32 ms": pa.array([1, None], pa.time32("ms")),
    "time64": pa.array([0, 86_399_999_999, None], pa.time64("us")),
    "time64 ns": pa.array([1, None], pa.time64("ns")),
    "date32": pa.array([0, -1, None, 19_000], pa.date32()),
    "date64": pa.array([dt.date(2024, 1, 1), None], pa.date64()),
    "decimal": pa.array([Decimal("1.20"), None, Decimal("-0.05")]),
    "decimal of small scale": pa.array([Decimal("1E-30"), None], pa.decimal128(38, 30)),
    "decimal256": pa.array([Decimal("1." + "0" * 50 + "1"), None], pa.decimal256(76, 51)),
    "binary": pa.array([b"", b"\x00\xff", None, b"text"]),
    "binary view": pa.array([b"\xff", None, b"a long enough one not to be inlined"], pa.binary_view()),
    "text view": pa.array(["ü", None, "a long enough one not to be inlined"], pa.string_view()),
    "fixed binary": pa.array([b"ab", None], pa.binary(2)),
    "float16": pa.array(np.array([0.1, -0.0, 65504], "float16")),
    "list": pa.array([[dt.datetime(2024, 1, 1)], [], None, [None]], pa.list_(pa.timestamp("us"))),  # noqa: DTZ001
    "large list": pa.array([[b"\xff"], None], pa.large_list(pa.binary())),
    "fixed list": pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int8(), 2)),
    "struct": pa.array([{"a": dt.date(2024, 1, 1), "b": [Decimal("1.5")]}, None, {"a": None, "b": None}]),
    "map": pa.array([[("a", b"1")], None, [], [("b", None), ("c", b"2")]], pa.map_(pa.string(), pa.binary())),
    "list of maps": pa.array([[[("a", 1)]], None], pa.list_(pa.map_(pa.string(), pa.int8()))),
}


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
def test_text_forms_come_back_whole_and_as_slices(array: pa.Array) -> None:
    for each in (array, array[1:], array[:0], pa.concat_arrays([array, array])[1:]):
        text = to_text(each)
        assert text.null_count == each.null_count
        found = from_text(text.cast(text_type(array.type)), array.type)
        found.validate(full=True)
        assert found.type == array.type
        assert found.equals(each)


def test_zoned_times_are_what_python_writes() -> None:
    for zone in ("UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu"):
        array = pa.array([0, 1_720_000_000, 1_700_000_000], pa.timestamp("s", zone))
        assert to_text(array).to_pylist() == [each.as_py().isoformat() for each in array]


def test_times_whose_offset_has_seconds_are_written_in_utc() -> None:
    array = pa.array([-2_840_140_800, 0], pa.timestamp("s", "Europe/Berlin"))
    assert to_text(array).to_pylist() == ["1880-01-01T00:00:00+00:00", "1970-01-01T00:00:00+00:00"]


def test_zones_that_arrow_does_not_know_are_written_in_utc() -> None:
    assert to_text(pa.array([0], pa.timestamp("s", "No/Where"))).to_pylist() == ["1970-01-01T00:00:00+00:00"]


def test_durations_are_what_pandas_writes_and_reads() -> None:
    ticks = [0, 1, 10**9, 86_400 * 10**9, 90_061_000_000_001, 2**63 - 1]
    texts = to_text(pa.array(ticks, pa.duration("ns"))).to_pylist()
    assert [pd.Timedelta(text) for text in texts] == [pd.Timedelta(each, "ns") for each in ticks]
    negative = to_text(pa.array([-each for each in ticks], pa.duration("ns"))).to_pylist()
    assert [pd.Timedelta(text) for text in negative] == [-pd.Timedelta(each, "ns") for each in ticks]
    whole = [each for each in ticks if each % 10**9 == 0]
    assert to_text(pa.array(whole, pa.duration("ns"))).to_pylist() == [
        pd.Timedelta(each, "ns").isoformat() for each in whole
    ]


def test_bytes_are_what_the_base64_module_writes() -> None:
    values = [bytes(range(n)) for n in range(5)]
    assert to_text(pa.array(values)).to_pylist() == [base64.b64encode(each).decode() for each in values]


def test_intervals_show_which_ends_they_hold() -> None:
    for closed, text in (("left", "[0, 1)"), ("right", "(0, 1]"), ("both", "[0, 1]"), ("neither", "(0, 1)")):
        array: Any = pa.array(pd.arrays.IntervalArray.from_breaks([0, 1], closed=closed))
        assert to_text(array).to_pylist() == [text]


@pytest.mark.parametrize("freq", ["Y", "Q", "M", "W", "D", "h", "min", "s", "ms", "us", "ns"])
def test_periods_are_their_str(freq: str) -> None:
    periods = pd.period_range("2024-01-05", periods=3, freq=freq)
    assert to_text(pa.array(periods.array)).to_pylist() == [str(each) for each in periods]


@pytest.mark.parametrize(
    ("text", "type"),
    [
        ("yesterday", pa.timestamp("s")),
        ("2024-01-01T00:00:00.5", pa.timestamp("s")),
        ("2024-01-01T00:00:00", pa.timestamp("s", "UTC")),
        ("25:00:00", pa.time32("s")),
        ("P1D", pa.duration("s")),
        ("P999999999999999DT0H0M0S", pa.duration("ns")),
        ("not base64!", pa.binary()),
        ("1.2.3", pa.decimal128(5, 2)),
        ("1.234", pa.decimal128(5, 2)),
        ("2024-13-01", pa.date32()),
    ],
)
def test_a_text_that_is_not_of_the_type_is_an_error(text: str, type: pa.DataType) -> None:
    with pytest.raises(pa.ArrowInvalid):
        from_text(pa.array([text]), type)
