from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from digime_pandas._tabular.frames.objects.advice import UnsupportedValueError
from digime_pandas._tabular.frames.objects.conversion import to_arrow

NAN = float("nan")


@pytest.mark.parametrize(
    ("values", "type", "expected"),
    [
        (["a", None, NAN, pd.NA, pd.NaT], pa.string(), ["a", None, None, None, None]),
        ([1.5, pd.NA, pd.NaT, None], pa.float64(), [1.5, None, None, None]),
        ([np.datetime64("2024"), pd.NaT], pa.timestamp("us"), [dt.datetime(2024, 1, 1), None]),  # noqa: DTZ001
        ([[1, pd.NA], NAN, (2,), []], pa.list_(pa.int64()), [[1, None], None, [2], []]),
        ([np.array([1, 2], "i2"), None], pa.list_(pa.int16()), [[1, 2], None]),
        ([np.array([1], "i2"), [2.5]], pa.list_(pa.float64()), [[1.0], [2.5]]),
        ([[("a", 1)]], pa.list_(pa.list_(pa.string())), None),
        ([{"a": 1}, pd.NA, {"b": "x"}], pa.struct([("a", pa.int64()), ("b", pa.string())]), "with members"),
        ([{}, None], pa.struct([]), [{}, None]),
        ([[[]], [None], []], pa.list_(pa.list_(pa.null())), [[[]], [None], []]),
    ],
    ids=str,
)
def test_values_become_arrow_level_by_level(values: list[Any], type: pa.DataType, expected: Any) -> None:
    if expected is None:
        with pytest.raises(UnsupportedValueError):
            to_arrow(values, type, np.arange(len(values)))
        return
    if expected == "with members":
        expected = [{"a": 1, "b": None}, None, {"a": None, "b": "x"}]
    array = to_arrow(values, type, np.arange(len(values)))
    array.validate(full=True)
    assert array.type == type
    assert array.to_pylist() == expected


def test_nan_stays_a_number_beside_what_is_missing() -> None:
    array = to_arrow([[1.0, NAN, None, pd.NA], np.array([NAN])], pa.list_(pa.float64()), np.arange(2))
    assert repr(array.to_pylist()) == "[[1.0, nan, None, None], [nan]]"


@pytest.mark.parametrize(
    ("values", "type", "rule", "row"),
    [
        ([["a"], [], ["b", "\ud800"]], pa.list_(pa.string()), "text with a lone surrogate", 7),
        ([[0.5], [2**53 + 1]], pa.list_(pa.float64()), "objects of another type", 6),
        ([{"a": dt.timedelta(1)}, {"a": dt.timedelta.max}], pa.struct([("a", pa.duration("us"))]), None, 6),
    ],
    ids=str,
)
def test_a_value_that_the_type_does_not_hold_is_refused_with_its_row(
    values: list[Any], type: pa.DataType, rule: str | None, row: int
) -> None:
    with pytest.raises(UnsupportedValueError) as caught:
        to_arrow(values, type, np.arange(5, 5 + len(values)))
    finding = caught.value.finding
    assert (finding.rule, finding.row) == (rule or "objects of another type", row)
