# The stubs of pandas know fewer inputs than it takes.
# mypy: disable-error-code="arg-type, assignment, call-overload, list-item"
from __future__ import annotations

import datetime as dt
import enum
from typing import Any

import numpy as np
import pandas as pd
import pytest

from digime_pandas._tabular.formats import CSV, FORMATS, JSON, PARQUET, check_options
from digime_pandas._tabular.frames.source import column_source_of
from digime_pandas._tabular.parse import parse
from digime_pandas._tabular.schema.making import schema_of, written_schema
from digime_pandas._tabular.schema.stored import LONGEST, schema_from_json
from digime_pandas._tabular.serialize import inspect_frame
from digime_pandas.errors import FidelityWarning


class Color(enum.Enum):
    RED = 1


def test_the_same_frame_gives_the_same_schema() -> None:
    frame = pd.DataFrame({"k": pd.Categorical(["b", "a"]), "p": pd.period_range("2024", periods=2, freq="M")})
    assert schema_of(column_source_of(frame)).to_text() == schema_of(column_source_of(frame.copy())).to_text()


def test_categories_that_are_just_the_sorted_values_are_not_written_down() -> None:
    implied = pd.DataFrame({"k": pd.Categorical([f"value {i}" for i in range(900)])})
    written = written_schema(column_source_of(implied), CSV, check_options(CSV, {}))
    assert written.beside is not None
    assert len(written.beside) < 200
    assert not written.lost


def test_a_schema_past_the_limit_is_left_out_and_named() -> None:
    names = [f"{i * 7919 % 1000:03d}{chr(97 + i % 26)}" for i in range(2_500)]
    frame = pd.DataFrame({"k": pd.Categorical(names, categories=names)})
    written = written_schema(column_source_of(frame), JSON, check_options(JSON, {}))
    assert written.beside is None
    assert f"{LONGEST:,}" in written.lost[0]


def named(name: Any, *, of: str) -> pd.DataFrame:
    frame = pd.DataFrame({"a": [1, 2]}, index=[5, 6])
    (frame.index if of == "index" else frame.columns).name = name
    return frame


NAMES: list[Any] = [None, "None", 7, 1.5, float("nan"), True, ("a", 1), dt.date(2024, 1, 1), pd.NaT, np.int64(3), b"x"]


@pytest.mark.parametrize("name", NAMES, ids=repr)
@pytest.mark.parametrize("of", ["index", "columns"])
def test_names_that_are_not_text_come_back_in_every_format(name: Any, of: str) -> None:
    frame = named(name, of=of)
    for each in FORMATS.values():
        ready = inspect_frame(frame, each).checked()
        found = parse(b"".join(ready.chunks()), each, ready.schema)
        pd.testing.assert_frame_equal(found, frame, check_names=False)  # of which NaN is none that is equal
        names = [(found.index if of == "index" else found.columns).name, name]
        assert type(names[0]) is type(names[1])
        assert repr(names[0]) == repr(names[1])


@pytest.mark.parametrize(
    ("frame", "lost"),
    [
        (named(Color.RED, of="index"), "index: its name, a Color, comes back as text"),
        (named(Color.RED, of="columns"), "column labels: its name, a Color, comes back as text"),
        (named(("a", Color.RED), of="index"), "index: its name, a tuple, comes back as text"),
        (
            pd.DataFrame({"a": [1]}, index=pd.date_range("2024", periods=1, freq=pd.DateOffset(months=1))),
            "index: its frequency DateOffset has no name and does not come back",
        ),
        (
            pd.DataFrame([[1]], columns=pd.date_range("2024", periods=1, freq=pd.offsets.Easter())),
            "column labels: its frequency Easter has no name and does not come back",
        ),
        (
            pd.DataFrame(
                {"a": [1]}, index=pd.date_range("2024", periods=1, freq=pd.offsets.CDay(holidays=["2024-01-02"]))
            ),
            "index: its frequency CustomBusinessDay has no name and does not come back",
        ),
        (pd.DataFrame([[1, 2]], columns=[Color.RED, "b"]), "column labels: those of type Color come back as text"),
    ],
)
@pytest.mark.parametrize("format", FORMATS.values(), ids=lambda each: each.name)
def test_what_a_schema_cannot_say_is_warned_of_before_anything_is_sent_and_the_rest_comes_back(
    frame: pd.DataFrame, lost: str, format: Any
) -> None:
    ready = inspect_frame(frame, format)
    with pytest.warns(FidelityWarning, match=lost):
        ready.checked()
    found = parse(b"".join(ready.chunks()), format, ready.schema)  # without a warning
    assert found.to_numpy().tolist() == frame.to_numpy().tolist()
    assert found.index.tolist() == frame.index.tolist()
    assert list(map(str, found.columns)) == list(map(str, frame.columns))


@pytest.mark.parametrize("freq", ["D", "-1D", "15min", "MS", "W-WED", "B", "QE-MAR", "bh"])
@pytest.mark.parametrize("format", FORMATS.values(), ids=lambda each: each.name)
def test_frequencies_come_back_wherever_they_are(freq: str, format: Any) -> None:
    times = pd.date_range("2024-01-31", periods=4, freq=freq)
    for frame in (
        pd.DataFrame({"a": range(4)}, index=times),
        pd.DataFrame({"a": range(4)}, index=pd.MultiIndex.from_arrays([times, list("abcd")])),
        pd.DataFrame([range(4)], columns=times),
        pd.DataFrame({"a": pd.Categorical(times)}),
    ):
        ready = inspect_frame(frame, format).checked()
        found = parse(b"".join(ready.chunks()), format, ready.schema)
        pd.testing.assert_frame_equal(found, frame, check_freq=True)
        assert getattr(found.columns, "freq", None) == getattr(frame.columns, "freq", None)


def test_a_parquet_file_has_the_names_of_its_columns_in_its_schema() -> None:
    source = column_source_of(pd.DataFrame({"a": [1]}, index=pd.Index([2], name="i")))
    inside = written_schema(source, PARQUET, check_options(PARQUET, {})).inside
    assert inside is not None
    assert inside.names == ("i", "a")
    assert schema_from_json(inside.to_json()) == inside
    assert schema_of(source).names == ()
