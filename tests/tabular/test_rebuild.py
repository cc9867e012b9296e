from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pytest

from digime_pandas._tabular import rebuild
from digime_pandas._tabular.codecs.codec import Columns
from digime_pandas._tabular.columns import ColumnSpec, RangeParameters
from digime_pandas._tabular.formats import CSV, JSON
from digime_pandas._tabular.parse import parse
from digime_pandas._tabular.reading import threads
from digime_pandas._tabular.rebuild import FrameBuilder
from digime_pandas._tabular.schema.stored import Schema
from digime_pandas._tabular.serialize import inspect_frame
from digime_pandas.errors import FidelityWarning, InputError

SCHEMA = Schema(
    (ColumnSpec("range", pa.int64(), RangeParameters(10, 16, 2)), ColumnSpec("numpy", pa.int8())), index_names=("n",)
)


def test_pieces_follow_each_other_in_a_range_of_the_whole_file() -> None:
    builder = FrameBuilder(CSV, SCHEMA, None, ["n", "a"])
    assert builder.types() == {"n": pa.int64(), "a": pa.int8()}
    first = builder.frame(Columns({"n": pa.array([10, 12]), "a": pa.array([1, 2], pa.int8())}, rows=2))
    second = builder.frame(Columns({"n": pa.array([14]), "a": pa.array([3], pa.int8())}, rows=1))
    pd.testing.assert_index_equal(first.index, pd.RangeIndex(10, 14, 2, name="n"), exact=True)
    pd.testing.assert_index_equal(second.index, pd.RangeIndex(14, 16, 2, name="n"), exact=True)
    assert second.dtypes.to_dict() == {"a": "int8"}


def test_index_levels_come_with_the_wanted_columns() -> None:
    assert list(FrameBuilder(CSV, SCHEMA, ["a"], ["n", "a"]).types() or ()) == ["n", "a"]
    assert list(FrameBuilder(CSV, SCHEMA, [], ["n", "a"]).types() or ()) == ["n"]


def test_a_schema_of_other_columns_and_columns_that_are_not_there_are_refused() -> None:
    with pytest.raises(ValueError, match="other columns"):
        FrameBuilder(CSV, SCHEMA, None, ["a"])
    with pytest.raises(InputError, match="'b'"):
        FrameBuilder(CSV, None, ["b"], ["a"])


def test_without_names_all_columns_are_read_as_they_are_and_inferred() -> None:
    builder = FrameBuilder(JSON, None, ["b"], None)
    assert builder.types() is None
    frame = builder.frame(Columns({"a": pa.array([1]), "b": pa.array([None], pa.int64())}, rows=1))
    assert frame.dtypes.to_dict() == {"b": "Int64"}
    assert list(builder.empty().columns) == ["b"]


def test_columns_that_are_made_at_the_same_time_are_those_made_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "thread_count", lambda: 4)
    frame = pd.DataFrame({f"c{number}": pd.date_range("2024-01-01", periods=3) for number in range(20)})
    inspected = inspect_frame(frame, CSV)
    data = b"".join(bytes(chunk) for chunk in inspected.chunks()).replace(b"2024", b"first")
    made, said = [], []
    for many_rows in (10**9, 0):
        monkeypatch.setattr(rebuild, "_MANY_ROWS", many_rows)
        with pytest.warns(FidelityWarning, match="column 'c7'") as caught:
            made.append(parse(data, CSV, inspected.schema))
        said.append([str(each.message) for each in caught])
    assert said[0] == said[1]
    pd.testing.assert_frame_equal(made[0], made[1])
