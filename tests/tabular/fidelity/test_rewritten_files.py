"""Parquet files of ours that others read with pyarrow, changed and wrote again: pyarrow keeps the metadata of a schema.

What is left of the frame comes back as it was, or the part that does not is named; nothing is laid over other columns.
"""

# The stubs of pandas and numpy know fewer inputs than the libraries take.
# mypy: disable-error-code="arg-type, call-overload, comparison-overlap, list-item, operator"
from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digime_pandas._tabular.formats import PARQUET
from digime_pandas._tabular.parse import parse, parse_batches
from digime_pandas._tabular.serialize import inspect_frame
from digime_pandas.errors import FidelityWarning

Change = Callable[[pa.Table], pa.Table]
FRAME = pd.DataFrame(
    {
        "when": pd.to_datetime(["2024-01-01", "2024-06-01", "2024-07-01"]),
        "n": np.array([5, 6, 7], "int8"),
        "grade": pd.Categorical(["low", "high", "low"], categories=["low", "high"], ordered=True),
        "month": pd.period_range("2024", periods=3, freq="M"),
        "seconds": pd.to_timedelta([1, 2, 3], unit="s"),
        "count": pd.array([1, None, 3], dtype="Int64"),
        "text": ["x", "y", None],
    },
    index=pd.date_range("2020-01-01", periods=3, freq="D", name="day"),
)
RANGE = pd.DataFrame({"v": [1, 2, 3, 4]}, index=pd.RangeIndex(10, 50, 10, name="visit"))


def table_of(frame: pd.DataFrame) -> pa.Table:
    return pq.read_table(io.BytesIO(b"".join(inspect_frame(frame, PARQUET).checked().chunks())))


