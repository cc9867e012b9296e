from __future__ import annotations

import builtins
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import pytest

from digime_pandas._service.http.environment import Proxy, Route
from digime_pandas._service.http.request import Request
from digime_pandas._service.http.transport import Http
from digime_pandas._service.masking.secret import Secret
from digime_pandas.errors import ConfigurationError, ServiceUnreachableError

SOON = 10.0
PASSWORD = "hunter2"
REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Script = Callable[["Socks"], None]


class Socks:
    """One connection to a proxy that does what a script says, and then is the service itself."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.asked: dict[str, Any] = {}

    def take(self, count: int) -> bytes:
        taken = b""
        while len(taken) < count:
            piece = self.connection.recv(count - len(taken))
            if not piece:
                raise ConnectionError
            taken += piece
        return taken

    def give(self, data: bytes, *, dripping: bool = False) -> None:
        for piece in [data[at : at + 1] for at in range(len(data))] if dripping else [data]:
            self.connection.sendall(piece)

    def serve(self) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.take(1)
        self.asked["request"] = head.partition(b"\r\n")[0]
        self.give(REPLY)

    def socks5(self, *, dripping: bool = False, reply: int = 0) -> None:
        methods = self.take(self.take(2)[1])
        self.asked["methods"] = methods
        self.give(b"\x05" + (b"\x02" if 2 in methods else b"\x00"), dripping=dripping)
        if 2 in methods:
            self.take(1)
            self.asked["user"], self.asked["password"] = (self.take(self.take(1)[0]).decode() for _ in range(2))
            self.give(b"\x01\x00", dripping=dripping)
        kind = self.take(4)[3]
        self.asked["kind"] = kind
        self.asked["host"] = self.take(self.take(1)[0]) if kind == 3 else socket.inet_ntoa(self.take(4)).encode()
        [self.asked["port"]] = struct.unpack("!H", self.take(2))
        self.give(b"\x05" + bytes([reply]) + b"\x00\x01\x00\x00\x00\x00\x00\x00", dripping=dripping)
        self.serve()

    def socks4(self) -> None:
        _, _, port, address = struct.unpack("!BBH4s", self.take(8))
        user = self._text()
        host = self._text() if address[:3] == b"\0\0\0" else socket.inet_ntoa(address).encode()
        self.asked |= {"user": user.decode(), "host": host, "port": port}
        self.give(b"\x00\x5a" + bytes(6))
        self.serve()

    def _text(self) -> bytes:
        return b"".join(iter(lambda: self.take(1), b"\0"))


@contextmanager
def proxy(script: Script) -> Iterator[tuple[int, list[Socks]]]:
    """A proxy on this computer, each connection of which runs a script; its port and its connections."""
    connections: list[Socks] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with closing(connection):
                    connections.append(Socks(connection))
                    with suppress(ConnectionError):
                        script(connections[-1])

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield server.getsockname()[1], connections
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(SOON)


def through(port: int, scheme: str = "socks5", credentials: tuple[str, str] | None = None, **options: Any) -> Http:
    way = Proxy("ALL_PROXY", scheme, "127.0.0.1", port, None if credentials is None else Secret(credentials))
    return Http(route=Route(way, secure=False), **({"max_attempts": 1, "timeout": SOON} | options))


def get(url: str = "http://api.test:81/x") -> Request:
    return Request("GET", url, {})


@pytest.mark.parametrize("dripping", [False, True])
@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_a_socks5_proxy_resolves_the_name_and_connects(scheme: str, dripping: bool) -> None:
    with (
        proxy(lambda each: each.socks5(dripping=dripping)) as (port, connections),
        closing(through(port, scheme)) as http,
    ):
        assert http.send(get, what="ask").body.reveal() == b"ok"
        asked = connections[0].asked
    assert (asked["host"], asked["port"], asked["request"]) == (b"api.test", 81, b"GET /x HTTP/1.1")


def test_user_name_and_password_are_sent_where_it_asks_for_them() -> None:
    given = "us er", "p:@ss/"
    with proxy(Socks.socks5) as (port, connections), closing(through(port, credentials=given)) as http:
        assert http.send(get, what="ask").body.reveal() == b"ok"
    assert (connections[0].asked["user"], connections[0].asked["password"]) == given


@pytest.mark.parametrize(
    ("scheme", "url", "host"),
    [("socks4", "http://127.0.0.1:81/x", b"127.0.0.1"), ("socks4a", "http://api.test:81/x", b"api.test")],
)
def test_a_socks4_proxy_connects_too(scheme: str, url: str, host: bytes) -> None:
    with proxy(Socks.socks4) as (port, connections), closing(through(port, scheme, ("user", ""))) as http:
        assert http.send(lambda: get(url), what="ask").body.reveal() == b"ok"
    assert connections[0].asked | {"request": b""} == {"user": "user", "host": host, "port": 81, "request": b""}


@pytest.mark.slow
@pytest.mark.parametrize(
    "script",
    [
        lambda _: None,
        lambda each: each.give(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        lambda each: each.give(b"\x05\xff"),
        lambda each: each.give(b"\x05\x01"),
        lambda each: each.give(b"\x05"),
        lambda each: each.give(b"\x04\x00"),
        lambda each: (each.give(b"\x05\x02\x01\x01"), each.take(3)),
        lambda each: each.socks5(reply=5),
        lambda each: each.socks5(reply=99),
    ],
)
def test_a_proxy_that_does_not_connect_is_named_and_nothing_was_sent(script: Script) -> None:
    with (
        proxy(script) as (port, connections),
        closing(through(port, credentials=("user", PASSWORD), max_attempts=2)) as http,
        pytest.raises(ServiceUnreachableError, match=r"proxy, which ALL_PROXY names") as caught,
    ):
        http.send(get, what="ask")
    assert (caught.value.outcome, caught.value.attempts, len(connections)) == ("not sent", 2, 2)
    assert PASSWORD not in repr((caught.value, caught.value.__cause__, caught.value.__context__))


@pytest.mark.parametrize(
    "credentials", [("anna", "x" * 256), ("x" * 256, PASSWORD), ("änna", PASSWORD), ("anna", "ängstrom")]
)
def test_credentials_that_cannot_be_sent_are_refused_at_once(credentials: tuple[str, str]) -> None:
    with pytest.raises(ConfigurationError, match=r"^ALL_PROXY .*255 characters at most, of ASCII only") as caught:
        through(1, credentials=credentials)
    assert not any(text in str(caught.value) for text in credentials)


def test_no_proxy_there_is_said() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # nobody else gets the port, and nobody listens there
        port = silent.getsockname()[1]
        with closing(through(port)) as http, pytest.raises(ServiceUnreachableError, match="refused") as caught:
            http.send(get, what="ask")
    assert caught.value.outcome == "not sent"


def test_a_proxy_that_does_not_answer_is_waited_for_until_the_time_out() -> None:
    end = threading.Event()

    def script(_: Socks) -> None:
        end.wait(SOON)

    with proxy(script) as (port, _):
        try:
            with closing(through(port, timeout=0.2)) as http, pytest.raises(ServiceUnreachableError) as caught:
                http.send(get, what="ask")
        finally:
            end.set()
    assert caught.value.outcome == "not sent"


@pytest.mark.timeout(20)
def test_a_proxy_that_drips_is_waited_for_until_the_time_out() -> None:
    end = threading.Event()

    def script(each: Socks) -> None:
        each.take(each.take(2)[1])
        each.give(b"\x05\x00")
        each.take(4)
        each.give(b"\x05\x00\x00\x03\xff")  # a name of 255 characters follows
        while not end.wait(0.1):
            each.give(b"a")

    with proxy(script) as (port, _):
        try:
            with (
                closing(through(port, timeout=0.3, clock=lambda: 0.0)) as http,
                pytest.raises(ServiceUnreachableError, match="did not connect within") as caught,
            ):
                http.send(get, what="ask")
        finally:
            end.set()
    assert caught.value.outcome == "not sent"


def test_without_its_package_the_variable_and_the_command_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    load = builtins.__import__

    def without(name: str, *args: Any, **options: Any) -> Any:
        if name.startswith("python_socks"):
            raise ImportError(name)
        return load(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigurationError, match=r"^ALL_PROXY .*pip install python-socks"):
        through(1)


def test_tls_goes_through_it_to_the_service() -> None:
    hello: list[bytes] = []

    class Recording(Socks):
        def serve(self) -> None:
            hello.append(self.take(1))

    with proxy(lambda each: Recording(each.connection).socks5()) as (port, _):
        route = Route(Proxy("ALL_PROXY", "socks5", "127.0.0.1", port, None))
        with closing(Http(route=route, max_attempts=1)) as http, pytest.raises(ServiceUnreachableError):
            http.send(lambda: get("https://api.test/x"), what="ask")
    assert hello == [bytes([22])]  # which begins a TLS handshake
