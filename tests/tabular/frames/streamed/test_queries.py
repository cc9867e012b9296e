from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from digime_pandas._tabular.formats import FORMATS
from digime_pandas._tabular.frames.streamed import readings
from digime_pandas._tabular.frames.streamed.batch_source import BatchSource, SingleStream
from digime_pandas._tabular.frames.streamed.queries import dataset, relation, scanner
from digime_pandas._tabular.serialize import SerializableFrame, inspect_frame
from digime_pandas.errors import InputError

CSV = FORMATS["csv"]
ROWS = pa.table({"n": range(10)})


def content(frame: SerializableFrame) -> list[bytes]:
    return b"".join(map(bytes, frame.chunks())).split()[1:]


def numbers(source: BatchSource | SingleStream) -> list[int]:
    batches = source.open() if isinstance(source, BatchSource) else source.batches
    return [value for batch in batches for value in batch.column(0).to_pylist()]


def test_a_dataset_of_several_files_comes_in_their_order(tmp_path: Path) -> None:
    for part in range(5):
        pq.write_table(ROWS.slice(2 * part, 2), tmp_path / f"{part}.parquet")
    assert content(inspect_frame(ds.dataset(tmp_path), CSV)) == [b"%d" % i for i in range(10)]
    kept = ds.dataset(tmp_path).filter(ds.field("n") > 6)
    assert content(inspect_frame(kept, CSV)) == [b"7", b"8", b"9"]


def test_datasets_of_other_formats_and_in_memory_have_no_options_of_parquet(tmp_path: Path) -> None:
    pc.write_csv(ROWS, tmp_path / "rows.csv")
    pq.write_table(ROWS, tmp_path / "rows.parquet")
    both = ds.dataset([ds.dataset(tmp_path / "rows.csv", format="csv"), ds.dataset(tmp_path / "rows.parquet")])
    for one, times in ((ds.dataset(ROWS), 1), (ds.dataset(tmp_path / "rows.csv", format="csv"), 1), (both, 2)):
        assert numbers(dataset(one)) == [*range(10)] * times


def test_options_of_a_dataset_stay(tmp_path: Path) -> None:
    pq.write_table(ROWS, tmp_path / "rows.parquet")
    options = ds.ParquetFragmentScanOptions(thrift_string_size_limit=1)
    limited = ds.dataset(
        tmp_path / "rows.parquet",
        format=ds.ParquetFileFormat(default_fragment_scan_options=options),
        schema=ROWS.schema,
    )
    with pytest.raises(InputError, match="The FileSystemDataset failed while it was read"):
        inspect_frame(limited, CSV)


def test_a_partitioned_dataset_has_the_columns_of_its_folders(tmp_path: Path) -> None:
    rows = ROWS.append_column("part", pa.array(["a"] * 5 + ["b"] * 5))
    ds.write_dataset(rows, tmp_path, format="parquet", partitioning=["part"], partitioning_flavor="hive")
    frame = inspect_frame(ds.dataset(tmp_path, partitioning="hive"), CSV)
    assert content(frame) == [b"%d,%s" % (i, b"ab"[i // 5 :][:1]) for i in range(10)]


def test_a_file_of_a_dataset_that_is_damaged_is_told_of(tmp_path: Path) -> None:
    pq.write_table(ROWS, tmp_path / "0.parquet")
    (tmp_path / "1.parquet").write_bytes(b"PAR1 damaged PAR1")
    with pytest.raises(InputError, match=r"The FileSystemDataset failed while it was read, .*Nothing was sent\."):
        inspect_frame(ds.dataset(tmp_path, schema=ROWS.schema), CSV)


@pytest.mark.parametrize("rows", [ROWS, ROWS.slice(0, 0)], ids=["rows", "none"])
def test_a_scanner_of_batches_that_are_there_once_is_a_stream(rows: pa.Table) -> None:
    once = scanner(ds.Scanner.from_batches(rows.to_batches(), schema=rows.schema))
    again = scanner(ds.dataset(rows).scanner())
    assert isinstance(once, SingleStream)
    assert isinstance(again, BatchSource)
    assert numbers(once) == numbers(again) == numbers(again) == rows["n"].to_pylist()


def test_a_scanner_has_its_own_columns() -> None:
    found = scanner(ds.dataset(ROWS).scanner(columns={"twice": ds.field("n") * 2}))
    assert (found.schema.names, numbers(found)) == (["twice"], list(range(0, 20, 2)))


def test_the_query_of_a_relation_runs_for_each_reading_and_is_closed_early() -> None:
    with duckdb.connect() as database:
        found = relation(database.sql("select range::integer as n from range(200000)"))
        batches = found.open()
        assert next(batches).num_rows < 200_000
        batches.close()  # type: ignore[attr-defined] # it is a generator
        assert len(numbers(found)) == len(numbers(found)) == 200_000
        assert database.sql("select 1").fetchall() == [(1,)]


def test_a_relation_of_few_rows_is_run_once() -> None:
    # Threads add up floats in another order each time.
    averages = duckdb.sql("select range % 10 as k, avg(random()) as x from range(1000000) group by k order by k")
    frame = inspect_frame(averages, CSV)
    assert content(frame) == content(frame)


def test_a_large_relation_that_changes_or_fails_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readings, "_KEPT_BYTES", 0)
    with duckdb.connect() as database:
        database.sql("create table rows as select range as n from range(10)")
        frame = inspect_frame(database.sql("select * from rows"), CSV)
        assert frame.rows == 10
        database.sql("insert into rows values (10)")
        with pytest.raises(InputError, match=r"The DuckDBPyRelation gave other rows than the 10 .*to_arrow_reader"):
            content(frame)
        failing = database.sql("select 1 / (n - 5) as n, error('no ' || n) as e from rows")
        with pytest.raises(InputError, match=r"The DuckDBPyRelation failed while it was read, after 0 rows .*no 0"):
            inspect_frame(failing, CSV)


def test_a_relation_without_an_order_is_the_same_in_any_order() -> None:
    grouped = duckdb.sql("select range % 5000 as k, count(*) as c from range(200000) group by k")
    frame = inspect_frame(grouped, CSV)
    assert sorted(content(frame)) == sorted(b"%d,40" % k for k in range(5000))


def test_a_relation_of_a_closed_connection_is_refused() -> None:
    database = duckdb.connect()
    found = database.sql("select 1 as n")
    database.close()
    with pytest.raises(InputError, match="frame is a DuckDBPyRelation, and its Arrow stream cannot be read"):
        inspect_frame(found, CSV)
