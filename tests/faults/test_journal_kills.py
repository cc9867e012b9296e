"""Processes that are killed at random moments while they write with a journal."""

from __future__ import annotations

import os
import random
import sqlite3
import time
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

from .forked import killed

KILLS = 30
PARTS = 12
THREADS = 3
WARM_UP = 2  # runs, of which the last says how long one takes

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


def write_id(file: SandboxFile) -> str:
    return next(text for text in file.reference if text.startswith(WRITE_ID_PREFIX))


def test_a_killed_run_is_in_the_journal_and_made_again_leaves_each_file_once(
    sandbox: Sandbox, client: Client, connected: Callable[..., Client], reader: Authorization, tmp_path: Path
) -> None:
    path = tmp_path / "writes.journal"
    chance = random.Random(20260105)
    kills, cut_off, runs = 0, 0, 0
    with Journal(path) as journal:
        recording = connected(sandbox, tokens=client.tokens, journal=journal)
        for runs in range(1, WARM_UP + 1):
            began = time.monotonic()
            write_all(recording, reader.account_id, f"run-{runs}")
        longest = time.monotonic() - began
        while kills < KILLS:
            runs += 1
            run = f"run-{runs}"
            work = lambda run=run: write_all(recording, reader.account_id, run)  # noqa: E731 - bound in the loop
            seconds = chance.uniform(0, longest)
            if killed(work, seconds):
                kills += 1
            else:
                longest = seconds  # it takes less now

            with closing(sqlite3.connect(path)) as other:
                assert other.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            found = journal.to_frame().set_index("write_id")["status"]
            arrived = [file for file in sandbox.files(reader.account_id) if file.name.startswith(f"{run}-")]
            assert {found.get(write_id(file)) for file in arrived} <= {"delivered", "unknown"}
            cut_off += int((found == "unknown").sum())

            write_all(recording, reader.account_id, run)
        table = journal.to_frame()
    assert cut_off > 0
    assert table["status"].tolist() == ["delivered"] * (runs * PARTS)
    expected = Counter(f"run-{run}-{part}.csv" for run in range(1, runs + 1) for part in range(PARTS))
    assert Counter(file.name for file in client.files(reader.account_id)) == expected
    assert set(map(write_id, sandbox.files(reader.account_id))) == set(table["write_id"])
