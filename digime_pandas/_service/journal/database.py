"""The journal's file: a SQLite database with one connection per process, which only ever gets new rows."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from digime_pandas._service.journal.group_commit import Group
from digime_pandas.errors import ConfigurationError, JournalError

if TYPE_CHECKING:
    import sqlite3

Connect = Callable[[Path, float], "sqlite3.Connection"]

DEFAULT_WAIT = 30.0
_APPLICATION_ID = 0x6469676A  # "digj"; where SQLite keeps what kind of file it is
_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS intents (      -- each attempt at a write, before anything of it is sent
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL,              -- the same for each attempt at the same write
    write_id TEXT,                  -- what readers recognize copies of one write by
    run TEXT,                       -- of a call that writes many files
    part TEXT,
    account_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    contract_id TEXT NOT NULL,
    consent_id TEXT,
    environment TEXT NOT NULL,      -- base URL of the API
    file_name TEXT NOT NULL,
    mime_type TEXT NOT NULL,
    fingerprint TEXT NOT NULL,      -- of the content, as far as it is known before sending
    started_at TEXT NOT NULL        -- ISO 8601, UTC
) STRICT;
CREATE INDEX IF NOT EXISTS intents_by_key ON intents (key);
CREATE TABLE IF NOT EXISTS outcomes (     -- how an attempt ended; the outcome of one without a row here is not known
    id INTEGER PRIMARY KEY,
    intent INTEGER NOT NULL UNIQUE REFERENCES intents,
    status TEXT NOT NULL,           -- delivered, pending, refused, unknown, not sent
    receipt TEXT,                   -- JSON
    attempts INTEGER,
    error_type TEXT,
    error TEXT,
    ended_at TEXT NOT NULL          -- ISO 8601, UTC
) STRICT;
"""
_APPEND_ONLY = """
CREATE TRIGGER IF NOT EXISTS {table}_are_not_{event}d BEFORE {event} ON {table}
BEGIN SELECT RAISE(ABORT, 'a journal only gets new rows'); END;
"""
_TRIGGERS = "".join(
    _APPEND_ONLY.format(table=table, event=event) for table in ("intents", "outcomes") for event in ("update", "delete")
)


class Work(NamedTuple):
    """Work for a transaction.

    Attributes:
        run: Called with the connection.
        sync: Whether it must be on the disk when it is committed. Without, it is safe from the end of this process, and
            on the disk with the next commit that is synced.
    """

    run: Callable[[sqlite3.Connection], Any]
    sync: bool


_databases: weakref.WeakSet[Database] = weakref.WeakSet()
_held: list[Database] = []


class Database:
    """A journal's file. Threads and processes may use one at the same time.

    SQLite's connections must not cross a fork, open or in use: while a process is forked, its connection is closed and
    no thread uses it. It is opened again at the next use, in parent and child.

    Args:
        path: The file. It is made, readable by its owner alone, where there is none; so is its folder.
        wait: Seconds to wait while another process writes.
        connect: Opens a connection.

    Raises:
        ConfigurationError: The path leads to something that is no journal, or to one of a later version.
        JournalError: The file cannot be opened or made. One that holds something and cannot be written is opened to be
            read.
    """

    def __init__(self, path: Path, *, wait: float, connect: Connect | None = None) -> None:
        self.path = path
        self._wait = wait
        self._connect = connect or _connect
        self._lock = threading.RLock()
        self._is_closed = False
        self._is_read_only = False
        # In a list, which what closes it at the end of the process can hold without holding this object.
        self._open: list[tuple[sqlite3.Connection, int]] = []
        weakref.finalize(self, _close_all, self._open)
        _databases.add(self)
        with self._lock, self._named_errors():
            self._connection()

    def commit(self, group: Group[Work]) -> None:
        """Carry out the work of a group in one transaction.

        Args:
            group: Its results are what each piece of work returned. They are set once it is committed, even where an
                interrupt comes in that moment.

        Raises:
            JournalError: It cannot be written; nothing of it was.
        """
        with self._lock, self._named_errors():
            connection = self._connection()
            _roll_back(connection)  # what a second interrupt may have left
            work = list(group.work)
            sync = any(each.sync for each in work if each is not None)
            connection.execute(f"PRAGMA synchronous={'FULL' if sync else 'NORMAL'}")
            results: list[Any] | None = None
            try:
                connection.execute("BEGIN IMMEDIATE")
                results = [None if each is None else each.run(connection) for each in work]
                connection.execute("COMMIT")
                group.results = results
            except BaseException as error:
                # Interrupts wait for the end of the statement, which is the end of the transaction after a COMMIT.
                if not isinstance(error, Exception) and results is not None and not connection.in_transaction:
                    group.results = results
                _roll_back(connection)
                raise

    def check_writable(self) -> None:
        """Check that the file was not opened to be read alone, since it or its folder cannot be written.

        Raises:
            JournalError: It was.
        """
        if self._is_read_only:
            raise JournalError(
                f"The journal {self.path} can be read, and not written. Nothing was recorded.",
                remedy="Set permissions of the file and its folder, or use another journal.",
            )

    def read(self, statement: str) -> list[tuple[Any, ...]]:
        """Return all rows of a query.

        Raises:
            JournalError: It cannot be read.
        """
        with self._lock, self._named_errors():
            return self._connection().execute(statement).fetchall()

    def close(self) -> None:
        """Close the connection; nothing can be written or read afterwards. May be called again."""
        with self._lock:
            self._is_closed = True
            _close_all(self._open)

    def _connection(self) -> sqlite3.Connection:
        if self._is_closed:
            raise ConfigurationError(f"The journal {self.path} is closed. Open it again with Journal(path).")
        if not self._open:
            _make_file(self.path)
            self._is_read_only = _is_kept(self.path)
            connection = self._connect(self.path, self._wait)
            try:
                _prepare(connection, self.path)
            except BaseException:
                connection.close()
                raise
            self._open.append((connection, self.path.stat().st_ino))
        connection, inode = self._open[0]
        if _inode(self.path) != inode:
            raise JournalError(
                f"The journal {self.path} was moved, deleted or replaced while it was in use. Nothing was recorded. "
                "Put it back, or use another one."
            )
        return connection

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        import sqlite3  # here, because only those who keep a journal need it

        try:
            yield
        except (sqlite3.Error, OSError) as error:
            if isinstance(error, JournalError):
                raise
            name = getattr(error, "sqlite_errorname", "")
            if name == "SQLITE_NOTADB":
                raise _no_journal(self.path) from error
            remedy = (
                f"Another program held it for {self._wait:g} s: end that one"
                if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
                else "Make room or set permissions"
            )
            raise JournalError(
                f"The journal {self.path} cannot be used: {error}. Nothing was recorded.",
                remedy=f"{remedy}, or use another journal; it has to be on a disk of this computer.",
            ) from error

    def _hold(self) -> None:
        self._lock.acquire()
        _close_all(self._open)


