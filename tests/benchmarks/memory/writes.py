"""Peak extra memory of one write, in a process of its own.

Run as ``python -m tests.benchmarks.memory.writes URL CONTENDER FRAME ROWS FORMAT PROTOCOL``; prints MiB (Linux).
"""

from __future__ import annotations

import gc
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from tests.benchmarks.contenders import Keys, contenders
from tests.benchmarks.frames import Case

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_ROOT = Path(__file__).parents[3]
_WARM_ROWS = 2_000


def extra_memory(base_url: str, contender: str, case: Case) -> float:
    """Return how many MiB more than before the write the resident set was at its largest."""
    arguments = [base_url, contender, case.frame, str(case.rows), case.format, case.protocol]
    command = [sys.executable, "-m", "tests.benchmarks.memory.writes", *arguments]
    return float(subprocess.run(command, check=True, capture_output=True, text=True, cwd=_ROOT).stdout)


def _measure(base_url: str, contender: str, case: Case) -> float:
    send = contenders(base_url, Keys())[contender]
    # Engines keep threads, buffers and code pages from their first use on: they are not what a write costs.
    send(replace(case, rows=_WARM_ROWS).make(), case.format, case.protocol)
    data = case.make()
    before = peak_reset()
    send(data, case.format, case.protocol)
    return (status_kibibytes("VmHWM") - before) / 1024


def peak_reset() -> int:
    """Let the high-water mark of this process begin anew; return its resident set, in KiB."""
    gc.collect()
    pa.default_memory_pool().release_unused()
    _CLEAR.write_text("5")
    return status_kibibytes("VmRSS")


def status_kibibytes(name: str) -> int:
    """Return a figure of the status of this process, in KiB."""
    found = re.search(rf"{name}:\s+(\d+) kB", _STATUS.read_text())
    assert found is not None
    return int(found[1])


if __name__ == "__main__":
    url, who, frame, rows, *rest = sys.argv[1:]
    print(_measure(url, who, Case(frame, int(rows), *rest)))
