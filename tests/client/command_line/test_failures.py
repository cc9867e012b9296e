"""How commands end: one line, or JSON, and an exit status, whatever happens to them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from digime_pandas.__main__ import main
from digime_pandas.sandbox import Sandbox

pytestmark = pytest.mark.slow

COMMAND = [sys.executable, "-m", "digime_pandas"]
_DEADLINE = 60.0


def test_without_arguments_the_commands_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([])
    err = capsys.readouterr().err
    named = ("demo", "sandbox", "write", "write-each", "preview", "verify", "consents", "invite", "digime-pandas demo")
    assert [name for name in named if name not in err] == []


@pytest.mark.parametrize("arguments", [["fly"], ["write"], ["files"], ["sandbox", "--port", "x"], []])
def test_wrong_usage_is_json_where_that_is_asked_for(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([*arguments, "--json"])
    error = json.loads(capsys.readouterr().err)["error"]
    assert error["type"] == "UsageError"
    assert error["message"]


@pytest.mark.parametrize("before", [True, False])
def test_errors_are_json_with_what_is_known(
    configured: Sandbox, capsys: pytest.CaptureFixture[str], before: bool
) -> None:
    command = ["files", "--account", "nobody"]
    assert main(["--json", *command] if before else [*command, "--json"]) == 1
    out, err = capsys.readouterr()
    error = json.loads(err)["error"]
    assert out == ""
    assert error["type"] == "NotAuthorizedError"
    assert "digime-pandas authorize --account nobody --access read" in error["message"]


def test_a_refusal_has_its_status_and_code(
    person: str, configured: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a.txt").write_bytes(b"x")
    with configured.fail("upload", status=400, code="NoSuchThing"):
        assert main(["write", "a.txt", "--account", person, "--json"]) == 1
    error = json.loads(capsys.readouterr().err)["error"]
    assert (error["status"], error["code"], error["outcome"]) == (400, "NoSuchThing", "refused")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is full")
@pytest.mark.parametrize("options", [[], ["--json"]], ids=str)
def test_a_full_disk_is_one_line(person: str, options: list[str]) -> None:
    Path("a.txt").write_bytes(b"x" * 100_000)
    assert main(["write", "a.txt", "--account", person]) == 0
    reading = ["read", "a.txt", "--account", person]
    for arguments in (
        ["files", "--account", person, *options],
        [*reading, *([] if not options else ["-o", "/dev/full"]), *options],
    ):
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                [*COMMAND, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, timeout=_DEADLINE, check=False
            )
        assert done.returncode == 1, done.stderr
        assert re.fullmatch(r"[^\n]*No space left on device[^\n]*\n", done.stderr)
        assert bool(options) == done.stderr.startswith('{"error"')


def test_nobody_reads_what_is_said(person: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        done = subprocess.run(
            [*COMMAND, "files", "--account", "nobody"], stdout=closed, stderr=closed, timeout=_DEADLINE, check=False
        )
    assert done.returncode == 1


def test_a_name_that_the_output_has_no_letters_for_is_printed_with_escapes(person: str) -> None:
    Path("\u00e9.txt").write_bytes(b"x")
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    command = [*COMMAND, "write", "\u00e9.txt", "--account", person]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_DEADLINE, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert r"\xe9.txt" in done.stdout


@pytest.mark.parametrize("options", [[], ["--json"]], ids=str)
def test_an_interrupt_is_one_line(person: str, configured: Sandbox, options: list[str]) -> None:
    Path("a.txt").write_bytes(b"x")
    with configured.fail("upload", hang="answer", times=None) as fault:
        command = [*COMMAND, "write", "a.txt", "--account", person, *options]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            end = time.monotonic() + _DEADLINE
            while not fault.hits and time.monotonic() < end:
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=_DEADLINE)
    assert process.returncode == 130, err
    assert re.fullmatch(r"[^\n]*interrupted[^\n]*\n", err)
