"""The loopback listener: a small web server on this computer that the consent page sends the browser back to."""

from __future__ import annotations

import html
import os
import socket
import socketserver
import threading
import time
import weakref
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from string import Template
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.oauth.redirect import MAXIMUM_REDIRECT_LENGTH
from digime_pandas._service.process import ClosesAtExit, reset_after_fork
from digime_pandas.errors import (
    AuthorizationError,
    AuthorizationTimeoutError,
    ConfigurationError,
    RedirectError,
)

T = TypeVar("T")

RedirectHandler = Callable[[Secret[str]], T | AuthorizationError]

_ADDRESS = "127.0.0.1"
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
_REQUEST_SECONDS = 5.0
_MAXIMUM_CONNECTIONS = 32
_POLL_SECONDS = 0.01
# Bounded slices keep Ctrl-C alive where a lock's wait cannot be interrupted (Windows).
_WAIT_SECONDS = 0.2

_PAGE = Path(__file__).with_name("done.html").read_text(encoding="utf-8")
_STYLE = _PAGE.partition("<style>")[2].partition("</style>")[0]
_STYLE_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Connection": "close",
}
_BACK = "You can close this tab and go back to your notebook."


class LoopbackListener(ClosesAtExit, Generic[T]):
    """Waits on ``127.0.0.1`` for the browser to come back from the consent page.

    Listens from the moment it is made, in a thread of its own, until it is closed or garbage collected. It replies to
    every request with a small page, never logs, and accepts nothing but ``GET`` on its own path.

    Args:
        port: Port to listen on; 0 takes any that is free.
        path: Path of the address, such as ``/digime``.
        handler: Parses a redirected address, masked; returns what `wait` is to return, or an error. A `RedirectError`
            is shown to the person and the wait goes on; any other error is shown too and ends the wait, since consent
            was refused for good. Called in a thread of the listener, with one address at a time. It must not hold a
            reference to the listener, or that is never garbage collected.
        public_url: Address under which a proxy passes requests on to this port, path included, where the browser runs
            on another computer than this process. Default: the loopback address itself.
        clock: Monotonic clock, in seconds, for time-outs.

    Raises:
        ConfigurationError: The port cannot be listened on, or `public_url` is not an absolute http(s) address.

    Attributes:
        url: The address to give the consent page as the place to come back to.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        path: str = "/digime",
        handler: RedirectHandler[T],
        public_url: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        hosts = LOOPBACK_HOSTS if public_url is None else LOOPBACK_HOSTS | {_public_host(public_url)}
        try:
            self._server: _Server[T] = _Server(port, path, handler, hosts, clock)
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise ConfigurationError(
                f"Port {port} on {_ADDRESS} cannot be listened on ({reason}). Pass another port, or 0 for any."
            ) from error
        self._clock = clock
        self.url = public_url or f"http://{_ADDRESS}:{self._server.server_address[1]}{path}"
        thread = threading.Thread(target=self._server.run, name="digime-redirect", daemon=True)
        thread.start()
        self._finalizer = weakref.finalize(self, _stop, self._server, thread)
        reset_after_fork(self, LoopbackListener._leave)

    def wait(self, timeout: float) -> T:
        """Wait for the redirect.

        Args:
            timeout: Seconds to wait at most.

        Returns:
            What `handler` made of the redirected address.

        Raises:
            AuthorizationTimeoutError: No redirect came in time. The listener goes on listening.
            AuthorizationError: `handler` returned this error; or the listener was closed, here or in another thread;
                or it is the one of the process that this one was forked from.
        """
        deadline = self._clock() + timeout
        arrived = self._server.arrived
        while not arrived.wait(max(0.0, min(_WAIT_SECONDS, deadline - self._clock()))):
            if self._clock() >= deadline:
                raise AuthorizationTimeoutError(
                    f"Nobody came back from the consent page within {timeout:g} seconds. Open the link and wait "
                    "again; or, where the consent page ends in an error, pass that tab's address to flow.complete()."
                )
        result = self._server.result
        if result is None and self._server.left:
            raise AuthorizationError(
                "The browser comes back to the process that began this authorization, which this one was forked from. "
                "Wait there; or pass the address the browser ends at to flow.complete()."
            )
        if result is None:
            raise AuthorizationError("Authorization was cancelled: its listener was closed before anybody came back.")
        if isinstance(result, AuthorizationError):
            raise result.with_traceback(None)  # or each wait would add to the traceback of the one before
        return result

    def close(self) -> None:
        """Stop the thread and free the port. May be called again; a `wait` in another thread ends."""
        self._finalizer()

    def _leave(self) -> None:
        self._finalizer.detach()
        self._server.leave()

    def __repr__(self) -> str:
        if not hasattr(self, "_finalizer"):  # a traceback may show one that could not be made
            return "LoopbackListener()"
        return f"LoopbackListener(url={self.url!r}, open={self._finalizer.alive})"


class _Server(socketserver.TCPServer, Generic[T]):
    """Serves every connection in a thread of its own, few at a time and each for a few seconds only."""

    # On Windows this option would let another program take over a port that is in use.
    allow_reuse_address = os.name == "posix"
    request_queue_size = _MAXIMUM_CONNECTIONS
    timeout = _POLL_SECONDS

    def __init__(
        self, port: int, path: str, handler: RedirectHandler[T], hosts: frozenset[str], clock: Callable[[], float]
    ) -> None:
        self.path = path
        self.hosts = hosts
        self.result: T | AuthorizationError | None = None
        self.arrived = threading.Event()
        self.closing = threading.Event()
        self.left = False
        self.workers: dict[threading.Thread, tuple[socket.socket, float]] = {}
        self.handler = handler
        self.handler_lock = threading.Lock()
        self._clock = clock
        super().__init__((_ADDRESS, port), _Handler)

    def run(self) -> None:
        """Serve until `closing` is set, then leave no connection and no thread behind."""
        with self:
            while not self.closing.is_set():
                self.handle_request()
                self._cut_off(self._clock())
        for worker in self._cut_off(float("inf")):
            worker.join(_REQUEST_SECONDS)

    def leave(self) -> None:
        """Leave serving to the parent, in a forked child: the port is free once the parent has closed it."""
        self.left = True
        self.arrived = threading.Event()  # the parent's may be locked by a thread that is not here
        self.arrived.set()
        self.socket.close()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Hand the connection to a thread, so that a slow browser delays no other one."""
        if len(self.workers) >= _MAXIMUM_CONNECTIONS:
            self.shutdown_request(request)
            return
        worker = threading.Thread(target=self._answer, args=(request, client_address), daemon=True)
        self.workers[worker] = (request, self._clock() + _REQUEST_SECONDS)
        worker.start()

    def _answer(self, request: Any, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except OSError:
            pass  # the browser went away, or was too slow and was cut off
        finally:
            self.shutdown_request(request)
            self.workers.pop(threading.current_thread(), None)

    def _cut_off(self, now: float) -> list[threading.Thread]:
        late = [(worker, request) for worker, (request, until) in list(self.workers.items()) if until <= now]
        for _, request in late:
            with suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)
        return [worker for worker, _ in late]


