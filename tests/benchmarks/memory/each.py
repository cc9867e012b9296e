"""One file per person of 5 million rows over 10,000 persons: the time until the first was sent, and the extra memory.

Run as ``python -m tests.benchmarks.memory.each URL PERSONS ROWS FORMAT``, in a process of its own; prints the size of
the frame in MiB, the extra memory in MiB, and seconds (Linux).
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import digime_pandas as digime
from tests.benchmarks.contenders import Keys
from tests.benchmarks.each import FORMATS, client_for, visits_of
from tests.benchmarks.tables import show

from .writes import peak_reset, status_kibibytes

_ROOT = Path(__file__).parents[3]
_WARM_PERSONS = 200


class LargeRun(NamedTuple):
    """What a call cost.

    Attributes:
        frame_mib: Size of the frame.
        extra_mib: How much more than before the call the resident set was at its largest.
        first_seconds: Seconds of the clock from the call to the answer about the first file.
    """

    frame_mib: float
    extra_mib: float
    first_seconds: float


def large_run(base_url: str, persons: int, rows_each: int, suffix: str) -> LargeRun:
    """Write one file per person in a process of its own, and return what that cost."""
    arguments = [base_url, str(persons), str(rows_each), suffix]
    command = [sys.executable, "-m", "tests.benchmarks.memory.each", *arguments]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, cwd=_ROOT).stdout
    return LargeRun(*map(float, printed.split()))


def large_frames(base_url: str, persons: int, rows_each: int) -> None:
    """Show when the first of many files was sent, and how much memory the call took."""

    def rows() -> Iterator[tuple[str, ...]]:
        for suffix in FORMATS:
            found = large_run(base_url, persons, rows_each, suffix)
            yield suffix, f"{found.frame_mib:.0f}", f"{found.extra_mib:.0f}", f"{found.first_seconds:.1f}"

    show(
        f"First of many files: {persons:,} persons with {rows_each} rows each",
        ["format", "MiB of the frame", "extra MiB", "seconds until the first was sent"],
        rows(),
    )


def _measure(base_url: str, persons: int, rows_each: int, suffix: str) -> LargeRun:
    keys = Keys()
    # Engines keep threads, buffers and code pages from their first use on: they are not what a call costs.
    warm = visits_of(_WARM_PERSONS, rows_each)
    digime.write_each(warm, "who", f"v.{suffix}", client=client_for(base_url, keys, warm), progress=False)
    frame = visits_of(persons, rows_each)
    client = client_for(base_url, keys, frame)
    size = int(frame.memory_usage(deep=True).sum())
    before, started = peak_reset(), time.perf_counter()
    ended: list[float] = []
    digime.write_each(
        frame, "who", f"v.{suffix}", client=client, progress=lambda *_: ended.append(time.perf_counter() - started)
    )
    return LargeRun(size / (1 << 20), (status_kibibytes("VmHWM") - before) / 1024, ended[0])


if __name__ == "__main__":
    url, count, each, kind = sys.argv[1:]
    print(*_measure(url, int(count), int(each), kind))
