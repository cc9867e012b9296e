"""What carries requests: connections of this package, or an httpx transport. The only file that imports httpx.

httpx is loaded when it is first used, since that takes long and most processes need nothing of it.

Transports are for callers that pass one of their own. They are used without one of httpx's clients, which would look at
each request for cookies, redirects and credentials: of these there are none here. On all other ways, what httpx makes
of a request and an answer would take longer than sending and receiving them.

What is sent is in clear here, so that the frames of this file are left out of tracebacks, as those of libraries are.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias
from urllib.parse import urlsplit

import httpcore

from digime_pandas._service.http.attempts.deadline import Deadline
from digime_pandas._service.http.attempts.own_thread import OwnThread
from digime_pandas._service.http.backends.choice import backend_of
from digime_pandas._service.http.carrying.line import Line, LineAnswer
from digime_pandas._service.http.connections import ERRORS, Connections, Head
from digime_pandas._service.http.environment import Route, is_host, tls_context
from digime_pandas._service.http.opening import Origin
from digime_pandas._service.http.request import Request
from digime_pandas._service.http.request_body import RequestBody
from digime_pandas.errors import ConfigurationError, DigimeError

_LIBRARY = "httpx"  # or another module with its interface

if TYPE_CHECKING:
    import httpx
else:

    class _LoadedWhenUsed:
        def __getattr__(self, name: str) -> Any:
            return getattr(import_module(_LIBRARY), name)

    httpx = _LoadedWhenUsed()

Transport: TypeAlias = "httpx.BaseTransport"
ReadTimeout = httpcore.ReadTimeout

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
# In which httpx would change nothing: of the host, neither case nor digits that look like an address.
_PLAIN_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>localhost|127\.0\.0\.1|(?:[a-z0-9-]+\.)+[a-z]{2,})(?::(?P<port>[1-9]\d{0,4}))?"
    r"(?P<path>(?:/[\w~%-][\w.~%-]*)*/?)",
    re.ASCII,
)
_LASTING = "is_lasting"
_PLAIN_PATH = re.compile(r"(/[\w~%-][\w.~%-]*)+", re.ASCII)


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
    return TransportLine(transport)


def is_url(text: str) -> bool:
    """Tell whether a text is an address that can be used."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    if not _PLAIN_URL.fullmatch(text) and not _is_url_of_httpx(text):
        return False
    return not parts.hostname or is_host(parts.hostname)


def _is_url_of_httpx(text: str) -> bool:
    try:
        httpx.URL(text)
    except (ValueError, httpx.InvalidURL):
        return False
    return True


class NoAnswer(NamedTuple):
    """Why there is no answer to a request.

    Attributes:
        error: What was raised, as an error of httpx without secrets.
        reason: What it says, if that may be shown, else its name.
        arrived: Whether the service may have got the request, or a part of it.
        lasting: Whether there would be no connection the next time either: the name or the certificate is wrong.
    """

    error: httpx.RequestError
    reason: str
    arrived: bool
    lasting: bool


def is_no_answer(error: BaseException) -> bool:
    """Tell whether an error says that there is no answer."""
    if isinstance(error, ERRORS):
        return True
    return sys.modules.get(_LIBRARY) is not None and isinstance(error, httpx.RequestError)


def no_answer(error: BaseException, method: str, address: str) -> NoAnswer:
    """Return why there is no answer.

    Args:
        error: One of which `is_no_answer` is true.
        method: Of the request.
        address: Of the request, masked.
    """
    known = _known(error)
    # It may hold the request: pickling that, as Dask does, would copy the token.
    known.request = httpx.Request(method, address)
    # A header that is refused is quoted.
    reason = "" if isinstance(known, httpx.LocalProtocolError) else str(known)
    never = httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.ProxyError
    return NoAnswer(known, reason or type(known).__name__, not isinstance(known, never), hasattr(known, _LASTING))


def is_lasting(error: DigimeError) -> bool:
    """Tell whether the same request would get no answer the next time either."""
    return hasattr(error.cause, _LASTING)


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
    if is_unknown_host or UNTRUSTED in str(known):
        setattr(known, _LASTING, True)  # which stays with it when it is pickled
    return known


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
        origin, host, target = _plain_way(url) or _way_by_httpx(url)
        if found is not None:
            self._known[found[1]] = origin, host
        return origin, host, target


