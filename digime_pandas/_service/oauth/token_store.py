"""Where authorizations are stored between sessions: a folder of files, or this process's memory."""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import mkstemp
from typing import Any, Protocol

from filelock import FileLock, Timeout
from platformdirs import user_data_path

from digime_pandas._service.authorization import Authorization
from digime_pandas._service.masking.secret import MaskedMapping, Secret
from digime_pandas._service.masking.tracebacks import FramesDropped
from digime_pandas._service.process import reset_after_fork
from digime_pandas.errors import AuthorizationError, TokenStoreError

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_IN_MEMORY = "To keep authorizations only as long as this process lives, use tokens=MemoryTokenStore()."


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
    """What a client needs of a place to keep authorizations. Anything with these methods will do."""

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


class FileTokenStore:
    """Keeps each authorization in a file of its own, readable by this user alone.

    The folder has mode 0700 and the files 0600. A file is replaced as a whole or not at all, so that any number of
    threads and processes may use one folder. Tokens are **not encrypted**: any program that can read this user's files
    can use them, as with an SSH key without a pass phrase.

    Args:
        path: The folder; made when first needed. Default: ``digime-pandas/authorizations`` among the user's data.

    Methods raise `TokenStoreError` where the folder or a file in it cannot be used: it cannot be written, others may
    open it, it is a symbolic link or not a folder, or what a file holds is damaged. The message says how to go on.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.path = user_data_path("digime-pandas", appauthor=False) / "authorizations" if path is None else Path(path)
        self._check_folder()

    def get(self, environment: str, contract: str, account_id: str) -> Authorization | None:
        """Return what is kept under the key, or None."""
        key = StoreKey(environment, contract, account_id)
        record = self._read(self._file(key))
        if record is None:
            return None
        found, authorization = record
        if found != key:
            raise self._damaged(self._file(key))
        return authorization

    def put(self, environment: str, contract: str, authorization: Authorization) -> None:
        """Keep the authorization in place of any older one; it is on the disk when this returns."""
        key = StoreKey(environment, contract, authorization.account_id)
        self._make_folder()
        try:
            self._replace(self._file(key), _serialized(key, authorization))
        except OSError as error:
            raise self._unusable(error) from error

    def delete(self, environment: str, contract: str, account_id: str) -> bool:
        """Forget what is kept under the key, damaged or not; tell whether there was anything."""
        try:
            self._file(StoreKey(environment, contract, account_id)).unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self._unusable(error) from error
        return True

    def list(self, environment: str | None = None, contract: str | None = None) -> StoreKeys:
        """Return the keys there are, sorted; of one environment or contract, if named."""
        self._check_folder()
        records = (self._read(file) for file in self.path.glob("*.json"))
        return _selected((record[0] for record in records if record is not None), environment, contract)

    @contextmanager
    def lock(self, environment: str, contract: str, account_id: str, timeout: float) -> Iterator[None]:
        """Keep other threads and processes out, for at most `timeout` seconds of waiting. Not reentrant."""
        self._make_folder()
        lock = FileLock(self._file(StoreKey(environment, contract, account_id)).with_suffix(".lock"), mode=0o600)
        try:
            lock.acquire(timeout=max(0.0, timeout))
        except Timeout:
            raise _lock_timeout(account_id, timeout) from None
        except OSError as error:
            raise self._unusable(error) from error
        try:
            yield
        finally:
            lock.release()

    def __repr__(self) -> str:
        return f"FileTokenStore({str(self.path)!r})"

    def _file(self, key: StoreKey) -> Path:
        # A digest, since an account id may hold anything and be of any length.
        name = json.dumps([key.environment, key.contract, key.account_id])
        return self.path / f"{sha256(name.encode()).hexdigest()}.json"

    def _make_folder(self) -> None:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except FileExistsError:
            pass  # not a folder; the check below says so
        except OSError as error:
            raise self._unusable(error) from error
        self._check_folder()

    def _check_folder(self) -> None:
        try:
            status = self.path.lstat()
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._unusable(error) from error
        if stat.S_ISLNK(status.st_mode):
            raise TokenStoreError(f"{self.path} is a symbolic link. Pass the folder it points to instead.")
        if not stat.S_ISDIR(status.st_mode):
            raise TokenStoreError(f"{self.path} is not a folder. Pass a folder, FileTokenStore('a/folder').")
        if os.name != "posix":
            return  # permissions are lists of their own there, inherited from the user's profile
        if status.st_uid != os.geteuid():
            raise TokenStoreError(f"{self.path} belongs to another user. Pass a folder of your own. {_IN_MEMORY}")
        if status.st_mode & _OTHERS:
            raise TokenStoreError(
                f"{self.path} is open to other users (mode {stat.S_IMODE(status.st_mode):04o}). "
                f"Close it with `chmod 700 '{self.path}'`, or pass a folder that does not exist yet. {_IN_MEMORY}"
            )

    def _read(self, file: Path) -> tuple[StoreKey, Authorization] | None:
        self._check_folder()
        try:
            # Windows has no such flag, and its users cannot make links into another's folder by default.
            descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
            with os.fdopen(descriptor, "rb") as stream:
                content = Secret(stream.read())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unusable(error) from error
        record = _parsed(content)
        if record is None:
            raise self._damaged(file)
        return record

    def _replace(self, file: Path, content: Secret[bytes]) -> None:
        descriptor, temporary = mkstemp(dir=self.path, prefix=".new-")  # of mode 0600
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content.reveal())
                stream.flush()
                os.fsync(descriptor)
            Path(temporary).replace(file)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        _sync_folder(self.path)

    def _unusable(self, error: OSError) -> TokenStoreError:
        return TokenStoreError(
            f"{self.path} cannot be used to keep authorizations ({error.strerror or type(error).__name__}). "
            f"Pass a folder of your own, FileTokenStore('a/folder'). {_IN_MEMORY}"
        )

    @staticmethod
    def _damaged(file: Path) -> TokenStoreError:
        return TokenStoreError(f"{file} holds no authorization that can be read. Delete it, then authorize again.")


class MemoryTokenStore:
    """Keeps authorizations in this process, for as long as the store lives. Safe to use from several threads.

    A forked child goes on with a copy of what was kept at that moment. What either process then puts or deletes, the
    tokens of a refresh included, the other does not see: use a `FileTokenStore` where processes share people.
    """

    def __init__(self) -> None:
        self._kept: dict[StoreKey, Authorization] = {}
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


def _selected(keys: Any, environment: str | None, contract: str | None) -> StoreKeys:
    return sorted(key for key in keys if environment in {None, key.environment} and contract in {None, key.contract})


def _serialized(key: StoreKey, authorization: Authorization) -> Secret[bytes]:
    with FramesDropped():
        return Secret(
            json.dumps(
                {
                    "environment": key.environment,
                    "contract": key.contract,
                    "authorization": authorization.to_dict(),
                }
            ).encode()
        )


def _parsed(content: Secret[bytes]) -> tuple[StoreKey, Authorization] | None:
    # None instead of the parser's error: that one carries the content, tokens and all.
    try:
        with FramesDropped():
            record = MaskedMapping(json.loads(content.reveal()))
        authorization = Authorization.from_dict(record["authorization"])
        key = StoreKey(record["environment"], record["contract"], authorization.account_id)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, AuthorizationError):
        return None
    return key, authorization


def _lock_timeout(account_id: str, timeout: float) -> TokenStoreError:
    return TokenStoreError(
        f"The authorization of account {account_id!r} is being replaced by another thread or process, which did not "
        f"finish within {timeout:g} seconds. Try again."
    )


def _sync_folder(folder: Path) -> None:
    # The new name survives a power cut only when the folder is written too; some file systems cannot do that.
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            with suppress(OSError):
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
