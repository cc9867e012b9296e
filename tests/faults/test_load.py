"""Many writes at once and one after the other: nobody's file is missing, one refresh serves all, nothing grows.

Sixteen threads with ready bytes, ten processes that only refresh, and consents of killed processes are in
`tests/faults/test_consent_faults.py`; a hundred writers that are killed while they store tokens in
`tests/service/oauth/test_token_store.py`.
"""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

import digime_pandas as digime
from digime_pandas.sandbox import Sandbox

from .forked import Child

WRITES, THREADS, PROCESSES = 200, 16, 10
FORMATS = ["csv", "json", "ndjson", "parquet"]
PATIENCE_SECONDS = 60.0
# Of pages that the allocators of Python and Arrow keep.
MOST_BYTES_MORE = 8 << 20

Connected = Callable[..., digime.Client]

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_waiting")]


@pytest.fixture
def writer(either_sandbox: Sandbox, connected: Connected, account_id: str, tmp_path: Path) -> digime.Client:
    """A client that someone lets write and read, whose tokens are on disk."""
    client = connected(either_sandbox, tokens=digime.FileTokenStore(tmp_path / "tokens"), max_attempts=WRITES)
    for access in ("write", "read"):
        either_sandbox.approve_all([account_id], access=access, tokens=client.tokens)
    return client


def write(client: digime.Client, account_id: str, number: int) -> digime.Receipt:
    frame = pd.DataFrame({"number": [number], "text": [f"row {number}"]})
    return digime.write(frame, f"{number}.{FORMATS[number % 4]}", account_id, client=client, progress=False)


def write_at_once(client: digime.Client, account_id: str) -> list[digime.Receipt]:
    start = threading.Barrier(THREADS)

    def some(first: int) -> list[digime.Receipt]:
        start.wait(PATIENCE_SECONDS)
        return [write(client, account_id, number) for number in range(first, WRITES, THREADS)]

    with ThreadPoolExecutor(THREADS) as threads:
        return [receipt for part in threads.map(some, range(THREADS)) for receipt in part]


def check_each_once(client: digime.Client, account_id: str, write_ids: list[str | None]) -> None:
    """Check that a reader sees each of the writes, once, and nothing else."""
    assert len(set(write_ids)) == WRITES
    seen = client.files(account_id)
    assert sorted(file.write_id or "" for file in seen) == sorted(map(str, write_ids))
    assert {file.name for file in seen} == {f"{number}.{FORMATS[number % 4]}" for number in range(WRITES)}


def test_200_frames_of_16_threads_whose_token_ended_make_one_refresh(
    either_sandbox: Sandbox, writer: digime.Client, account_id: str
) -> None:
    either_sandbox.expire_access_tokens()
    with either_sandbox.fail("refresh", delay=0.02, times=None) as refreshes:
        receipts = write_at_once(writer, account_id)
        assert refreshes.hits == 1
    assert {receipt.status for receipt in receipts} == {"delivered"}
    either_sandbox.heal()
    check_each_once(writer, account_id, [receipt.write_id for receipt in receipts])


def test_200_frames_of_16_threads_arrive_though_answers_are_lost(
    either_sandbox: Sandbox, writer: digime.Client, account_id: str
) -> None:
    with either_sandbox.fail("upload", cut="answer", times=30) as lost:
        receipts = write_at_once(writer, account_id)
        assert lost.hits == 30
    assert sum(receipt.attempts - 1 for receipt in receipts) == 30
    assert len(either_sandbox.files(account_id)) == WRITES + 30
    check_each_once(writer, account_id, [receipt.write_id for receipt in receipts])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_200_frames_of_10_processes_whose_token_ended_make_one_refresh(
    either_sandbox: Sandbox, writer: digime.Client, account_id: str, tmp_path: Path
) -> None:
    contract, base_url, onboard_url = either_sandbox.contract, either_sandbox.base_url, either_sandbox.onboard_url

    def some(first: int) -> list[str | None]:
        tokens = digime.FileTokenStore(tmp_path / "tokens")
        with digime.Client(contract, base_url=base_url, onboard_url=onboard_url, tokens=tokens) as client:
            return [write(client, account_id, number).write_id for number in range(first, WRITES, PROCESSES)]

    either_sandbox.expire_access_tokens()
    with either_sandbox.fail("refresh", delay=0.02, times=None) as refreshes:
        children = [Child(lambda first=first: some(first)) for first in range(PROCESSES)]  # type: ignore[misc] # a loop's variable
        write_ids = [write_id for child in children for write_id in child.result()]
        assert refreshes.hits == 1
    assert [path for path in (tmp_path / "tokens").rglob("*") if path.name.startswith(".new-")] == []
    check_each_once(writer, account_id, write_ids)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="what is open is not listed here")
def test_2000_frames_leave_memory_descriptors_and_threads_as_they_were(
    either_sandbox: Sandbox, writer: digime.Client, account_id: str
) -> None:
    def used() -> tuple[int, int, int]:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        open_files = len(list(Path("/proc/self/fd").iterdir()))
        return pages * os.sysconf("SC_PAGE_SIZE"), open_files, threading.active_count()

    for number in range(400):  # until caches and pools are full
        write(writer, account_id, number)
    memory, descriptors, threads = used()
    for number in range(2000):
        assert write(writer, account_id, number).status == "delivered"
    after = used()
    assert after[1] <= descriptors + 1
    assert after[2] <= threads + 1
    assert after[0] - memory < MOST_BYTES_MORE, f"{(after[0] - memory) / 2**20:.1f} MiB more"
