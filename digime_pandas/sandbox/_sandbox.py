"""The class `Sandbox`: its options, its start and its end."""

from __future__ import annotations

import atexit
import os
import secrets
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self, Unpack

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from digime_pandas._service.authorization import Authorization
from digime_pandas._service.contract import Contract
from digime_pandas.errors import ConfigurationError
from digime_pandas.errors.calls.attributes import NearNames
from digime_pandas.errors.calls.explained import explains_calls
from digime_pandas.sandbox._approvals import TokenStore, approve_accounts, keep_all
from digime_pandas.sandbox._browser import SandboxAddress, origin_of, port_taken
from digime_pandas.sandbox._context import Access, SandboxContext, ScopeMode, ScriptedReplies, Settings
from digime_pandas.sandbox._faults.fault import Call, FaultArguments, fault_of
from digime_pandas.sandbox._faults.plan import InjectedFault
from digime_pandas.sandbox._running import Running, all_running, serve
from digime_pandas.sandbox._scripted_count import ScriptedCount
from digime_pandas.sandbox._server import is_listening
from digime_pandas.sandbox._setup import open_context
from digime_pandas.sandbox._store.data_folder import check_folder, check_port, keep_port, kept_port
from digime_pandas.sandbox._store.library import SandboxFile
from digime_pandas.sandbox._wire.envelope import Compression
from digime_pandas.sandbox._wire.redirect_uris import check_redirects

_DAY = 86400.0  # seconds


class Sandbox(NearNames, SandboxAddress):
    """An embedded digi.me, served over HTTP on this computer alone; a context manager.

    It is served by the process that starts it. A forked child can use it over HTTP, as any other client; methods that
    need the serving process raise `ConfigurationError` there, and `close` leaves the parent's server running.

    Args:
        data_dir: Folder for keys, people, tokens and files, created when it does not exist; a later sandbox with the
            same folder has the same keys, people, tokens and files, and the same port. None: a temporary one, removed
            at close.
        port: TCP port; 0: the one that `data_dir` had, else any free one.
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

    pending_writes = ScriptedCount("How many of the next postbox writes are answered ``pending``, and not stored.")
    pending_lists = ScriptedCount(
        "How many of the next file lists are not complete: ``pending``, the last one ``running``."
    )

    @explains_calls()
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
        self._data_dir = check_folder(data_dir)
        self._port = check_port(port)
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
        self._running: Running | None = None

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
                self._running = self._serve(context, contracts, resources)
            # A sandbox used in a notebook may never be closed.
            atexit.register(self._close_at_exit)
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
            atexit.unregister(self._close_at_exit)
            if running.process == os.getpid():
                del all_running[id(running)]
                running.resources.close()

    def _close_at_exit(self) -> None:
        """Close it when the process ends, without an error in threads that use it until then."""
        if self._running is not None and self._running.process == os.getpid():
            self._running.server.stop_answering()
        self.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        where = self.base_url if self._running is not None else "not running"
        return f"<Sandbox {where}>"

    def _repr_html_(self) -> str:
        if self._running is None:
            return '<p style="margin:4px 0;padding:8px 16px">A sandbox that is not running.</p>'
        return super()._repr_html_()

    @property
    def data_dir(self) -> Path | None:
        """The folder; None: a temporary one."""
        return self._data_dir

    @property
    def is_running(self) -> bool:
        """Whether this process serves it."""
        return self._running is not None and self._running.process == os.getpid()

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
        return origin_of(self._require_running().server.port)

    @explains_calls()
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

    @explains_calls()
    def files(self, account_id: str | None = None) -> list[SandboxFile]:
        """Return the files of the libraries, decrypted, oldest first.

        Args:
            account_id: Only files whose descriptor names this account. None: all files of all people.
        """
        files = self._served_context().library.files()
        return [file for file in files if account_id is None or account_id in file.accounts]

    @explains_calls()
    def fail(
        self, call: Call, *, times: int | None = 1, after: int = 0, **what: Unpack[FaultArguments]
    ) -> InjectedFault:
        """Arrange a fault, to test what an application does then; `heal` takes it back.

        ::

            with sandbox.fail("upload", status=503, retry_after=1, times=2) as fault:
                receipt = visits.digime.write("visits.csv", account_id="patient-17")
            assert (fault.hits, receipt.attempts) == (2, 3)

        Args:
            call: What fails, a row of the first table in `digime_pandas.sandbox.faults`: ``"upload"``, ``"refresh"``...
            times: How many requests it happens to; None: all, until it is taken back.
            after: How many requests of the call are left alone before.
            what: What happens, rows of the second table there: ``status=503``, ``cut="answer"``...

        Returns:
            The fault, with the number of its `hits`; a context manager that takes it back.

        Raises:
            InputError: An argument is not known, has a value it cannot have, or excludes another one.
            ConfigurationError: The sandbox is not running, or another process serves it.
        """
        running = self._served()
        fault = fault_of(call, times, after, what)
        if fault.refused:
            running.server.refuse_connections()
            return running.faults.add(fault, lambda _: running.server.accept_connections())
        injected = running.faults.add(fault, lambda _: None)
        if fault.call == "connect":
            running.server.close_idle_connections()
        return injected

    def heal(self) -> None:
        """Take back all faults that `fail` arranged; what hangs is let go."""
        self._served().faults.heal()

    def expire_access_tokens(self) -> None:
        """Make every access token issued so far expire now."""
        context = self._served_context()
        context.authorizations.expire_access_tokens(context.now())

    def expire_refresh_tokens(self) -> None:
        """Make every refresh token issued so far expire now."""
        context = self._served_context()
        context.authorizations.expire_refresh_tokens(context.now())

    def _serve(self, context: SandboxContext, contracts: tuple[Contract, Contract], resources: ExitStack) -> Running:
        kept = kept_port(self._data_dir)
        try:
            running = serve(context, contracts, self._port or kept, resources)
        except ConfigurationError:
            if self._port or not kept:
                raise
            raise port_taken(str(self._data_dir), kept) from None
        keep_port(self._data_dir, running.server.port)
        return running

    def _require_running(self) -> Running:
        if self._running is None:
            raise ConfigurationError("The sandbox is not running. Use `with Sandbox() as sandbox:`, or call start().")
        return self._running

    def _served_replies(self) -> ScriptedReplies:
        self._check_process()
        return self._scripted_replies

    def _served(self) -> Running:
        self._check_process()
        return self._require_running()

    def _served_context(self) -> SandboxContext:
        return self._served().context

    def _check_process(self) -> None:
        if self._running is not None and self._running.process != os.getpid():
            raise ConfigurationError(
                f"This sandbox is served by process {self._running.process}, which this one was forked from. Only "
                "there can its files be looked at and its answers be arranged; here, use it through a client."
            )
