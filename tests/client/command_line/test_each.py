from __future__ import annotations

from pathlib import Path

import pytest

from digime_pandas.__main__ import main
from digime_pandas.sandbox import Sandbox

from .conftest import Run

pytestmark = pytest.mark.slow


@pytest.fixture
def table(person: str) -> str:
    Path("all.csv").write_text(f"who,n\n{person},1\nstranger,2\n{person},3\n", encoding="utf-8")
    return "all.csv"


def test_each_person_gets_their_own_rows(table: str, person: str, configured: Sandbox, run_json: Run) -> None:
    named = ("--by", "who", "--name", "n-{account_id}.csv", "--drop-key")
    done, skipped = run_json("write-each", table, *named, "--missing", "skip")
    assert (done["status"], done["rows"], done["file_name"]) == ("delivered", 2, f"n-{person}.csv")
    assert (skipped["account_id"], skipped["status"]) == ("stranger", "skipped")
    (stored,) = configured.files(person)
    assert stored.content.split() == [b"n", b"1", b"3"]


def test_without_consent_nothing_is_sent(table: str, person: str, configured: Sandbox, run_json: Run) -> None:
    error = run_json("write-each", table, "--by", "who", status=1)["error"]
    assert error["type"] == "NotAuthorizedError"
    assert "'stranger'" in error["message"]
    assert configured.files(person) == []


def test_who_is_left_out_can_be_asked_with_the_command(table: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["write-each", table, "--by", "who", "--missing", "skip"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0].split() == ["account", "status", "file", "rows", "bytes"]
    assert "digime-pandas authorize --account stranger\n" in err


def test_a_repeated_call_with_a_journal_sends_nothing_again(
    table: str, person: str, configured: Sandbox, run_json: Run
) -> None:
    arguments = ("write-each", table, "--by", "who", "--missing", "skip", "--journal", "w.journal")
    first, second = run_json(*arguments)[0], run_json(*arguments)[0]
    assert first["write_id"] == second["write_id"]
    assert len(configured.files(person)) == 1


def test_a_preview_says_what_each_would_get(table: str, person: str, configured: Sandbox, run_json: Run) -> None:
    rows = run_json("preview-each", table, "--by", "who")
    assert [(row["account_id"], row["consent"], row["rows"]) for row in rows] == [
        (person, "given", 2),
        ("stranger", "none", 1),
    ]
    assert configured.files(person) == []


def test_a_column_that_is_none_is_named(table: str, run_json: Run) -> None:
    assert "whom" in run_json("write-each", table, "--by", "whom", status=1)["error"]["message"]
