"""The sandbox itself: what it is made of, how it starts and how it ends."""

from __future__ import annotations

import atexit
import ctypes
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from filelock import FileLock, Timeout

from digime_pandas._service.contract import Contract
from digime_pandas.errors import ConfigurationError
from digime_pandas.sandbox._app import CONSENT_PATH, VERSIONS, build_app
from digime_pandas.sandbox._browser import submit_consent_form
from digime_pandas.sandbox._context import Registration, ScriptedReplies, Service, Settings
from digime_pandas.sandbox._server import HOST, Server, is_served
from digime_pandas.sandbox._store.authorizations import AuthorizationStore
from digime_pandas.sandbox._store.database import Database
from digime_pandas.sandbox._store.keys import ServiceKeys, key_id, load_keys
from digime_pandas.sandbox._store.library import Library, SandboxFile
from digime_pandas.sandbox._wire.envelope import Compression

_APPLICATION_ID = "digime-pandas-sandbox"
_DAY = 86400.0


@dataclass(frozen=True, slots=True)
class _Running:
    """What exists from start to close, in the process that started it."""

    service: Service
    contract: Contract
    read_contract: Contract
    server: Server
    resources: ExitStack
    process: int


# A dict and no set, since each step on one is a single one: a fork never finds it half changed.
_all_running: dict[int, _Running] = {}