class _Handler(BaseHTTPRequestHandler):
    server: _Server[Any]
    timeout = _REQUEST_SECONDS
    server_version = "digime-pandas"
    sys_version = ""

    def do_GET(self) -> None:
        if not self._is_allowed():
            self.send_error(HTTPStatus.FORBIDDEN, explain="Open this address in a tab of a browser on this computer.")
        elif self.path.partition("?")[0] != self.server.path:
            self.send_error(HTTPStatus.NOT_FOUND, explain="Only the consent page leads here, and to another address.")
        elif len(self.path) > MAXIMUM_REDIRECT_LENGTH:
            self.send_error(HTTPStatus.REQUEST_URI_TOO_LONG, explain="No consent page redirects to so long an address.")
        else:
            self._handle(Secret(f"http://{_ADDRESS}:{self.server.server_address[1]}{self.path}"))

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Reply with this package's page to every error, those of the parser included."""
        status = HTTPStatus(code)
        if status is HTTPStatus.NOT_IMPLEMENTED:
            status = HTTPStatus.METHOD_NOT_ALLOWED
        self._show(status, "This address cannot be used", explain or message or status.phrase, "bad")

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: a request's address holds the code."""

    def _is_allowed(self) -> bool:
        # A name that merely resolves to this computer (DNS rebinding) is refused; and a page elsewhere may embed this
        # address, but only a person's browser navigates to it.
        hosts = self.headers.get_all("Host", [])
        mode = self.headers.get("Sec-Fetch-Mode", "navigate")
        return len(hosts) == 1 and _hostname(f"//{hosts[0]}") in self.server.hosts and mode == "navigate"

    def _handle(self, redirected: Secret[str]) -> None:
        server = self.server
        with server.handler_lock:
            if server.result is not None:
                self._show(HTTPStatus.OK, "Already received", f"This authorization is over. {_BACK}")
                return
            result = server.handler(redirected)
            if isinstance(result, RedirectError):
                self._show(HTTPStatus.BAD_REQUEST, "That is not the address we are waiting for", str(result), "bad")
                return
            server.result = result
        try:
            if isinstance(result, AuthorizationError):
                self._show(HTTPStatus.OK, "Nothing was authorized", f"{result} {_BACK}", "bad")
            else:
                self._show(HTTPStatus.OK, "Consent received", _BACK)
        finally:
            # Set after the page was sent: closing the listener could cut the page off.
            server.arrived.set()

    def _show(self, status: HTTPStatus, title: str, text: str, kind: str = "good") -> None:
        page = Template(_PAGE).substitute(title=html.escape(title), text=html.escape(text), kind=kind).encode()
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(page)))
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(page)


def _stop(server: _Server[Any], thread: threading.Thread) -> None:
    server.closing.set()
    server.arrived.set()
    # The garbage collector may run this in one of the listener's own threads, which cannot wait for itself.
    if threading.current_thread() not in {thread, *server.workers}:
        thread.join()


def _hostname(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


def _public_host(public_url: str) -> str:
    host = _hostname(public_url)
    if host is None or not public_url.startswith(("https://", "http://")):
        raise ConfigurationError(f"public_url is {public_url!r}; pass an absolute http(s) address, path included.")
    return host
