"""Correct programs print nothing on standard error, until they have ended: with every Python that is named.

``DIGIME_TEST_PYTHONS`` names more than this one, separated as in ``PATH``: interpreters with the package's needs.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PYTHONS = list(
    dict.fromkeys([sys.executable, *filter(None, os.environ.get("DIGIME_TEST_PYTHONS", "").split(os.pathsep))])
)

PRELUDE = """\
import atexit, threading
import pandas as pd
import digime_pandas as digime

client = digime.connect("sandbox")

def consent(account_id, *accesses):
    for access in accesses:
        with client.begin_authorization(account_id, access=access) as flow:
            flow.complete(client.sandbox.approve(flow.url))

consent("patient-17", "write", "read")
frame = pd.DataFrame({"day": ["2026-01-05"], "pulse": [61]})
large = pd.DataFrame({"value": range(400_000)})
frame.digime.write("visits.csv", account_id="patient-17")
"""

# Each ends in what a server may still be busy with, or has threads that outlive the main one.
SCRIPTS = {
    "a write": "",
    "a list of files": 'client.files("patient-17")',
    "a read": 'digime.read_frame("visits.csv", account_id="patient-17")',
    "a large file": 'large.digime.write("large.csv", account_id="patient-17").verify(client)',
    "a read that is left half-way": """
        large.digime.write("large.parquet", account_id="patient-17")
        batches = digime.read_batches("large.parquet", account_id="patient-17")
        next(iter(batches))""",
    "a file per person": """
        people = [f"patient-{number}" for number in range(12)]
        client.sandbox.approve_all(people, tokens=client.tokens)
        pd.DataFrame({"patient": people}).digime.write_each("patient", "visits.csv")""",
    "an authorization that nobody answers": 'flow = client.begin_authorization("patient-18")',
    "repeated attempts and polls": """
        client.sandbox.fail("upload", status=503, retry_after=0, times=2)
        frame.digime.write("again.csv", account_id="patient-17")
        client.sandbox.pending_lists = 3
        client.files("patient-17")""",
    "a thread that goes on": """
        def work():
            for _ in range(5):
                client.files("patient-17")
        threading.Thread(target=work).start()""",
    "threads that never end": """
        def work():
            while True:
                client.files("patient-17")
        for _ in range(3):
            threading.Thread(target=work, daemon=True).start()
        client.files("patient-17")""",
    "a handler at exit": """
        atexit.register(lambda: digime.read_frame("visits.csv", account_id="patient-17"))""",
    "a journal, a preview and an invitation": """
        digime.preview(frame, "visits.csv", "patient-17")
        frame.digime.write("noted.csv", account_id="patient-17", journal="journal.sqlite")
        client.invite(["patient-18"], callback="http://127.0.0.1:9/back")""",
    "a sandbox that compresses": """
        from digime_pandas.sandbox import Sandbox
        sandbox = Sandbox(compression="gzip").start()
        client = digime.Client(sandbox.contract, read_contract=sandbox.read_contract, base_url=sandbox.base_url,
                               onboard_url=sandbox.onboard_url, tokens=digime.MemoryTokenStore())
        sandbox.approve_all(["patient-17"], tokens=client.tokens)
        sandbox.approve_all(["patient-17"], access="read", tokens=client.tokens)
        digime.write(frame, "visits.csv", "patient-17", client=client)
        client.files("patient-17")""",
}


@pytest.fixture(params=PYTHONS, ids=lambda python: Path(python).parent.parent.name)
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """Runs a Python with arguments, and returns its exit status and standard error."""

    def ended(*arguments: str) -> tuple[int, str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("DIGIME_", "PYTHON"))}
        process = subprocess.run(
            [request.param, *arguments],
            cwd=tmp_path,
            env=environment | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        return process.returncode, process.stderr

    return ended


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_leaves_standard_error_empty(name: str, run: Callable[..., tuple[int, str]]) -> None:
    script = "\n".join(line.removeprefix(8 * " ") for line in SCRIPTS[name].splitlines())
    assert run("-c", f"{PRELUDE}\n{script}\n") == (0, "")


def test_the_demonstration_leaves_standard_error_empty(run: Callable[..., tuple[int, str]]) -> None:
    assert run("-m", "digime_pandas", "demo") == (0, "")
