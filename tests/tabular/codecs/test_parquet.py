from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from digime_pandas._tabular.codecs import parquet
from digime_pandas._tabular.codecs.codec import EncodeJob, Run, run_one_by_one
from digime_pandas._tabular.codecs.parquet import ParquetCodec
from digime_pandas._tabular.codecs.parquet_footer import _varint, joins_as_written
from digime_pandas._tabular.codecs.parquet_reader import ParquetReader
from digime_pandas._tabular.columns import Column
from digime_pandas._tabular.formats import PARQUET, check_options
from digime_pandas._tabular.frames.conversion.pandas_rows import SlicesOfColumns
from digime_pandas._tabular.frames.source import column_source_of
from digime_pandas.errors import ReadError

T = TypeVar("T")
FRAME = pd.DataFrame({"n": range(20_000), "t": [f"text {i % 7}" for i in range(20_000)]})


def _encoded(frame: pd.DataFrame) -> tuple[bytes, int]:
    """Encode a frame; count the tasks that were run."""
    count = 0

    def run(tasks: Iterable[Callable[[], T]], /, *, workers: int = 1) -> Iterator[T]:
        nonlocal count
        del workers
        for task in tasks:
            count += 1
            yield task()

    source = column_source_of(frame)
    file_types = [None] * len(source.columns)
    job = EncodeJob(source=source, options=check_options(PARQUET, {}), file_types=file_types)
    return b"".join(map(bytes, ParquetCodec().encode(job, run))), count


@pytest.mark.parametrize("memory", [16 << 20, 100], ids=["fits", "larger than its memory"])
def test_row_groups_are_encoded_by_tasks_of_their_own_and_joined(monkeypatch: pytest.MonkeyPatch, memory: int) -> None:
    monkeypatch.setattr(parquet, "ROW_GROUP_BYTES", 50_000)
    monkeypatch.setattr(parquet, "_MOST_FILE_BYTES", memory)
    content, tasks = _encoded(FRAME)
    assert tasks == pq.read_metadata(io.BytesIO(content)).num_row_groups > 2
    pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(content)), FRAME)


def test_where_joining_does_not_give_the_file_of_pyarrow_one_writer_makes_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parquet, "ROW_GROUP_BYTES", 50_000)
    joined, _ = _encoded(FRAME)
    monkeypatch.setattr(parquet, "joins_as_written", lambda *_: False)
    written, tasks = _encoded(FRAME)
    assert tasks == 0
    assert written == joined


def test_a_frame_of_one_row_group_needs_no_task_and_no_joining(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "joins_as_written", lambda *_: pytest.fail("nothing to join"))
    content, tasks = _encoded(FRAME)
    assert tasks == 0
    assert pq.read_metadata(io.BytesIO(content)).num_row_groups == 1


def test_the_reader_tells_what_the_file_has() -> None:
    buffer = io.BytesIO()
    FRAME.head(5).to_parquet(buffer)
    reader = ParquetReader(buffer)
    assert reader.names == ["n", "t"]
    assert reader.stored_schema is None
    assert [list(piece) for piece in reader.columns({"t": FRAME}, 2)] == [["t"]] * 3
    frames = reader.pandas_frames(["n"], None)
    assert frames is not None
    pd.testing.assert_frame_equal(next(frames), FRAME[["n"]].head(5))


def file_of(table: pa.Table, **options: object) -> io.BytesIO:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer


def test_columns_of_one_label_have_names_that_differ() -> None:
    table = pa.table([pa.array([i]) for i in range(4)], names=["v", "v", "v.1", "w"])
    reader = ParquetReader(file_of(table))
    assert (reader.names, reader.labels) == (["v", "v.2", "v.1", "w"], {"v.2": "v"})
    for wanted in (None, ["v.2"], ["w", "v"], ["v.1"]):
        (piece,) = reader.columns(None if wanted is None else dict.fromkeys(wanted), None)
        found = {name: piece[name].to_pylist() for name in wanted or reader.names}
        assert found == {name: [reader.names.index(name)] for name in found}


