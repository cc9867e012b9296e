"""What tests of the journal share: intents, clocks, and connections that fail."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from digime_pandas._service.descriptor import FileDescriptor
from digime_pandas._service.journal.records import Fingerprint, Intent, RunPart
from digime_pandas._service.receipt import Receipt

INTENT = Intent(
    environment="https://api.test/v1.7/",
    client_id="application_contract",
    contract_id="contract",
    account_id="patient-17",
    consent_id="consent",
    file_name="visits.csv",
    mime_type="text/csv",
    fingerprint=Fingerprint("sha256:0", is_exact=True),
    write_id="urn:uuid:given",
    renews_write_id=True,
    part=None,
)
PART = replace(INTENT, part=RunPart("run", "part"))
RECEIPT = Receipt(
    status="delivered",
    file_name="visits.csv",
    rows=3,
    size=120,
    sha256="0" * 64,
    expires=None,
    attempts=2,
    elapsed=0.25,
    environment="https://api.test/v1.7/",
    descriptor=FileDescriptor(
        "text/csv",
        "patient-17",
        ["visits.csv", "urn:uuid:given", "urn:x-digime-pandas:schema:c4tegory", "n0te"],
        ["tag"],
    ),
    delivered_at=datetime(2026, 1, 5, tzinfo=UTC),
    contract_id="contract",
    losses=("Not everything is in the file: a.", "Written in another form: b."),
)


class Clock:
    """Goes on by a second at each look."""

    def __init__(self) -> None:
        self._seconds = count()

    def __call__(self) -> datetime:
        return datetime(2026, 1, 5, tzinfo=UTC) + timedelta(seconds=next(self._seconds))


class FailingConnection:
    """A connection of SQLite on which some statements fail.

    Args:
        real: The connection.

    Attributes:
        failing: Beginning of the statements that fail; empty for none.
        executed: The beginnings of all statements.
    """

    def __init__(self, real: sqlite3.Connection) -> None:
        self._real = real
        self.failing = ""
        self.executed: list[str] = []

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        self.executed.append(statement)
        if self.failing and statement.startswith(self.failing):
            raise sqlite3.OperationalError("database or disk is full")
        return self._real.execute(statement, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class Connections:
    """Opens connections that can be made to fail; the latest is `latest`."""

    latest: FailingConnection

    def __call__(self, path: Path, wait: float) -> Any:
        self.latest = FailingConnection(
            sqlite3.connect(path, timeout=wait, isolation_level=None, check_same_thread=False)
        )
        return self.latest
