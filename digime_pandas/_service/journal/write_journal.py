"""Intents and outcomes of writes, in a journal's file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from digime_pandas._service.journal.database import DEFAULT_WAIT, Connect, Database, Work
from digime_pandas._service.journal.group_commit import GroupCommit
from digime_pandas._service.journal.records import Ending, Intent, Status, receipt_of, status_of
from digime_pandas._service.process import ClosesAtExit, reset_after_fork
from digime_pandas._service.receipt import Receipt
from digime_pandas._service.upload import utc_now
from digime_pandas.errors import ConfigurationError, in_words

if TYPE_CHECKING:
    import sqlite3

_INTENT = (
    "INSERT INTO intents (key, write_id, run, part, account_id, client_id, contract_id, consent_id, environment, "
    "file_name, mime_type, fingerprint, started_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_OUTCOME = (
    "INSERT INTO outcomes (intent, status, receipt, attempts, error_type, error, ended_at) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_ATTEMPTS_OF_KEY = (
    "SELECT intents.id, write_id, status, receipt FROM intents LEFT JOIN outcomes ON intent = intents.id WHERE key = ? "
    "ORDER BY intents.id"
)
_ATTEMPTS = (
    "SELECT intents.id, key, write_id, account_id, file_name, contract_id, consent_id, environment, started_at, "
    "ended_at, status, receipt, attempts, error_type, error "
    "FROM intents LEFT JOIN outcomes ON intent = intents.id ORDER BY intents.id"
)
_RECEIPTS = "SELECT receipt FROM outcomes WHERE receipt IS NOT NULL ORDER BY id"


class Attempt(NamedTuple):
    """An attempt at a write as the journal has it; times are ISO 8601 in UTC."""

    id: int
    key: str
    write_id: str | None
    account_id: str
    file_name: str
    contract_id: str
    consent_id: str | None
    environment: str
    started_at: str
    ended_at: str | None
    status: Status | None
    receipt: str | None
    attempts: int | None
    error_type: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """What the journal says of a write that is about to be sent.

    Attributes:
        number: Of the intent, for `WriteJournal.end`; None where the part was delivered before: nothing was recorded
            then, and nothing is to be sent.
        write_id: The write id to send.
        delivered: The receipt of then, where the part was delivered before.
    """

    number: int | None
    write_id: str | None
    delivered: Receipt | None = None


class WriteJournal(ClosesAtExit):
    """An append-only record of writes.

    Args:
        path: The file. It is made where there is none.
        wait: Seconds to wait while another process writes.
        now: The time of day, in UTC.
        connect: Opens a connection to the file.

    Raises:
        ConfigurationError: The path is none, or leads to what is no journal or one of a later version.
        JournalError: The file cannot be opened or made.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        wait: float = DEFAULT_WAIT,
        now: Callable[[], datetime] = utc_now,
        connect: Connect | None = None,
    ) -> None:
        self.path = _checked_path(path)
        self._now = now
        self._database = Database(self.path, wait=wait, connect=connect)
        self._commits: GroupCommit[Work] = GroupCommit(self._database.commit)
        # Of this process and not ended: they are no earlier attempts at what another thread writes.
        self._in_flight: set[int] = set()
        reset_after_fork(self, WriteJournal._forget_in_flight)

    def begin(self, intent: Intent) -> Entry:
        """Record that a write is about to be sent. It is on the disk when this returns.

        The write id is that of the latest attempts at the same write (with the same content for the same account, under
        the same name, contract, environment and part of a run) where their outcome is not known, so that readers
        recognize copies. A part that was delivered, with content that is known exactly, is not recorded again.

        Raises:
            JournalError: It cannot be recorded: nothing must be sent.
        """
        begun: list[int] = []
        try:
            entry: Entry = self._commits.run(Work(partial(self._insert_intent, intent, begun), sync=True))
        except BaseException:
            self._in_flight.difference_update(begun)
            raise
        return entry

    def end(self, entry: Entry, ending: Ending) -> None:
        """Record how a write ended. It is safe from the end of this process when this returns.

        Raises:
            JournalError: It cannot be recorded: its outcome is unknown for the journal.
        """
        if entry.number is None:
            return
        values = self._outcome(entry.number, ending)
        try:
            self._commits.run(Work(lambda connection: connection.execute(_OUTCOME, values), sync=False))
        finally:
            self._in_flight.discard(entry.number)  # not before: to other threads its outcome would be unknown meanwhile

    def record_unsent(self, writes: Iterable[tuple[Intent, Ending]]) -> None:
        """Record writes of which nothing is sent: all of them or, after an error, none.

        They are no attempts at these writes, and change nothing about the write ids of later ones.

        Raises:
            JournalError: They cannot be recorded.
        """
        every = list(writes)
        if every:
            self._commits.run(Work(partial(self._insert_unsent, every), sync=True))

    def attempts(self) -> list[Attempt]:
        """Return all attempts in the order in which they began."""
        return [Attempt(*row) for row in self._database.read(_ATTEMPTS)]

    def receipts(self) -> list[Receipt]:
        """Return the receipts of all writes that ended in one, in the order of their end.

        They have no authorization; of their references, they have the write id and the file name.
        """
        return [receipt_of(text) for (text,) in self._database.read(_RECEIPTS)]

    def check_writable(self) -> None:
        """Check that writes can be recorded, as far as that is known beforehand.

        Raises:
            JournalError: They cannot: the file, or its folder, can only be read.
        """
        self._database.check_writable()

    def close(self) -> None:
        """Close the file. The journal must not be used afterwards."""
        self._database.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path,)  # each process opens the file for itself

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    def _insert_intent(self, intent: Intent, begun: list[int], connection: sqlite3.Connection) -> Entry:
        rows = connection.execute(_ATTEMPTS_OF_KEY, (intent.key,)).fetchall()
        latest = rows[-1][1] if rows else None
        # Whoever writes the same anew may mean a second file; a part of a run is one file, however often it is tried.
        earlier = [row for row in rows if intent.part is not None or (latest is not None and row[1] == latest)]
        status = status_of([row[2] for row in earlier]) if earlier else None
        if intent.part is not None and intent.fingerprint.is_exact and status == "delivered":
            receipts = [receipt for *_, found, receipt in earlier if found == "delivered"]
            return Entry(None, latest, receipt_of(receipts[-1]))
        is_repeated = status in {"pending", "unknown"} and not any(row[0] in self._in_flight for row in earlier)
        write_id = latest if is_repeated and intent.renews_write_id else intent.new_write_id()
        number = connection.execute(_INTENT, self._row(intent, write_id)).lastrowid
        assert number is not None
        begun.append(number)
        self._in_flight.add(number)
        return Entry(number, write_id)

    def _insert_unsent(self, writes: Iterable[tuple[Intent, Ending]], connection: sqlite3.Connection) -> None:
        for intent, ending in writes:
            number = connection.execute(_INTENT, self._row(intent, None)).lastrowid
            connection.execute(_OUTCOME, self._outcome(number, ending))

    def _outcome(self, number: int | None, ending: Ending) -> tuple[Any, ...]:
        values = (ending.status, ending.receipt, ending.attempts, ending.error_type, ending.error)
        return tuple(map(_storable, (number, *values, self._now().isoformat())))

    def _row(self, intent: Intent, write_id: str | None) -> tuple[Any, ...]:
        run, part = (None, None) if intent.part is None else (intent.part.run, intent.part.part)
        who = (intent.account_id, intent.client_id, intent.contract_id, intent.consent_id, intent.environment)
        what = (intent.file_name, intent.mime_type, intent.fingerprint.text)
        return tuple(map(_storable, (intent.key, write_id, run, part, *who, *what, self._now().isoformat())))

    def _forget_in_flight(self) -> None:
        self._in_flight = set()


def _storable(value: Any) -> Any:
    """Return a value that SQLite takes: a text that is not Unicode has its lone surrogates escaped."""
    if not isinstance(value, str) or value.isascii():
        return value
    return value.encode("utf-8", "backslashreplace").decode()


def _checked_path(path: object) -> Path:
    try:
        if not isinstance(path, str | os.PathLike) or not str(path) or "\0" in os.fsdecode(path):
            raise TypeError
        return Path(os.fsdecode(path)).expanduser().absolute()
    except (TypeError, RuntimeError):
        raise ConfigurationError(
            f"The path of a journal is {in_words(path)}.", remedy="Pass the path of a file, such as 'writes.journal'."
        ) from None