def test_columns_of_one_label_stay_in_their_places() -> None:
    table = pa.table([pa.array([i]) for i in range(4)], names=["v", "w", "v", "x"])
    (piece,) = ParquetReader(file_of(table)).columns(None, None)
    assert [values.to_pylist() for values in piece.values()] == [[0], [1], [2], [3]]


def test_a_name_with_a_dot_is_not_taken_for_a_part_of_a_struct() -> None:
    reader = ParquetReader(file_of(pa.table({"a": [{"b": 1}], "a.b": [2]})))
    for name, value in (("a", {"b": 1}), ("a.b", 2)):
        (piece,) = reader.columns({name: None}, None)
        assert piece[name].to_pylist() == [value]


def test_rows_of_a_file_without_wanted_columns_are_counted() -> None:
    (piece,) = ParquetReader(file_of(pa.table({"a": [1, 2]}))).columns({}, None)
    assert (dict(piece), piece.rows) == ({}, 2)


@pytest.mark.parametrize("values", [pa.array(range(1_000)), pa.array(map(str, range(1_000))).dictionary_encode()])
def test_pieces_have_their_size_across_row_groups(values: pa.Array) -> None:
    buffer = file_of(pa.table({"a": values}), row_group_size=100)
    pieces = list(ParquetReader(buffer).columns(None, 250))
    assert [piece.rows for piece in pieces] == [250] * 4
    assert [each for piece in pieces for each in piece["a"].to_pylist()] == values.to_pylist()


def claiming(rows: int) -> io.BytesIO:
    """A file of 1,000 rows that says that it has others."""
    data = file_of(pa.table({"a": [7] * 1_000}), store_schema=False, write_statistics=False).getvalue()
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    footer = data[start:-8]
    assert footer.count(b"\xd0\x0f") == 4  # 1,000, as the compact protocol of Thrift has it
    footer = footer.replace(b"\xd0\x0f", _varint(rows << 1))
    return io.BytesIO(data[:start] + footer + len(footer).to_bytes(4, "little") + b"PAR1")


@pytest.mark.parametrize("rows", [1_001, 100_000])
@pytest.mark.parametrize("piece_rows", [None, 300])
def test_a_file_that_lacks_rows_is_an_error(rows: int, piece_rows: int | None) -> None:
    with pytest.raises((ValueError, OSError), match=r"rows|end of"):
        list(ParquetReader(claiming(rows)).columns(None, piece_rows))


@pytest.mark.parametrize("rows", [10**12, 2**62])
def test_a_file_of_more_rows_than_memory_is_refused_as_a_whole_and_read_in_pieces(rows: int) -> None:
    with pytest.raises(ReadError, match=f"{rows:,} rows.*read_batches"):
        list(ParquetReader(claiming(rows)).columns(None, None))
    assert next(ParquetReader(claiming(rows)).columns(None, 10)).rows == 10


def test_whole_numbers_that_pandas_would_round_stay_as_they_are() -> None:
    frame = pd.DataFrame({"n": pd.Series([2**53 + 1, None], dtype=object), "m": [1.0, None]})
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    frames = ParquetReader(buffer).pandas_frames(None, None)
    assert frames is not None
    found = next(frames)
    assert found["n"].tolist() == [2**53 + 1, pd.NA]
    assert found["m"].dtype == "float64"


