"""Every kind of source gives the file, the verdicts and the warnings of the same rows in memory."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from digime_pandas._tabular.formats import FORMATS, Format
from digime_pandas._tabular.frames.source import arrow_reader, column_source_of
from digime_pandas._tabular.frames.streamed.batch_source import BatchSource, SingleStream
from digime_pandas._tabular.frames.streamed.kinds import batches_of
from digime_pandas._tabular.parse import parse
from digime_pandas._tabular.serialize import SerializableFrame, inspect_frame
from digime_pandas.errors import InputError

Kind = Callable[[Path], Any]
ROWS = 250


class Batches:
    """An iterable that can be iterated again."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return iter(pq.read_table(self.path).to_batches(max_chunksize=33))


def generator(path: Path) -> Iterator[pa.RecordBatch]:
    yield from Batches(path)


OF_ARROW: dict[str, Kind] = {
    "path": lambda path: path,
    "text": str,
    "ParquetFile": pq.ParquetFile,
    "dataset": ds.dataset,
    "fragment": lambda path: next(iter(ds.dataset(path).get_fragments())),
    "union": lambda path: ds.dataset([ds.dataset(path)]),
    "scanner": lambda path: ds.dataset(path).scanner(batch_size=33),
    "list": lambda path: list(Batches(path)),
    "iterable": Batches,
}
REPEATED: dict[str, Kind] = OF_ARROW | {
    "lazy": pl.scan_parquet,
    "relation": lambda path: duckdb.sql(f"select * from '{path}'"),
}
ONCE: dict[str, Kind] = {
    "generator": generator,
    "reader": lambda path: pq.read_table(path).to_reader(33),
    "one-shot scanner": lambda path: ds.Scanner.from_batches(Batches(path), schema=pq.read_schema(path)),
}
IN_MEMORY: dict[str, Callable[[Any], Any]] = {
    "lazy": pl.LazyFrame.collect,
    "relation": lambda one: one.to_arrow_table(),
}


