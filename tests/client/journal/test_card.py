"""A journal shows how many writes there are, and those without a delivery first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from digime_pandas._client.journal.card import journal_card
from digime_pandas._client.journal.journal import Journal
from digime_pandas._client.journal.table import COLUMNS, journal_table
from digime_pandas._client.tables.typed_frame import typed_frame
from digime_pandas.errors import JournalError

PATH = Path("/somewhere/writes.journal")
WRITES: list[dict[str, object]] = [
    {
        "account_id": "p-1",
        "file_name": "<b>.csv",
        "status": "delivered",
        "rows": 1234,
        "size": 56,
        "losses": "<i> lost",
    },
    {"account_id": "p-2", "file_name": "b.csv", "status": "unknown", "error": "no answer came"},
    {"account_id": "p-3", "file_name": "c.csv", "status": "refused", "error": "refused"},
]


def test_what_needs_a_look_comes_first_and_texts_stay_texts() -> None:
    page = journal_card(PATH, typed_frame(WRITES, COLUMNS))
    assert "3 writes: 1 delivered, 1 unknown, 1 refused" in page
    order = [page.index(text) for text in ("c.csv", "no answer came", "&lt;b&gt;.csv", "1,234", "&lt;i&gt; lost")]
    assert order == sorted(order)
    assert "<b>.csv" not in page
    assert "/somewhere/writes.journal" in page


def test_of_many_writes_the_latest_are_shown() -> None:
    many = [{"account_id": f"p-{number}.", "file_name": "a", "status": "delivered"} for number in range(30)]
    page = journal_card(PATH, typed_frame(many, COLUMNS))
    assert "p-29." in page
    assert "p-9." not in page
    assert "and 10 before" in page


def test_an_empty_one() -> None:
    assert "0 writes" in journal_card(PATH, journal_table([]))


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with_file = Journal(tmp_path / "a.journal")
    yield with_file
    with_file.close()


def test_what_cannot_be_read_is_said_and_not_raised(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "0 writes" in journal._repr_html_()

    def fail(_: Journal) -> pd.DataFrame:
        raise JournalError("the <disk> is gone")

    monkeypatch.setattr(Journal, "to_frame", fail)
    assert "the &lt;disk&gt; is gone" in journal._repr_html_()
