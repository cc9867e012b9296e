from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa

from digime_pandas._tabular.frames.source import column_source_of


def test_rows_are_taken_in_order_and_none_ends_them() -> None:
    take = column_source_of(pd.DataFrame({"a": range(10)})).open()
    found = [take(4), take(4), take(4), take(4)]
    assert [None if each is None else each.column(0).to_pylist() for each in found] == [
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
    assert [None if each is None else each.column(0).to_pylist() for each in found] == [[1, 2], [3], [4], None]


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