def test_row_groups_are_converted_in_the_threads_that_encode_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "ROW_GROUP_BYTES", 50_000)
    source = column_source_of(pd.DataFrame({"n": np.arange(40_000), "f": np.arange(40_000) // 7 / 7}))
    readers: list[int] = []

    def watched(column: Column) -> Column:
        def read(start: int, stop: int) -> pa.Array:
            readers.append(threading.get_ident())
            return column.read(start, stop)

        return replace(column, read=read)

    columns = tuple(map(watched, source.columns))
    source = replace(source, columns=columns, open=partial(SlicesOfColumns, columns, 40_000))
    asked: list[int] = []

    def run(tasks: Iterable[Callable[[], Any]], /, *, workers: int = 1) -> Iterator[Any]:
        asked.append(workers)
        with ThreadPoolExecutor(1) as threads:
            yield from threads.map(lambda task: task(), list(tasks))

    job = EncodeJob(source=source, options=check_options(PARQUET, {}), file_types=[None, None])
    content = b"".join(map(bytes, ParquetCodec().encode(job, run)))
    groups = pq.read_metadata(io.BytesIO(content)).num_row_groups
    here = threading.get_ident()
    assert groups > 4
    assert [readers.count(here), len(readers)] == [2, 2 * groups]  # here those of the first, by which settings are made
    assert asked == [2]  # whatever `run` does by itself


def test_one_column_of_each_kind_is_joined_on_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def joins(parts: Any, whole: Any) -> bool:
        tried.append(pq.read_metadata(io.BytesIO(whole)).num_columns)
        return joins_as_written(parts, whole)

    monkeypatch.setattr(parquet, "ROW_GROUP_BYTES", 500_000)
    monkeypatch.setattr(parquet, "joins_as_written", joins)
    values = np.random.default_rng(1).random((20_000, 12))
    frame = pd.DataFrame(values, columns=list("abcdefghijkl")).assign(n=1, m=2)
    content, _ = _encoded(frame)
    assert tried == [2]
    pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(content)), frame)


VALUES = np.random.default_rng(2).random(40_000)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"f": VALUES}, 1),
        ({"f": VALUES, "n": np.arange(40_000)}, 1),
        ({"f": VALUES, "again": np.arange(40_000) % 7}, 2),
        ({"f": VALUES, "text": pd.array(list(map(str, VALUES)), "str")}, 2),
    ],
    ids=["floats", "counted numbers", "a dictionary", "texts"],
)
def test_row_groups_that_are_encoded_fast_are_encoded_one_after_the_other(
    columns: dict[str, Any], expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "ROW_GROUP_BYTES", 50_000)
    asked: list[int] = []

    def run(tasks: Iterable[Callable[[], T]], /, *, workers: int = 1) -> Iterator[T]:
        asked.append(workers)
        return run_one_by_one(tasks)

    _file_by(pd.DataFrame(columns), run)
    assert asked == [expected]


def _file_by(frame: object, run: Run) -> list[memoryview]:
    source = column_source_of(frame)
    job = EncodeJob(
        source=source, options=check_options(PARQUET, {}), file_types=[None] * len(source.columns), schema=None
    )
    return [memoryview(bytes(piece)) for piece in ParquetCodec().encode(job, run)]


def test_a_task_that_was_run_holds_no_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "ROW_GROUP_BYTES", 100_000)
    before = pa.total_allocated_bytes()
    kept: list[object] = []

    def batches() -> Iterator[pa.RecordBatch]:
        for number in range(20):
            yield pa.RecordBatch.from_pydict({"n": pa.array(np.arange(10_000) + number)})

    def run(tasks: Iterable[Callable[[], T]], /, *, workers: int = 1) -> Iterator[T]:
        del workers
        for task in tasks:
            kept.append(task)
            yield task()

    _file_by(batches(), run)
    assert len(kept) > 10
    assert pa.total_allocated_bytes() - before < 200_000


def test_row_groups_are_written_into_memory_that_is_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "ROW_GROUP_BYTES", 50_000)
    source = column_source_of(FRAME)
    job = EncodeJob(source=source, options=check_options(PARQUET, {}), file_types=[None, None])
    places: list[int] = []
    for piece in ParquetCodec().encode(job, run_one_by_one):
        places.append(np.frombuffer(piece, np.uint8).ctypes.data // (1 << 20))
        del piece
    assert len(places) > 5
    assert len(set(places[:-1])) == 1  # the last one is the footer
