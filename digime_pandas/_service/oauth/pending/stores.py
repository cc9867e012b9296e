"""Where authorizations that wait for an answer are kept: a folder of files, or this process's memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from digime_pandas._service.oauth.pending.record import PendingAuthorization, from_json, to_json
from digime_pandas._service.oauth.private_folder import PrivateFolder
from digime_pandas._service.process import reset_after_fork
from digime_pandas.errors import TokenStoreError

_SUFFIX = ".pending"
Records = list[tuple[str, PendingAuthorization]]


class PendingStore(Protocol):
    """What is needed of a place for authorizations that wait for an answer. Keys are texts of 64 hex digits."""

    def get(self, key: str) -> PendingAuthorization | None:
        """Return what is kept under a key, or None."""

    def put(self, key: str, pending: PendingAuthorization) -> None:
        """Keep a record in place of any older one; it is safe when this returns."""

    def delete(self, key: str) -> bool:
        """Forget what is kept under a key; tell whether there was anything."""

    def list(self) -> Records:
        """Return all keys and records, of all contracts, in any order."""

    def lock(self, key: str, timeout: float) -> AbstractContextManager[None]:
        """Keep every other holder of the same key's lock out, for at most `timeout` seconds of waiting.

        Raises:
            TokenStoreError: Another one holds it for longer.
        """


class FilePendingStore:
    """Keeps each record in a file of its own, readable by this user alone. Threads and processes may share it.

    The code verifier in it is **not encrypted**. It is of use only together with the code that the person's browser
    brings back, and with the contract's private key.

    Args:
        folder: Made when first needed.

    Methods raise `TokenStoreError` where the folder or a file in it cannot be used.
    """

    def __init__(self, folder: PrivateFolder) -> None:
        self._folder = folder

    def get(self, key: str) -> PendingAuthorization | None:
        """Return what is kept under a key, or None."""
        content = self._folder.read(f"{key}{_SUFFIX}")
        if content is None:
            return None
        pending = from_json(content)
        if pending is None:
            raise TokenStoreError(
                f"{self._folder.path / key}{_SUFFIX} holds nothing that can be read. Delete it, and begin that "
                "authorization again."
            )
        return pending

    def put(self, key: str, pending: PendingAuthorization) -> None:
        """Keep a record in place of any older one; it is on the disk when this returns."""
        self._folder.replace(f"{key}{_SUFFIX}", to_json(pending))

    def delete(self, key: str) -> bool:
        """Forget what is kept under a key, damaged or not; tell whether there was anything."""
        return self._folder.remove(f"{key}{_SUFFIX}")

    def list(self) -> Records:
        """Return all keys and records, of all contracts; damaged ones are left out."""
        contents = ((name.removesuffix(_SUFFIX), self._folder.read(name)) for name in self._folder.names(_SUFFIX))
        read = ((key, from_json(content)) for key, content in contents if content is not None)
        return [(key, pending) for key, pending in read if pending is not None]

    def lock(self, key: str, timeout: float) -> AbstractContextManager[None]:
        """Keep other threads and processes out, for at most `timeout` seconds of waiting. Not reentrant."""
        # Few files, which are never removed: one that is removed while it is locked would let two in.
        return self._folder.lock(f"{key[:2]}.lock", timeout, lambda: _late(timeout))


class MemoryPendingStore:
    """Keeps records in this process, for as long as the store lives. Safe to use from several threads.

    A forked child goes on with a copy of what was kept at that moment.
    """

    def __init__(self) -> None:
        self._kept: dict[str, PendingAuthorization] = {}
        self._make_locks()
        reset_after_fork(self, MemoryPendingStore._make_locks)

    def get(self, key: str) -> PendingAuthorization | None:
        """Return what is kept under a key, or None."""
        return self._kept.get(key)

    def put(self, key: str, pending: PendingAuthorization) -> None:
        """Keep a record in place of any older one."""
        self._kept[key] = pending

    def delete(self, key: str) -> bool:
        """Forget what is kept under a key; tell whether there was anything."""
        return self._kept.pop(key, None) is not None

    def list(self) -> Records:
        """Return all keys and records, of all contracts."""
        return list(self._kept.copy().items())

    @contextmanager
    def lock(self, key: str, timeout: float) -> Iterator[None]:
        """Keep other threads out, for at most `timeout` seconds of waiting. Not reentrant."""
        lock = self._locks.setdefault(key[:2], threading.Lock())
        if not lock.acquire(timeout=max(0.0, timeout)):
            raise _late(timeout)
        try:
            yield
        finally:
            lock.release()

    def __repr__(self) -> str:
        return f"<MemoryPendingStore of {len(self._kept)}>"

    def _make_locks(self) -> None:
        self._locks: dict[str, threading.Lock] = {}


def _late(timeout: float) -> TokenStoreError:
    return TokenStoreError(
        "This authorization is being completed by another thread or process, which did not finish within "
        f"{timeout:g} seconds. Try again."
    )