def _connect(path: Path, wait: float) -> sqlite3.Connection:
    import sqlite3  # as above

    name = f"{path.resolve().as_uri()}?{_access(path)}"
    return sqlite3.connect(name, timeout=wait, isolation_level=None, check_same_thread=False, uri=True)


def _access(path: Path) -> str:
    """Return how SQLite is to open the file: a journal that cannot be written, a backup say, can be read."""
    if not _is_kept(path):
        return "mode=rw"
    # Without a log beside it nothing changes the file, and SQLite is not to make one.
    place = path.resolve()
    return "mode=ro" if place.with_name(f"{place.name}-wal").exists() else "mode=ro&immutable=1"


def _is_kept(path: Path) -> bool:
    """Tell whether the file holds something and cannot be written, or no log made beside it."""
    place = path.resolve()
    return not (_is_writable(place) and _is_writable(place.parent)) and place.is_file() and place.stat().st_size > 0


def _is_writable(path: Path) -> bool:
    return os.access(path, os.W_OK)


def _make_file(path: Path) -> None:
    """Make the file, empty, where there is none. An existing one is not opened: that would end SQLite's locks on it."""
    if path.exists() and not path.is_file():
        raise _no_journal(path)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = path.resolve()  # of a link that leads to no file yet, where SQLite would make one that others can read
    with suppress(FileExistsError):
        os.close(os.open(place, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    found = place.stat()
    if found.st_size == 0 and hasattr(os, "geteuid"):  # it is yet to become a journal, whoever made it
        if found.st_uid != os.geteuid():
            raise ConfigurationError(
                f"The journal {path} is a file of another user, who could read it. Pass the path of a file that does "
                "not exist yet."
            )
        place.chmod(0o600)


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Check what the file is; an empty one becomes a journal.

    Raises:
        ConfigurationError: It is another database, or a journal of a later version.
        JournalError: It cannot be kept in the way that is needed here.
    """
    connection.execute("PRAGMA trusted_schema=OFF")
    if _kind(connection) == (0, 0, 0):
        connection.execute("PRAGMA journal_mode=WAL")
        _make_tables(connection)
    application_id, version, _ = _kind(connection)
    if application_id != _APPLICATION_ID:
        raise _no_journal(path)
    if version > _VERSION:
        raise ConfigurationError(
            f"The journal {path} has version {version}, and this package knows versions up to {_VERSION}. Update it: "
            "pip install -U digime-pandas"
        )
    if _is_kept(path):
        return
    [[mode]] = connection.execute("PRAGMA journal_mode=WAL").fetchall()
    if mode != "wal":
        raise JournalError(
            f"The journal {path} is where SQLite cannot keep a write-ahead log. Use a disk of this computer."
        )


def _kind(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """Return a database's application id, its version, and how many tables and the like it has; zeros for a new one."""
    statements = ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_schema")
    application_id, version, count = (connection.execute(each).fetchone()[0] for each in statements)
    return application_id, version, count


def _make_tables(connection: sqlite3.Connection) -> None:
    # All of it or nothing; another process may have made the same at the same time.
    kind = f"PRAGMA application_id={_APPLICATION_ID}; PRAGMA user_version={_VERSION};"
    try:
        connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} {_TRIGGERS} {kind} COMMIT;")
    except BaseException:
        _roll_back(connection)
        raise


def _roll_back(connection: sqlite3.Connection) -> None:
    import sqlite3  # as above

    with suppress(sqlite3.Error):
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def _close_all(connections: list[tuple[sqlite3.Connection, int]]) -> None:
    while connections:
        connection, _ = connections.pop()
        connection.close()


def _no_journal(path: Path) -> ConfigurationError:
    return ConfigurationError(f"{path} is no journal. Pass the path of one, or of a file that does not exist yet.")


def _before_fork() -> None:
    for database in list(_databases):
        database._hold()  # noqa: SLF001 - of this module
        _held.append(database)


def _after_fork_in_parent() -> None:
    while _held:
        _held.pop()._lock.release()  # noqa: SLF001 - of this module


def _after_fork_in_child() -> None:
    for database in list(_databases):
        database._lock = threading.RLock()  # noqa: SLF001 - of this module; threads that wait for the old one are gone
    _held.clear()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
