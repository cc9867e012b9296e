"""People, and the files in their libraries."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from digime_pandas._service.contract import Contract
from digime_pandas.sandbox._store.database import Database
from digime_pandas.sandbox._wire.descriptors import parse_descriptor
from digime_pandas.sandbox._wire.error_replies import ErrorReply
from digime_pandas.sandbox._wire.session_scopes import SessionScope, StoredFile

Protocol = Literal["postbox", "import"]

_SELECT = "SELECT * FROM files LEFT JOIN contracts USING (client_id)"


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxFile:
    """A file in a person's library, decrypted.

    Attributes:
        file_id: The opaque name under which readers download it.
        name: File name in the request (postbox), else the first reference, else the file id: a direct import has no
            file name.
        mime_type: Declared media type.
        accounts: Declared account ids.
        reference: Declared references.
        tags: Declared tags.
        size: Length in plain bytes.
        created: When it was received (UTC).
        user_id: The person whose library it is in.
        client_id: Client id of the contract that signed the write.
        application_id: That contract's application; None: not recorded (a file of an earlier version).
        contract_id: That contract's id; None: not recorded.
        protocol: How it was written.
        descriptor: The descriptor as the client sent it.
        path: File with the plain bytes.
    """

    file_id: str
    name: str
    mime_type: str
    accounts: tuple[str, ...]
    reference: tuple[str, ...]
    tags: tuple[str, ...]
    size: int
    created: datetime
    user_id: str
    client_id: str
    application_id: str | None
    contract_id: str | None
    protocol: Protocol
    descriptor: Mapping[str, Any]
    path: Path = field(repr=False)

    @property
    def content(self) -> bytes:
        """The plain bytes, read from the disk at each call."""
        return self.path.read_bytes()


@dataclass(frozen=True, slots=True)
class Person:
    """A person, as the consent page shows them.

    Attributes:
        user_id: The person's id.
        created: When the person was added (UTC).
        files: Number of files in the library.
        accounts: Ids of the person's accounts: those that consent was given for, then those that files are about.
        size: Length of all files in plain bytes.
    """

    user_id: str
    created: datetime
    files: int
    accounts: tuple[str, ...]
    size: int


class PartialFile:
    """A file that is being received: plain bytes on disk that are in no library yet.

    Args:
        path: File to write the bytes to.
        limit: Maximum length in bytes.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self.path = path
        self.size = 0
        self._limit = limit
        self._file = path.open("xb")

    def write(self, piece: bytes | memoryview) -> None:
        """Append plain bytes.

        Raises:
            ErrorReply: ``FileTooLarge``.
        """
        self.size += len(piece)
        if self.size > self._limit:
            raise ErrorReply("FileTooLarge", f"The file is larger than {self._limit} bytes")
        self._file.write(piece)

    def close(self) -> None:
        """Close the file on disk."""
        self._file.close()


