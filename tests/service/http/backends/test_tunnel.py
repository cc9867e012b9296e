"""HTTP proxies: a tunnel is asked for, through which TLS to the service goes, within TLS to the proxy if it has one."""

from __future__ import annotations

import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import pytest

from digime_pandas._service.http.environment import Proxy, Route
from digime_pandas._service.http.request import Request
from digime_pandas._service.http.transport import Http
from digime_pandas._service.masking.secret import Secret
from digime_pandas.errors import ServiceUnreachableError
from tests.certificates import certificate

SOON = 10.0
OK = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Tunnels:
    """A proxy and the services behind it: each connection is asked for a tunnel, and then leads to a TLS service.

    Attributes:
        answer: What the proxy answers.
        tls: What the proxy speaks TLS with, if it does.
        asked: The head of each request for a tunnel.
        received: The bytes that the services got.
    """

    def __init__(self, service: ssl.SSLContext) -> None:
        self.answer: Callable[[socket.socket], None] = lambda connection: connection.sendall(OK)
        self.tls: ssl.SSLContext | None = None
        self.service = service
        self.asked: list[bytes] = []
        self.received: list[bytes] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.settimeout(SOON)
            with suppress(OSError), connection:
                self.serve(connection if self.tls is None else self.tls.wrap_socket(connection, server_side=True))

    def serve(self, connection: socket.socket) -> None:
        with connection:
            asked = b""
            while not asked.endswith(b"\r\n\r\n"):
                asked += connection.recv(1)
            self.asked.append(asked)
            self.answer(connection)
            with Inner(connection, self.service) as service:
                for _ in range(2):
                    self.received.append(service.request())
                    service.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    def close(self) -> None:
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(SOON)


class Inner:
    """The service's side of TLS, over whatever leads there."""

    def __init__(self, outer: socket.socket, context: ssl.SSLContext) -> None:
        self.outer = outer
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)

    def __enter__(self) -> Self:
        self.carry(self.tls.do_handshake)
        return self

    def __exit__(self, *_: object) -> None: ...

    def carry(self, act: Callable[[], bytes | int | None]) -> bytes | int | None:
        while True:
            try:
                done = act()
            except ssl.SSLWantReadError:
                self.outer.sendall(self.outgoing.read())
                data = self.outer.recv(1 << 14)
                if not data:
                    raise ConnectionResetError from None
                self.incoming.write(data)
            else:
                self.outer.sendall(self.outgoing.read())
                return done

    def request(self) -> bytes:
        received = b""
        while True:
            piece = self.carry(lambda: self.tls.read(1 << 16))
            assert isinstance(piece, bytes)
            received += piece
            head, _, body = received.partition(b"\r\n\r\n")
            length = [line for line in head.split(b"\r\n") if line.startswith(b"Content-Length: ")]
            if b"\r\n\r\n" in received and (not length or len(body) == int(length[0].split()[1])):
                return received

    def send(self, data: bytes) -> None:
        self.carry(lambda: self.tls.write(data))