class Sandbox:
    """An embedded digi.me, served over HTTP on this computer alone; a context manager.

    It is served by the process that starts it. A forked child uses it over HTTP like any other client; what only the
    serving process can do raises `ConfigurationError` there, and `close` merely forgets it.

    Args:
        data_dir: Folder for keys, people, tokens and files, made when it is not there; a later sandbox on the same
            folder goes on where this one ended. None: a temporary one, gone at close.
        port: TCP port; 0 takes a free one.
        postbox: Whether a write consent answers with a postbox, as SDKs up to v8 expect. Both ways of writing are
            answered either way.
        compression: How files are compressed before they are sealed for a reader: None, ``"gzip"`` or ``"brotli"``.
        access_token_lifetime: Seconds (one day is inferred from a published sample).
        refresh_token_lifetime: Seconds (180 days are inferred likewise).
        clock_window: Most seconds that a request's timestamp may be away from the clock (inferred).
        max_file_size: Most plain bytes of a file.
        clock: Gives the Unix time in seconds.
        contracts: A write and a read contract to know, instead of newly made ones.
        postbox_key: The key that opens postbox writes, instead of a newly made one.

    Raises:
        ConfigurationError: An option cannot be used.
    """

    def __init__(
        self,
        data_dir: str | os.PathLike[str] | None = None,
        *,
        port: int = 0,
        postbox: bool = True,
        compression: Compression | None = None,
        access_token_lifetime: float = _DAY,
        refresh_token_lifetime: float = 180 * _DAY,
        clock_window: float = 300.0,
        max_file_size: int = 1 << 30,
        clock: Callable[[], float] = time.time,
        contracts: tuple[Contract, Contract] | None = None,
        postbox_key: RSAPrivateKey | None = None,
    ) -> None:
        self._data_dir = None if data_dir is None else Path(data_dir).expanduser()
        self._port = port
        self._settings = Settings(
            postbox=postbox,
            compression=compression,
            access_token_lifetime=access_token_lifetime,
            refresh_token_lifetime=refresh_token_lifetime,
            clock_window=clock_window,
            max_file_size=max_file_size,
            clock=clock,
        )
        self._contracts = contracts
        self._postbox_key = postbox_key
        self._rehearsals = ScriptedReplies()
        self._running: _Running | None = None

    def start(self) -> Self:
        """Start serving; return once requests are answered. A running sandbox stays as it is.

        Returns:
            This sandbox.

        Raises:
            ConfigurationError: The port is taken, or another sandbox uses `data_dir`; or this process was forked from
                the one that served it, which has ended.
        """
        if self._running is None:
            with ExitStack() as resources:
                service, contracts = self._open_service(resources)
                server = resources.enter_context(Server(build_app(service), self._port))
                self._running = _Running(service, *contracts, server, resources.pop_all(), os.getpid())
            _all_running[id(self._running)] = self._running
            # Nobody may ever close a sandbox that lives as long as its notebook.
            atexit.register(self.close)
        elif self._running.process != os.getpid() and not is_served(self._running.server.port):
            raise ConfigurationError(
                f"This sandbox was served by process {self._running.process}, which this one was forked from and which "
                "has ended. Call its close(), after which start() or connect('sandbox') begins a new one here."
            )
        return self

    def close(self) -> None:
        """Stop serving, free the port, and remove a temporary folder. A closed sandbox stays closed.

        In a forked child of the process that serves it, forget it: the parent goes on serving.
        """
        running, self._running = self._running, None
        if running is not None:
            atexit.unregister(self.close)
            if running.process == os.getpid():
                del _all_running[id(running)]
                running.resources.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        where = self.base_url if self._running is not None else "not running"
        return f"<Sandbox {where}>"

    @property
    def contract(self) -> Contract:
        """The contract that writes."""
        return self._require_running().contract

    @property
    def read_contract(self) -> Contract:
        """The contract that reads back."""
        return self._require_running().read_contract

    @property
    def origin(self) -> str:
        """Scheme, host and port, such as ``http://127.0.0.1:45439``."""
        return f"http://{HOST}:{self._require_running().server.port}"

    @property
    def base_url(self) -> str:
        """Base address of the API, as a client takes it."""
        return f"{self.origin}/{VERSIONS[0]}/"

    @property
    def onboard_url(self) -> str:
        """Base address of the consent page, as a client takes it."""
        return f"{self.origin}{CONSENT_PATH}/"

    @property
    def pending_writes(self) -> int:
        """How many of the next postbox writes are answered ``pending``, and not stored. May be set."""
        self._check_process()
        return self._rehearsals.pending_writes

    @pending_writes.setter
    def pending_writes(self, count: int) -> None:
        self._check_process()
        self._rehearsals.pending_writes = count

    @property
    def pending_lists(self) -> int:
        """How many of the next file lists are not complete: ``pending``, the last one ``running``. May be set."""
        self._check_process()
        return self._rehearsals.pending_lists

    @pending_lists.setter
    def pending_lists(self, count: int) -> None:
        self._check_process()
        self._rehearsals.pending_lists = count

    def approve(self, url: str) -> str:
        """Do what a person does who reads the consent page and presses Approve.

        Args:
            url: Address of the page.

        Returns:
            The address the browser is sent to, which is not visited.

        Raises:
            InputError: The address is not on this sandbox.
            AuthorizationError: The link is unknown, used or expired.
        """
        return submit_consent_form(url, "approve", origin=self.origin)

    def refuse(self, url: str) -> str:
        """Do what a person does who reads the consent page and presses Refuse.

        Args:
            url: Address of the page.

        Returns:
            The address the browser is sent to, with ``success=false`` and the error code ``USER_CANCEL``: the page's
            `callback` when it has one, else the redirect address. It is not visited.

        Raises:
            InputError: The address is not on this sandbox.
            AuthorizationError: The link is unknown, used or expired.
        """
        return submit_consent_form(url, "refuse", origin=self.origin)

    def files(self, account_id: str | None = None) -> list[SandboxFile]:
        """Return what the libraries hold, opened, oldest first.

        Args:
            account_id: Only files whose descriptor names this account. None: all files of all people.
        """
        self._check_process()
        files = self._require_running().service.library.files()
        return [file for file in files if account_id is None or account_id in file.accounts]

    def expire_access_tokens(self) -> None:
        """End every access token issued so far."""
        self._check_process()
        service = self._require_running().service
        service.grants.expire_access_tokens(service.now())

    def expire_refresh_tokens(self) -> None:
        """End every refresh token issued so far."""
        self._check_process()
        service = self._require_running().service
        service.grants.expire_refresh_tokens(service.now())

    def _require_running(self) -> _Running:
        if self._running is None:
            raise ConfigurationError("The sandbox is not running. Use `with Sandbox() as sandbox:`, or call start().")
        return self._running

    def _check_process(self) -> None:
        if self._running is not None and self._running.process != os.getpid():
            raise ConfigurationError(
                f"This sandbox is served by process {self._running.process}, which this one was forked from. Only "
                "there can its files be looked at and its answers be arranged; here, use it through a client."
            )

    def _open_service(self, resources: ExitStack) -> tuple[Service, tuple[Contract, Contract]]:
        folder = _open_folder(self._data_dir, resources)
        write, read, signing, postbox = load_keys(folder / "keys", ("write", "read", "signing", "postbox"))
        contracts = self._contracts or (_contract("write", write), _contract("read", read))
        database = Database(folder / "index.sqlite")
        resources.callback(database.close)
        settings = self._settings
        grants = AuthorizationStore(
            database,
            access_lifetime=settings.access_token_lifetime,
            refresh_lifetime=settings.refresh_token_lifetime,
        )
        registrations = {
            contracts[0].client_id: Registration(contracts[0], "write"),
            contracts[1].client_id: Registration(contracts[1], "read"),
        }
        library = Library(database, folder / "files")
        for contract in contracts:
            library.add_contract(contract)
        service = Service(
            settings,
            registrations,
            ServiceKeys(signing=signing, postbox=self._postbox_key or postbox),
            grants,
            library,
            self._rehearsals,
        )
        return service, contracts


def _open_folder(data_dir: Path | None, resources: ExitStack) -> Path:
    if data_dir is None:
        folder = Path(tempfile.mkdtemp(prefix="digime-sandbox-"))
        resources.callback(shutil.rmtree, folder, ignore_errors=True)
        return folder
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Not thread-local: the sandbox may be closed by another thread than the one that started it.
    lock = FileLock(data_dir / "lock", thread_local=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise ConfigurationError(f"data_dir={str(data_dir)!r} is in use by another sandbox. Use another one.") from None
    resources.callback(lock.release)
    return data_dir


def _contract(access: str, key: RSAPrivateKey) -> Contract:
    # Named after its key: a new key is a new contract, so that tokens stored for an earlier sandbox do not match it.
    return Contract(_APPLICATION_ID, f"{access}-{key_id(key)}", key)


def _leave_all() -> None:
    """Leave everything to the parent, in a forked child."""
    for running in _all_running.values():
        running.server.leave()
        if sys.implementation.name == "cpython":
            # Kept for ever, because ending it would reach the parent's: SQLite's index and the lock on `data_dir`.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(running))
    _all_running.clear()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_leave_all)
