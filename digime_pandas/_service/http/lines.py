"""What carries requests: connections of this package, or an httpx transport. The only file that imports httpx.

Transports are for proxies of HTTP, and for callers that pass one of their own. They are used without one of httpx's
clients, which would look at each request for cookies, redirects and credentials: of these there are none here. On the
direct way, what httpx makes of a request and an answer takes longer than sending and receiving them.

What is sent is in clear here, so that the frames of this file are left out of tracebacks, as those of libraries are.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

import httpcore
import httpx

from digime_pandas._service.http.attempts.deadline import Deadline
from digime_pandas._service.http.connections import ERRORS, Connections, Head, Origin
from digime_pandas._service.http.environment import HTTP_PROXIES, Route, is_host, tls_context
from digime_pandas._service.http.request import Request
from digime_pandas._service.http.request_body import RequestBody
from digime_pandas._service.http.socks import SocksBackend
from digime_pandas.errors import ConfigurationError, DigimeError

Transport = httpx.BaseTransport
NO_ANSWER = (httpx.RequestError, *ERRORS)
"""What is raised where there is no answer."""
ReadTimeout = httpx.ReadTimeout

_LIMITS = httpx.Limits()  # none: as many connections as threads send, all of which are kept
_FIELDS = {
    "Accept": "*/*",
    "Accept-Encoding": "identity",  # a few bytes that are compressed stand for any number of others
    "Connection": "keep-alive",
    "User-Agent": "digime-pandas",
}
UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"
"""What OpenSSL says first of a certificate that it does not trust."""
# Of a name server that answered. EAI_AGAIN, which is what one that does not answer leads to, may pass.
_NO_SUCH_HOST = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
_DEFAULT_PORTS = {"http": 80, "https": 443}
_URL = re.compile(r"(https?://[^/?#]+)(/.*)", re.ASCII)
# In which httpx would change nothing.
_PLAIN_PATH = re.compile(r"(/[\w~%-][\w.~%-]*)+", re.ASCII)


class LineAnswer(Protocol):
    """An answer."""

    @property
    def status(self) -> int:
        """Its HTTP status."""

    @property
    def fields(self) -> Mapping[str, str]:
        """Its header fields, names in lower case."""

    @property
    def pieces(self) -> Iterable[bytes]:
        """Its body, to be iterated once."""

    @property
    def is_over(self) -> bool:
        """Whether its connection can carry another request: it need not be closed."""

    def close(self) -> None:
        """Leave the connection to another request."""


class Line(Protocol):
    """Carries requests.

    Attributes:
        copies_body: Whether pieces of a body may be collected before they are sent.
    """

    copies_body: bool

    def open(self, request: Request, body: RequestBody | None, timeout: float, deadline: Deadline) -> LineAnswer:
        """Send a request; return the answer to it as soon as its head is there.

        Args:
            request: The request.
            body: Its body.
            timeout: Seconds that one step (connecting, one read, one write) may take.
            deadline: When all of it, and the body of the answer, has to be over.

        Raises:
            Exception: One of `NO_ANSWER`, if there is none; iterating the answer may raise these, too.
        """

    def close(self) -> None:
        """Close all connections."""

    def leave(self) -> None:
        """Close a forked child's copies of its parent's connections; nothing is sent on them."""


def make_line(transport: Transport | None, route: Route, clock: Callable[[], float], made_in: int) -> Line:
    """Return what carries the requests of this process.

    Args:
        transport: What the caller wants to be used.
        route: How requests get to the service, where that is None.
        clock: Monotonic clock, in seconds.
        made_in: Id of the process in which `transport` was given.

    Raises:
        ConfigurationError: `transport` cannot be used in this process, or `route` cannot be used.
    """
    if transport is None:
        return _line_of_route(route, clock)
    if os.getpid() != made_in and not _is_separable(transport):
        raise ConfigurationError(
            f"This client was made before the process was forked, and its transport ({type(transport).__name__}) may "
            "hold connections of the parent process. Make a client, with a transport of its own, in each process."
        )
    return TransportLine(transport, copies_body=True)


def is_url(text: str) -> bool:
    """Tell whether a text is an address that can be used."""
    try:
        parts = urlsplit(text)
        _ = parts.port, httpx.URL(text)
    except (ValueError, httpx.InvalidURL):
        return False
    return not parts.hostname or is_host(parts.hostname)


class LastingConnectError(httpx.ConnectError):
    """There is no connection, and there would be none the next time: the name or the certificate is wrong."""


class NoAnswer(NamedTuple):
    """Why there is no answer to a request.

    Attributes:
        error: What was raised, as an error of httpx without secrets.
        reason: What it says, if that may be shown, else its name.
        arrived: Whether the service may have got the request, or a part of it.
    """

    error: httpx.RequestError
    reason: str
    arrived: bool


def no_answer(error: BaseException, method: str, address: str) -> NoAnswer:
    """Return why there is no answer.

    Args:
        error: One of `NO_ANSWER`.
        method: Of the request.
        address: Of the request, masked.
    """
    known = _known(error)
    # It may hold the request: pickling that, as Dask does, would copy the token.
    known.request = httpx.Request(method, address)
    # A header that is refused is quoted.
    reason = "" if isinstance(known, httpx.LocalProtocolError) else str(known)
    never = httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.ProxyError
    return NoAnswer(known, reason or type(known).__name__, not isinstance(known, never))


def is_lasting(error: DigimeError) -> bool:
    """Tell whether the same request would get no answer the next time either."""
    return isinstance(error.cause, LastingConnectError)


def is_timeout(error: DigimeError) -> bool:
    """Tell whether an error is that of a time-out."""
    return isinstance(error.cause, httpx.TimeoutException)


def _known(error: BaseException) -> httpx.RequestError:
    """Return an error as one of httpx."""
    known = error if isinstance(error, httpx.RequestError) else getattr(httpx, type(error).__name__)(str(error))
    if type(known) is not httpx.ConnectError:
        return known
    root: BaseException = error
    while (below := root.__cause__ or root.__context__) is not None:
        root = below
    is_unknown_host = isinstance(root, socket.gaierror) and root.errno in _NO_SUCH_HOST
    return LastingConnectError(str(known)) if is_unknown_host or UNTRUSTED in str(known) else known


class DirectLine:
    """Carries requests over connections of this package.

    Args:
        connections: The connections.
    """

    copies_body = False

    def __init__(self, connections: Connections) -> None:
        self.connections = connections
        self._known: dict[str, tuple[Origin, str]] = {}

    def open(self, request: Request, body: RequestBody | None, timeout: float, deadline: Deadline) -> LineAnswer:
        """Send a request; return the answer to it as soon as its head is there."""
        url, fields = request.in_clear()
        origin, host, target = self._way(url)
        length = 0 if body is None else request.size
        framed = {"Transfer-Encoding": "chunked"} if length is None else {}
        head = Head(request.method, target, {"Host": host, **_FIELDS, **fields, **framed}, length)
        return self.connections.exchange(origin, head, () if body is None else body, timeout=timeout, deadline=deadline)

    def close(self) -> None:
        """Close all connections."""
        self.connections.close()

    leave = close

    def _way(self, url: str) -> tuple[Origin, str, str]:
        """Return where an address leads, what to call that, and what to ask for there."""
        found = _URL.fullmatch(url)
        if found is not None and found[1] in self._known and _PLAIN_PATH.fullmatch(found[2]):
            return *self._known[found[1]], found[2]
        parsed = httpx.URL(url)
        port = parsed.port or _DEFAULT_PORTS[parsed.scheme]
        origin, host = Origin(parsed.scheme == "https", parsed.raw_host.decode(), port), parsed.netloc.decode()
        if found is not None:
            self._known[found[1]] = origin, host
        return origin, host, parsed.raw_path.decode()


class DirectBackend(httpcore.SyncBackend):
    """Connects to whichever address of a host takes it, within `timeout` seconds for all of them."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to a host.

        Raises:
            httpcore.ConnectError: There is no such host, or none of its addresses takes a connection.
            httpcore.ConnectTimeout: None did so in time.
        """
        try:
            found = {each[4][0]: None for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in map(str, found):
            try:
                share = None if timeout is None else timeout / len(found)
                return super().connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


class TransportLine:
    """Carries requests over an httpx transport.

    Args:
        transport: The transport.
        copies_body: Whether it may collect the pieces of a body.
    """

    def __init__(self, transport: Transport, *, copies_body: bool) -> None:
        self.transport = transport
        self.copies_body = copies_body

    def open(self, request: Request, body: RequestBody | None, timeout: float, deadline: Deadline) -> LineAnswer:
        """Send a request; return the answer to it as soon as its head is there."""
        seconds = deadline.step(timeout, httpx.ConnectTimeout)
        timeouts = dict.fromkeys(("connect", "read", "write", "pool"), seconds)
        url, fields = request.in_clear()
        content = None if body is None else _within(deadline, body)
        made = httpx.Request(
            request.method, url, headers={**_FIELDS, **fields}, content=content, extensions={"timeout": timeouts}
        )
        return _TransportAnswer(self.transport.handle_request(made))

    def close(self) -> None:
        """Close all connections."""
        self.transport.close()

    def leave(self) -> None:
        """Close a forked child's copies of its parent's connections; nothing is sent on them."""
        if isinstance(self.transport, httpx.HTTPTransport) and _is_separable(self.transport):
            # What threads of the parent hold or wait for is never released here: they do not exist in the child.
            pool: Any = self.transport._pool  # noqa: SLF001 - nothing public leads there
            pool._optional_thread_lock = type(pool._optional_thread_lock)()  # noqa: SLF001 - as above
            pool._requests = [each for each in pool._requests if not each.is_queued()]  # noqa: SLF001 - as above
            self.transport.close()


def _within(deadline: Deadline, body: RequestBody) -> Iterator[bytes]:
    """Yield the pieces of a body as long as there is time."""
    for piece in body:
        deadline.step(0.0, httpx.WriteTimeout)
        yield piece
        deadline.moved(len(piece))


class _TransportAnswer:
    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.fields = {name.lower(): value for name, value in response.headers.items()}
        self.pieces = response.iter_bytes()
        self.is_over = False
        self.close = response.close


def _line_of_route(route: Route, clock: Callable[[], float]) -> Line:
    # Where there is no TLS, authorities take long to load in vain; a context without any trusts nothing.
    context = route.context
    if context is None:
        default = partial(httpx.create_ssl_context, trust_env=False)
        context = tls_context(default) if route.secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.set_alpn_protocols(["http/1.1"])  # of one of the caller's, nothing is changed
    proxy = route.proxy
    if proxy is None:
        return DirectLine(Connections(context, DirectBackend(), clock))
    if not is_url(f"http://{proxy.netloc}"):
        raise ConfigurationError(f"{proxy.variable} names a proxy whose host is no name that can be used. Correct it.")
    if proxy.scheme not in HTTP_PROXIES:
        return DirectLine(Connections(context, SocksBackend(proxy), clock))
    auth = None if proxy.credentials is None else proxy.credentials.reveal()
    to_proxy = context if proxy.scheme == "https" else None
    by_way_of = httpx.Proxy(f"{proxy.scheme}://{proxy.netloc}", auth=auth, ssl_context=to_proxy)
    return TransportLine(httpx.HTTPTransport(verify=context, limits=_LIMITS, proxy=by_way_of), copies_body=False)


def _is_separable(transport: Transport) -> bool:
    if isinstance(transport, httpx.HTTPTransport):
        return hasattr(transport._pool, "_optional_thread_lock")  # noqa: SLF001 - see `TransportLine.leave`
    return isinstance(transport, httpx.MockTransport | httpx.WSGITransport)  # these have no connections
