"""Frames of few rows go shorter ways: what is written and said of them is the same by the long ones."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digime_pandas._tabular import inspection, text_values
from digime_pandas._tabular.engines import few_rows, iso_text
from digime_pandas._tabular.formats import FORMATS, Format
from digime_pandas._tabular.frames import batches, pandas_columns, used_values
from digime_pandas._tabular.frames.conversion import pandas_rows
from digime_pandas._tabular.schema import known
from digime_pandas._tabular.serialize import inspect_frame
from digime_pandas._tabular.text_values import to_text
from digime_pandas.errors import FidelityError

from .test_fidelity_properties import EXAMPLES, frames, many

FIRST, LAST = -62_135_596_800, 253_402_300_799  # seconds from 0001 to 9999


@contextmanager
def long_ways() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(few_rows, "is_few", lambda _: False)
        patched.setattr(text_values, "few_time_texts", lambda *_: None)
        patched.setattr(text_values, "few_date_texts", lambda _: None)
        patched.setattr(text_values, "_FEW", -1)
        patched.setattr(pandas_rows, "_KEPT_ROWS", -1)
        patched.setattr(batches, "_FEW_ROWS", -1)
        patched.setattr(inspection, "_FEW", -1)
        patched.setattr(used_values, "_FEW_ROWS", -1)
        patched.setattr(known.KnownBySchema, "get", lambda _self, _key, make: make())
        patched.setattr(pandas_columns, "_values_of_columns", _series_by_series)
        yield


def _series_by_series(frame: pd.DataFrame) -> Iterator[Any]:
    return (pandas_columns.raw_values(series) for _, series in frame.items())


def all_of(frame: pd.DataFrame, format: Format, options: dict[str, object]) -> tuple[object, ...]:
    """Return what is said of a frame, and its file."""
    found = inspect_frame(frame, format, options=options)
    said = found.columns, found.warnings, found.schema, found.schema_inside
    if found.refusal is not None:
        return *said, str(found.refusal)
    try:
        return *said, b"".join(found.chunks())
    except FidelityError as error:
        return *said, str(error)


class Drawn:
    """A frame that can be shown whatever it holds: pandas fails to show some that hold what it cannot format."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame

    def __repr__(self) -> str:
        columns = (self.frame.iloc[:, place] for place in range(self.frame.shape[1]))
        return f"index {self.frame.index.dtype}, columns {[(str(each.dtype), list(each)) for each in columns]!a}"

    def turned_round(self) -> pd.DataFrame:
        """Return a frame of the same schema with other rows."""
        turned = self.frame.iloc[::-1]
        return turned.reset_index(drop=True) if isinstance(self.frame.index, pd.RangeIndex) else turned


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS.values(), ids=lambda each: each.name)
def test_bytes_and_verdicts_are_the_same(format: Format) -> None:
    options: dict[str, object] = {"nested": "json", "escape_formulas": True} if format.name == "csv" else {}

    @settings(many, max_examples=max(10, EXAMPLES // 5))  # each writes six files
    @given(frames().map(Drawn))
    def check(drawn: Drawn) -> None:
        written = [drawn.frame, drawn.frame, drawn.turned_round()]
        with warnings.catch_warnings(action="ignore"):
            found = [all_of(each, format, options) for each in written]
            with long_ways():
                expected = [all_of(each, format, options) for each in written]
        assert found == expected

    check()


@pytest.mark.parametrize("format", FORMATS.values(), ids=lambda each: each.name)
def test_a_schema_that_is_known_gives_the_same(format: Format) -> None:
    frame = pd.DataFrame(
        {
            "when": pd.DatetimeIndex(["2026-01-05 08:30", "NaT"]).tz_localize("Europe/Berlin"),
            "number": [1.5, float("nan")],
            "kind": pd.Categorical(["b", "a"], categories=["a", "b"]),
            "many": pd.array([1, None], dtype="Int64"),
            "text": ["a", None],
        }
    )
    others = [
        frame[::-1].reset_index(drop=True),
        frame.assign(kind=pd.Categorical(["b", "a"], categories=["b", "a"])),
        frame.assign(kind=pd.Categorical(["b", "a"], categories=["a", "b"], ordered=True)),
        frame.assign(kind=pd.Categorical(["b", "b"], categories=["a", "b"])),
        frame.rename(columns={"text": "words"}),
        frame.rename_axis(columns="what"),
        frame.set_index("text"),
        frame.assign(number=[1.5, 2.5]),
        frame.head(0),
    ]
    all_of(frame, format, {})
    with warnings.catch_warnings(action="ignore"):
        found = [all_of(each, format, {}) for each in others]
        with long_ways():
            expected = [all_of(each, format, {}) for each in others]
    assert found == expected


@pytest.mark.slow
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/London", "America/St_Johns", "Asia/Kathmandu", "+05:30"])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_few_times_have_the_same_text(unit: str, zone: str | None) -> None:
    second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    lowest, highest = max(FIRST * second, -(2**63) + 1), min(LAST * second, 2**63 - 1)
    ticks = st.integers(lowest - 10**6, highest + 10**6) if unit != "ns" else st.integers(lowest, highest)

    @settings(deadline=None)
    @given(st.lists(st.none() | ticks | st.just(lowest) | st.just(highest), max_size=4))
    def check(values: list[int | None]) -> None:
        array = pa.array(values, pa.int64()).cast(pa.timestamp(unit, zone))
        found = to_text(array)
        with long_ways():
            assert found.equals(to_text(array))

    check()


@pytest.mark.parametrize(
    "day", [-719_163, -719_162, -141_428, -1, 0, 20_000, 2_932_896, 2_932_897, 2**31 - 1, -(2**31)]
)
def test_few_dates_have_the_same_text(day: int) -> None:
    array = pa.array([day, None], pa.int32()).cast(pa.date32())
    found = to_text(array)
    with long_ways():
        assert found.equals(to_text(array))


def test_times_are_few_up_to_a_number_and_without_nulls() -> None:
    times = pa.array(np.zeros(257, "M8[s]"))
    assert iso_text.few_time_texts(times, times) is None
    assert iso_text.few_time_texts(times.slice(1), times.slice(1)) is not None
    assert iso_text.few_time_texts(pa.array([0, None], times.type), times) is None
    first = pa.array([-(2**63), 0]).view(pa.timestamp("ns"))  # which numpy has for NaT
    assert iso_text.few_time_texts(first, first) is None


def test_few_bytes_of_a_column_are_converted_once() -> None:
    column = pandas_columns.describe("x", np.arange(3))
    assert column.read(0, 3) is column.read(0, 3)
    assert column.read(1, 3).to_pylist() == [1, 2]
    large = pandas_columns.describe("x", pd.array(["x" * 70_000], dtype="string"))
    assert large.read(0, 1) is not large.read(0, 1)
    many_rows = pandas_columns.describe("x", np.arange(1_025))
    assert many_rows.read(0, 1_025) is not many_rows.read(0, 1_025)
