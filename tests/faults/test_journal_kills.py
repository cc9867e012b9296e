"""Processes that are killed at random moments while they write with a journal."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import time
import warnings
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from digime_pandas._client.client import Client
from digime_pandas._client.journal.journal import Journal
from digime_pandas._client.write import write_request
from digime_pandas._client.write_plan import check_write_request
from digime_pandas._service.authorization import Authorization
from digime_pandas._service.descriptor import WRITE_ID_PREFIX
from digime_pandas._service.journal.records import RunPart
from digime_pandas.sandbox import Sandbox
from digime_pandas.sandbox._store.library import SandboxFile

KILLS = 30
PARTS = 12
THREADS = 3
LONGEST_LIFE_SECONDS = 0.15

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here"),
]


def write_all(client: Client, account_id: str, run: str) -> None:
    """Write all parts of a run that were not delivered yet, some at the same time."""

    def write_part(number: int) -> None:
        request = check_write_request(f"{run}-{number}.csv", account_id, {})
        frame = pd.DataFrame({"run": [run], "part": [number]})
        write_request(frame, request, client=client, progress=False, part=RunPart(run, str(number)))

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(write_part, range(PARTS)))


def killed(work: Callable[[], None], seconds: float) -> bool:
    """Do something in a forked child and kill it after so long; tell whether it was still at it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # there are threads, which is meant here
        child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def write_id(file: SandboxFile) -> str:
    return next(text for text in file.reference if text.startswith(WRITE_ID_PREFIX))


def test_a_killed_run_is_in_the_journal_and_made_again_leaves_each_file_once(
    sandbox: Sandbox, client: Client, connected: Callable[..., Client], reader: Authorization, tmp_path: Path
) -> None:
    path = tmp_path / "writes.journal"
    chance = random.Random(20260105)
    kills, cut_off = 0, 0
    with Journal(path) as journal:
        recording = connected(sandbox, tokens=client.tokens, journal=journal)
        for number in range(KILLS):
            run = f"run-{number}"
            work = lambda run=run: write_all(recording, reader.account_id, run)  # noqa: E731 - bound in the loop
            kills += killed(work, chance.uniform(0.01, LONGEST_LIFE_SECONDS))

            with closing(sqlite3.connect(path)) as other:
                assert other.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            found = journal.to_frame().set_index("write_id")["status"]
            arrived = [file for file in sandbox.files(reader.account_id) if file.name.startswith(f"{run}-")]
            assert {found.get(write_id(file)) for file in arrived} <= {"delivered", "unknown"}
            cut_off += int((found == "unknown").sum())

            write_all(recording, reader.account_id, run)
        table = journal.to_frame()
    assert kills > KILLS / 3
    assert cut_off > 0
    assert table["status"].tolist() == ["delivered"] * (KILLS * PARTS)
    expected = Counter(f"run-{run}-{part}.csv" for run in range(KILLS) for part in range(PARTS))
    assert Counter(file.name for file in client.files(reader.account_id)) == expected
    assert set(map(write_id, sandbox.files(reader.account_id))) == set(table["write_id"])
