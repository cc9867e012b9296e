"""Answers with what HTTP/1.1 allows and few send, and with what it does not: each request gets its own, or none."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from digime_pandas._service.http.environment import Route
from digime_pandas._service.http.request import Request
from digime_pandas._service.http.transport import Http
from digime_pandas.errors import APIError, ServiceUnreachableError
from tests.certificates import certificate

from .server import Connection, FaultyServer

pytestmark = pytest.mark.slow

OK = b"HTTP/1.1 200 OK\r\n"
SIZED = b"Content-Length: 5\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
FIRST = OK + SIZED + b"\r\nfirst"
FORGED = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"

# What is an answer, and what it says.
GOOD = {
    "plain": FIRST,
    "interim answers": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + FIRST,
    "interim answer with a length": b"HTTP/1.1 102 Processing\r\nContent-Length: 0\r\n\r\n" + FIRST,
    "chunks": OK + CHUNKED + b"\r\n2\r\nfi\r\n3\r\nrst\r\n0\r\n\r\n",
    "chunks with zeros": OK + CHUNKED + b"\r\n0000005\r\nfirst\r\n0000\r\n\r\n",
    "chunk extension": OK + CHUNKED + b"\r\n5;name=" + b"x" * 4000 + b"\r\nfirst\r\n0;y\r\n\r\n",
    "trailers": OK + CHUNKED + b"\r\n5\r\nfirst\r\n0\r\nContent-Length: 99\r\nX-Error-Code: no\r\n\r\n",
    "length and chunks": OK + SIZED + CHUNKED + b"\r\n5\r\nfirst\r\n0\r\n\r\n",
    "two equal lengths": OK + SIZED + SIZED + b"\r\nfirst",
    "list of equal lengths": OK + b"Content-Length: 5, 5\r\n\r\nfirst",
    "no reason": b"HTTP/1.1 200\r\n" + SIZED + b"\r\nfirst",
    "many fields": OK + b"".join(b"X-%d: y\r\n" % number for number in range(900)) + SIZED + b"\r\nfirst",
    "ends with the connection": OK + b"\r\nfirst",
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\n\r\nfirst",
    "bare line feeds": b"HTTP/1.1 200 OK\nContent-Length: 5\n\nfirst",
}
# What can be read in two ways, or in none.
BAD = {
    "two lengths": OK + SIZED + b"Content-Length: 6\r\n\r\nfirst!",
    "list of lengths": OK + b"Content-Length: 5, 6\r\n\r\nfirst!",
    "negative length": OK + b"Content-Length: -5\r\n\r\nfirst",
    "signed length": OK + b"Content-Length: +5\r\n\r\nfirst",
    "length of another script": OK + "Content-Length: \u0665\r\n\r\nfirst".encode(),
    "length beyond measure": OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\nfirst",
    "short": OK + b"Content-Length: 6\r\n\r\nfirst",
    "chunks without end": OK + CHUNKED + b"\r\n5\r\nfirst\r\n",
    "chunk beyond measure": OK + CHUNKED + b"\r\n" + b"f" * 30 + b"\r\nfirst",
    "negative chunk": OK + CHUNKED + b"\r\n-5\r\nfirst\r\n0\r\n\r\n",
    "chunk without its end": OK + CHUNKED + b"\r\n4\r\nfirst\r\n0\r\n\r\n",
    "unknown coding": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n5\r\nfirst\r\n0\r\n\r\n",
    "field without a name": OK + b": x\r\n" + SIZED + b"\r\nfirst",
    "space before the colon": OK + b"Content-Length : 5\r\n\r\nfirst",
    "null byte": OK + b"X: a\0b\r\n" + SIZED + b"\r\nfirst",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/0.9": b"first",
    "status of no kind": b"HTTP/1.1 099 Odd\r\n" + SIZED + b"\r\nfirst",
    "long line": OK + b"X: " + b"y" * (1 << 20) + b"\r\n\r\n",
    "fields without end": (OK + b"X: y\r\n" * (1 << 16)),
    "chunk extension without end": OK + CHUNKED + b"\r\n5;" + b"x" * (1 << 20),
    "trailers without end": OK + CHUNKED + b"\r\n5\r\nfirst\r\n0\r\n" + b"X: y\r\n" * (1 << 16),
    "interim answers without end": b"HTTP/1.1 102 Processing\r\n\r\n" * 3_000,
}
# What looks like another answer comes after the first one; it is in none that was asked for.
BEYOND = {
    "after a length": FIRST + FORGED,
    "after chunks": OK + CHUNKED + b"\r\n5\r\nfirst\r\n0\r\n\r\n" + FORGED,
    "after no content": b"HTTP/1.1 204 No Content\r\n\r\n" + FORGED,
    "after an empty answer": OK + b"Content-Length: 0\r\n\r\n" + FORGED,
    "after not modified": b"HTTP/1.1 304 Not Modified\r\n" + SIZED + b"\r\n" + FORGED,
    "one byte": FIRST + b"\n",
}


def says(answer: bytes, then: Callable[[Connection], object] = Connection.drain) -> Callable[[Connection], None]:
    """Answer the first request of a connection, and then do something."""

    def act(connection: Connection) -> None:
        connection.body(connection.head())
        connection.socket.sendall(answer)
        then(connection)

    return act


def shut(connection: Connection) -> None:
    """End this direction only."""
    connection.socket.shutdown(1)


def second(connection: Connection) -> None:
    """Answer every request of a connection."""
    while head := connection.head():
        connection.body(head)
        connection.answer(body=b"second")


@pytest.fixture
def http() -> Iterator[Http]:
    with closing(Http(max_attempts=1, timeout=10, deadline=10)) as made:
        yield made


def asked(http: Http, server: FaultyServer) -> bytes | APIError:
    try:
        return http.send(lambda: Request("POST", server.url, {}, [b"body"], 4), what="ask").body.reveal()
    except APIError as error:
        return error


@pytest.mark.parametrize("name", GOOD)
def test_what_is_an_answer_is_understood(http: Http, name: str) -> None:
    ends = name in {"ends with the connection", "HTTP/1.0"}
    with FaultyServer(says(GOOD[name], Connection.close if ends else second), second) as server:
        assert [asked(http, server), asked(http, server)] == [b"first", b"second"]


@pytest.mark.parametrize("then", [Connection.close, Connection.reset, shut])
def test_what_comes_after_a_whole_answer_does_not_take_it_back(
    http: Http, then: Callable[[Connection], object]
) -> None:
    ended = threading.Event()

    def end(connection: Connection) -> None:
        then(connection)
        ended.set()
        connection.drain()

    with FaultyServer(says(FIRST, end), second) as server:
        first = asked(http, server)
        # A reset may overtake an answer that was not read yet.
        assert first == b"first" or (then is Connection.reset and isinstance(first, ServiceUnreachableError))
        # A request that is sent before the end has come may be lost with it.
        assert ended.wait(10)
        assert asked(http, server) == b"second"


@pytest.mark.parametrize("name", BAD)
def test_what_is_none_leaves_the_outcome_unknown_and_its_connection_unused(http: Http, name: str) -> None:
    with FaultyServer(says(BAD[name], shut), second) as server:
        error = asked(http, server)
        assert isinstance(error, APIError), error
        assert error.outcome == "unknown"
        assert len(str(error)) < 1000
        assert asked(http, server) == b"second"


@pytest.mark.parametrize("is_late", [False, True], ids=["at once", "later"])
@pytest.mark.parametrize("name", BEYOND)
def test_what_comes_beyond_an_answer_is_no_other_requests(http: Http, name: str, *, is_late: bool) -> None:
    data, sent = BEYOND[name], threading.Event()
    cut = len(data) - (1 if name == "one byte" else len(FORGED)) if is_late else len(data)

    def late(connection: Connection) -> None:
        connection.socket.sendall(data[cut:])
        sent.set()
        connection.drain()

    with FaultyServer(says(data[:cut], late), second) as server:
        asked(http, server)
        assert sent.wait(10)
        assert asked(http, server) == b"second"
        assert server.connections == 2


@pytest.mark.parametrize(("answer", "expected"), [(FIRST, b"first"), (OK + b"\r\nfirst", None), (FIRST[:-1], None)])
def test_tls_that_ends_without_saying_so_ends_no_answer(tmp_path: Path, answer: bytes, expected: bytes | None) -> None:
    path = certificate(tmp_path)
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(path)

    def act(connection: Connection) -> None:
        with server_side.wrap_socket(connection.socket, server_side=True, suppress_ragged_eofs=False) as secured:
            received = b""
            while not received.endswith(b"body"):
                received += secured.recv(1 << 16)
            secured.sendall(answer)

    route = Route(context=ssl.create_default_context(cafile=path))
    with FaultyServer(act) as server, closing(Http(max_attempts=1, deadline=10, route=route)) as http:
        server_url = server.url.replace("http:", "https:")
        try:
            found: object = http.send(lambda: Request("POST", server_url, {}, [b"body"], 4), what="ask").body.reveal()
        except ServiceUnreachableError as error:
            found = error.outcome
    assert found == ("unknown" if expected is None else expected)
