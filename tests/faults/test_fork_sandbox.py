"""The embedded sandbox in forked children that end as programs do: with what is registered for their exit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")]

BEGIN = """
import gc, os, sys, time, warnings
import pandas as pd
import digime_pandas as digime
from digime_pandas.errors import DigimeError
from digime_pandas.sandbox import Sandbox
warnings.simplefilter("ignore", DeprecationWarning)  # of the threads there are at a fork

def authorize(client, account_id):
    for access in ("write", "read"):
        with client.begin_authorization(account_id, access=access) as flow:
            flow.complete(client.sandbox.approve(flow.url))

def said(work):
    try:
        return work()
    except DigimeError as error:
        return f"{type(error).__name__}: {error}"

frame = pd.DataFrame({"n": [1, 2]})
"""


def output_of(program: str, *arguments: object) -> list[str]:
    """Return the lines a program and its children print; none of them says anything on stderr."""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + program, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    print(done.stderr)
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout.splitlines()


def test_children_use_it_over_http_and_their_exit_leaves_it_to_the_parent() -> None:
    lines = output_of(
        """
client = digime.connect("sandbox")
authorize(client, "ana")
digime.write(frame, "parent.csv", account_id="ana")
folder = client.sandbox._running.context.library._folder
if not os.fork():
    digime.write(frame, "old.csv", account_id="ana", client=client)
    again = digime.connect("sandbox")
    authorize(again, "ben")
    digime.write(frame, "new.csv", account_id="ben")
    print(digime.read_frame("parent.csv", account_id="ana").equals(frame))
    print(said(client.sandbox.files))
    print(said(client.sandbox.expire_access_tokens))
    again.sandbox.close()
    client.sandbox = again.sandbox = None
    gc.collect()
    sys.exit(0)
print(os.wait()[1])
print(sorted(file.name for file in client.sandbox.files()))
digime.write(frame, "after.csv", account_id="ana")
print(folder.exists(), len(client.sandbox.files()))
client.sandbox.close()
print(folder.exists())
"""
    )
    assert lines[0] == "True"
    assert all(line.startswith("ConfigurationError: This sandbox is served by process") for line in lines[1:3])
    assert lines[3:] == ["0", "['new.csv', 'old.csv', 'parent.csv']", "True 4", "False"]


def test_what_a_child_does_at_its_end_touches_neither_lock_nor_index(tmp_path: Path) -> None:
    lines = output_of(
        """
with Sandbox(sys.argv[1]) as sandbox:
    client = digime.Client(sandbox.contract, read_contract=sandbox.read_contract, base_url=sandbox.base_url,
        onboard_url=sandbox.onboard_url, tokens=digime.MemoryTokenStore())
    client.sandbox = sandbox
    authorize(client, "ana")
    log = os.path.join(sys.argv[1], "index.sqlite-wal")
    before = os.stat(log).st_size
    for _ in range(3):
        if not os.fork():
            del client, sandbox
            gc.collect()
            sys.exit(0)
        print(os.wait()[1], os.stat(log).st_size == before)
    print(said(Sandbox(sys.argv[1]).start))
    digime.write(frame, "after.csv", account_id="ana", client=client)
    print(len(sandbox.files()))
with Sandbox(sys.argv[1]) as again:
    print(len(again.files()))
""",
        tmp_path / "data",
    )
    assert lines[:3] == ["0 True"] * 3
    assert "in use by another sandbox" in lines[3]
    assert lines[4:] == ["1", "1"]


@pytest.mark.parametrize("ending", ["sys.exit(0)", "os._exit(0)"])
def test_a_child_that_outlives_its_parent_is_told_so(ending: str) -> None:
    lines = output_of(
        """
client = digime.connect("sandbox", max_attempts=1)
authorize(client, "ana")
digime.write(frame, "parent.csv", account_id="ana")
parent = os.getpid()
ready, go = os.pipe()
heard, told = os.pipe()
if not os.fork():
    os.close(go)
    digime.write(frame, "child.csv", account_id="ana")
    os.write(told, b"!")
    os.read(ready, 1)  # nothing comes: the parent's end is closed when it ends
    while os.getppid() == parent:
        time.sleep(0.01)
    print(said(lambda: digime.write(frame, "late.csv", account_id="ana")))
    print(said(lambda: digime.connect("sandbox")))
    client.sandbox.close()
    again = digime.connect("sandbox")
    authorize(again, "ana")
    digime.write(frame, "own.csv", account_id="ana")
    print([file.name for file in again.sandbox.files()])
    sys.exit(0)
os.read(heard, 1)
if not os.fork():  # holds what it was forked with for longer than both of them live
    os.close(go)
    os.write(told, b"!")
    os.read(ready, 1)
    sys.exit(0)
os.read(heard, 1)  # it has let the server's socket go
"""
        + ending
    )
    assert lines[0].startswith("ServiceUnreachableError")
    assert "refused" in lines[0]
    assert lines[1].startswith("ConfigurationError: This sandbox was served by process")
    assert lines[2] == "['own.csv']"
