# The stubs of pandas know fewer inputs than it takes.
# mypy: disable-error-code="arg-type, assignment, call-overload, list-item, type-var"
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
            "column 'index': .*; here DateOffset: the same times; the frequency does not come back",
        ),
        (
            pd.DataFrame([[1]], columns=pd.date_range("2024", periods=1, freq=pd.offsets.Easter())),
            "column labels: .*; here Easter: the same times; the frequency does not come back",
        ),
        (
            pd.DataFrame(
                {"a": [1]}, index=pd.date_range("2024", periods=1, freq=pd.offsets.CDay(holidays=["2024-01-02"]))
            ),
            "column 'index': .*; here CustomBusinessDay: the same times; the frequency does not come back",
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


def at_each_place(values: pd.Index[Any]) -> dict[str, pd.DataFrame]:
    """Return frames that have an index as index, labels, categories, and as levels of these."""
    rows = list(range(len(values)))
    category = pd.Categorical.from_codes(rows, categories=values)
    with_letters = [list("abcd")[: len(rows)]]
    found = {
        "index": pd.DataFrame({"a": rows}, index=values),
        "level": pd.DataFrame({"a": rows}, index=pd.MultiIndex.from_arrays([values, *with_letters])),
        "labels": pd.DataFrame([rows], columns=values),
        "level of labels": pd.DataFrame([rows], columns=pd.MultiIndex.from_arrays([values, *with_letters])),
        "categories": pd.DataFrame({"a": category}),
        "categories of the index": pd.DataFrame({"a": rows}, index=pd.CategoricalIndex(category)),
        "categories of a level": pd.DataFrame({"a": rows}, index=pd.MultiIndex.from_arrays([category, *with_letters])),
        "categories of labels": pd.DataFrame([rows], columns=pd.CategoricalIndex(category)),
        "categories of a level of labels": pd.DataFrame(
            [rows], columns=pd.MultiIndex.from_arrays([category, *with_letters])
        ),
    }
    return {name: frame.copy() for name, frame in found.items()}


MONTHS = pd.date_range("2024-01-31", periods=4, freq=pd.DateOffset(months=1))


@pytest.mark.parametrize("place", at_each_place(MONTHS))
@pytest.mark.parametrize("format", FORMATS.values(), ids=lambda each: each.name)
@pytest.mark.slow
def test_a_frequency_without_a_name_is_said_and_its_times_come_back_wherever_they_are(place: str, format: Any) -> None:
    frame = at_each_place(MONTHS)[place]
    ready = inspect_frame(frame, format)
    assert ready.warnings == tuple(each for each in ready.warnings if "here DateOffset: the same times" in each)
    assert len(ready.warnings) == 1
    if "labels" not in place:
        assert ready.columns[0].verdict == "lost"
        assert "DateOffset" in ready.columns[0].note
    plain = at_each_place(pd.DatetimeIndex(MONTHS, freq=None))[place]
    pd.testing.assert_frame_equal(parse(b"".join(ready.chunks()), format, ready.schema), plain)


def test_without_a_schema_no_frequency_is_said_to_be_lost() -> None:
    frame = at_each_place(MONTHS)["categories"]
    assert inspect_frame(frame, CSV, options={"typed": False}).warnings == ()


@pytest.mark.parametrize("name", ["n", 7, ("a", 1), dt.date(2024, 1, 1)], ids=repr)
@pytest.mark.parametrize(
    "values",
    [
        pd.Index(["a", "b"]),
        pd.Index(["b", "a"]),
        pd.RangeIndex(2),
        pd.date_range("2024-01-01", periods=2, freq="D"),
        pd.interval_range(0, 2),
        pd.period_range("2024-01", periods=2, freq="M"),
    ],
    ids=["sorted", "unsorted", "range", "times", "intervals", "periods"],
)
@pytest.mark.slow
def test_the_name_of_categories_comes_back_wherever_they_are(values: pd.Index[Any], name: Any) -> None:
    for place, frame in at_each_place(values.rename(name)).items():
        for each in FORMATS.values() if place.startswith("categories") else ():
            ready = inspect_frame(frame, each).checked()
            found = parse(b"".join(ready.chunks()), each, ready.schema)
            pd.testing.assert_frame_equal(found, frame)
            assert type(name_of_categories(found)) is type(name)


def name_of_categories(frame: pd.DataFrame) -> Any:
    labels = [each.get_level_values(0).dtype for each in (frame.index, frame.columns)]
    return next(
        each.categories.name for each in (frame.dtypes.iloc[0], *labels) if isinstance(each, pd.CategoricalDtype)
    )


@pytest.mark.parametrize("place", [each for each in at_each_place(pd.RangeIndex(1)) if each.startswith("categories")])
def test_a_name_of_categories_that_a_schema_cannot_say_comes_back_as_text_and_is_said(place: str) -> None:
    frame = at_each_place(pd.Index(["a", "b"], name=Color.RED))[place]
    for each in FORMATS.values():
        ready = inspect_frame(frame, each)
        assert len(ready.warnings) == 1
        assert "the name of its categories, a Color, comes back as text" in ready.warnings[0]
        found = parse(b"".join(ready.chunks()), each, ready.schema)
        assert name_of_categories(found) == str(Color.RED)


BOUNDS = pd.interval_range(0, 3, closed="left")
WITH_MISSING = {
    "intervals of whole numbers": pd.Series(pd.Categorical.from_codes([2, -1, 0, 1], categories=BOUNDS[::-1])),
    "sorted intervals of whole numbers": pd.Series(pd.Categorical.from_codes([0, -1, 1, 2], categories=BOUNDS)),
    "cut": pd.cut(pd.Series([5, 200, 30, 70]), [0, 18, 65, 100]),
    "intervals of seconds": pd.Series(
        pd.Categorical.from_codes(
            [1, -1, 0],
            categories=pd.IntervalIndex.from_breaks(pd.date_range("2024-01-01", periods=3, freq="D").as_unit("s")),
        )
    ),
    "overlapping": pd.Series(
        pd.Categorical.from_codes([1, -1, 0], categories=pd.IntervalIndex.from_tuples([(0, 2), (1, 3)]))
    ),
}


@pytest.mark.parametrize("values", WITH_MISSING.values(), ids=WITH_MISSING)
@pytest.mark.parametrize("format", FORMATS.values(), ids=lambda each: each.name)
def test_categories_that_are_intervals_come_back_where_rows_have_none(values: pd.Series[Any], format: Any) -> None:
    numbers = range(len(values))
    for frame in (
        pd.DataFrame({"a": values}),
        pd.DataFrame({"a": numbers}, index=pd.CategoricalIndex(values)),
        pd.DataFrame({"a": numbers}, index=pd.MultiIndex.from_arrays([values.array, numbers])),
    ):
        ready = inspect_frame(frame, format).checked()
        pd.testing.assert_frame_equal(parse(b"".join(ready.chunks()), format, ready.schema), frame)


@pytest.mark.parametrize(
    "level",
    [
        BOUNDS,
        pd.Index(np.array([1, 2, 3], "int8")),
        pd.Index(pd.array([1, 2, 3], "Int64")),
        pd.Index([True, False]),
        pd.Index(pd.arrays.SparseArray([7, 8, 9], fill_value=7)),
        pd.Index(pd.arrays.SparseArray([False, True])),
    ],
    ids=["intervals", "int8", "Int64", "bool", "sparse", "sparse bool"],
)
@pytest.mark.parametrize("format", FORMATS.values(), ids=lambda each: each.name)
def test_a_level_has_its_dtype_where_rows_have_no_value_of_it(level: pd.Index[Any], format: Any) -> None:
    index = pd.MultiIndex(levels=[level, ["x", "y"]], codes=[[0, -1, 1], [0, 1, 1]], names=["k", "l"])
    frame = pd.DataFrame({"a": [1, 2, 3]}, index=index)
    ready = inspect_frame(frame, format).checked()
    found = parse(b"".join(ready.chunks()), format, ready.schema)
    pd.testing.assert_frame_equal(found, frame)
    assert isinstance(found.index, pd.MultiIndex)
    assert found.index.levels[0].dtype == level.dtype


FAR = pd.DatetimeIndex(np.array(["12024-01-01", "2024-01-01"], "M8[s]"))


@pytest.mark.parametrize(
    ("frame", "lost"),
    [
        (at_each_place(FAR)["categories"], "column 'a': it comes back by plain reading rules"),
        (at_each_place(FAR)["labels"], "column labels: those of datetime64.s. come back as object"),
    ],
    ids=["categories", "labels"],
)
def test_times_that_have_no_text_are_said_where_the_schema_would_hold_them(frame: pd.DataFrame, lost: str) -> None:
    ready = inspect_frame(frame, PARQUET)
    with pytest.warns(FidelityWarning, match=lost):
        ready.checked()
    found = parse(b"".join(ready.chunks()), PARQUET)  # without a warning
    assert list(map(str, found.iloc[:, 0])) == list(map(str, frame.iloc[:, 0]))
    assert list(map(str, found.columns)) == list(map(str, frame.columns))


@pytest.mark.parametrize("freq", ["D", "-1D", "15min", "MS", "W-WED", "B", "QE-MAR", "bh"])
@pytest.mark.parametrize("format", FORMATS.values(), ids=lambda each: each.name)
@pytest.mark.slow
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
