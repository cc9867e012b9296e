from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from digime_pandas._service.journal import database as database_module
from digime_pandas._service.journal.database import Database, Work
from digime_pandas._service.journal.group_commit import Group
from digime_pandas.errors import ConfigurationError, JournalError
from tests.faults.forked import forked

from .journals import Connections, FailingConnection

INSERT = "INSERT INTO outcomes (intent, status, ended_at) VALUES (1, 'unknown', '')"
posix = pytest.mark.skipif(os.name != "posix", reason="permissions are lists of their own there")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "writes.journal"


def insert(connection: sqlite3.Connection) -> int | None:
    return connection.execute(INSERT).lastrowid


def commit(database: Database, *work: Callable[[sqlite3.Connection], Any]) -> list[Any] | None:
    group: Group[Work] = Group()
    group.work += [Work(each, sync=True) for each in work]
    database.commit(group)
    return group.results


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@posix
def test_the_files_and_their_folder_are_for_this_user_alone(path: Path) -> None:
    database = Database(path, wait=1.0)
    commit(database, insert)
    assert [mode(each) for each in path.parent.iterdir()] == [0o600] * 3
    assert mode(path.parent) == 0o700
    database.close()
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("closed", ["file", "folder"])
def test_what_cannot_be_written_can_be_read_and_leaves_nothing_beside_it(
    path: Path, closed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Database(path, wait=1.0)
    commit(first, insert)
    first.close()
    # Root may write everything, whatever the modes are.
    monkeypatch.setattr(database_module, "_is_writable", lambda each: (each == path) is (closed == "folder"))
    database = Database(path, wait=1.0)
    assert database.read("SELECT count(*) FROM outcomes") == [(1,)]
    assert list(path.parent.iterdir()) == [path]
    with pytest.raises(JournalError, match="can be read, and not written"):
        database.check_writable()
    with pytest.raises(JournalError, match="readonly"):
        commit(database, insert)
    database.close()


def test_a_copy_with_its_log_is_read_with_what_is_in_the_log(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Database(path, wait=1.0)
    first.check_writable()
    commit(first, insert)
    monkeypatch.setattr(database_module, "_is_writable", lambda _: False)
    second = Database(path, wait=1.0)
    assert second.read("SELECT count(*) FROM outcomes") == [(1,)]
    second.close()
    first.close()


def test_it_is_a_write_ahead_log_that_is_synced_where_it_is_asked_for(path: Path) -> None:
    connections = Connections()
    database = Database(path, wait=1.0, connect=connections)
    assert commit(database, insert) == [1]
    connection = connections.latest
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    database.close()


def test_rows_are_neither_changed_nor_deleted(path: Path) -> None:
    database = Database(path, wait=1.0)
    commit(database, insert)
    for statement in ("UPDATE outcomes SET status = 'delivered'", "DELETE FROM outcomes"):
        with pytest.raises(JournalError, match="only gets new rows"):
            commit(database, lambda connection, each=statement: connection.execute(each))  # type: ignore[misc] # bound in the loop
    assert database.read("SELECT status FROM outcomes") == [("unknown",)]
    database.close()


class TestWhatIsNoJournal:
    @pytest.mark.parametrize(
        "content", [b"hello", b"account_id,file_name\r\n" * 1000, b"SQLite format 3\0" + bytes(5000)]
    )
    def test_another_file_stays_as_it_is(self, path: Path, content: bytes) -> None:
        path.parent.mkdir()
        path.write_bytes(content)
        with pytest.raises((ConfigurationError, JournalError), match=r"no journal|cannot be used"):
            Database(path, wait=1.0)
        assert path.read_bytes() == content

    def test_another_database_stays_as_it_is(self, path: Path) -> None:
        path.parent.mkdir()
        with sqlite3.connect(path) as other:
            other.execute("CREATE TABLE t (a)")
        other.close()
        before = path.read_bytes()
        with pytest.raises(ConfigurationError, match=r"is no journal\. Pass the path of one"):
            Database(path, wait=1.0)
        assert path.read_bytes() == before

    def test_a_folder_and_a_path_below_a_file(self, path: Path, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match="is no journal"):
            Database(tmp_path, wait=1.0)
        Database(path, wait=1.0).close()
        with pytest.raises(JournalError, match="cannot be used"):
            Database(path / "below", wait=1.0)

    def test_a_later_version(self, path: Path) -> None:
        Database(path, wait=1.0).close()
        with sqlite3.connect(path) as other:
            other.execute("PRAGMA user_version=2")
        other.close()
        with pytest.raises(ConfigurationError, match=r"has version 2.*up to 1.*pip install -U"):
            Database(path, wait=1.0)

    def test_an_empty_file_becomes_one_since_a_killed_process_may_leave_it(self, path: Path) -> None:
        path.parent.mkdir()
        path.touch()
        database = Database(path, wait=1.0)
        assert database.read("SELECT * FROM intents") == []
        database.close()

    @posix
    def test_what_becomes_one_is_for_this_user_alone_whoever_made_it_and_wherever_a_link_leads(
        self, path: Path, tmp_path: Path
    ) -> None:
        path.parent.mkdir()
        path.touch()
        path.chmod(0o666)
        (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
        for each in (path, tmp_path / "link"):
            Database(each, wait=1.0).close()
            assert mode(each) == 0o600

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a file away")
    def test_an_empty_file_of_another_user(self, path: Path) -> None:
        path.parent.mkdir()
        path.touch()
        os.chown(path, 12_345, 12_345)
        with pytest.raises(ConfigurationError, match="is a file of another user"):
            Database(path, wait=1.0)
        assert path.read_bytes() == b""

    @posix
    def test_a_pipe(self, path: Path) -> None:
        path.parent.mkdir()
        os.mkfifo(path)
        with pytest.raises(ConfigurationError, match="is no journal"):
            Database(path, wait=1.0)


class TestFailures:
    @pytest.mark.parametrize("failing", ["BEGIN", "INSERT", "COMMIT"])
    def test_nothing_of_a_group_is_there_when_the_disk_is_full(self, path: Path, failing: str) -> None:
        connections = Connections()
        database = Database(path, wait=1.0, connect=connections)
        connections.latest.failing = failing
        with pytest.raises(JournalError, match=f"{path}.*database or disk is full. Nothing was recorded"):
            commit(database, insert)
        connections.latest.failing = ""
        assert database.read("SELECT * FROM outcomes") == []
        assert commit(database, insert) == [1]
        database.close()

    def test_a_file_that_another_process_locks_for_too_long(self, path: Path) -> None:
        database = Database(path, wait=0.05)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(
            JournalError, match=r"is locked\. Nothing was recorded\. Another program held it for 0\.05 s"
        ):
            commit(database, insert)
        other.execute("ROLLBACK")
        other.close()
        assert commit(database, insert) == [1]
        database.close()

    @posix
    @pytest.mark.parametrize("replaced", [False, True])
    def test_a_file_that_was_moved_away(self, path: Path, replaced: bool) -> None:
        database = Database(path, wait=1.0)
        away = path.rename(path.with_name("away"))
        if replaced:
            path.touch()
        for _ in range(2):
            with pytest.raises(JournalError, match="was moved, deleted or replaced while it was in use"):
                commit(database, insert)
        away.rename(path)
        assert commit(database, insert) == [1]
        database.close()

    def test_a_closed_one_says_so(self, path: Path) -> None:
        database = Database(path, wait=1.0)
        database.close()
        database.close()
        with pytest.raises(ConfigurationError, match=r"is closed\. Open it again"):
            commit(database, insert)


def test_the_end_of_the_process_leaves_one_file(path: Path) -> None:
    code = (
        "import pathlib, sys\n"
        "from digime_pandas._service.journal.database import Database, Work\n"
        "from digime_pandas._service.journal.group_commit import Group\n"
        "kept, group = Database(pathlib.Path(sys.argv[1]), wait=1.0), Group()\n"
        f"group.work.append(Work(lambda connection: connection.execute({INSERT!r}), sync=True))\n"
        "kept.commit(group)\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code, path], check=True)
    assert list(path.parent.iterdir()) == [path]
    database = Database(path, wait=1.0)
    assert len(database.read("SELECT * FROM outcomes")) == 1
    database.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
class TestFork:
    def test_parent_and_child_have_connections_of_their_own(self, path: Path) -> None:
        connections = Connections()
        database = Database(path, wait=10.0, connect=connections)
        before = connections.latest

        def in_child() -> bool:
            commit(database, lambda connection: connection.execute(INSERT.replace("1", "2")))
            return connections.latest is not before

        assert forked(in_child)
        commit(database, insert)
        assert connections.latest is not before
        assert database.read("SELECT intent FROM outcomes ORDER BY intent") == [(1,), (2,)]
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            before.execute("SELECT 1")
        database.close()

    def test_a_fork_waits_for_a_commit_and_the_child_does_not(self, path: Path) -> None:
        database = Database(path, wait=10.0)
        began, go_on = threading.Event(), threading.Event()

        def slowly(connection: sqlite3.Connection) -> int | None:
            began.set()
            assert go_on.wait(30)
            return insert(connection)

        thread = threading.Thread(target=commit, args=(database, slowly))
        thread.start()
        assert began.wait(30)
        threading.Timer(0.2, go_on.set).start()  # `forked` begins to fork after 0.1 s
        assert forked(lambda: database.read("SELECT intent FROM outcomes")) == [(1,)]
        thread.join()
        database.close()

    def test_a_closed_database_is_closed_in_the_child_too(self, path: Path) -> None:
        database = Database(path, wait=1.0)
        database.close()
        with pytest.raises(ConfigurationError, match="is closed"):
            forked(lambda: database.read("SELECT 1"))

    def test_nothing_is_held_for_databases_that_are_gone(self, path: Path) -> None:
        Database(path, wait=1.0).close()
        database_module._before_fork()
        database_module._after_fork_in_parent()
        assert database_module._held == []


class Interrupted(FailingConnection):
    """A connection on which an interrupt comes at the end of a statement, as it does where one takes long."""

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        cursor = self._real.execute(statement, *values)
        if self.failing and statement.startswith(self.failing):
            raise KeyboardInterrupt
        return cursor


@pytest.mark.parametrize(("at", "is_committed"), [("BEGIN", False), ("INSERT", False), ("COMMIT", True)])
def test_after_an_interrupt_the_results_say_whether_it_was_committed(path: Path, at: str, is_committed: bool) -> None:
    opened: list[Interrupted] = []

    def connect(path: Path, wait: float) -> Any:
        opened.append(Interrupted(sqlite3.connect(path, timeout=wait, isolation_level=None)))
        return opened[0]

    database = Database(path, wait=1.0, connect=connect)
    opened[0].failing = at
    group: Group[Work] = Group()
    group.work.append(Work(insert, sync=True))
    with pytest.raises(KeyboardInterrupt):
        database.commit(group)
    opened[0].failing = ""
    assert (group.results is not None) == is_committed
    assert len(database.read("SELECT * FROM outcomes")) == int(is_committed)
    group = Group()
    group.work += [None, Work(lambda connection: connection.execute(INSERT.replace("1", "2")).lastrowid, sync=False)]
    database.commit(group)
    assert group.results == [None, 1 + int(is_committed)]
    database.close()
