"""A small web server on one port of this computer, shared by all listeners of this process that use the port."""

from __future__ import annotations

import os
import socket
import socketserver
import threading
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.oauth.pages.page import BACK, HEADERS, RECEIVED, Page, refused
from digime_pandas._service.oauth.redirect import MAXIMUM_REDIRECT_LENGTH
from digime_pandas._service.process import reset_after_fork
from digime_pandas.errors import AuthorizationError, RedirectError

T = TypeVar("T")

RedirectHandler = Callable[[Secret[str]], T | AuthorizationError]

_REQUEST_SECONDS = 5.0
_MAXIMUM_CONNECTIONS = 32
_POLL_SECONDS = 0.01

# How long a page waits for what becomes of the consent, and what told it waits until it was sent.
_OUTCOME_SECONDS = 3.0
_SENDING_SECONDS = 2.0

_SEVERAL = (
    "Several authorizations wait here, and this address does not say which of them it belongs to. Go back to your "
    "notebook, and cancel the one that is meant there."
)


class AwaitedRedirect(Generic[T]):
    """The redirect that one listener waits for.

    Args:
        path: Path of the address, such as ``/digime``.
        hosts: What a request's ``Host`` may be.
        handler: As for `LoopbackListener`.

    Attributes:
        result: What the handler made of the redirect; None until it came.
        arrived: Set when there is a result and its page was sent, or waits for what becomes of it; or when the listener
            is closed.
        reporters: How many wait for the result and tell by `report` what becomes of it.
        left: Whether this process was forked from the one that listens.
    """

    def __init__(self, path: str, hosts: frozenset[str], handler: RedirectHandler[T]) -> None:
        self.path = path
        self.hosts = hosts
        self.handler = handler
        self.result: T | AuthorizationError | None = None
        self.arrived = threading.Event()
        self.reporters = 0
        self.left = False
        self._lock = threading.Lock()
        self._outcome: Page | None = None
        self._told, self._sent = threading.Event(), threading.Event()
        self._sent.set()

    def settle(self, result: T | AuthorizationError) -> bool:
        """Take a result, unless there is one; tell whether it was taken."""
        with self._lock:
            if self.result is not None:
                return False
            self.result = result
            return True

    def outcome(self) -> Page:
        """Return the page that says what becomes of the result, waiting for it where somebody is to tell."""
        if self.reporters:
            self._sent.clear()
            self.arrived.set()
            self._told.wait(_OUTCOME_SECONDS)
        return self._outcome or RECEIVED

    def end(self) -> None:
        """Note that the page was sent, or cannot be."""
        self._sent.set()
        self.arrived.set()

    def report(self, page: Page) -> None:
        """Tell what became of the result, and wait until a page that waits for that was sent."""
        self._outcome = page
        self._told.set()
        self._sent.wait(_SENDING_SECONDS)

    def leave(self) -> None:
        """Leave waiting to the parent, in a forked child."""
        self.left = True
        self._lock = threading.Lock()
        # The parent's may be locked by a thread that is not here.
        self.arrived, self._told, self._sent = threading.Event(), threading.Event(), threading.Event()
        self.arrived.set()
        self._sent.set()


class LoopbackServer(socketserver.TCPServer):
    """Serves every connection in a thread of its own, few at a time and each for a few seconds only.

    Args:
        host: Address of this computer, IPv4 or IPv6.
        port: Port to listen on; 0 takes any that is free.
        clock: Monotonic clock, in seconds.

    Raises:
        OSError: It cannot be listened on.
        OverflowError: The port is no port.

    Attributes:
        place: The address and the port.
        awaited: The redirects that are waited for here.
        thread: The thread that accepts connections, once it was started.
    """

    # On Windows this option would let another program take over a port that is in use.
    allow_reuse_address = os.name == "posix"
    request_queue_size = _MAXIMUM_CONNECTIONS
    timeout = _POLL_SECONDS

    def __init__(self, host: str, port: int, clock: Callable[[], float]) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.awaited: list[AwaitedRedirect[Any]] = []
        self.closing = threading.Event()
        self.workers: dict[threading.Thread, tuple[socket.socket, float]] = {}
        self.handler_lock = threading.Lock()
        self.thread = threading.Thread(target=self._run, name="digime-redirect", daemon=True)
        self._clock = clock
        super().__init__((host, port), _Handler)
        self.place: tuple[str, int] = (host, self.server_address[1])

    def _run(self) -> None:
        """Serve until `closing` is set, then leave no connection and no thread behind."""
        with self:
            while not self.closing.is_set():
                self.handle_request()
                self._cut_off(self._clock())
        for worker in self._cut_off(float("inf")):
            worker.join(_REQUEST_SECONDS)
        SERVERS.forget(self)

    def wait_for_end(self) -> None:
        """Wait until the port is free and no thread is left."""
        # The garbage collector may close a listener in one of these threads, which cannot wait for itself.
        if threading.current_thread() not in {self.thread, *self.workers}:
            self.thread.join()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Hand the connection to a thread, so that a slow browser delays no other one.

        Where there are too many, the oldest one is cut off: a browser asks at once, so that it is idle or slow.
        """
        workers = list(self.workers.items())
        if len(workers) >= _MAXIMUM_CONNECTIONS:
            oldest, (idle, _) = workers[0]
            _shut(idle)
            oldest.join(_REQUEST_SECONDS)
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

    def _cut_off(self, now: float) -> list[threading.Thread]:
        # They do not take themselves out: until they have ended, they are waited for.
        self.workers = {worker: kept for worker, kept in self.workers.items() if worker.is_alive()}
        late = [(worker, request) for worker, (request, until) in self.workers.items() if until <= now]
        for _, request in late:
            _shut(request)
        return [worker for worker, _ in late]


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class _Servers:
    """The servers of this process: one per address and port, for as long as a redirect is waited for there."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, int], LoopbackServer] = {}
        # Reentrant, since the garbage collector may close a listener in the middle of `open`.
        self._lock = threading.RLock()
        reset_after_fork(self, _Servers._leave)

    def open(self, host: str, port: int, awaited: AwaitedRedirect[Any], clock: Callable[[], float]) -> LoopbackServer:
        """Wait for a redirect at an address and port, on the server that is there or on a new one.

        Raises:
            OSError: It cannot be listened on.
            OverflowError: The port is no port.
        """
        while True:
            with self._lock:
                server = self._open.get((host, port))
                if server is None:
                    server = LoopbackServer(host, port, clock)
                    server.thread.start()
                    self._open[server.place] = server
                server.awaited.append(awaited)
                if not server.closing.is_set():
                    return server
            server.wait_for_end()

    def close(self, server: LoopbackServer, awaited: AwaitedRedirect[Any]) -> None:
        """Wait for a redirect no longer; the last one closes the server and frees its port."""
        with self._lock:
            server.awaited.remove(awaited)
            if server.awaited:
                return
            server.closing.set()
        server.wait_for_end()

    def forget(self, server: LoopbackServer) -> None:
        """Forget a server that has ended. Without the lock: who holds it may be waiting for this thread."""
        self._open.pop(server.place, None)

    def _leave(self) -> None:
        """Leave serving to the parent, in a forked child: the port is free once the parent has closed it."""
        for server in self._open.values():
            server.socket.close()
            for awaited in server.awaited:
                awaited.leave()
        self._open = {}
        self._lock = threading.RLock()


