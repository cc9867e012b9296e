"""Processes that are killed at random moments while they write one file per person."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import digime_pandas as digime
from digime_pandas._service.descriptor import WRITE_ID_PREFIX
from digime_pandas.sandbox import Sandbox

from .forked import killed

KILLS = int(os.environ.get("DIGIME_TEST_KILLS", "4"))
PERSONS = 200
ROWS = 3
WARM_UP = 2  # runs, of which the last says how long one takes

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here"),
]


@pytest.mark.timeout(60 + 20 * KILLS)
def test_a_killed_run_made_again_leaves_every_person_one_file(
    connected: Callable[..., digime.Client], tmp_path: Path
) -> None:
    chance = random.Random(20260105)
    persons = [f"patient-{number:03d}" for number in range(PERSONS)]
    kills, cut_off, left, number = 0, 0, 0, WARM_UP
    with Sandbox() as sandbox:
        client = connected(sandbox)
        for access in ("write", "read"):
            sandbox.approve_all(persons, access=access, tokens=client.tokens)
        for number in range(WARM_UP):
            began = time.monotonic()
            frame = pd.DataFrame({"who": persons * ROWS, "run": number})
            digime.write_each(frame, "who", f"warm-up-{number}.csv", client=client, progress=False)
        longest = time.monotonic() - began
        while kills < KILLS:
            number += 1
            frame = pd.DataFrame({"who": persons * ROWS, "run": number})
            name, path = f"run-{number}.csv", tmp_path / f"{number}.journal"

            def write(frame: pd.DataFrame = frame, name: str = name, path: Path = path) -> pd.DataFrame:
                return digime.write_each(frame, "who", name, client=client, journal=path, progress=False)

            seconds = chance.uniform(0, longest)
            if killed(write, seconds):
                kills += 1
            else:
                longest = seconds  # it takes less now
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
    assert cut_off + left > 0
