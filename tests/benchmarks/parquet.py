"""Ways to encode a Parquet file: bytes and CPU time of each, column by column or of a whole frame.

Run as ``python -m tests.benchmarks.parquet``; prints a table for `sales`, `wide`, `text`, `trips` and `ids`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from digime_pandas._tabular.codecs.parquet import ROW_GROUP_BYTES
from digime_pandas._tabular.codecs.writing.parquet_settings import settings_of_groups, settings_of_rows

from .frames import FRAMES, ROWS
from .tables import show

_SETTINGS = Mapping[str, Any]
_PLAIN: _SETTINGS = {"use_dictionary": False}


def trips(rows: int) -> pd.DataFrame:
    """Return rows as taxi meters write them: times in order, places, amounts, and where it was."""
    random = np.random.default_rng(7)
    start = np.datetime64("2026-01-01", "us") + np.sort(random.integers(0, 31 * 86_400, rows)).astype("timedelta64[s]")
    return pd.DataFrame(
        {
            "vendor": random.integers(1, 3, rows),
            "begin": start,
            "end": start + random.integers(60, 3_600, rows).astype("timedelta64[s]"),
            "from": random.integers(1, 266, rows),
            "to": random.integers(1, 266, rows),
            "distance": np.round(random.lognormal(1, 0.8, rows), 2),
            "fare": np.round(random.lognormal(2.5, 0.5, rows), 1),
            "latitude": 40.7 + random.normal(0, 0.05, rows),
            "longitude": -73.9 + random.normal(0, 0.05, rows),
        }
    )


def ids(rows: int) -> pd.DataFrame:
    """Return identifiers: hashes, counted and random numbers, numbered names."""
    random = np.random.default_rng(8)
    hashes = [random.bytes(16).hex() for _ in range(rows)]
    names = [f"person-{number:08d}" for number in random.integers(0, rows, rows)]
    return pd.DataFrame(
        {
            "hash": pd.array(hashes, dtype="str"),
            "count": np.arange(rows),
            "random": random.integers(0, 2**62, rows),
            "name": pd.array(names, dtype="str"),
        }
    )


_FRAMES: Mapping[str, tuple[Callable[[int], pd.DataFrame], int]] = {
    **{name: (FRAMES[name], rows) for name, rows in ROWS.items()},
    "trips": (trips, 1_000_000),
    "ids": (ids, 500_000),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.parquet", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs of which the least CPU time is shown")
    parser.add_argument("--frames", nargs="+", choices=tuple(_FRAMES), default=tuple(_FRAMES))
    parser.add_argument("--columns", action="store_true", help="one row per column")
    parser.add_argument("--shrink", type=int, default=1, help="how many times fewer rows there are")
    asked = parser.parse_args(arguments)
    header = ["frame", "column", "settings", "MB", "CPU ms"]
    show(f"Settings of Parquet: least of {asked.runs} runs", header, _rows(asked))


def _rows(asked: argparse.Namespace) -> Iterator[tuple[object, ...]]:
    for name in asked.frames:
        make, count = _FRAMES[name]
        table = pa.Table.from_pandas(make(count // asked.shrink), preserve_index=False)
        rows = max(1, ROW_GROUP_BYTES * len(table) // table.nbytes)
        for column in table.column_names if asked.columns else [None]:
            chosen = table if column is None else table.select([column])
            for label, settings in _ways(chosen, rows):
                size, took = _cost(chosen, rows, settings, asked.runs)
                yield name, column or "all", label, f"{size / 1e6:.2f}", f"{took * 1e3:.1f}"


def _ways(table: pa.Table, rows: int) -> Iterator[tuple[str, _SETTINGS]]:
    """Yield what is compared: ours, pyarrow's own, and one thing changed at a time."""
    first = table.slice(0, rows).combine_chunks().to_batches()[0]
    yield "ours", settings_of_groups(first, "snappy")
    yield "ours, one row group", settings_of_rows(first, "snappy")
    yield "pyarrow", {}
    yield "pyarrow, no statistics", {"write_statistics": False}
    yield "plain", _PLAIN
    yield "plain, pages of format 2", {**_PLAIN, "data_page_version": "2.0"}
    for compression in ("lz4", "zstd", "none"):
        yield f"ours, {compression}", settings_of_groups(first, compression)
    for encoding, kinds in {
        "BYTE_STREAM_SPLIT": (pa.float32(), pa.float64()),
        "DELTA_LENGTH_BYTE_ARRAY": (pa.string(), pa.large_string()),
        "DELTA_BYTE_ARRAY": (pa.string(), pa.large_string()),
        "DELTA_BINARY_PACKED": (pa.int64(), pa.timestamp("us")),
    }.items():
        columns = [field.name for field in table.schema if field.type in kinds]
        if columns:
            yield f"plain and {encoding}", {**_PLAIN, "column_encoding": dict.fromkeys(columns, encoding)}


def _cost(table: pa.Table, rows: int, settings: _SETTINGS, runs: int) -> tuple[int, float]:
    """Return the bytes of row groups of `rows` rows, and the least seconds of CPU that one thread took."""
    took = []
    size = 0
    for _ in range(runs):
        started = time.process_time()
        sink = pa.BufferOutputStream()
        with pq.ParquetWriter(sink, table.schema, **settings) as writer:
            writer.write_table(table, row_group_size=rows)
        took.append(time.process_time() - started)
        size = sink.tell() if not sink.closed else len(sink.getvalue())
    return size, min(took)


if __name__ == "__main__":
    main()
