from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from .cold.first_writes import pem_of
from .contenders import FORMATS, Keys
from .sink import running_sink

_ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def sink() -> Iterator[str]:
    with running_sink() as base_url:
        yield base_url


@pytest.mark.slow
@pytest.mark.timeout(600)  # half a minute where nothing else runs
def test_the_command_prints_every_table() -> None:
    command = [sys.executable, "-m", "tests.benchmarks", "--quick", "--frames", "sales", "--protocols", "postbox"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, cwd=_ROOT).stdout
    titles = [line.removeprefix("### ") for line in printed.splitlines() if line.startswith("### ")]
    assert [title.partition(":")[0].partition(",")[0] for title in titles] == [
        "Writes",
        "Growth",
        "One small write",
        "Steps",
        "Ready bytes",
        "Object columns of 200 rows",
        "One file per person",
        "First of many files",
        "Reading back",
        "Import",
        "First write of a process that has loaded pandas",
        "Network of 100 Mbit/s",
        "Direct import over TLS",
    ]
    assert printed.count("| sales |") == 4 + 8 + 4 + 4


@pytest.mark.parametrize("size", [0, 1, 70_000, 9 << 20])
@pytest.mark.parametrize("sized", [True, False])
def test_the_sink_takes_exactly_the_body(size: int, sized: bool, sink: str) -> None:
    body = bytes(size)
    pieces = [body[start : start + 100_000] for start in range(0, size, 100_000)]
    headers = {"Content-Length": str(size)} if sized else {}
    with httpx.Client(trust_env=False) as client:
        for _ in range(3):
            response = client.post(sink, content=iter(pieces), headers=headers)
            assert response.json()["status"] == "delivered"
            assert response.headers["X-Received"] == str(size)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", FORMATS)
def test_a_first_write_loads_nothing_that_takes_long_and_is_not_needed(suffix: str, sink: str) -> None:
    code = (
        "import sys; from tests.benchmarks.cold import write; write.main(); "
        "print(*sys.modules.keys() & {'polars', 'httpx', 'filelock', 'platformdirs', 'tenacity', 'tqdm'})"
    )
    command = [sys.executable, "-c", code, "ours", sink, suffix]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, cwd=_ROOT, input=pem_of(Keys()))
    seconds, loaded = printed.stdout.splitlines()
    assert float(seconds) > 0
    assert loaded == ""
