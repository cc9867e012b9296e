# The stubs of pandas know fewer inputs than it takes.
# mypy: disable-error-code="attr-defined, type-var"
from __future__ import annotations

import datetime as dt
import enum
import json
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from digime_pandas._tabular.frames.labels import label_columns
from digime_pandas._tabular.schema.labels import (
    LabelLevel,
    MixedLevel,
    TypedLevel,
    flat_index,
    label_index,
    level_from_json,
    levels_of,
    with_frequencies,
)


class Color(enum.Enum):
    RED = 1


LABELS: dict[str, pd.Index[Any]] = {
    "numbers": pd.RangeIndex(3),
    "years": pd.Index([2023, 2024], dtype="int16"),
    "floats": pd.Index([0.1, np.nan, np.inf]),
    "days": pd.DatetimeIndex(["2024-01-01", "NaT"]),
    "the earliest and the latest time": pd.DatetimeIndex([pd.Timestamp.min, pd.Timestamp.max]),
    "zoned times": pd.DatetimeIndex(["2024-01-01"], tz="Europe/Berlin"),
    "periods": pd.period_range("2024", periods=2, freq="M"),
    "intervals": pd.interval_range(0, 2),
    "categories": pd.CategoricalIndex(["b", "a"], categories=["b", "a"], ordered=True),
    "dates": pd.Index([dt.date(2024, 1, 1), dt.date(2024, 1, 2)]),
    "text and a missing one": pd.Index(["a", None], dtype=object),
    "text and numbers": pd.Index(["name", 2020, 1.5, None, True, dt.date(2024, 1, 1)], dtype=object),
    "numbers of numpy": pd.Index([np.int64(1), "a"], dtype=object),
    "times of several zones": pd.Index([pd.Timestamp("2024"), pd.Timestamp("2024", tz="UTC")], dtype=object),
    "decimals of several scales": pd.Index([Decimal("1.5"), Decimal("1.50")], dtype=object),
    "tuples": pd.Index([("a", 1), ("b", 2)], tupleize_cols=False),
    "none": pd.RangeIndex(0),
    "none, of objects": pd.Index([], dtype=object),
    "levels": pd.MultiIndex.from_tuples([("a", 1), ("b", 2)]),
    "levels with missing numbers": pd.MultiIndex.from_tuples([("a", 1), ("b", np.nan)]),
    "levels of several types": pd.MultiIndex.from_tuples([("a", 1), ("b", "x")]),
    "levels of tuples": pd.MultiIndex.from_arrays([[("a", 1), ("b", 2)], ["x", "y"]]),
    "levels with names that are numbers of others": pd.MultiIndex.from_tuples([("a", 2), ("b", 3)], names=[1, 0]),
    "one level": pd.MultiIndex.from_tuples([("a",), ("b",)]),
}


def levels_and_changes(labels: pd.Index[Any]) -> tuple[tuple[LabelLevel, ...], tuple[str, ...]]:
    return levels_of(labels, label_columns(labels))


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_labels_come_back_as_what_they_were(labels: pd.Index[Any]) -> None:
    levels, changes = levels_and_changes(labels)
    assert changes == ()
    again = [level_from_json(json.loads(json.dumps(level.to_json()))) for level in levels]
    found = label_index(again, list(labels.names), is_multi=isinstance(labels, pd.MultiIndex))
    pd.testing.assert_index_equal(found, labels, exact=True)
    assert list(map(repr, found)) == list(map(repr, labels))


def test_text_needs_no_levels() -> None:
    assert levels_and_changes(pd.Index(["a", "b"])) == ((), ())


@pytest.mark.parametrize(
    ("labels", "change"),
    [
        (pd.Index([Color.RED, "x"], dtype=object), "those of type Color come back as text"),
        (pd.Index([frozenset([1]), 1], dtype=object), "those of type frozenset come back as text"),
        (pd.Index([1j, 2j]), "those of complex128 come back as object"),
        (pd.CategoricalIndex(["a", 1]), "those of category come back as object"),
        (pd.MultiIndex.from_tuples([("a", Color.RED)]), "those of type Color come back as text"),
    ],
)
def test_what_changes_is_said(labels: pd.Index[Any], change: str) -> None:
    assert levels_and_changes(labels)[1] == (change,)


def test_labels_of_one_type_are_stored_with_it_and_others_with_a_type_each() -> None:
    [typed] = levels_and_changes(pd.Index([2023, 2024]))[0]
    assert isinstance(typed, TypedLevel)
    assert typed.to_json() == ["int64", ["2023", "2024"]]
    [mixed] = levels_and_changes(pd.Index(["a", dt.date(2024, 5, 1)]))[0]
    assert isinstance(mixed, MixedLevel)
    assert mixed.to_json() == ["values", ["a", {"date": "2024-05-01"}]]


@pytest.mark.parametrize(
    "stored",
    [
        7,
        [],
        ["int64"],
        ["int64", 7],
        ["int64", ["x"]],
        ["values", 7],
        ["values", [{"x": 1}]],
        [["range", "int64", [0, 9, 1]], ["1"]],
    ],
)
def test_what_is_no_level_is_an_error(stored: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        level_from_json(stored)


def test_levels_get_the_frequencies_that_their_values_have() -> None:
    days = pd.DatetimeIndex(["2024-01-01", "2024-01-02", "2024-01-03"])
    assert with_frequencies(days, ["D"]).freq == pd.offsets.Day()
    assert with_frequencies(days, ["h"]).freq is None
    levels = pd.MultiIndex.from_arrays([["a", "b", "c"], days])
    found = with_frequencies(levels, [None, "D"])
    assert isinstance(found, pd.MultiIndex)
    assert found.levels[1].freq == pd.offsets.Day()
    assert with_frequencies(days, ()) is days


def test_an_index_of_short_floats_has_the_same_numbers() -> None:
    found = flat_index(np.array([0.1, np.nan], np.float16), "i")
    pd.testing.assert_index_equal(found, pd.Index(np.array([0.1, np.nan], np.float16).astype(np.float32), name="i"))
