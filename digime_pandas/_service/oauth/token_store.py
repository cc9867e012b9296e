"""Where authorizations are stored between sessions: a folder of files, or this process's memory."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from digime_pandas._service.authorization import Authorization
from digime_pandas._service.masking.secret import MaskedMapping, Secret
from digime_pandas._service.masking.tracebacks import FramesDropped
from digime_pandas._service.oauth.pending.stores import FilePendingStore, MemoryPendingStore
from digime_pandas._service.oauth.private_folder import PrivateFolder
from digime_pandas._service.process import reset_after_fork
from digime_pandas.errors import AuthorizationError, ConfigurationError, TokenStoreError, in_words
from digime_pandas.errors.calls.explained import explains_calls

_SUFFIX = ".json"
_VERSION = 1
# Far more than a record has; tokens of a service may have any length.
_RESERVED_BYTES = 32 << 10

PutAuthorization = Callable[[Authorization], None]


@dataclass(frozen=True, slots=True, order=True)
class StoreKey:
    """What an authorization is kept under.

    Args:
        environment: Base URL of the API that gave it.
        contract: `client_id` of the contract consent was given to.
        account_id: The person's id in your own system.
    """

    environment: str
    contract: str
    account_id: str


StoreKeys = list[StoreKey]


class TokenStore(Protocol):
    """What a client needs of a place to keep authorizations. Anything with these methods will do.

    A store may also have an attribute ``pending``, a `PendingStore` for the authorizations that people have not
    answered yet. Of a store without one, each client keeps these in memory, so that one process begins and completes
    them. And it may have a method ``reserve`` like that of `FileTokenStore`: what a store has no room for is then
    noticed before the service is asked for it.
    """

    def get(self, environment: str, contract: str, account_id: str) -> Authorization | None:
        """Return what is kept under the key, or None."""

    def put(self, environment: str, contract: str, authorization: Authorization) -> None:
        """Keep the authorization in place of any older one; it is safe when this returns."""

    def delete(self, environment: str, contract: str, account_id: str) -> bool:
        """Forget what is kept under the key; tell whether there was anything."""

    def list(self, environment: str | None = None, contract: str | None = None) -> StoreKeys:
        """Return the keys there are, sorted; of one environment or contract, if named."""

    def lock(self, environment: str, contract: str, account_id: str, timeout: float) -> AbstractContextManager[None]:
        """Keep every other holder of the same key's lock out, for at most `timeout` seconds of waiting.

        Hold it while an authorization is replaced by one made from it. Not reentrant; `get`, `put` and `delete` work
        with or without it.
        """


def check_token_store(tokens: object) -> None:
    """Check that an object has the methods of a `TokenStore`.

    Raises:
        ConfigurationError: It has not.
    """
    if isinstance(tokens, type) or not all(hasattr(tokens, name) for name in ("get", "put", "delete", "list", "lock")):
        shown = f"the class {tokens.__name__}" if isinstance(tokens, type) else in_words(tokens, may_be_secret=True)
        raise ConfigurationError(
            f"tokens is {shown}.", remedy="Pass a FileTokenStore(...), a MemoryTokenStore(), or leave it out."
        )


def _default_path() -> Path:
    from platformdirs import user_data_path  # here, because only this needs it

    return user_data_path("digime-pandas", appauthor=False) / "authorizations"


class FileTokenStore:
    """Keeps each authorization in a file of its own, readable by this user alone.

    The folder has mode 0700 and the files 0600. A file is replaced as a whole or not at all, so that any number of
    threads and processes may use one folder. Tokens are **not encrypted**: any program that can read this user's files
    can use them, as with an SSH key without a pass phrase.

    Authorizations that people have not answered yet are in its folder ``pending``, in the same way, so that any
    process that uses the folder can complete what another one began.

    Args:
        path: The folder; made when first needed. Default: ``digime-pandas/authorizations`` among the user's data.

    Attributes:
        path: The folder.
        pending: The store of what people have not answered yet.

    Methods raise `TokenStoreError` where the folder or a file in it cannot be used: it cannot be written, others may
    open it, it is a symbolic link or not a folder, or what a file holds is damaged. The message says how to go on.
    """

    @explains_calls()
    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        if path is not None and (not isinstance(path, str | os.PathLike) or not os.fspath(path)):
            raise ConfigurationError(f"path is {in_words(path)}.", remedy="Pass the path of a folder, or leave it out.")
        self.path = _default_path() if path is None else Path(path)
        self._folder = PrivateFolder(self.path)
        self._folder.check()
        self._folder.sweep()
        pending = PrivateFolder(self.path / "pending", self._folder)
        pending.sweep()
        self.pending = FilePendingStore(pending)

    def get(self, environment: str, contract: str, account_id: str) -> Authorization | None:
        """Return what is kept under the key, or None."""
        key = StoreKey(environment, contract, account_id)
        record = self._read(_file_name(key))
        if record is None:
            return None
        found, authorization = record
        if found != key:
            raise self._damaged(_file_name(key))
        return authorization

    def put(self, environment: str, contract: str, authorization: Authorization) -> None:
        """Keep the authorization in place of any older one; it is on the disk when this returns."""
        key = StoreKey(environment, contract, authorization.account_id)
        self._folder.replace(_file_name(key), _serialized(key, authorization))

    @contextmanager
    def reserve(self, environment: str, contract: str, account_id: str) -> Iterator[PutAuthorization]:
        """Take the room on the disk that an authorization needs, before the service is asked for it.

        Yields:
            A function that does what `put` does, and needs no more room.
        """
        key = StoreKey(environment, contract, account_id)
        with self._folder.reserve(_file_name(key), _RESERVED_BYTES) as put:
            yield lambda authorization: put(_serialized(key, authorization))

    def delete(self, environment: str, contract: str, account_id: str) -> bool:
        """Forget what is kept under the key, damaged or not; tell whether there was anything."""
        return self._folder.remove(_file_name(StoreKey(environment, contract, account_id)))

    def list(self, environment: str | None = None, contract: str | None = None) -> StoreKeys:
        """Return the keys there are, sorted; of one environment or contract, if named."""
        records = (self._read(name) for name in self._folder.names(_SUFFIX))
        return _selected((record[0] for record in records if record is not None), environment, contract)

    def lock(self, environment: str, contract: str, account_id: str, timeout: float) -> AbstractContextManager[None]:
        """Keep other threads and processes out, for at most `timeout` seconds of waiting. Not reentrant."""
        name = _file_name(StoreKey(environment, contract, account_id)).removesuffix(_SUFFIX)
        return self._folder.lock(f"{name}.lock", timeout, lambda: _lock_timeout(account_id, timeout))

    def __repr__(self) -> str:
        return f"FileTokenStore({str(self.path)!r})"

    def _read(self, name: str) -> tuple[StoreKey, Authorization] | None:
        content = self._folder.read(name)
        if content is None:
            return None
        record = _parsed(content)
        if record is None:
            raise self._damaged(name)
        if isinstance(record, int):
            raise TokenStoreError(
                f"{self.path / name} was written by a newer version of digime-pandas (records of version {record}; "
                f"this one reads version {_VERSION}). Update digime-pandas, or pass a folder of its own."
            )
        return record

    def _damaged(self, name: str) -> TokenStoreError:
        return TokenStoreError(
            f"{self.path / name} holds no authorization that can be read. Delete it, then authorize again."
        )


class MemoryTokenStore:
    """Keeps authorizations in this process, for as long as the store lives. Safe to use from several threads.

    A forked child goes on with a copy of what was kept at that moment. What either process then puts or deletes, the
    tokens of a refresh included, the other does not see: use a `FileTokenStore` where processes share people.
    """

    @explains_calls()
    def __init__(self) -> None:
        self._kept: dict[StoreKey, Authorization] = {}
        self.pending = MemoryPendingStore()
        self._make_locks()
        reset_after_fork(self, MemoryTokenStore._make_locks)

    def get(self, environment: str, contract: str, account_id: str) -> Authorization | None:
        """Return what is kept under the key, or None."""
        with self._guard:
            return self._kept.get(StoreKey(environment, contract, account_id))

    def put(self, environment: str, contract: str, authorization: Authorization) -> None:
        """Keep the authorization in place of any older one."""
        with self._guard:
            self._kept[StoreKey(environment, contract, authorization.account_id)] = authorization

    def delete(self, environment: str, contract: str, account_id: str) -> bool:
        """Forget what is kept under the key; tell whether there was anything."""
        with self._guard:
            return self._kept.pop(StoreKey(environment, contract, account_id), None) is not None

    def list(self, environment: str | None = None, contract: str | None = None) -> StoreKeys:
        """Return the keys there are, sorted; of one environment or contract, if named."""
        with self._guard:
            return _selected(self._kept, environment, contract)

    @contextmanager
    def lock(self, environment: str, contract: str, account_id: str, timeout: float) -> Iterator[None]:
        """Keep other threads out, for at most `timeout` seconds of waiting. Not reentrant."""
        with self._guard:
            lock = self._locks.setdefault(StoreKey(environment, contract, account_id), threading.Lock())
        if not lock.acquire(timeout=max(0.0, timeout)):
            raise _lock_timeout(account_id, timeout)
        try:
            yield
        finally:
            lock.release()

    def __repr__(self) -> str:
        return f"<MemoryTokenStore of {len(self._kept)}>"

    def _make_locks(self) -> None:
        self._locks: dict[StoreKey, threading.Lock] = {}
        self._guard = threading.Lock()


def _file_name(key: StoreKey) -> str:
    # A digest, since an account id may hold anything and be of any length.
    name = json.dumps([key.environment, key.contract, key.account_id])
    return f"{sha256(name.encode()).hexdigest()}{_SUFFIX}"


def _selected(keys: Any, environment: str | None, contract: str | None) -> StoreKeys:
    return sorted(key for key in keys if environment in {None, key.environment} and contract in {None, key.contract})


def _serialized(key: StoreKey, authorization: Authorization) -> Secret[bytes]:
    with FramesDropped():
        return Secret(
            json.dumps(
                {
                    "version": _VERSION,
                    "environment": key.environment,
                    "contract": key.contract,
                    "authorization": authorization.to_dict(),
                }
            ).encode()
        )


def _parsed(content: Secret[bytes]) -> tuple[StoreKey, Authorization] | int | None:
    """Return the record, or its version where that is a newer one, or None where it is damaged."""
    # None instead of the parser's error: that one carries the content, tokens and all.
    try:
        with FramesDropped():
            record = MaskedMapping(json.loads(content.reveal()))
        version = record.get("version", 1)  # the first records had none
        if not isinstance(version, int) or version > _VERSION:
            return version if isinstance(version, int) else None
        authorization = Authorization.from_dict(record["authorization"])
        environment, contract = record["environment"], record["contract"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, AuthorizationError):
        return None
    if not isinstance(environment, str) or not isinstance(contract, str):
        return None
    return StoreKey(environment, contract, authorization.account_id), authorization


def _lock_timeout(account_id: str, timeout: float) -> TokenStoreError:
    return TokenStoreError(
        f"The authorization of account {account_id!r} is being replaced by another thread or process, which did not "
        f"finish within {timeout:g} seconds. Try again."
    )