class Library:
    """Stores people and their files.

    Args:
        database: Where people and descriptors are stored.
        folder: Where contents are stored, one file each. Partial files of an earlier run are removed.
        random_bytes: Returns the given number of random bytes, for ids that cannot be guessed.
    """

    def __init__(self, database: Database, folder: Path, random_bytes: Callable[[int], bytes]) -> None:
        self._database = database
        self._folder = folder
        self._random_bytes = random_bytes
        folder.mkdir(mode=0o700, exist_ok=True)
        for left_over in folder.glob("*.part"):
            left_over.unlink()

    def add_contract(self, contract: Contract) -> None:
        """Store the ids of a contract, which are known for its files even after it is no longer registered."""
        self._database.execute(
            "INSERT INTO contracts VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            *(contract.client_id, contract.application_id, contract.contract_id),
        )

    def add_person(self, now: float) -> str:
        """Add a person with an empty library.

        Args:
            now: Unix seconds.

        Returns:
            The user id.
        """
        user_id = self._random_bytes(16).hex()
        self._database.execute("INSERT INTO people VALUES (?, ?)", user_id, round(now * 1000))
        return user_id

    def people_of(self, account_ids: Sequence[str], now: float) -> list[str]:
        """Return the user ids of accounts, in their order; a person is added for each that is not known.

        Args:
            account_ids: The accounts, each once.
            now: Unix seconds.
        """
        rows = self._database.execute("SELECT account_id, user_id FROM account_names")
        known = {row["account_id"]: row["user_id"] for row in rows}
        added = {each: self._random_bytes(16).hex() for each in account_ids if each not in known}
        created = round(now * 1000)
        self._database.execute_many("INSERT INTO people VALUES (?, ?)", ((each, created) for each in added.values()))
        self._database.execute_many("INSERT INTO account_names VALUES (?, ?)", added.items())
        return [(known | added)[each] for each in account_ids]

    def person_of(self, account_id: str) -> str | None:
        """Return the user id of an account, or None where it is not known whose it is."""
        rows = self._database.execute("SELECT user_id FROM account_names WHERE account_id = ?", account_id)
        return str(rows[0]["user_id"]) if rows else None

    def name_person(self, user_id: str, account_id: str) -> None:
        """Note that an account is a person's, whosever it was before."""
        self._database.execute(
            "INSERT INTO account_names VALUES (?, ?) ON CONFLICT DO UPDATE SET user_id = excluded.user_id",
            *(account_id, user_id),
        )

    def remove_person(self, user_id: str) -> None:
        """Remove a person with all files, tokens, postboxes and sessions."""
        files = self._database.execute("SELECT file_id FROM files WHERE user_id = ?", user_id)
        self._database.execute("DELETE FROM people WHERE user_id = ?", user_id)
        for row in files:
            (self._folder / row["file_id"]).unlink(missing_ok=True)

    def count(self) -> tuple[int, int]:
        """Return how many people and how many files there are."""
        rows = self._database.execute("SELECT (SELECT COUNT(*) FROM people), (SELECT COUNT(*) FROM files)")
        return rows[0][0], rows[0][1]

    def people(self, newest: int) -> list[Person]:
        """Return the `newest` people added last, newest first."""
        rows = self._database.execute("SELECT * FROM people ORDER BY created DESC, rowid DESC LIMIT ?", newest)
        return [self._person(row) for row in rows]

    def person(self, user_id: str) -> Person | None:
        """Return a person, or None when there is no such person."""
        rows = self._database.execute("SELECT * FROM people WHERE user_id = ?", user_id)
        return self._person(rows[0]) if rows else None

    @contextmanager
    def partial_file(self, limit: int) -> Iterator[PartialFile]:
        """Return a context in which a file of at most `limit` bytes is received; it is removed unless it was added."""
        partial = PartialFile(self._folder / f"{self._random_bytes(8).hex()}.part", limit)
        try:
            yield partial
        finally:
            partial.close()
            partial.path.unlink(missing_ok=True)

    def add_file(
        self,
        partial: PartialFile,
        *,
        user_id: str,
        writer: Contract,
        protocol: Protocol,
        name: str | None,
        descriptor: Mapping[str, Any],
        now: float,
    ) -> str:
        """Add a received file to a person's library, as a new file: none is ever overwritten.

        Args:
            partial: The plain bytes.
            user_id: The person.
            writer: The contract that signed the write.
            protocol: How it was written.
            name: File name in the request; None: there is none.
            descriptor: As the client sent it.
            now: Unix seconds.

        Returns:
            The file id.

        Raises:
            ErrorReply: ``InvalidToken``: the person was removed while the file was received.
        """
        partial.close()
        file_id = self._random_bytes(16).hex()
        name = name or next(iter(descriptor.get("reference", ())), file_id)
        self.add_contract(writer)
        content = partial.path.rename(self._folder / file_id)
        try:
            # The times of two files of one library always differ: a reader that sorts by them finds one newest file.
            self._database.execute(
                "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?,"
                " MAX(?, (SELECT COALESCE(MAX(created) + 1, 0) FROM files WHERE user_id = ?)))",
                *(file_id, user_id, writer.client_id, name, protocol, json.dumps(descriptor), partial.size),
                *(round(now * 1000), user_id),
            )
        except sqlite3.IntegrityError:
            content.unlink()
            raise ErrorReply("InvalidToken", "The person was removed while the file was on its way") from None
        return file_id

    def files(self, user_id: str | None = None) -> list[SandboxFile]:
        """Return the files of a person (None: of all people), oldest first."""
        rows = self._database.execute(
            f"{_SELECT} WHERE ? IS NULL OR user_id = ? ORDER BY created, files.rowid", user_id, user_id
        )
        return [self._file(row) for row in rows]

    def newest_files(self, user_id: str, most: int) -> list[SandboxFile]:
        """Return the newest files of a person, `most` at most, newest first."""
        rows = self._database.execute(f"{_SELECT} WHERE user_id = ? ORDER BY created DESC LIMIT ?", user_id, most)
        return [self._file(row) for row in rows]

    def listing(self, user_id: str, scope: SessionScope | None) -> list[tuple[str, int]]:
        """Return id and time (Unix milliseconds) of a person's files in a scope, oldest first."""
        rows = self._database.execute(f"{_SELECT} WHERE user_id = ? ORDER BY created", user_id)
        return [(row["file_id"], row["created"]) for row in rows if scope is None or scope.admits(_compared(row))]

    def file(self, user_id: str, file_id: str, scope: SessionScope | None = None) -> SandboxFile | None:
        """Return a file of a person, or None when that person has no such file in the scope."""
        rows = self._database.execute(f"{_SELECT} WHERE user_id = ? AND file_id = ?", user_id, file_id)
        admitted = [row for row in rows if scope is None or scope.admits(_compared(row))]
        return self._file(admitted[0]) if admitted else None

    def file_of_anyone(self, file_id: str) -> SandboxFile | None:
        """Return a file, or None when there is no such file."""
        rows = self._database.execute(f"{_SELECT} WHERE file_id = ?", file_id)
        return self._file(rows[0]) if rows else None

    def _person(self, row: sqlite3.Row) -> Person:
        user_id = row["user_id"]
        named = self._database.execute("SELECT account_id FROM account_names WHERE user_id = ? ORDER BY rowid", user_id)
        files = self._database.execute("SELECT descriptor, size FROM files WHERE user_id = ? ORDER BY created", user_id)
        about = (account["accountId"] for file in files for account in json.loads(file["descriptor"])["accounts"])
        accounts = dict.fromkeys([*(each["account_id"] for each in named), *about])
        size = sum(file["size"] for file in files)
        return Person(user_id, _to_datetime(row["created"]), len(files), tuple(accounts), size)

    def _file(self, row: sqlite3.Row) -> SandboxFile:
        wire = json.loads(row["descriptor"])
        descriptor = parse_descriptor(wire)
        return SandboxFile(
            file_id=row["file_id"],
            name=row["name"],
            mime_type=descriptor.mime_type,
            accounts=descriptor.accounts,
            reference=descriptor.reference,
            tags=descriptor.tags,
            size=row["size"],
            created=_to_datetime(row["created"]),
            user_id=row["user_id"],
            client_id=row["client_id"],
            application_id=row["application_id"],
            contract_id=row["contract_id"],
            protocol=row["protocol"],
            descriptor=wire,
            path=self._folder / row["file_id"],
        )


def _compared(row: sqlite3.Row) -> StoredFile:
    return StoredFile(json.loads(row["descriptor"]), row["created"], row["application_id"], row["contract_id"])


def _to_datetime(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
