"""The commands on the page of the command line: all there are, and each runs as it stands, one after the other."""

from __future__ import annotations

import io
import re
import shlex
import sys
import webbrowser
from pathlib import Path
from urllib.request import urlopen

import pandas as pd
import pytest

import digime_pandas as digime
from digime_pandas.__main__ import _parser, main
from digime_pandas.sandbox import Sandbox

from .pages import ROOT, blocks

PAGE = ROOT / "notebooks" / "docs" / "how-to" / "command_line.md"
LINES = [line for block in blocks(PAGE, "sh") for line in block.code.splitlines()]
LINK = re.compile(r"https?://\S+/apps/saas/\S+")


def arguments_of(line: str) -> tuple[list[str], str | None]:
    """Return the arguments of a command, and the file that its output goes to."""
    program, *words = shlex.split(line)
    assert program == "digime-pandas"
    return (words[:-2], words[-1]) if ">" in words else (words, None)


def test_every_command_is_shown_and_every_line_is_understood() -> None:
    commands = [arguments_of(line)[0] for line in LINES]
    known = _parser()._subparsers._group_actions[0].choices  # type: ignore[union-attr] # argparse has no public way to list them
    assert {words[0] for words in commands} == set(known or ())
    for words in commands:
        _parser().parse_args(words)


@pytest.fixture
def folder(own_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: files to send, and a browser whose user agrees at once."""
    patients = ["patient-17", "patient-18"]
    pd.DataFrame({"patient": patients, "pulse": [61, 64]}).to_csv(tmp_path / "visits.csv", index=False)
    (tmp_path / "letter.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "scan.pdf").write_bytes(b"%PDF-1.7")

    def browse(url: str) -> bool:
        with urlopen(own_sandbox.approve(url), timeout=10) as page:
            return bool(page.status == 200)

    monkeypatch.setattr(webbrowser, "open", browse)
    return tmp_path


@pytest.mark.slow
def test_they_run_one_after_the_other(
    own_sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    [serves] = [line for line in LINES if " sandbox " in line]  # which `own_sandbox` is here, as it does not end
    said = ""
    for line in LINES:
        if line == serves:
            continue
        words, output = arguments_of(line)
        if "events-*.parquet" in words:
            deliver_dataset()
        answer = own_sandbox.approve(LINK.findall(said)[0]) if words[-2:] == ["--address", "-"] else "# Notes"
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(answer.encode())))
        assert main(words) == 0, line
        said = capsysbinary.readouterr().out.decode()
        if output:
            (folder / output).write_text(said)
    assert {path.name for path in folder.iterdir()} >= {"copy.csv", "whole.parquet", "receipts.json", "visits.journal"}
    assert len(own_sandbox.files("patient-18")) == 1


def deliver_dataset() -> None:
    import dask.dataframe as dd

    import digime_pandas.dask  # noqa: F401 - registers the accessor

    events = dd.from_pandas(pd.DataFrame({"pulse": [61, 64]}), npartitions=2)
    with digime.connect():
        events.digime.write("events-*.parquet", account_id="patient-17")
