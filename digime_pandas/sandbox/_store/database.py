"""The sandbox's database: one SQLite file, one connection, one lock."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS people (
    user_id TEXT PRIMARY KEY,
    created INTEGER NOT NULL            -- Unix milliseconds
) STRICT;
CREATE TABLE IF NOT EXISTS account_names (  -- accounts of a program, where it is known whose they are
    account_id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES people ON DELETE CASCADE
) STRICT;
CREATE INDEX IF NOT EXISTS account_names_by_person ON account_names (user_id);
CREATE TABLE IF NOT EXISTS requests (   -- pre-authorizations, whether a person has decided on them or not
    code TEXT PRIMARY KEY,
    client_id TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    state TEXT,
    challenge TEXT NOT NULL,
    user_id TEXT REFERENCES people ON DELETE CASCADE,  -- the person whose access token the request holds
    session_key TEXT NOT NULL,
    expires REAL NOT NULL,              -- Unix seconds, as in all tables below
    settled INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS grants (     -- authorization codes not yet exchanged
    code TEXT PRIMARY KEY,
    client_id TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES people ON DELETE CASCADE,
    consent_id TEXT NOT NULL,
    challenge TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    expires REAL NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS tokens (
    access_token TEXT PRIMARY KEY,
    refresh_token TEXT NOT NULL UNIQUE,
    client_id TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES people ON DELETE CASCADE,
    consent_id TEXT NOT NULL,
    access_expires REAL NOT NULL,
    refresh_expires REAL NOT NULL,
    refreshed INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS tokens_by_person ON tokens (user_id);
CREATE TABLE IF NOT EXISTS postboxes (
    postbox_id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES people ON DELETE CASCADE,
    client_id TEXT NOT NULL,
    UNIQUE (user_id, client_id)
) STRICT;
CREATE TABLE IF NOT EXISTS sessions (
    session_key TEXT PRIMARY KEY,
    client_id TEXT NOT NULL,
    user_id TEXT REFERENCES people ON DELETE CASCADE,
    expires REAL NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS session_scopes (  -- of sessions that do not list all files
    session_key TEXT PRIMARY KEY REFERENCES sessions ON DELETE CASCADE,
    criteria TEXT NOT NULL              -- JSON
) STRICT;
CREATE TABLE IF NOT EXISTS nonces (
    client_id TEXT NOT NULL,
    nonce TEXT NOT NULL,
    expires REAL NOT NULL,
    PRIMARY KEY (client_id, nonce)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS nonces_by_expiry ON nonces (expires);
CREATE TABLE IF NOT EXISTS contracts (  -- that wrote a file or may; kept when they are no longer registered
    client_id TEXT PRIMARY KEY,
    application_id TEXT NOT NULL,
    contract_id TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS files (
    file_id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES people ON DELETE CASCADE,
    client_id TEXT NOT NULL,
    name TEXT NOT NULL,
    protocol TEXT NOT NULL,
    descriptor TEXT NOT NULL,           -- JSON as the client sent it
    size INTEGER NOT NULL,              -- bytes
    created INTEGER NOT NULL            -- Unix milliseconds, unique within a library
) STRICT;
CREATE INDEX IF NOT EXISTS files_by_person ON files (user_id, created);
"""


class Database:
    """A SQLite database that can be used from any thread.

    Args:
        path: The file; created, readable by its owner alone, when it does not exist.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        path.touch(mode=0o600)
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self._connection.executescript(
            f"PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON; {_SCHEMA}"
        )

    def execute(self, statement: str, *parameters: Any) -> list[sqlite3.Row]:
        """Run one statement in a transaction of its own.

        Args:
            statement: SQL.
            parameters: Values of its placeholders, in order.

        Returns:
            All rows of its result.
        """
        with self._lock:
            return self._connection.execute(statement, parameters).fetchall()

    def execute_many(self, statement: str, parameters: Iterable[tuple[Any, ...]]) -> None:
        """Run one statement once for each of the parameters, all in one transaction.

        Args:
            statement: SQL that changes rows.
            parameters: Values of its placeholders, in order.
        """
        with self._lock:
            self._connection.execute("BEGIN")
            try:
                self._connection.executemany(statement, parameters)
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._connection.close()