def _plain_way(url: str) -> tuple[Origin, str, str] | None:
    """Return what `_way_by_httpx` does, without loading httpx; None of an address in which it may change something."""
    found = _PLAIN_URL.fullmatch(url)
    if found is None or not _PLAIN_PATH.fullmatch(found["path"] or ""):
        return None
    port, usual = int(found["port"] or 0), _DEFAULT_PORTS[found["scheme"]]
    host = found["host"] if port in {0, usual} else f"{found['host']}:{port}"
    return Origin(found["scheme"] == "https", found["host"], port or usual), host, found["path"]


def _way_by_httpx(url: str) -> tuple[Origin, str, str]:
    parsed = httpx.URL(url)
    port = parsed.port or _DEFAULT_PORTS[parsed.scheme]
    origin = Origin(parsed.scheme == "https", parsed.raw_host.decode(), port)
    return origin, parsed.netloc.decode(), parsed.raw_path.decode()


class TransportLine:
    """Carries requests over an httpx transport.

    Args:
        transport: The transport.
    """

    copies_body = True  # it may collect the pieces

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    def open(self, request: Request, body: RequestBody | None, timeout: float, deadline: Deadline) -> LineAnswer:
        """Send a request; return the answer to it as soon as its head is there."""
        seconds = deadline.step(timeout, httpx.ConnectTimeout)
        timeouts = dict.fromkeys(("connect", "read", "write", "pool"), seconds)
        answer = _TransportAnswer(body or (), deadline)
        url, fields = request.in_clear()
        content = None if body is None else answer.thread.taken()
        made = httpx.Request(
            request.method, url, headers={**_FIELDS, **fields}, content=content, extensions={"timeout": timeouts}
        )
        try:
            answer.begin(lambda: self.transport.handle_request(made))
        except BaseException:
            if body is not None and answer.thread.is_left:
                body.leave()
            answer.close()
            raise
        return answer

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


class _TransportAnswer:
    """An answer of a transport, which may wait for longer than it is told to: it is asked in a thread of its own.

    Args:
        body: Pieces of the request's body, for the thread.
        deadline: When all of it has to be over.
    """

    status: int
    fields: Mapping[str, str]

    def __init__(self, body: Iterable[bytes], deadline: Deadline) -> None:
        self.is_over = False
        self._response: httpx.Response | None = None
        self.thread = OwnThread(body, deadline, ReadTimeout, self._finish)
        self.close = self.thread.close

    def begin(self, send: Callable[[], httpx.Response]) -> None:
        """Send the request, and wait for the head of the answer."""

        def received() -> httpx.Response:
            self._response = send()
            return self._response

        response = self.thread.call(received)
        self.status = response.status_code
        self.fields = {name.lower(): value for name, value in response.headers.items()}
        self.pieces = self._pieces(response)

    def _pieces(self, response: httpx.Response) -> Iterator[bytes]:
        pieces = response.iter_bytes()
        while piece := self.thread.call(lambda: next(pieces, b"")):
            yield piece

    def _finish(self) -> None:
        if self._response is not None:
            self._response.close()


def _line_of_route(route: Route, clock: Callable[[], float]) -> Line:
    # Where there is no TLS, authorities take long to load in vain; a context without any trusts nothing.
    context = route.context
    if context is None:
        default = _trusting_certifi
        context = tls_context(default) if route.secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.set_alpn_protocols(["http/1.1"])  # of one of the caller's, nothing is changed
    proxy = route.proxy
    if proxy is not None and not is_url(f"http://{proxy.netloc}"):
        raise ConfigurationError(f"{proxy.variable} names a proxy whose host is no name that can be used. Correct it.")
    return DirectLine(Connections(context, backend_of(route, context, clock), clock))


def _trusting_certifi() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)


def _is_separable(transport: Transport) -> bool:
    if isinstance(transport, httpx.HTTPTransport):
        return hasattr(transport._pool, "_optional_thread_lock")  # noqa: SLF001 - see `TransportLine.leave`
    return isinstance(transport, httpx.MockTransport | httpx.WSGITransport)  # these have no connections
