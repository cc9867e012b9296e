from __future__ import annotations

import io
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from digime_pandas._tabular.codecs import parquet_footer
from digime_pandas._tabular.codecs.parquet_footer import RowGroupJoiner, joins_as_written


def _table(rows: int, columns: int, seed: int) -> pa.Table:
    random = np.random.default_rng(seed)
    kinds = [
        lambda: pa.array(random.random(rows)),
        lambda: pa.array([f"word {i}" for i in random.integers(0, 9, rows)]),
        lambda: pa.array(random.integers(-5, 5, rows), mask=random.random(rows) < 0.5),
        lambda: pa.array(random.random(rows) < 0.5),
        lambda: pa.array([[{"a": 1, "b": "x"}] * int(i) for i in random.integers(0, 3, rows)]),
    ]
    return pa.table({f"c{i}": kinds[i % len(kinds)]() for i in range(columns)})


def _file(table: pa.Table, **options: object) -> memoryview:
    buffer = io.BytesIO()
    with pq.ParquetWriter(buffer, table.schema, **options) as writer:
        writer.write_table(table, row_group_size=max(1, table.num_rows))
    return memoryview(buffer.getvalue())


def _joined(files: list[memoryview]) -> bytes:
    joined = RowGroupJoiner()
    return b"".join([*[bytes(joined.add(file)) for file in files], joined.finish()])


# From 15 elements on, a list of Thrift has its length after its head, which takes two bytes from 128 on.
@pytest.mark.parametrize("groups", [1, 2, 14, 15, 16, 130])
def test_every_reader_finds_all_rows_in_their_order(groups: int, tmp_path: Path) -> None:
    tables = [_table(10 + number, 5, number) for number in range(groups)]
    content = _joined([_file(table) for table in tables])
    expected = pa.concat_tables(tables)
    assert pq.read_table(io.BytesIO(content)).equals(expected)
    assert pl.read_parquet(io.BytesIO(content)).to_dicts() == expected.to_pylist()
    path = tmp_path / "joined.parquet"
    path.write_bytes(content)
    relation = duckdb.sql(f"select * from '{path}'")
    assert relation is not None
    assert relation.to_arrow_table().to_pylist() == expected.to_pylist()


def test_page_indexes_are_found_where_they_are_now() -> None:
    tables = [_table(500, 5, number) for number in range(3)]
    content = _joined([_file(table, write_page_index=True) for table in tables])
    file = pq.ParquetFile(io.BytesIO(content))
    assert file.read().equals(pa.concat_tables(tables))
    assert file.metadata.row_group(2).column(0).has_column_index
    assert pl.scan_parquet(io.BytesIO(content)).filter(pl.col("c2") == 3).collect().height > 0


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"use_dictionary": False},
        {"compression": "zstd", "data_page_version": "2.0"},
        {"write_statistics": False},
    ],
    ids=lambda options: "-".join(options) or "plain",
)
@pytest.mark.parametrize("columns", [1, 5, 40])
def test_the_file_is_that_which_is_written_at_once(columns: int, options: dict[str, object]) -> None:
    tables = [_table(500, columns, number) for number in range(4)]
    buffer = io.BytesIO()
    with pq.ParquetWriter(buffer, tables[0].schema, **options) as writer:
        for table in tables:
            writer.write_table(table, row_group_size=500)
    content = _joined([_file(table, **options) for table in tables])
    assert content == buffer.getvalue()


def test_a_single_file_stays_as_it_is() -> None:
    file = _file(_table(100, 5, 0))
    assert _joined([file]) == bytes(file)


def test_places_beyond_four_gibibytes_are_named() -> None:
    table = _table(10, 1, 0)
    joined = RowGroupJoiner()
    joined.add(_file(table))
    joined._position += 5 << 30
    joined.add(_file(table))
    end = joined.finish()
    # Only the metadata is looked at, so the rows need not be there.
    column = pq.ParquetFile(io.BytesIO(b"PAR1" + end)).metadata.row_group(1).column(0)
    assert column.data_page_offset > 5 << 30


def test_files_of_pyarrow_as_it_is_are_joined_as_written() -> None:
    tables = [_table(20, 5, number) for number in range(2)]
    buffer = io.BytesIO()
    with pq.ParquetWriter(buffer, tables[0].schema) as writer:
        for table in tables:
            writer.write_table(table)
    parts = [_file(table) for table in tables]
    assert joins_as_written(parts, buffer.getbuffer())
    assert not joins_as_written(parts[:1], buffer.getbuffer())
    assert not joins_as_written([memoryview(bytes(parts[0][:-9]) + b"\xff" + bytes(parts[0][-8:]))], buffer.getbuffer())


def test_an_offset_that_is_not_moved_is_found_before_the_file_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    # A version of the format to come that has the offset of the data in another field.
    monkeypatch.setattr(parquet_footer, "_COLUMN_META_DATA", parquet_footer._StructRule({10: "offset"}))
    chunk = parquet_footer._StructRule({2: "offset"}, {3: parquet_footer._COLUMN_META_DATA})
    group = parquet_footer._StructRule({5: "offset", 7: "ordinal"}, {1: chunk}, meaning="row group")
    monkeypatch.setattr(parquet_footer, "_FILE_META_DATA", parquet_footer._StructRule({3: "rows"}, {4: group}))
    joiner = RowGroupJoiner()
    for number in range(2):
        joiner.add(_file(_table(10, 5, number)))
    with pytest.raises(ValueError, match="places of its columns"):
        joiner.finish()
