"""The people of the sandbox and the files in their libraries."""

from __future__ import annotations

import json
import secrets
import sqlite3
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from digime_pandas._service.contract import Contract
from digime_pandas.sandbox._store.database import Database
from digime_pandas.sandbox._wire.descriptors import read_descriptor
from digime_pandas.sandbox._wire.error_replies import Refusal

Protocol = Literal["postbox", "import"]

_SELECT = "SELECT * FROM files LEFT JOIN contracts USING (client_id)"


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxFile:
    """A file in the library of one of the sandbox's people, opened.

    Attributes:
        file_id: The opaque name under which readers fetch it.
        name: File name the request carried (postbox), else the first reference, else the file id: a direct import
            carries no name.
        mime_type: Declared media type.
        accounts: Declared account ids.
        reference: Declared references.
        tags: Declared tags.
        size: Plain bytes.
        created: When it arrived (UTC).
        user_id: The person whose library it is in.
        client_id: The contract that wrote it, as it signs.
        application_id: That contract's application; None for a file of an earlier version's contract that is gone.
        contract_id: That contract's id; likewise.
        protocol: How it arrived.
        descriptor: The descriptor as the client sent it.
        path: Where the plain bytes are, for as long as the sandbox runs.
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
        """The plain bytes, read anew at each call."""
        return self.path.read_bytes()


@dataclass(frozen=True, slots=True)
class Person:
    """One person of the sandbox, as the consent page shows them."""

    user_id: str
    created: datetime
    files: int
    accounts: tuple[str, ...]


class PartialFile:
    """A file on its way in: plain bytes on disk that no library holds yet.

    Args:
        path: Where the bytes go.
        limit: Most bytes it may have.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self.path = path
        self.size = 0
        self._limit = limit
        self._file = path.open("xb")

    def write(self, piece: bytes | memoryview) -> None:
        """Append plain bytes.

        Raises:
            Refusal: ``FileTooLarge``.
        """
        self.size += len(piece)
        if self.size > self._limit:
            raise Refusal("FileTooLarge", f"The file is larger than {self._limit} bytes")
        self._file.write(piece)

    def close(self) -> None:
        """End the writing."""
        self._file.close()


class Library:
    """Everybody's files.

    Args:
        database: The index.
        folder: Where contents are kept, a file each. Half-received ones from an earlier run are removed.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._folder = folder
        folder.mkdir(mode=0o700, exist_ok=True)
        for left_over in folder.glob("*.part"):
            left_over.unlink()

    def add_contract(self, contract: Contract) -> None:
        """Keep the names of a contract, so that its files can always be told by it."""
        self._database.execute(
            "INSERT INTO contracts VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            *(contract.client_id, contract.application_id, contract.contract_id),
        )

    def add_person(self, now: float) -> str:
        """Add a person with an empty library; returns the user id."""
        user_id = secrets.token_hex(16)
        self._database.execute("INSERT INTO people VALUES (?, ?)", user_id, round(now * 1000))
        return user_id

    def remove_person(self, user_id: str) -> None:
        """Remove a person with everything that is theirs: files, tokens, postboxes, sessions."""
        files = self._database.execute("SELECT file_id FROM files WHERE user_id = ?", user_id)
        self._database.execute("DELETE FROM people WHERE user_id = ?", user_id)
        for row in files:
            (self._folder / row["file_id"]).unlink(missing_ok=True)

    def people(self, newest: int) -> list[Person]:
        """Return the `newest` people, latest first."""
        rows = self._database.execute("SELECT * FROM people ORDER BY created DESC, rowid DESC LIMIT ?", newest)
        return [self._person(row) for row in rows]

    def person(self, user_id: str) -> Person | None:
        """Return one person, or None when there is no such person."""
        rows = self._database.execute("SELECT * FROM people WHERE user_id = ?", user_id)
        return self._person(rows[0]) if rows else None

    @contextmanager
    def incoming(self, limit: int) -> Iterator[PartialFile]:
        """Receive a file of at most `limit` bytes; it is gone afterwards unless it was added."""
        incoming = PartialFile(self._folder / f"{secrets.token_hex(8)}.part", limit)
        try:
            yield incoming
        finally:
            incoming.close()
            incoming.path.unlink(missing_ok=True)

    def add(
        self,
        incoming: PartialFile,
        *,
        user_id: str,
        writer: Contract,
        protocol: Protocol,
        name: str | None,
        descriptor: Mapping[str, Any],
        now: float,
    ) -> str:
        """Put a received file into a person's library.

        Returns:
            The file id.

        Raises:
            Refusal: ``InvalidToken``: the person was removed while the file was on its way.
        """
        incoming.close()
        file_id = uuid.uuid4().hex
        name = name or next(iter(descriptor.get("reference", ())), file_id)
        self.add_contract(writer)
        content = incoming.path.rename(self._folder / file_id)
        try:
            # Two files of one library never carry the same time: a reader that sorts by it finds one newest file.
            self._database.execute(
                "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?,"
                " MAX(?, (SELECT COALESCE(MAX(created) + 1, 0) FROM files WHERE user_id = ?)))",
                *(file_id, user_id, writer.client_id, name, protocol, json.dumps(descriptor), incoming.size),
                *(round(now * 1000), user_id),
            )
        except sqlite3.IntegrityError:
            content.unlink()
            raise Refusal("InvalidToken", "The person was removed while the file was on its way") from None
        return file_id

    def files(self, user_id: str | None = None) -> list[SandboxFile]:
        """Return the files of one person (None: of everybody), oldest first."""
        rows = self._database.execute(
            f"{_SELECT} WHERE ?1 IS NULL OR user_id = ?1 ORDER BY created, files.rowid", user_id
        )
        return [self._file(row) for row in rows]

    def file(self, user_id: str, file_id: str) -> SandboxFile | None:
        """Return one file of one person, or None when that person has no such file."""
        rows = self._database.execute(f"{_SELECT} WHERE user_id = ? AND file_id = ?", user_id, file_id)
        return self._file(rows[0]) if rows else None

    def _person(self, row: sqlite3.Row) -> Person:
        files = self.files(row["user_id"])
        accounts = dict.fromkeys(account for file in files for account in file.accounts)
        return Person(row["user_id"], _moment(row["created"]), len(files), tuple(accounts))

    def _file(self, row: sqlite3.Row) -> SandboxFile:
        wire = json.loads(row["descriptor"])
        descriptor = read_descriptor(wire)
        return SandboxFile(
            file_id=row["file_id"],
            name=row["name"],
            mime_type=descriptor.mime_type,
            accounts=descriptor.accounts,
            reference=descriptor.reference,
            tags=descriptor.tags,
            size=row["size"],
            created=_moment(row["created"]),
            user_id=row["user_id"],
            client_id=row["client_id"],
            application_id=row["application_id"],
            contract_id=row["contract_id"],
            protocol=row["protocol"],
            descriptor=wire,
            path=self._folder / row["file_id"],
        )


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
