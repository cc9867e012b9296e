"""Processes that are killed at random moments while they write one file per person."""

from __future__ import annotations

import os
import random
import signal
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import digime_pandas as digime
from digime_pandas._service.descriptor import WRITE_ID_PREFIX
from digime_pandas.sandbox import Sandbox

KILLS = int(os.environ.get("DIGIME_TEST_KILLS", "4"))
PERSONS = 200
ROWS = 3
LONGEST_LIFE_SECONDS = 0.6

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here"),
]


def killed(work: Callable[[], object], seconds: float) -> bool:
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


@pytest.mark.timeout(60 + 20 * KILLS)
def test_a_killed_run_made_again_leaves_every_person_one_file(
    connected: Callable[..., digime.Client], tmp_path: Path
) -> None:
    chance = random.Random(20260105)
    persons = [f"patient-{number:03d}" for number in range(PERSONS)]
    kills, cut_off, left = 0, 0, 0
    with Sandbox() as sandbox:
        client = connected(sandbox)
        for access in ("write", "read"):
            sandbox.approve_all(persons, access=access, tokens=client.tokens)
        for number in range(KILLS):
            frame = pd.DataFrame({"who": persons * ROWS, "run": number})
            name, path = f"run-{number}.csv", tmp_path / f"{number}.journal"

            def write(frame: pd.DataFrame = frame, name: str = name, path: Path = path) -> pd.DataFrame:
                return digime.write_each(frame, "who", name, client=client, journal=path, progress=False)

            kills += killed(write, chance.uniform(0.05, LONGEST_LIFE_SECONDS))
            with digime.Journal(path) as journal:
                before = journal.to_frame()
            cut_off += int((before["status"] == "unknown").sum())
            left += PERSONS - len(before)

            result = write()
            assert set(result["status"]) == {"delivered"}
            with digime.Journal(path) as journal:
                table = journal.to_frame()
            assert table["status"].tolist() == ["delivered"] * PERSONS
            assert set(table["account_id"]) == set(persons)
            assert set(table["write_id"]) == set(result["write_id"])
            arrived = [file for file in sandbox.files() if file.name == name]
            ids = {
                (account_id, text)
                for file in arrived
                for account_id in file.accounts
                for text in file.reference
                if text.startswith(WRITE_ID_PREFIX)
            }
            assert ids == set(zip(result["account_id"], result["write_id"], strict=True))
            for account_id in chance.sample(persons, 5):
                assert [file.name for file in client.files(account_id, name=name)] == [name]
    assert kills > KILLS / 3
    assert cut_off + left > 0