def bytes_of(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def rewritten(frame: pd.DataFrame, change: Change) -> bytes:
    table = table_of(frame)
    # Some versions of pyarrow keep the metadata through all changes, some leave it out when columns are renamed.
    return bytes_of(change(table).replace_schema_metadata(table.schema.metadata))


def read(data: bytes) -> tuple[pd.DataFrame, str]:
    """Return the frame, and the text of the one warning or no text."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        frame = parse(data, PARQUET)
    assert [each.category for each in caught] in ([], [FidelityWarning])
    return frame, "".join(str(each.message) for each in caught)


def replaced(name: str, convert: Callable[[pa.ChunkedArray], Any]) -> Change:
    return lambda table: table.set_column(table.column_names.index(name), name, convert(table[name]))


def renamed(**names: str) -> Change:
    return lambda table: table.rename_columns([names.get(name, name) for name in table.column_names])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda table: table, FRAME),
        (lambda table: table.select(table.column_names[::-1]), FRAME[FRAME.columns[::-1]]),
        (lambda table: table.slice(1, 2), FRAME.iloc[1:]),
        (lambda table: table.slice(0, 0), FRAME.iloc[:0]),
        (lambda table: table.append_column("new", pa.array([1, 2, 3])), FRAME.assign(new=[1, 2, 3])),
        (lambda table: table.add_column(0, "new", pa.array(["a", "b", "c"])), None),
        (replaced("text", lambda values: values.cast(pa.large_string())), FRAME),
        (replaced("grade", lambda values: values.cast(pa.string())), FRAME),
    ],
)
def test_what_moved_is_found_by_its_name_without_a_word(change: Change, expected: pd.DataFrame | None) -> None:
    frame, warning = read(rewritten(FRAME, change))
    if expected is None:
        expected = FRAME.copy()
        expected.insert(0, "new", ["a", "b", "c"])
    unused = expected["grade"].cat.categories.difference(expected["grade"].unique())
    if len(expected):
        assert unused.empty
    pd.testing.assert_frame_equal(frame, expected, check_freq=True)
    assert warning == ""


@pytest.mark.parametrize(
    ("change", "expected", "named"),
    [
        (
            lambda table: table.select(["day", "n"]),
            FRAME[["n"]],
            "columns 'when', 'grade', 'month', 'seconds', 'count'",
        ),
        (lambda table: table.drop_columns("day"), FRAME.reset_index(drop=True), "index level 'day': not in the file"),
        (
            lambda table: table.filter(pc.field("n") != 6),
            FRAME[FRAME["n"] != 6].assign(grade=pd.Categorical(["low"] * 2, ["low", "high"], ordered=True)),
            "index: its frequency is not 'D'",
        ),
        (
            lambda table: table.sort_by([("n", "descending")]),
            FRAME.iloc[::-1],
            "index: its frequency is not 'D'",
        ),
        (
            replaced("n", lambda values: values.cast(pa.float64())),
            FRAME.astype({"n": "float64"}),
            "column 'n': it is of",
        ),
        (
            replaced("n", lambda values: values.cast(pa.string())),
            FRAME.astype({"n": "str"}),
            "column 'n': it is of type",
        ),
        (
            replaced("when", lambda values: values.cast(pa.int64())),
            FRAME.assign(when=table_of(FRAME)["when"].cast(pa.int64()).to_numpy()),
            "column 'when': it is of type int64",
        ),
        (
            replaced("month", lambda _: pa.array(["a", "b", "c"])),
            FRAME.assign(month=["a", "b", "c"]),
            "column 'month': it is of type string",
        ),
        (
            replaced("grade", lambda _: pa.array(["none", "low", "high"])),
            FRAME.assign(grade=["none", "low", "high"]),
            "column 'grade': ValueError: a value is none of the categories",
        ),
        (renamed(n="m"), FRAME.rename(columns={"n": "m"}), "column 'n': not in the file"),
        (renamed(n="count", count="n"), None, "column 'count': it is of type int8"),
    ],
)
def test_what_does_not_fit_is_named_once_and_read_by_plain_rules(
    change: Change, expected: pd.DataFrame | None, named: str
) -> None:
    frame, warning = read(rewritten(FRAME, change))
    assert named in warning
    assert "plain reading rules" in warning
    if expected is None:
        assert frame["count"].tolist() == [5, 6, 7]
        assert frame["n"].dropna().tolist() == [1, 3]
        return
    freq = "frequency" not in warning
    pd.testing.assert_frame_equal(
        frame, expected, check_freq=freq, check_dtype="str" not in str(expected.dtypes.get("n"))
    )


@pytest.mark.parametrize(
    ("change", "index", "named"),
    [
        (lambda table: table, RANGE.index, ""),
        (lambda table: table.filter(pc.field("v") > 2), RANGE.index[2:], ""),
        (lambda table: table.slice(0, 0), RANGE.index[:0], ""),
        (
            lambda table: table.filter(pc.field("v") != 2),
            pd.Index([10, 30, 40], name="visit"),
            "index 'visit': its numbers are no range with steps of 10",
        ),
        (
            lambda table: table.sort_by([("v", "descending")]),
            pd.Index([40, 30, 20, 10], name="visit"),
            "index 'visit': its numbers",
        ),
        (lambda table: pa.concat_tables([table, table]), pd.Index([10, 20, 30, 40] * 2, name="visit"), "its numbers"),
        (
            replaced("visit", lambda _: pa.array([10, None, 30, 40])),
            pd.Index(pd.array([10, None, 30, 40], dtype="Int64"), name="visit"),
            "column 'visit': numbers are missing",
        ),
        (lambda table: table.select(["v"]), pd.RangeIndex(4), "index level 'visit'"),
    ],
)
def test_a_range_is_made_again_only_of_its_own_numbers(change: Change, index: pd.Index[Any], named: str) -> None:
    frame, warning = read(rewritten(RANGE, change))
    pd.testing.assert_index_equal(frame.index, index, exact=True)
    assert named in warning
    assert bool(named) == bool(warning)


def test_pieces_of_filtered_rows_have_their_own_numbers() -> None:
    data = rewritten(RANGE, lambda table: table.filter(pc.field("v") > 1))
    pieces = list(parse_batches(data, PARQUET, batch_rows=2))
    assert [piece.index.tolist() for piece in pieces] == [[20, 30], [40]]
    assert [type(piece.index) for piece in pieces] == [pd.RangeIndex] * 2


def test_labels_are_found_by_the_names_of_their_columns() -> None:
    years = pd.DataFrame([[1, 2.5, "x"]], columns=pd.Index([2023, 2024, 2025], name="year"))
    frame, _ = read(rewritten(years, lambda table: table.select(["2025", "2023"])))
    pd.testing.assert_frame_equal(frame, years[[2025, 2023]])
    frame, warning = read(rewritten(years, lambda table: table.append_column("note", pa.array(["q"]))))
    assert frame.columns.tolist() == [2023, 2024, 2025, "note"]
    assert frame.columns.name == "year"
    assert warning == ""
    frame, warning = read(rewritten(years, renamed(**{"2024": "2030"})))
    assert frame.columns.tolist() == [2023, "2030", 2025]
    assert "column '2024': not in the file" in warning


def test_labels_of_several_levels_are_found_by_the_names_of_their_columns() -> None:
    levels = pd.MultiIndex.from_tuples([("a", 1), ("b", "x")], names=["u", "v"])
    frame = pd.DataFrame([[1, 2]], columns=levels)
    found, _ = read(rewritten(frame, lambda table: table.select(table.column_names[::-1])))
    pd.testing.assert_frame_equal(found, frame[[("b", "x"), ("a", 1)]])
    found, _ = read(rewritten(frame, lambda table: table.append_column("note", pa.array(["q"]))))
    assert found.columns.tolist() == [("a", 1), ("b", "x"), ("note", "")]


def test_levels_of_the_index_are_found_by_their_names() -> None:
    index = pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["side", None])
    frame = pd.DataFrame({"v": [1, 2]}, index=index)
    found, _ = read(rewritten(frame, lambda table: table.select(table.column_names[::-1])))
    pd.testing.assert_frame_equal(found, frame)
    found, warning = read(rewritten(frame, lambda table: table.select(["v", "side"])))
    pd.testing.assert_frame_equal(found, frame.droplevel(1))
    assert "index level 'level_1'" in warning


def test_a_column_with_a_name_that_is_there_already_does_not_take_its_type() -> None:
    frame, _ = read(rewritten(FRAME, lambda table: table.append_column("n", pa.array(["q", "r", "s"]))))
    assert list(frame.columns) == [*FRAME.columns, "n"]
    assert frame["n"].iloc[:, 0].tolist() == [5, 6, 7]
    assert frame["n"].iloc[:, 1].tolist() == ["q", "r", "s"]


def test_a_file_of_nothing_but_other_columns_is_read_by_plain_rules() -> None:
    frame, warning = read(
        rewritten(FRAME, lambda table: table.rename_columns([f"{name}s" for name in table.column_names]))
    )
    assert "index level 'day'" in warning
    assert frame["ns"].tolist() == [5, 6, 7]
    assert frame["whens"].tolist() == FRAME["when"].tolist()


@given(st.data())
def test_whatever_columns_are_left_in_whatever_order_each_has_its_own_values(data: st.DataObject) -> None:
    table = table_of(FRAME)
    names = data.draw(st.lists(st.sampled_from(table.column_names), unique=True, min_size=1))
    rows = data.draw(st.lists(st.integers(0, 2), max_size=4))
    changed = table.select(names).take(pa.array(rows, pa.int64()))
    frame, _ = read(bytes_of(changed))
    expected = FRAME.iloc[rows]
    index = [name for name in names if name == "day"]
    assert frame.index.tolist() == (expected.index.tolist() if index else list(range(len(rows))))
    for name in names:
        if name != "day":
            pd.testing.assert_series_equal(frame[name], expected[name], check_index=False, check_freq=False)
