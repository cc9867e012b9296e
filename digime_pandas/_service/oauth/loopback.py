"""The loopback listener: waits on this computer for the consent page to send the browser back."""

from __future__ import annotations

import errno
import time
import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

from digime_pandas._service.oauth.loopback_server import (
    SERVERS,
    AwaitedRedirect,
    LoopbackServer,
    RedirectHandler,
    address_of,
    hostname_of,
)
from digime_pandas._service.oauth.pages.page import Page
from digime_pandas._service.process import ClosesAtExit, reset_after_fork
from digime_pandas.errors import (
    AuthorizationError,
    AuthorizationTimeoutError,
    ConfigurationError,
)

T = TypeVar("T")

# Browsers take "localhost" for either, and try IPv6 first.
_ADDRESSES = {"localhost": ("127.0.0.1", "::1")}
_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
_NO_SUCH_ADDRESS = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
_NOT_ALLOWED = {errno.EACCES, errno.EPERM}
# Bounded slices keep Ctrl-C alive where a lock's wait cannot be interrupted (Windows).
_WAIT_SECONDS = 0.2
_PASTE = "paste the address that the browser ends at into: digime-pandas authorize --address -"


class LoopbackListener(ClosesAtExit, Generic[T]):
    """Waits on this computer for the browser to come back from the consent page.

    Listens from the moment it is made until it is closed or garbage collected. Listeners of one process that have the
    same port share it: each one gets the redirect that its handler takes. A listener replies to every request with a
    small page, never logs, and accepts nothing but ``GET`` on its own path.

    Args:
        host: ``localhost``, for both loopback addresses where there are both, or one of them.
        port: Port to listen on; 0 takes any that is free.
        path: Path of the address, such as ``/digime``.
        handler: Parses a redirected address, masked; returns what `wait` is to return, or an error. A `RedirectError`
            is shown to the person and the wait goes on; any other error is shown too and ends the wait, since consent
            was refused for good. Called in a thread of the listener. It must not hold a reference to the listener, or
            that is never garbage collected.
        public_url: Address under which a proxy passes requests on to this port, path included, where the browser runs
            on another computer than this process. Default: the loopback address itself.
        clock: Monotonic clock, in seconds, for time-outs.

    Raises:
        ConfigurationError: The port cannot be listened on, or `public_url` is not an absolute http(s) address.

    Attributes:
        url: The address to give the consent page as the place to come back to.
        port: The port that is listened on.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        path: str = "/digime",
        handler: RedirectHandler[T],
        public_url: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        hosts = _HOSTS | {host} if public_url is None else _HOSTS | {host, _public_host(public_url)}
        self._awaited = AwaitedRedirect(path, hosts, handler)
        servers = _listen(_ADDRESSES.get(host, (host,)), port, self._awaited, clock)
        self._clock = clock
        self.port = servers[0].place[1]
        self.url = public_url or f"{address_of(host, self.port)}{path}"
        self._finalizer = weakref.finalize(self, _stop, servers, self._awaited)
        reset_after_fork(self, LoopbackListener._leave)

    def wait(self, timeout: float, *, reports: bool = False) -> T:
        """Wait for the redirect.

        Args:
            timeout: Seconds to wait at most.
            reports: Have the person's page wait for `report`, so that it says what becomes of their consent.

        Returns:
            What `handler` made of the redirected address.

        Raises:
            AuthorizationTimeoutError: No redirect came in time. The listener goes on listening.
            AuthorizationError: `handler` returned this error; or the listener was closed, here or in another thread;
                or it is the one of the process that this one was forked from.
        """
        self._awaited.reporters += reports
        try:
            return self._wait(timeout)
        finally:
            self._awaited.reporters -= reports

    def report(self, page: Page) -> None:
        """Show the person what became of their consent, where a page waits for that."""
        self._awaited.report(page)

    def _wait(self, timeout: float) -> T:
        deadline = self._clock() + timeout
        awaited = self._awaited
        while not awaited.arrived.wait(max(0.0, min(_WAIT_SECONDS, deadline - self._clock()))):
            if self._clock() >= deadline:
                raise AuthorizationTimeoutError(
                    f"Nobody came back from the consent page within {timeout:g} seconds.",
                    remedy="Open the link and wait again; or, where the consent page ends in an error, pass that tab's "
                    "address to flow.complete().",
                    command=f"Authorize again; or, where the consent page ends in an error, {_PASTE}",
                )
        result = awaited.result
        if result is None and awaited.left:
            raise AuthorizationError(
                "The browser comes back to the process that began this authorization, which this one was forked from.",
                remedy="Wait there; or pass the address the browser ends at to flow.complete().",
                command=f"Wait there; or {_PASTE}",
            )
        if result is None:
            raise AuthorizationError("Authorization was cancelled: its listener was closed before anybody came back.")
        if isinstance(result, AuthorizationError):
            raise result.with_traceback(None)  # or each wait would add to the traceback of the one before
        return result

    def close(self) -> None:
        """Stop listening, and free the port unless others share it. May be called again; a `wait` elsewhere ends."""
        self._finalizer()

    def _leave(self) -> None:
        self._finalizer.detach()

    def __repr__(self) -> str:
        if not hasattr(self, "_finalizer"):  # a traceback may show one that could not be made
            return "LoopbackListener()"
        return f"LoopbackListener(url={self.url!r}, open={self._finalizer.alive})"


def _listen(
    addresses: tuple[str, ...], port: int, awaited: AwaitedRedirect[T], clock: Callable[[], float]
) -> list[LoopbackServer]:
    """Listen on one port of those of the addresses that this computer has."""
    servers: list[LoopbackServer] = []
    failure: OSError | OverflowError | None = None
    for address in addresses:
        try:
            servers.append(SERVERS.open(address, port, awaited, clock))
        except (OSError, OverflowError) as error:
            failure = error
            if getattr(error, "errno", None) not in _NO_SUCH_ADDRESS:
                _stop(servers, awaited)
                servers = []
                break
        else:
            port = servers[-1].place[1]
    if not servers:
        raise ConfigurationError(_reason(address, port, failure)) from failure
    return servers


def _reason(address: str, port: int, error: OSError | OverflowError | None) -> str:
    code = getattr(error, "errno", None)
    if code == errno.EADDRINUSE:
        return (
            f"Port {port} of this computer is in use by another program, such as another notebook. Stop that one, or "
            "register a redirect_uri with another port on the contract."
        )
    if code in _NOT_ALLOWED:
        return (
            f"Port {port} of this computer may not be listened on ({getattr(error, 'strerror', error)}): ports below "
            "1024 are for administrators. Register a redirect_uri with a higher port on the contract."
        )
    if code in _NO_SUCH_ADDRESS:
        return (
            f"Port {port} cannot be listened on at {address}, an address that this computer does not have. Register "
            "a redirect_uri on 'localhost' on the contract."
        )
    return f"Port {port} of this computer cannot be listened on ({error}). Choose one from 1024 to 65535."


def _stop(servers: list[LoopbackServer], awaited: AwaitedRedirect[T]) -> None:
    for server in servers:
        SERVERS.close(server, awaited)
    awaited.arrived.set()


def _public_host(public_url: str) -> str:
    host = hostname_of(public_url)
    if host is None or not public_url.lower().startswith(("https://", "http://")):
        raise ConfigurationError(f"public_url is {public_url!r}; pass an absolute http(s) address, path included.")
    return host
