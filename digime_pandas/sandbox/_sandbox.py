"""The class `Sandbox`: its options, its start and its end."""

from __future__ import annotations

import atexit
import ctypes
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, overload

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from digime_pandas._service.authorization import Authorization
from digime_pandas._service.contract import Contract
from digime_pandas._service.descriptor import check_accounts
from digime_pandas.errors import ConfigurationError
from digime_pandas.sandbox._app import CONSENT_PATH, VERSIONS, build_app
from digime_pandas.sandbox._approvals import TokenStore, approve_accounts, keep_all
from digime_pandas.sandbox._browser import submit_consent_form
from digime_pandas.sandbox._context import Access, SandboxContext, ScopeMode, ScriptedReplies, Settings
from digime_pandas.sandbox._server import HOST, Server, is_listening
from digime_pandas.sandbox._setup import open_context
from digime_pandas.sandbox._store.library import SandboxFile
from digime_pandas.sandbox._wire.envelope import Compression
from digime_pandas.sandbox._wire.redirect_uris import check_redirects

_DAY = 86400.0  # seconds


@dataclass(frozen=True, slots=True)
class _Running:
    """What exists from `start` to `close`.

    Attributes:
        context: What all endpoints share.
        contract: The contract that writes.
        read_contract: The contract that reads.
        server: The HTTP server.
        resources: Everything to close, the server included.
        process: Id of the process that started it.
    """

    context: SandboxContext
    contract: Contract
    read_contract: Contract
    server: Server
    resources: ExitStack
    process: int


# A dict by id, since each change of one is atomic: a fork never finds it half changed.
_all_running: dict[int, _Running] = {}


class _ScriptedCount:
    """A property of `Sandbox` that gets and sets the number of the same name in its `ScriptedReplies`.

    Args:
        doc: What is counted.
    """

    def __init__(self, doc: str) -> None:
        self.__doc__ = f"{doc} May be set."

    def __set_name__(self, owner: type[Sandbox], name: str) -> None:
        self._name = name

    @overload
    def __get__(self, sandbox: None, owner: type[Sandbox]) -> Self: ...
    @overload
    def __get__(self, sandbox: Sandbox, owner: type[Sandbox]) -> int: ...
    def __get__(self, sandbox: Sandbox | None, owner: type[Sandbox]) -> Self | int:
        if sandbox is None:
            return self
        count: int = getattr(sandbox._served_replies(), self._name)  # noqa: SLF001 - this class is part of Sandbox
        return count

    def __set__(self, sandbox: Sandbox, count: int) -> None:
        setattr(sandbox._served_replies(), self._name, count)  # noqa: SLF001


