from __future__ import annotations

import io
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

from digime_pandas.__main__ import main
from digime_pandas.sandbox import Sandbox

from .conftest import Run

pytestmark = pytest.mark.slow

ROWS = b"day,pulse,code\n2026-01-05,61,007\n2026-02-11,,008\n"


class Input:
    """Standard input that holds bytes."""

    def __init__(self, content: bytes) -> None:
        self.buffer = io.BytesIO(content)

    def isatty(self) -> bool:
        return False


@pytest.mark.parametrize(
    ("name", "mime_type"),
    [
        ("letter.png", "image/png"),
        ("LETTER.PDF", "application/pdf"),
        ("notes.txt", "text/plain"),
        ("visits.csv", "text/csv"),
        ("visits.csv.gz", "application/gzip"),
        ("backup.tar.xz", "application/x-xz"),
        ("no-suffix", "application/octet-stream"),
        ("odd.zzz", "application/octet-stream"),
        ("http:scan.png", "image/png"),
        ("empty.png", "image/png"),
    ],
)
def test_any_file_is_sent_as_the_bytes_it_is(person: str, configured: Sandbox, name: str, mime_type: str) -> None:
    content = b"" if name.startswith("empty") else b"\x00\xff any bytes\r\n" + name.encode()
    Path(name).write_bytes(content)
    assert main(["write", f"./{name}", "--account", person]) == 0
    (stored,) = configured.files(person)
    assert (stored.content, stored.mime_type, stored.reference[0]) == (content, mime_type, name)


def test_a_declared_type_and_tags_are_taken(person: str, configured: Sandbox) -> None:
    Path("a.txt").write_bytes(b"x")
    assert main(["write", "a.txt", "--account", person, "--mime-type", "text/markdown", "--tag", "t"]) == 0
    (stored,) = configured.files(person)
    assert (stored.mime_type, stored.tags) == ("text/markdown", ("t",))


def test_several_files_are_sent_in_order_with_a_receipt_each(person: str, configured: Sandbox, run_json: Run) -> None:
    names = ["b.txt", "a.png", "c.csv"]
    for name in names:
        Path(name).write_bytes(name.encode())
    receipts = run_json("write", *names, "--account", person)
    assert [each["file_name"] for each in receipts] == names
    assert [file.content.decode() for file in configured.files(person)] == names
    assert all(each["status"] == "delivered" and each["size"] == 5 for each in receipts)


