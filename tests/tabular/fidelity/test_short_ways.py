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

from digime_pandas._tabular import text_values
from digime_pandas._tabular.engines import few_rows, iso_text
from digime_pandas._tabular.formats import FORMATS, Format
from digime_pandas._tabular.frames import pandas_columns
from digime_pandas._tabular.frames.conversion import pandas_rows
from digime_pandas._tabular.serialize import inspect_frame
from digime_pandas._tabular.text_values import to_text
from digime_pandas.errors import FidelityError

from .test_fidelity_properties import frames, many

FIRST, LAST = -62_135_596_800, 253_402_300_799  # seconds from 0001 to 9999


@contextmanager
def long_ways() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(few_rows, "is_few", lambda _: False)
        patched.setattr(text_values, "few_time_texts", lambda *_: None)
        patched.setattr(text_values, "_FEW", -1)
        patched.setattr(pandas_rows, "_KEPT_ROWS", -1)
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


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS.values(), ids=lambda each: each.name)
def test_bytes_and_verdicts_are_the_same(format: Format) -> None:
    options: dict[str, object] = {"nested": "json", "escape_formulas": True} if format.name == "csv" else {}

    @many
    @given(frames())
    def check(frame: pd.DataFrame) -> None:
        with warnings.catch_warnings(action="ignore"):
            once, again = all_of(frame, format, options), all_of(frame, format, options)
            with long_ways():
                expected = all_of(frame, format, options)
        assert once == expected
        assert again == expected

    check()


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


def test_times_are_few_up_to_a_number_and_without_nulls() -> None:
    times = pa.array(np.zeros(257, "M8[s]"))
    assert iso_text.few_time_texts(times, times) is None
    assert iso_text.few_time_texts(times.slice(1), times.slice(1)) is not None
    assert iso_text.few_time_texts(pa.array([0, None], times.type), times) is None


def test_few_bytes_of_a_column_are_converted_once() -> None:
    column = pandas_columns.describe("x", np.arange(3))
    assert column.read(0, 3) is column.read(0, 3)
    assert column.read(1, 3).to_pylist() == [1, 2]
    large = pandas_columns.describe("x", pd.Series(["x" * 70_000], dtype="str").array)
    assert large.read(0, 1) is not large.read(0, 1)
    many_rows = pandas_columns.describe("x", np.arange(1_025))
    assert many_rows.read(0, 1_025) is not many_rows.read(0, 1_025)