SERVERS = _Servers()


class _Handler(BaseHTTPRequestHandler):
    server: LoopbackServer
    timeout = _REQUEST_SECONDS
    server_version = "digime-pandas"
    sys_version = ""

    def do_GET(self) -> None:
        allowed = [each for each in list(self.server.awaited) if self._is_allowed(each.hosts)]
        awaited = [each for each in allowed if each.path == self.path.partition("?")[0]]
        if not allowed:
            self.send_error(HTTPStatus.FORBIDDEN, explain="Open this address in a tab of a browser on this computer.")
        elif not awaited:
            self.send_error(HTTPStatus.NOT_FOUND, explain="Only the consent page leads here, and to another address.")
        elif len(self.path) > MAXIMUM_REDIRECT_LENGTH:
            self.send_error(HTTPStatus.REQUEST_URI_TOO_LONG, explain="No consent page redirects to so long an address.")
        else:
            self._handle(awaited, Secret(f"{address_of(*self.server.place)}{self.path}"))

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Reply with this package's page to every error, those of the parser included."""
        status = HTTPStatus(code)
        if status is HTTPStatus.NOT_IMPLEMENTED:
            status = HTTPStatus.METHOD_NOT_ALLOWED
        self._show(status, Page("This address cannot be used", explain or message or status.phrase, "bad"))

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: a request's address holds the code."""

    def _is_allowed(self, names: frozenset[str]) -> bool:
        # A name that merely resolves to this computer (DNS rebinding) is refused; and a page elsewhere may embed this
        # address, but only a person's browser navigates to it.
        hosts = self.headers.get_all("Host", [])
        mode = self.headers.get("Sec-Fetch-Mode", "navigate")
        return len(hosts) == 1 and hostname_of(f"//{hosts[0]}") in names and mode == "navigate"

    def _handle(self, awaited: list[AwaitedRedirect[Any]], redirected: Secret[str]) -> None:
        with self.server.handler_lock:
            if all(each.result is not None for each in awaited):
                self._show_over()
                return
            results = [(each, each.handler(redirected)) for each in awaited]
            own = [(each, result) for each, result in results if not isinstance(result, RedirectError)]
            if len(own) != 1:
                words = _SEVERAL if own else str(results[-1][1])
                page = Page("That is not the address we are waiting for", words, "bad")
                self._show(HTTPStatus.BAD_REQUEST, page)
                return
            [(each, result)] = own
            if not each.settle(result):
                self._show_over()
                return
        try:
            if isinstance(result, AuthorizationError):
                self._show(HTTPStatus.OK, refused(str(result)))
            else:
                self._show(HTTPStatus.OK, each.outcome())
        finally:
            # After the page was sent: closing the listener could cut the page off.
            each.end()

    def _show_over(self) -> None:
        self._show(HTTPStatus.OK, Page("Already received", f"This authorization is over. {BACK}"))

    def _show(self, status: HTTPStatus, page: Page) -> None:
        content = page.render()
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def address_of(host: str, port: int) -> str:
    """Return the address of a server, without a path."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def hostname_of(address: str) -> str | None:
    """Return the host of an address, in lower case and without brackets, or None where there is none."""
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None