def test_standard_input_is_a_file_with_a_name(
    person: str, configured: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", Input(b"PNG"))
    assert main(["write", "-", "--name", "a.png", "--account", person]) == 0
    assert main(["write", "-", "--account", person]) == 1
    assert "--name" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stdin", Input(ROWS))
    assert main(["write", "-", "--from", "csv", "--name", "v.ndjson", "--account", person]) == 0
    image, rows = configured.files(person)
    assert (image.content, image.mime_type) == (b"PNG", "image/png")
    assert rows.content.splitlines()[0] == b'{"day":"2026-01-05","pulse":61,"code":"007"}'


@pytest.mark.parametrize("target", ["v.parquet", "v.json", "v.ndjson"])
def test_a_table_is_converted_where_the_suffix_is_another_one(
    person: str, configured: Sandbox, run_json: Run, target: str
) -> None:
    Path("visits.csv").write_bytes(ROWS)
    (receipt,) = run_json("write", "visits.csv", "--name", target, "--account", person)
    assert receipt["rows"] == 2
    (stored,) = configured.files(person)
    assert stored.content != ROWS
    assert main(["read", target, "--account", person, "-o", "back.csv"]) == 0
    assert Path("back.csv").read_bytes().split() == ROWS.split()


def test_a_parquet_file_becomes_text_and_comes_back_with_its_values(person: str, run_json: Run) -> None:
    frame = pd.DataFrame({"n": pd.array([1, None], "Int64"), "when": pd.to_datetime(["2026-01-05", "2026-02-11"])})
    frame.to_parquet("a.parquet")
    (receipt,) = run_json("write", "a.parquet", "--name", "a.csv", "--account", person)
    assert receipt["mime_type"] == "text/csv"
    run_json("read", "a.csv", "--account", person, "-o", "back.parquet")
    # What is read from a path has the types of Arrow.
    pd.testing.assert_frame_equal(pd.read_parquet("back.parquet"), frame, check_dtype=False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a.csv", "--name", "a.xlsx"], "only tables are converted"),
        (["a.png", "--name", "a.jpg"], "only tables are converted"),
        (["a.csv.gz", "--name", "a.csv"], "only tables are converted"),
        (["a.csv", "a.png", "--name", "x"], "--name is of one file"),
        (["a.csv", "./a.csv"], "Two of the files"),
        (["broken.parquet", "--name", "x.csv"], "broken.parquet"),
        (["broken.json", "--name", "x.csv"], "broken.json"),
        (["a.csv", "--mime-type", "nonsense"], "--mime-type"),
        (["a.csv", "missing.txt"], "missing.txt: No such file"),
        (["a.csv", "."], "'.' is a folder"),
        (["a.csv", "/"], "'/' is a folder"),
    ],
)
def test_what_cannot_be_written_is_one_line_and_nothing_is_sent(
    person: str, configured: Sandbox, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    for name in ("a.csv", "a.png", "a.csv.gz", "broken.parquet", "broken.json"):
        Path(name).write_bytes(b"{x")
    capsys.readouterr()
    assert main(["write", *arguments, "--account", person]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"digime-pandas: [^\n]+\n", err)
    assert said in err
    assert configured.files(person) == []


def test_a_failure_in_the_middle_says_what_was_sent(person: str, configured: Sandbox, run_json: Run) -> None:
    for name in ("a.txt", "b.txt", "c.txt"):
        Path(name).write_bytes(b"x")
    with configured.fail("upload", status=400, code="NoSuchThing", after=1):
        assert [
            each["file_name"] for each in run_json("write", "a.txt", "b.txt", "c.txt", "--account", person, status=1)
        ] == ["a.txt"]
    assert [file.reference[0] for file in configured.files(person)] == ["a.txt"]


def test_what_is_lost_is_warned_of_on_a_line(person: str, capsys: pytest.CaptureFixture[str]) -> None:
    pd.DataFrame({"x": [float("inf")]}).to_parquet("a.parquet")
    assert main(["write", "a.parquet", "--name", "a.json", "--account", person]) == 0
    assert re.fullmatch(r"digime-pandas: warning: [^\n]+\n", capsys.readouterr().err)


def test_a_preview_sends_nothing_and_needs_no_consent(configured: Sandbox, run_json: Run) -> None:
    Path("visits.csv").write_bytes(ROWS)
    before = len(configured.files())
    (converted,) = run_json("preview", "visits.csv", "--name", "v.parquet", "--account", "nobody")
    assert (converted["rows"], converted["as_it_is"]) == (2, False)
    assert [each["column"] for each in converted["columns"]] == ["day", "pulse", "code"]
    (as_it_is,) = run_json("preview", "visits.csv", "--account", "nobody")
    assert (as_it_is["estimated_size"], as_it_is["as_it_is"], as_it_is["columns"]) == (len(ROWS), True, [])
    assert len(configured.files()) == before


def test_a_preview_of_what_a_write_would_refuse_fails(configured: Sandbox, run_json: Run) -> None:
    pd.DataFrame({"x": [[1, 2]]}).to_parquet("a.parquet")
    (shown,) = run_json("preview", "a.parquet", "--name", "a.csv", "--account", "nobody", status=1)
    assert [each["verdict"] for each in shown["columns"]] == ["impossible"]


def test_options_of_the_format_are_taken(person: str, configured: Sandbox, run_json: Run) -> None:
    pd.DataFrame({"x": [[1, 2]]}).to_parquet("a.parquet")
    conversion = ("write", "a.parquet", "--name", "a.csv", "--account", person)
    error = run_json(*conversion, status=1)["error"]
    assert error["type"] == "FidelityError"
    assert "--option nested=json" in error["message"]
    run_json(*conversion, "--option", "nested=json", "--option", "typed=false")
    (stored,) = configured.files(person)
    assert stored.content.split() == [b"x", b'"[1,2]"']
    assert len(stored.reference) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--name", "a.json", "--option", "nested"], "nested"),
        (["--name", "a.json", "--option", "format=csv"], "'format'"),
        (["--name", "a.json", "--option", ""], "no option of a format"),
        (["--name", "a.json", "--option", "typed=perhaps"], "typed"),
        (["--option", "typed=false"], "sent as it is"),
    ],
)
def test_options_that_are_none_are_named(
    person: str, configured: Sandbox, run_json: Run, arguments: list[str], said: str
) -> None:
    Path("a.csv").write_bytes(ROWS)
    assert said in run_json("write", "a.csv", *arguments, "--account", person, status=1)["error"]["message"]
    assert configured.files(person) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with a name")
@pytest.mark.parametrize("target", ["a.csv", "a.ndjson"])
def test_a_pipe_with_a_name_is_read_once(person: str, configured: Sandbox, target: str) -> None:
    os.mkfifo("rows.csv")
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(Path("rows.csv").write_bytes, ROWS)
        assert main(["write", "rows.csv", "--name", target, "--account", person]) == 0
        assert writing.result(30) == len(ROWS)
    (stored,) = configured.files(person)
    assert b"007" in stored.content