class Sandbox:
    """An embedded digi.me, served over HTTP on this computer alone; a context manager.

    It is served by the process that starts it. A forked child can use it over HTTP, as any other client; methods that
    need the serving process raise `ConfigurationError` there, and `close` leaves the parent's server running.

    Args:
        data_dir: Folder for keys, people, tokens and files, created when it does not exist; a later sandbox with the
            same folder has the same keys, people, tokens and files. None: a temporary one, removed at close.
        port: TCP port; 0: any free one.
        postbox: Whether a write consent is answered with a postbox, as SDKs up to v8 expect. Both ways of writing are
            accepted in either case.
        compression: How files are compressed before they are encrypted for a reader: None, ``"gzip"`` or
            ``"brotli"``.
        access_token_lifetime: Seconds (one day is inferred from a published sample).
        refresh_token_lifetime: Seconds (180 days are inferred likewise).
        clock_window: Maximum difference of a request's timestamp from the clock, seconds (inferred).
        max_file_size: Maximum length of a file in plain bytes.
        redirects: Addresses of your own application that are registered on both contracts: the consent page redirects
            to exactly these, and to any on loopback.
        scope: What comes of the scope that a reading session is asked for with: ``"applied"``, ``"ignored"`` (the
            session lists all files) or ``"refused"`` (with ``ScopeOutOfBounds``).
        clock: Returns the Unix time in seconds.
        contracts: The write and the read contract to register; None: generated ones.
        postbox_key: The key that decrypts postbox writes; None: a generated one.

    Raises:
        ConfigurationError: An option cannot be used.
    """

    pending_writes = _ScriptedCount("How many of the next postbox writes are answered ``pending``, and not stored.")
    pending_lists = _ScriptedCount(
        "How many of the next file lists are not complete: ``pending``, the last one ``running``."
    )

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
        redirects: Iterable[str] = (),
        scope: ScopeMode = "applied",
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
            redirects=check_redirects(redirects),
            scope=scope,
            clock=clock,
            random_bytes=secrets.token_bytes,
        )
        self._contracts = contracts
        self._postbox_key = postbox_key
        self._scripted_replies = ScriptedReplies()
        self._running: _Running | None = None

    def start(self) -> Self:
        """Start serving; return once requests are answered. A running sandbox is not changed.

        Returns:
            This sandbox.

        Raises:
            ConfigurationError: The port is taken, or another sandbox uses `data_dir`; or this process was forked from
                the one that served it, which has ended.
        """
        if self._running is None:
            with ExitStack() as resources:
                context, contracts = open_context(
                    *(self._data_dir, self._settings, self._scripted_replies, resources),
                    contracts=self._contracts,
                    postbox_key=self._postbox_key,
                )
                server = resources.enter_context(Server(build_app(context), self._port))
                self._running = _Running(context, *contracts, server, resources.pop_all(), os.getpid())
            _all_running[id(self._running)] = self._running
            # A sandbox used in a notebook may never be closed.
            atexit.register(self.close)
        elif self._running.process != os.getpid() and not is_listening(self._running.server.port):
            raise ConfigurationError(
                f"This sandbox was served by process {self._running.process}, which this one was forked from and which "
                "has ended. Call its close(), after which start() or connect('sandbox') begins a new one here."
            )
        return self

    def close(self) -> None:
        """Stop serving, free the port, and remove a temporary folder. Closing again does nothing.

        In a forked child of the process that serves it, only this object is closed; the parent continues serving.
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
        """The contract that reads."""
        return self._require_running().read_contract

    @property
    def origin(self) -> str:
        """Scheme, host and port, such as ``http://127.0.0.1:45439``."""
        return f"http://{HOST}:{self._require_running().server.port}"

    @property
    def base_url(self) -> str:
        """Base URL of the API, an argument of `Client`."""
        return f"{self.origin}/{VERSIONS[0]}/"

    @property
    def onboard_url(self) -> str:
        """Base URL of the consent page, an argument of `Client`."""
        return f"{self.origin}{CONSENT_PATH}/"

    def approve(self, url: str, *, account: str | None = None) -> str:
        """Approve the request of a consent page, as a person does in a browser.

        Args:
            url: Address of the page.
            account: Id of the account that consent is for, which no request says. The pages name the person by it; one
                who has it already is the one who approves. None: it is known once a file is about it.

        Returns:
            The address that the browser is redirected to, which is not requested.

        Raises:
            InputError: The address is not on this sandbox, or the account is no text that can be an id.
            AuthorizationError: The link is unknown, used or expired.
        """
        if account is not None:
            check_accounts([account])
        return submit_consent_form(url, "approve", origin=self.origin, account_id=account)

    def approve_all(
        self, account_ids: Iterable[str], *, access: Access = "write", tokens: TokenStore | None = None
    ) -> list[Authorization]:
        """Approve for many people at once, without a link, a page or a request for each.

        ::

            client.sandbox.approve_all(people, tokens=client.tokens)

        Args:
            account_ids: Ids of the accounts, such as a column of them; each is taken once. A person is added for each
                account of which it is not known whose it is.
            access: ``"write"`` or ``"read"``: which of the two contracts consent is given to.
            tokens: The store of a client, which then has the authorizations. None: they are stored nowhere.

        Returns:
            One authorization per account, in the order in which the accounts come first.

        Raises:
            InputError: A text cannot be an account id, or `access` is neither of the two.
        """
        made = approve_accounts(self._served_context(), account_ids, access)
        if tokens is not None:
            keep_all(made, tokens, self.base_url)
        return made

    def refuse(self, url: str) -> str:
        """Refuse the request of a consent page, as a person does in a browser.

        Args:
            url: Address of the page.

        Returns:
            The address that the browser is redirected to, with ``success=false`` and the error code ``USER_CANCEL``:
            the page's `callback` when it has one, else the redirect URI. It is not requested.

        Raises:
            InputError: The address is not on this sandbox.
            AuthorizationError: The link is unknown, used or expired.
        """
        return submit_consent_form(url, "refuse", origin=self.origin)

    def files(self, account_id: str | None = None) -> list[SandboxFile]:
        """Return the files of the libraries, decrypted, oldest first.

        Args:
            account_id: Only files whose descriptor names this account. None: all files of all people.
        """
        files = self._served_context().library.files()
        return [file for file in files if account_id is None or account_id in file.accounts]

    def expire_access_tokens(self) -> None:
        """Make every access token issued so far expire now."""
        context = self._served_context()
        context.authorizations.expire_access_tokens(context.now())

    def expire_refresh_tokens(self) -> None:
        """Make every refresh token issued so far expire now."""
        context = self._served_context()
        context.authorizations.expire_refresh_tokens(context.now())

    def _require_running(self) -> _Running:
        if self._running is None:
            raise ConfigurationError("The sandbox is not running. Use `with Sandbox() as sandbox:`, or call start().")
        return self._running

    def _served_replies(self) -> ScriptedReplies:
        self._check_process()
        return self._scripted_replies

    def _served_context(self) -> SandboxContext:
        self._check_process()
        return self._require_running().context

    def _check_process(self) -> None:
        if self._running is not None and self._running.process != os.getpid():
            raise ConfigurationError(
                f"This sandbox is served by process {self._running.process}, which this one was forked from. Only "
                "there can its files be looked at and its answers be arranged; here, use it through a client."
            )


def _release_all() -> None:
    """Release, in a forked child, what belongs to the parent."""
    for running in _all_running.values():
        running.server.release_sockets()
        if sys.implementation.name == "cpython":
            # Never freed, because freeing it would act on the parent's database and its lock on `data_dir`.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(running))
    _all_running.clear()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_release_all)
