from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from digime_pandas._tabular.frames.batches import converted
from digime_pandas._tabular.frames.source import column_source_of
from digime_pandas.errors import InputError


def test_rows_are_taken_in_order_and_none_ends_them() -> None:
    take = column_source_of(pd.DataFrame({"a": range(10)})).open()
    found = [take(4), take(4), take(4), take(4)]
    assert [None if each is None else converted(each).column(0).to_pylist() for each in found] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9],
        None,
    ]


def test_batches_of_a_stream_are_cut_and_empty_ones_skipped() -> None:
    schema = pa.schema([("a", pa.int64())])
    batches = [pa.RecordBatch.from_pydict({"a": values}, schema) for values in ([], [1, 2, 3], [], [4], [])]
    take = column_source_of(pa.RecordBatchReader.from_batches(schema, batches)).open()
    found = [take(2), take(2), take(2), take(2)]
    assert [None if each is None else converted(each).column(0).to_pylist() for each in found] == [
        [1, 2],
        [3],
        [4],
        None,
    ]


def test_numbers_are_read_without_copying() -> None:
    values = np.arange(1_000)
    frame = pd.DataFrame({"a": values}, copy=False)
    array = column_source_of(frame).columns[0].read(10, 20)
    assert array.buffers()[1].address == frame["a"].to_numpy()[10:].__array_interface__["data"][0]


def test_columns_come_after_the_levels_of_the_index() -> None:
    frame = pd.DataFrame({"a": [1]}, index=pd.MultiIndex.from_tuples([(1, "x")], names=["n", None]))
    assert [each.name for each in column_source_of(frame).columns] == ["n", "level_1", "a"]
    assert [each.name for each in column_source_of(frame, index=False).columns] == ["a"]


def test_a_repeatable_source_is_known_from_a_stream() -> None:
    table = pa.table({"a": [1, 2]})
    assert (column_source_of(table).single_pass, column_source_of(table).rows) == (False, 2)
    assert (column_source_of(table.to_reader()).single_pass, column_source_of(table.to_reader()).rows) == (True, None)


class FailingStream:
    """An exporter of another library, whose export fails."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        raise RuntimeError("no query")


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pa.chunked_array([[1]]), r"frame is a ChunkedArray, .*without a name\. .*pa\.table"),
        (pa.array([1]), r"frame is a Int64Array\. Give a table of it: pa\.table"),
        (pl.LazyFrame({"a": [1]}).select("b"), r"frame is a LazyFrame, and its query .* planned \(ColumnNotFound"),
        (FailingStream(), r"frame is a FailingStream, .*cannot be read \(RuntimeError: no query\)"),
        (pd.Index([1]), r"frame is a Index\. Give a pandas DataFrame"),
        (None, r"frame is a NoneType\. Give a pandas DataFrame"),
    ],
    ids=["chunked array", "array", "lazy frame", "failing stream", "index", "None"],
)
def test_what_is_no_frame_is_refused_with_what_to_do(frame: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        column_source_of(frame)


def test_a_series_of_polars_is_a_frame_of_one_column() -> None:
    source = column_source_of(pl.Series("a", [1, None]))
    assert ([each.name for each in source.columns], source.rows) == (["a"], 2)


def test_a_stream_is_closed_with_its_source() -> None:
    reader = pa.RecordBatchReader.from_stream(pa.table({"a": [1]}))
    source = column_source_of(reader)
    assert source.close is not None
    source.close()
    with pytest.raises(pa.ArrowInvalid, match="closed"):
        reader.read_next_batch()


def test_a_name_that_is_no_text_is_told_by_its_position() -> None:
    table = pa.table({"a": [1], "b": [2]})
    damaged = pa.ipc.read_schema(pa.BufferReader(table.schema.serialize().to_pybytes().replace(b"b\0\0", b"\xff\0\0")))
    with pytest.raises(InputError, match="name of column 1, counted from 0"):
        column_source_of(pa.Table.from_arrays(table.columns, schema=damaged))


@pytest.mark.skipif(pd.__version__ < "3", reason="pandas 2 finds no labels of another byte order")
def test_labels_of_another_byte_order_are_told_of() -> None:
    numbers = pd.Index(np.array([1, 2]).astype(np.dtype("int64").newbyteorder("S")))
    labels = column_source_of(pd.DataFrame([[1, 2]], columns=numbers)).labels
    assert labels is not None
    assert [each.rule for each in labels.findings] == ["byte order"]


def test_labels_of_a_zone_without_a_name_are_told_of() -> None:
    zone = dt.timezone(dt.timedelta(seconds=3601))
    labels = column_source_of(pd.DataFrame([[1]], columns=pd.DatetimeIndex(["2024"], tz=zone))).labels
    assert labels is not None
    assert [each.rule for each in labels.findings] == ["zone of another kind"]
