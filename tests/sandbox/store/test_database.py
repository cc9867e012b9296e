from __future__ import annotations

import sqlite3
import stat
import threading
from pathlib import Path

import pytest

from digime_pandas.sandbox._store.database import Database

ADD_PERSON = "INSERT INTO people VALUES (?, ?)"


def test_a_statement_returns_all_its_rows(database: Database) -> None:
    assert database.execute(ADD_PERSON, "a", 1) == []
    database.execute(ADD_PERSON, "b", 2)
    rows = database.execute("SELECT * FROM people ORDER BY created")
    assert [(row["user_id"], row["created"]) for row in rows] == [("a", 1), ("b", 2)]


def test_a_statement_for_many_rows_changes_all_or_none(database: Database) -> None:
    database.execute_many(ADD_PERSON, ((name, 1) for name in "abc"))
    with pytest.raises(sqlite3.IntegrityError):
        database.execute_many(ADD_PERSON, [("d", 1), ("a", 1)])
    assert [row["user_id"] for row in database.execute("SELECT user_id FROM people")] == ["a", "b", "c"]
    database.execute_many(ADD_PERSON, [])
    database.execute(ADD_PERSON, "d", 1)
    assert len(database.execute("SELECT * FROM people")) == 4


def test_values_are_never_read_as_sql(database: Database) -> None:
    name = "x'); DROP TABLE people; --"
    database.execute(ADD_PERSON, name, 1)
    assert database.execute("SELECT user_id FROM people")[0]["user_id"] == name


def test_types_and_references_are_enforced(database: Database) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        database.execute(ADD_PERSON, "a", "not a number")
    with pytest.raises(sqlite3.IntegrityError):
        database.execute("INSERT INTO postboxes VALUES ('p', 'nobody', 'client')")


def test_what_belongs_to_a_person_is_removed_with_the_person(database: Database) -> None:
    for person in ("a", "b"):
        database.execute(ADD_PERSON, person, 1)
        database.execute("INSERT INTO postboxes VALUES (?, ?, 'client')", f"postbox of {person}", person)
    database.execute("DELETE FROM people WHERE user_id = 'a'")
    assert [row[0] for row in database.execute("SELECT postbox_id FROM postboxes")] == ["postbox of b"]


def test_it_is_opened_again_with_its_rows_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    first = Database(path)
    first.execute(ADD_PERSON, "a", 1)
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}
    first.close()
    second = Database(path)
    assert len(second.execute("SELECT * FROM people")) == 1
    second.close()


def test_it_is_used_from_any_thread(database: Database) -> None:
    def add(first: int) -> None:
        for number in range(first, first + 50):
            database.execute(ADD_PERSON, str(number), number)

    threads = [threading.Thread(target=add, args=(first,)) for first in (0, 50, 100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(database.execute("SELECT * FROM people")) == 150
