"""Services that drip: a call ends with its deadline wherever it is, since no step of it is long."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import closing

import httpx
import pytest

from digime_pandas._service.http.request import Request
from digime_pandas._service.http.transport import Http
from digime_pandas.errors import ServiceUnreachableError

from .server import Connection, FaultyServer

pytestmark = pytest.mark.slow

DEADLINE, LONG = 1.0, 60.0
EVERY = 0.1  # seconds for each piece; all of them would take more than a minute
PIECES = 1000


class Taken:
    """Takes the body of a reply."""

    def write(self, piece: bytes) -> None: ...

    def finish(self) -> None: ...

    def close(self) -> None: ...


def drips(ended: threading.Event, first: bytes, piece: bytes) -> Callable[[Connection], None]:
    """Answer with a beginning, and then piece by piece."""

    def act(connection: Connection) -> None:
        connection.body(connection.head())
        connection.socket.sendall(first)
        for _ in range(PIECES):
            if ended.wait(EVERY):
                return
            connection.socket.sendall(piece)

    return act


def sips(ended: threading.Event, size: int) -> Callable[[Connection], None]:
    """Take a request piece by piece."""

    def act(connection: Connection) -> None:
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 12)
        for _ in range(PIECES):
            if ended.wait(EVERY):
                return
            connection.socket.recv(size)

    return act


HEAD = b"HTTP/1.1 200 OK\r\n"
DRIPS = {
    "nothing": (b"", b""),
    "head": (HEAD + b"A: ", b"a"),
    "interim-heads": (b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
    "body": (HEAD + b"Content-Length: 100000\r\n\r\n", b"a"),
    "chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
    "chunk-head": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;", b"a"),
    "error-body": (b"HTTP/1.1 503 Busy\r\nContent-Length: 100000\r\n\r\n", b"a"),
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("receives", [False, True], ids=["reply", "file"])
@pytest.mark.parametrize("where", DRIPS)
def test_an_answer_that_drips_ends_with_the_deadline(where: str, receives: bool) -> None:
    ended = threading.Event()
    with FaultyServer(drips(ended, *DRIPS[where])) as server, closing(Http(deadline=DEADLINE)) as http:
        receive = (lambda _: Taken()) if receives else None
        with pytest.raises(ServiceUnreachableError) as raised:
            http.send(lambda: Request("GET", server.url, {}, receive=receive), what="ask")
        ended.set()
    assert (raised.value.outcome, server.connections) == ("unknown", 1)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("where", DRIPS)
def test_an_answer_that_drips_through_a_transport_of_the_caller_ends_with_the_deadline(where: str) -> None:
    ended, transport = threading.Event(), httpx.HTTPTransport()
    with (
        FaultyServer(drips(ended, *DRIPS[where])) as server,
        closing(Http(deadline=DEADLINE, transport=transport)) as http,
    ):
        with pytest.raises(ServiceUnreachableError) as raised:
            http.send(lambda: Request("GET", server.url, {}), what="ask")
        ended.set()
    assert (raised.value.outcome, server.connections) == ("unknown", 1)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("size", [1, 5_000, 100_000])
@pytest.mark.parametrize("is_sized", [False, True], ids=["chunked", "sized"])
def test_a_body_that_is_sipped_through_a_transport_of_the_caller_ends_with_the_deadline(
    size: int, is_sized: bool
) -> None:
    ended, pieces, transport = threading.Event(), [bytes(1 << 20)] * 64, httpx.HTTPTransport()
    with FaultyServer(sips(ended, size)) as server, closing(Http(deadline=DEADLINE, transport=transport)) as http:
        length = len(pieces) << 20 if is_sized else None
        with pytest.raises(ServiceUnreachableError) as raised:
            http.send(lambda: Request("POST", server.url, {}, pieces, length), what="ask")
        ended.set()
    assert (raised.value.outcome, server.connections) == ("not sent", 1)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("size", [1, 5_000, 100_000])
@pytest.mark.parametrize("is_sized", [False, True], ids=["chunked", "sized"])
def test_a_body_that_is_sipped_ends_with_the_deadline(size: int, is_sized: bool) -> None:
    ended, pieces = threading.Event(), [bytes(1 << 20)] * 64
    with FaultyServer(sips(ended, size)) as server, closing(Http(deadline=DEADLINE)) as http:
        length = len(pieces) << 20 if is_sized else None
        with pytest.raises(ServiceUnreachableError) as raised:
            http.send(lambda: Request("POST", server.url, {}, pieces, length), what="ask")
        ended.set()
    assert (raised.value.outcome, server.connections) == ("not sent", 1)


@pytest.mark.timeout(20)
def test_the_requests_of_one_call_end_with_one_deadline() -> None:
    clock = [0.0]

    def late(connection: Connection) -> None:
        connection.body(connection.head())
        clock[0] += LONG - DEADLINE / 2
        connection.answer()
        connection.drain()  # without another answer

    http = Http(deadline=LONG, clock=lambda: clock[0])
    with FaultyServer(late) as server, closing(http), http.one_deadline() as deadline:
        http.send(lambda: Request("GET", server.url, {}), what="ask")
        assert deadline.left() == DEADLINE / 2
        with pytest.raises(ServiceUnreachableError) as raised:
            http.send(lambda: Request("GET", server.url, {}), what="ask")
    assert (raised.value.outcome, raised.value.attempts) == ("unknown", 1)