def table() -> pa.Table:
    start = dt.datetime(2024, 1, 1)  # noqa: DTZ001 - naive on purpose
    rows = range(ROWS)
    return pa.table(
        {
            "whole": pa.array(rows),
            "part": pa.array([None if row % 7 == 0 else row / 3 for row in rows]),
            "not finite": pa.array([float("nan"), float("inf"), 0.5, None, -0.0] * (ROWS // 5)),
            "text": pa.array([f"text {row}" for row in rows]),
            "day": pa.array([start + dt.timedelta(days=row) for row in rows]),
            "zoned": pa.array([row * 10**9 for row in rows], pa.timestamp("ms", "Europe/Berlin")),
            "list": pa.array([[row, None] for row in rows]),
            "struct": pa.array([{"a": row, "b": "x"} for row in rows]),
            "exact": pa.array([Decimal(row) / 4 for row in rows], pa.decimal128(10, 2)),
            "nothing": pa.array([None] * ROWS, pa.string()),
        }
    )


TABLES: dict[str, Callable[[], pa.Table]] = {
    "mixed": table,
    "no rows": lambda: table().slice(0, 0).select(["whole", "text", "day"]),
    "one column": lambda: pa.table({"text": ["a", None, "b"]}),
    "far years": lambda: pa.table({"t": pa.array([0, 10**12], pa.timestamp("ms")), "n": [1, 2]}),
}
DICTIONARIES = {
    "ordered": pa.DictionaryArray.from_arrays(pa.array([2, 0, None, 2] * 20), ["a", "never", "z"], ordered=True),
    "short codes": pa.DictionaryArray.from_arrays(pa.array([1, 0, None, 1] * 20, pa.int8()), ["b", "a"]),
    "numbers": pa.DictionaryArray.from_arrays(pa.array([1, 0, None, 1] * 20), pa.array([10, 20, 30])),
}


def write_parquet(rows: pa.Table, folder: Path) -> Path:
    path = folder / "rows.parquet"
    pq.write_table(rows, path, row_group_size=64)
    return path


def inspected(frame: object, format: Format) -> SerializableFrame:
    return inspect_frame(frame, format, options={"nested": "json"} if format.name == "csv" else {})


def content(frame: SerializableFrame) -> bytes:
    return b"".join(map(bytes, frame.chunks()))


def assert_same(source: object, memory: object, format: Format) -> None:
    found, expected = inspected(source, format), inspected(memory, format)
    assert found.columns == expected.columns
    assert (found.warnings, found.rows, found.schema) == (expected.warnings, expected.rows, expected.schema)
    assert str(found.refusal) == str(expected.refusal)
    if expected.refusal is None:
        first = content(found)
        assert first == content(found)  # as a further attempt reads it
        ours, theirs = (parse(each, format, expected.schema) for each in (first, content(expected)))
        pd.testing.assert_frame_equal(ours, theirs)


@pytest.mark.parametrize("format", FORMATS.values(), ids=lambda each: each.name)
@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("kind", REPEATED)
@pytest.mark.slow
def test_what_can_be_opened_again_is_judged_and_written_as_the_same_rows_in_memory(
    kind: str, name: str, format: Format, tmp_path: Path
) -> None:
    rows = TABLES[name]()
    if kind in {"list", "iterable"} and not rows.num_rows:
        pytest.skip("an iterable without a batch has no schema")
    source = REPEATED[kind](write_parquet(rows, tmp_path))
    memory = IN_MEMORY[kind](source) if kind in IN_MEMORY else pq.read_table(tmp_path / "rows.parquet")
    assert_same(source, memory, format)


@pytest.mark.parametrize("format", FORMATS.values(), ids=lambda each: each.name)
@pytest.mark.parametrize("name", DICTIONARIES)
@pytest.mark.parametrize("kind", OF_ARROW)
@pytest.mark.slow
def test_dictionaries_are_those_of_the_same_rows_in_memory(
    kind: str, name: str, format: Format, tmp_path: Path
) -> None:
    path = write_parquet(pa.table({"k": DICTIONARIES[name], "n": range(80)}), tmp_path)
    assert_same(OF_ARROW[kind](path), pq.read_table(path), format)


@pytest.mark.parametrize("kind", [*REPEATED, *ONCE])
def test_a_source_is_opened_again_or_is_a_stream(kind: str, tmp_path: Path) -> None:
    path = write_parquet(table(), tmp_path)
    found = batches_of((REPEATED | ONCE)[kind](path))
    assert isinstance(found, BatchSource) == (kind in REPEATED)
    assert isinstance(found, SingleStream) == (kind in {"generator", "one-shot scanner"})


@pytest.mark.parametrize("format", FORMATS.values(), ids=lambda each: each.name)
@pytest.mark.parametrize("kind", ONCE)
def test_a_stream_is_written_whole(kind: str, format: Format, tmp_path: Path) -> None:
    rows = table().drop_columns(["not finite"])
    frame = inspected(ONCE[kind](write_parquet(rows, tmp_path)), format)
    assert (frame.single_pass, frame.rows) == (True, None)
    data = content(frame)
    assert frame.rows == ROWS
    assert parse(data, format, frame.schema)["whole"].tolist() == list(range(ROWS))


@pytest.mark.parametrize("kind", [*REPEATED, *ONCE])
def test_the_rows_of_every_kind_can_be_had_as_one_table(kind: str, tmp_path: Path) -> None:
    path = write_parquet(table(), tmp_path)
    assert arrow_reader((REPEATED | ONCE)[kind](path)).read_all()["whole"].to_pylist() == list(range(ROWS))


def test_other_objects_are_of_no_kind() -> None:
    for frame in (None, 1, b"bytes", {"a": [1]}, pa.array([1]), pd.Index([1]), pa.table({"a": [1]}), object()):
        assert batches_of(frame) is None


@pytest.mark.parametrize("kind", REPEATED)
def test_an_index_is_only_of_pandas(kind: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="index=True needs a pandas frame"):
        column_source_of(REPEATED[kind](write_parquet(table(), tmp_path)), index=True)
