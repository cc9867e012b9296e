"""Peak memory, passes and bytes on disk of writes whose source does not fit into memory, each in a process of its own.

Run as ``python -m tests.benchmarks.memory.sources``, with the rows as argument (default 20 million); prints a table.
Linux only.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from digime_pandas._tabular.frames.streamed import readings
from tests.benchmarks.contenders import Keys, Ours
from tests.benchmarks.frames import sales_stream
from tests.benchmarks.sink import running_sink

from .writes import peak_reset, status_kibibytes

_ROOT = Path(__file__).parents[3]
_IO = Path("/proc/self/io")
_ROWS = 20_000_000
_GROUP_ROWS = 1_000_000


class Cost(NamedTuple):
    """What a write took.

    Attributes:
        rows: Rows of the source.
        passes: How often it was read.
        disk: MiB that were written to disk.
        peak: MiB of the resident set at its largest, beyond those before the write.
        seconds: How long it took.
    """

    rows: int
    passes: int
    disk: float
    peak: float
    seconds: float


def make_source(path: Path, rows: int) -> None:
    """Write a Parquet file of sales rows, in row groups of a million, without having it in memory."""
    reader = sales_stream(rows)
    with pq.ParquetWriter(path, reader.schema) as writer:
        held: list[pa.RecordBatch] = []
        for batch in reader:
            held.append(batch)
            if sum(map(len, held)) >= _GROUP_ROWS:
                writer.write_table(pa.Table.from_batches(held))
                held = []
        if held:
            writer.write_table(pa.Table.from_batches(held))


class Batches:
    """An iterable that can be iterated again."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return _generator(self._path)


def _generator(path: Path) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path, pre_buffer=False) as file:
        yield from file.iter_batches(65_536)


def _reader(path: Path) -> pa.RecordBatchReader:
    return pa.RecordBatchReader.from_batches(pq.read_schema(path), _generator(path))


SOURCES: dict[str, Callable[[Path], Any]] = {
    "path": lambda path: path,
    "ParquetFile": pq.ParquetFile,
    "Dataset": ds.dataset,
    "Scanner": lambda path: ds.dataset(path).scanner(
        fragment_scan_options=ds.ParquetFragmentScanOptions(pre_buffer=False)
    ),
    "LazyFrame": pl.scan_parquet,
    "DuckDB relation": lambda path: duckdb.sql(f"select * from '{path}'"),
    "iterable": Batches,
    "generator": _generator,
    "RecordBatchReader": _reader,
    "table in memory": pq.read_table,
}
"""The kinds of sources, each made of a Parquet file; the last one is for comparison, and is made during the write."""


def cost_of(base_url: str, kind: str, path: Path, format: str, protocol: str) -> Cost:
    """Return what the write of a source took, in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.memory.sources", base_url, kind, str(path), format, protocol]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=_ROOT)
    return Cost(*json.loads(done.stdout.splitlines()[-1]))


def _measure(base_url: str, kind: str, path: Path, format: str, protocol: str) -> Cost:
    send = Ours(base_url, Keys())
    # Engines keep threads, buffers and code pages from their first use on: they are not what a write costs.
    with TemporaryDirectory() as folder:
        small = Path(folder, "small.parquet")
        make_source(small, 200_000)
        send(SOURCES[kind](small), format, protocol)
    passes = _counted_passes()
    written = _written_bytes()
    before, started = peak_reset(), time.perf_counter()
    send(SOURCES[kind](path), format, protocol)
    peak = (status_kibibytes("VmHWM") - before) / 1024
    disk = (_written_bytes() - written) / (1 << 20)
    return Cost(pq.read_metadata(path).num_rows, max(len(passes), 1), disk, peak, time.perf_counter() - started)


def _counted_passes() -> list[object]:
    """Return a list that grows by one for each reading of a source that can be opened again."""
    module: Any = readings
    read: Callable[..., Any] = module.readable
    found: list[object] = []

    def counted(*arguments: Any) -> Any:
        found.append(arguments)
        return read(*arguments)

    module.readable = counted
    return found


def _written_bytes() -> int:
    """Return the bytes that were written to files; those that are sent over a network are not among them."""
    found = re.search(r"wchar: (\d+)", _IO.read_text())
    assert found is not None
    return int(found[1])


def _print_table(rows: int, formats: tuple[str, ...]) -> None:
    with running_sink() as base_url, TemporaryDirectory() as folder:
        path = Path(folder, "sales.parquet")
        make_source(path, rows)
        print(f"{rows:,} rows, {path.stat().st_size >> 20} MiB as Parquet", flush=True)
        print("\n| source | format | passes | MiB on disk | peak MiB | s |\n|---|---|---|---|---|---|", flush=True)
        for kind in SOURCES:
            for form in formats:
                cost = cost_of(base_url, kind, path, form, "postbox")
                print(
                    f"| {kind} | {form} | {cost.passes} | {cost.disk:.0f} | {cost.peak:.0f} | {cost.seconds:.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    if len(sys.argv) > 2:  # a child process
        print(json.dumps(_measure(sys.argv[1], sys.argv[2], Path(sys.argv[3]), *sys.argv[4:])))
    else:
        _print_table(int(sys.argv[1]) if sys.argv[1:] else _ROWS, ("parquet", "csv"))
