from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from digime_pandas._tabular.formats import CSV, JSON, PARQUET, Format
from digime_pandas._tabular.frames.inference import infer, infer_column, is_inferable
from digime_pandas._tabular.frames.source import column_source_of
from digime_pandas.errors import ReadError


@pytest.mark.parametrize(
    ("texts", "dtype"),
    [
        (["1", "-2", "0"], "int64"),
        (["9223372036854775808"], "uint64"),
        (["1", None], "Int64"),
        (["9223372036854775808", None], "UInt64"),
        (["1.0", "1e5", "-0.5", "NaN", "inf", "-inf"], "float64"),
        (["1", "1.5"], "float64"),
        (["1.5", None], "float64"),
        (["true", "False"], "bool"),
        (["true", None], "boolean"),
        ([None, None], "float64"),
        (["007"], "text"),
        (["+1"], "float64"),
        (["0x10"], "text"),
        (["1_000"], "text"),
        (["1,5"], "text"),
        ([" 1"], "text"),
        (["1 "], "text"),
        (["1\n"], "text"),
        (["٣"], "text"),
        (["nan"], "text"),
        (["2024-01-01"], "text"),
        (["true", "1"], "text"),
        (["1", "x"], "text"),
        (["", "1"], "text"),
        (["18446744073709551616"], "text"),
    ],
)
def test_what_csv_text_is_taken_for(texts: list[str | None], dtype: str) -> None:
    expected = pd.Series(["a"]).dtype if dtype == "text" else dtype
    found = infer(pa.array(texts, pa.string()), CSV)
    assert found.dtype == expected
    if dtype == "text":
        assert list(found) == texts


COLUMNS: dict[str, pd.Series[Any]] = {
    "int": pd.Series([1, 2]),
    "int8": pd.Series([1, 2], dtype="int8"),
    "float": pd.Series([1.0, np.nan]),
    "missing": pd.Series([np.nan]),
    "bool": pd.Series([True]),
    "text": pd.Series(["a", "1"]),
    "digits": pd.Series(["1", "2"]),
    "truth": pd.Series(["true"]),
    "numbers": pd.Series(["1e5", "NaN"]),
    "object": pd.Series(["a"], dtype=object),
    "nullable": pd.Series([1, None], dtype="Int64"),
    "times": pd.Series(pd.to_datetime(["2024-01-01"])),
    "nothing": pd.Series([], dtype="int64"),
}


@pytest.mark.parametrize("format", [CSV, JSON], ids=lambda each: each.name)
@pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS)
def test_a_column_that_is_said_to_be_guessed_is_guessed(format: Format, column: pd.Series[Any]) -> None:
    known = column_source_of(column.to_frame("x")).columns[0]
    if is_inferable(known, len(column), format):
        values = column.map(lambda each: str(each).lower() if isinstance(each, bool) else str(each), na_action="ignore")
        stored = (
            pa.array(values, pa.string(), from_pandas=True) if format is CSV else pa.array(column, from_pandas=True)
        )
        found = pd.Series(infer(stored, format), name="x")
        pd.testing.assert_series_equal(found, column.rename("x"))


def test_simple_columns_need_no_schema_and_ambiguous_ones_do() -> None:
    guessed = {
        name
        for name, column in COLUMNS.items()
        if is_inferable(column_source_of(column.to_frame("x")).columns[0], len(column), CSV)
    }
    assert {"int", "float", "missing", "bool", "text"} <= guessed
    assert not guessed & {"int8", "digits", "truth", "numbers", "nullable", "times", "nothing"}


PLAIN = {
    "dictionary with a value twice": (pa.DictionaryArray.from_arrays([0, 1], ["x", "x"]), ["x", "x"]),
    "dictionary with null": (pa.DictionaryArray.from_arrays([0, 1], ["x", None]), ["x", None]),
    "far days": (pa.array([2**31 - 1, 0], pa.date32()), [np.datetime64("5881580-07-11", "s"), np.datetime64(0, "s")]),
    "far milliseconds": (pa.array([2**50], pa.timestamp("ms")), [np.datetime64(2**50, "ms")]),
}


@pytest.mark.parametrize(("array", "values"), PLAIN.values(), ids=list(PLAIN))
def test_odd_values_of_others_are_kept(array: pa.Array, values: list[object]) -> None:
    found = infer_column("x", array, PARQUET)
    assert [None if pd.isna(each) else str(each) for each in found] == [
        each if each is None else str(each) for each in values
    ]


@pytest.mark.parametrize(
    "array",
    [
        pa.array([[2**50]], pa.list_(pa.timestamp("ms"))),
        pa.array([{"t": 2**50}], pa.struct([("t", pa.timestamp("ms"))])),
        pa.array([[2**62]], pa.list_(pa.duration("s"))),
        pa.array([2**40], pa.time64("us")),
        pa.array([1], pa.timestamp("ms", "Mars/Base")),
    ],
    ids=lambda array: str(array.type),
)
def test_a_column_that_pandas_cannot_hold_is_named(array: pa.Array) -> None:
    with pytest.raises(ReadError, match=r"Column 'when' is .*columns=") as raised:
        infer_column("when", array, PARQUET)
    assert raised.value.__cause__ is not None
