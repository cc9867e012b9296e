from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from digime_pandas.sandbox._store.authorizations import AuthorizationStore
from digime_pandas.sandbox._store.database import Database
from digime_pandas.sandbox._store.library import Library

RandomBytes = Callable[[int], bytes]


@pytest.fixture
def counted_bytes() -> RandomBytes:
    """Randomness that counts: different bytes at each call, the same in each test."""
    numbers = count(1)
    return lambda size: next(numbers).to_bytes(size)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "index.sqlite")
    yield database
    database.close()


@pytest.fixture
def library(database: Database, tmp_path: Path, counted_bytes: RandomBytes) -> Library:
    return Library(database, tmp_path / "files", counted_bytes)


@pytest.fixture
def authorizations(database: Database, counted_bytes: RandomBytes) -> AuthorizationStore:
    return AuthorizationStore(database, access_lifetime=100, refresh_lifetime=1000, random_bytes=counted_bytes)
