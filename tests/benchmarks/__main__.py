"""Print the tables: ``python -m tests.benchmarks`` (about half an hour), ``--quick`` for a look (under a minute).

Ratios are what counts, times depend on the machine. Linux only: the sink and the memory figures use its interfaces.
"""

from __future__ import annotations

import argparse
import warnings
from itertools import product

from digime_pandas.errors import FidelityWarning

from .cold.first_writes import first_writes
from .contenders import FORMATS, PROTOCOLS, Keys, Ours, contenders
from .each import DELAY_SECONDS, one_file_each
from .frames import ROWS, Case
from .memory.each import large_frames
from .network.tables import slow_network_writes, tls_throughput
from .reading import reading
from .sink import running_sink
from .tables import growth, imports, latency, objects, ready_bytes, steps, writes

TABLES = ("writes", "growth", "latency", "steps", "ready", "objects", "each", "reading", "import", "cold", "network")
FEW_ROWS = 10
NETWORK_ROWS = {"csv": 200_000, "ndjson": 100_000, "json": 100_000, "parquet": 1_000_000}  # of about as many bytes
GROWTH_ROWS = (10_000, 100_000, 1_000_000, 5_000_000)
_MIB = 1 << 20


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rows, one run: shows that it works")
    parser.add_argument("--runs", type=int, default=5, help="interleaved runs of which the medians are shown")
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=TABLES)
    parser.add_argument("--frames", nargs="+", choices=tuple(ROWS), default=tuple(ROWS))
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=FORMATS)
    parser.add_argument("--protocols", nargs="+", choices=PROTOCOLS, default=PROTOCOLS)
    parser.add_argument("--growth-rows", nargs="+", type=int, default=GROWTH_ROWS, help="20000000 takes 6 GiB")
    parser.add_argument("--no-memory", action="store_true", help="leave the memory columns out")
    asked = parser.parse_args()
    runs, shrink = (1, 500) if asked.quick else (asked.runs, 1)
    # The frames have NaN in them, which JSON cannot hold.
    warnings.simplefilter("ignore", FidelityWarning)
    with running_sink() as base_url:
        senders = contenders(base_url, Keys())
        ours = senders["ours"]
        assert isinstance(ours, Ours)
        if "writes" in asked.tables:
            cases = [
                Case(frame, ROWS[frame] // shrink, *how)
                for frame in asked.frames
                for how in product(asked.formats, asked.protocols)
            ]
            writes(senders, base_url, cases, runs, memory=not (asked.no_memory or asked.quick))
        if "growth" in asked.tables:
            counts, formats = (GROWTH_ROWS[:1], ["csv"]) if asked.quick else (asked.growth_rows, asked.formats)
            growth(
                ours, base_url, [Case("sales", rows, kind, "postbox") for rows, kind in product(counts, formats)], runs
            )
        if "latency" in asked.tables:
            small = [
                Case("sales", rows, *how) for rows in (1, FEW_ROWS) for how in product(asked.formats, asked.protocols)
            ]
            latency(senders, small, 3 if asked.quick else 101)
        if "steps" in asked.tables:
            every = [
                Case(frame, rows, kind, "postbox")
                for frame in asked.frames
                for rows, kind in product((FEW_ROWS, ROWS[frame] // shrink), asked.formats)
            ]
            steps(ours, every, lambda case: 3 if asked.quick else 101 if case.rows == FEW_ROWS else runs)
        if "ready" in asked.tables:
            ready_bytes(ours, (32 if asked.quick else 512) * _MIB, runs)
        if "objects" in asked.tables:
            objects(100_000 // shrink, runs)
        if "each" in asked.tables:
            with running_sink(DELAY_SECONDS) as slow_url:
                one_file_each(base_url, slow_url, Keys(), 10_000 // (shrink // 5 or 1), runs)
            large_frames(base_url, 10_000 // shrink, 500)
        if "reading" in asked.tables:
            reading(shrink, runs)
        if "import" in asked.tables:
            imports(1 if asked.quick else 9)
        _first_writes_and_network(asked, base_url, runs, shrink)


def _first_writes_and_network(asked: argparse.Namespace, base_url: str, runs: int, shrink: int) -> None:
    if "cold" in asked.tables:
        first_writes(base_url, asked.formats, 3 * runs)
    if "network" in asked.tables:
        pairs = product(asked.formats, asked.protocols)
        slow_network_writes([Case("sales", NETWORK_ROWS[how[0]] // shrink, *how) for how in pairs], runs)
        tls_throughput(512 * _MIB // shrink, runs)


if __name__ == "__main__":
    main()