@pytest.fixture
def trusted(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a server and a client need of one certificate, which is of 127.0.0.1."""
    path = certificate(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    return server, ssl.create_default_context(cafile=path)


@pytest.fixture
def tunnels(trusted: tuple[ssl.SSLContext, ssl.SSLContext]) -> Iterator[Tunnels]:
    running = Tunnels(trusted[0])
    yield running
    running.close()


@pytest.fixture
def through(tunnels: Tunnels, trusted: tuple[ssl.SSLContext, ssl.SSLContext]) -> Iterator[Callable[..., Http]]:
    """Makes what sends requests through the proxy."""
    made: list[Http] = []

    def make(scheme: str = "http", **options: Any) -> Http:
        if scheme == "https":
            tunnels.tls = trusted[0]
        proxy = Proxy("https_proxy", scheme, "127.0.0.1", tunnels.port, Secret(("ana", "hunter2")))
        made.append(Http(route=Route(proxy, context=trusted[1]), max_attempts=1, **({"timeout": SOON} | options)))
        return made[-1]

    yield make
    for http in made:
        http.close()


def post(size: int) -> Request:
    pieces = [
        bytes([number % 251]) * min(1 << 20, size - start) for number, start in enumerate(range(0, size, 1 << 20))
    ]
    return Request("POST", "https://127.0.0.1:4433/v1.7/x", {"Authorization": "Bearer 1"}, pieces, size)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("size", [3, (2 << 20) + 1])
def test_requests_go_through_one_tunnel(tunnels: Tunnels, through: Callable[..., Http], scheme: str, size: int) -> None:
    http = through(scheme)
    for _ in range(2):
        assert http.send(lambda: post(size), what="ask").body.reveal() == b"ok"
    [asked] = tunnels.asked
    lines = asked.split(b"\r\n")
    assert lines[0] == b"CONNECT 127.0.0.1:4433 HTTP/1.1"
    assert b"Host: 127.0.0.1:4433" in lines
    assert b"Proxy-Authorization: Basic " + b64encode(b"ana:hunter2") in lines
    sent = b"".join(map(bytes, post(size).body or ()))
    assert [received.partition(b"\r\n\r\n")[2] for received in tunnels.received] == [sent, sent]
    assert all(b"Proxy-Authorization" not in received and b"Bearer 1" in received for received in tunnels.received)


class Dripping:
    """Answers byte by byte, each of which takes a second on a clock of its own.

    Attributes:
        passed: The seconds.
    """

    def __init__(self) -> None:
        self.passed = 0.0

    def __call__(self, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        with suppress(OSError):
            for _ in range(1000):
                self.passed += 1
                connection.sendall(b"a")
                threading.Event().wait(0.01)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda each: each.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"), "407 Proxy Auth"),
        (lambda each: each.sendall(b"HTTP/1.1 302 Found\r\nLocation: https://evil.test/\r\n\r\n"), "302 Found"),
        (lambda each: each.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 502 Bad Gateway\r\n\r\n"), "502 Bad"),
        (lambda each: each.sendall(b"SSH-2.0-x\r\n\r\n"), "did not answer"),
        (lambda each: each.sendall(b"HTTP/1.1 200 OK\r\nX: " + b"a" * (1 << 20)), "did not answer"),
        (lambda each: each.close(), "did not answer"),
        (lambda each: each.sendall(OK + b"\x15\x03"), "before it was asked"),
        (Dripping(), "did not connect in time"),
    ],
    ids=["407", "redirect", "interim", "another protocol", "endless head", "closed", "speaks first", "drips"],
)
@pytest.mark.slow
def test_what_is_no_tunnel_is_said_and_nothing_was_sent(
    tunnels: Tunnels,
    through: Callable[..., Http],
    scheme: str,
    answer: Callable[[socket.socket], None],
    words: str,
) -> None:
    tunnels.answer = answer
    timed = {"clock": lambda: answer.passed} if isinstance(answer, Dripping) else {}
    http = through(scheme, deadline=SOON, **timed)
    with pytest.raises(ServiceUnreachableError, match=rf"{words}.*the proxy, which https_proxy names") as raised:
        http.send(lambda: post(3), what="ask")
    assert raised.value.outcome == "not sent"
    assert "hunter2" not in str(raised.value)
    assert tunnels.received == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_service_that_is_not_trusted_gets_nothing_through_a_tunnel(
    tunnels: Tunnels, through: Callable[..., Http], scheme: str
) -> None:
    http = through(scheme)
    with pytest.raises(ServiceUnreachableError, match="CERTIFICATE_VERIFY_FAILED") as raised:
        http.send(lambda: Request("GET", "https://127.0.0.2/x", {}), what="ask")
    assert raised.value.outcome == "not sent"
    assert tunnels.asked[0].startswith(b"CONNECT 127.0.0.2:443 ")
    assert tunnels.received == []
