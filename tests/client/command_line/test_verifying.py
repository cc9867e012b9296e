from __future__ import annotations

import io
import json
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from digime_pandas.__main__ import main

from .conftest import Run

pytestmark = pytest.mark.slow


@pytest.fixture
def letter(person: str, run_json: Run) -> Path:
    """A file that was sent, and what was printed of it."""
    Path("letter.png").write_bytes(b"PNG")
    Path("receipt.json").write_text(json.dumps(run_json("write", "letter.png", "--account", person)), encoding="utf-8")
    return Path("letter.png")


def test_what_the_library_holds_is_compared_with_a_file_or_a_receipt(
    letter: Path, person: str, run_json: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for arguments in (["letter.png", "--account", person], ["--receipt", "receipt.json"], ["--receipt", "-"]):
        monkeypatch.setattr(sys, "stdin", io.StringIO(Path("receipt.json").read_text(encoding="utf-8")))
        (result,) = run_json("verify", *arguments)
        assert result == {"file_name": "letter.png", "account_id": person, "verified": True, "error": None}


def test_what_differs_or_is_missing_is_told_of_each(letter: Path, person: str, run_json: Run) -> None:
    letter.write_bytes(b"other")
    Path("gone.txt").write_bytes(b"x")
    results = run_json("verify", "letter.png", "gone.txt", "--account", person, status=1)
    assert [each["error"]["type"] for each in results] == ["DigestMismatchError", "FileNotInLibraryError"]


@pytest.mark.parametrize(
    "arguments",
    [[], ["letter.png"], ["--account", "p"], ["letter.png", "--account", "p", "--receipt", "r"], ["--receipt", "no"]],
)
def test_what_is_to_be_compared_is_said(letter: Path, arguments: list[str], run_json: Run) -> None:
    assert run_json("verify", *arguments, status=1)["error"]["message"]


@pytest.mark.parametrize("text", ["", "no json", "[{}]", "3", '{"version": 99}'])
def test_what_is_no_receipt_is_an_error(letter: Path, text: str, run_json: Run) -> None:
    Path("receipt.json").write_text(text, encoding="utf-8")
    assert run_json("verify", "--receipt", "receipt.json", status=1)["error"]["type"] == "InputError"


def test_a_file_is_put_whole_and_said_for_machines(letter: Path, person: str, run_json: Run) -> None:
    Path("link").symlink_to("target")
    Path("target").write_bytes(b"before")
    (put,) = run_json("read", "letter.png", "--account", person, "-o", "link")
    assert put == {"file_name": "letter.png", "path": "link", "size": 3, "sha256": sha256(b"PNG").hexdigest()}
    assert Path("link").is_symlink()
    assert Path("target").read_bytes() == b"PNG"
    assert (
        run_json("read", "letter.png", "--account", person, "-o", "no/folder", status=1)["error"]["type"]
        == "InputError"
    )
    assert "-o" in run_json("read", "letter.png", "--account", person, status=1)["error"]["message"]
    assert not [path for path in Path().iterdir() if path.name.startswith(".digime-")]


def test_a_device_stays_a_device(letter: Path, person: str) -> None:
    assert main(["read", "letter.png", "--account", person, "-o", "/dev/null"]) == 0
    assert Path("/dev/null").is_char_device()
