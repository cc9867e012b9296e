"""The same rules over real sockets, to which things happen."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_socket import SocketConnectBlockedError

from digime_pandas._service.http.request import Reply, Request
from digime_pandas._service.http.transport import Http
from digime_pandas.errors import InvalidTokenError, RefusedError, ServiceUnreachableError

from .server import Act, Connection, FaultyServer

PIECE = bytes(range(256)) * 256
PIECES = 200

pytestmark = pytest.mark.usefixtures("no_waiting")


def answers(connection: Connection) -> None:
    connection.body(connection.head())
    connection.answer(body=b"ok")


def send(server: FaultyServer, *, sized: bool = True, pieces: int = 2, **options: Any) -> Reply:
    http = Http(**({"max_attempts": 1, "timeout": 20} | options))
    size = pieces * len(PIECE) if sized else None
    try:
        return http.send(lambda: Request("POST", server.url, {}, iter([PIECE] * pieces), size), what="ask")
    finally:
        http.close()


def failed(server: FaultyServer, *, sized: bool = True, pieces: int = 2, **options: Any) -> ServiceUnreachableError:
    with pytest.raises(ServiceUnreachableError) as raised:
        send(server, sized=sized, pieces=pieces, **options)
    return raised.value


def test_no_test_reaches_beyond_this_machine() -> None:
    # The plugin warns first, and warnings are errors here.
    with pytest.raises((SocketConnectBlockedError, UserWarning), match=r"192\.0\.2\.1"):
        socket.create_connection(("192.0.2.1", 443), timeout=1)


def test_a_refused_connection_was_not_sent() -> None:
    http = Http(max_attempts=3)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # nobody else gets the port, and nobody listens there
        port = silent.getsockname()[1]
        with pytest.raises(ServiceUnreachableError, match="refused") as raised:
            http.send(lambda: Request("GET", f"http://127.0.0.1:{port}/", {}), what="ask")
    assert (raised.value.outcome, raised.value.attempts) == ("not sent", 3)
    http.close()


def test_a_connection_reset_at_once_was_not_sent() -> None:
    with FaultyServer(Connection.reset) as server:
        assert failed(server, pieces=PIECES).outcome == "not sent"


@pytest.mark.parametrize("sized", [True, False])
def test_a_reset_within_the_body_was_not_sent(sized: bool) -> None:
    def act(connection: Connection) -> None:
        connection.head()
        connection.read(3 * len(PIECE))
        connection.reset()

    with FaultyServer(act) as server:
        assert failed(server, pieces=PIECES, sized=sized).outcome == "not sent"


@pytest.mark.parametrize("end", [Connection.reset, Connection.close], ids=["reset", "closed"])
def test_a_lost_answer_leaves_the_outcome_unknown(end: object) -> None:
    def act(connection: Connection) -> None:
        connection.body(connection.head())
        assert callable(end)
        end(connection)

    with FaultyServer(act) as server:
        assert failed(server).outcome == "unknown"


@pytest.mark.parametrize(
    "head",
    [
        ["HTTP/1.1 200 OK", "Content-Length: 100"],
        ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked"],
        ["HTTP/1.1 200"],
        ["SSH-2.0-OpenSSH_9"],
        ["HTTP/1.1 200 OK", "Content-Length: many"],
    ],
    ids=lambda head: head[-1],
)
def test_an_answer_that_breaks_off_or_is_none_leaves_the_outcome_unknown(head: list[str]) -> None:
    def act(connection: Connection) -> None:
        connection.body(connection.head())
        connection.send(*head, body=b"5\r")

    with FaultyServer(act) as server:
        if head == ["HTTP/1.1 200"]:
            assert send(server).body.reveal() == b"5\r"  # without a length an answer ends with the connection
        else:
            assert failed(server).outcome == "unknown"


def test_the_attempt_after_a_fault_sends_the_whole_body_again() -> None:
    received: list[bytes] = []

    def breaks(connection: Connection) -> None:
        connection.head()
        connection.read(10)
        connection.reset()

    def takes(connection: Connection) -> None:
        received.append(connection.body(connection.head()))
        connection.answer(body=b"ok")

    with FaultyServer(breaks, breaks, takes) as server:
        assert send(server, pieces=PIECES, max_attempts=5).attempts == 3
    assert received == [PIECE * PIECES]


# The server waits for 20 seconds, the longer time-out for a minute: only the shorter one ends these in time.
@pytest.mark.timeout(15)
def test_silence_ends_with_the_timeout() -> None:
    with FaultyServer(Connection.drain) as server:
        error = failed(server, timeout=0.2)
        assert error.outcome == "unknown"


@pytest.mark.timeout(15)
def test_silence_ends_with_the_deadline_though_the_timeout_is_longer() -> None:
    with FaultyServer(Connection.drain) as server:
        # On a clock that stands still, all of it is left when the request was sent.
        error = failed(server, timeout=60, deadline=0.2, max_attempts=5, clock=lambda: 0.0)
        assert (error.outcome, error.attempts) == ("unknown", 1)


def test_a_service_that_takes_nothing_ends_with_the_timeout() -> None:
    done = threading.Event()
    with FaultyServer(lambda _: done.wait(20)) as server:
        error = failed(server, timeout=0.3, pieces=PIECES)
        done.set()
    assert error.outcome == "not sent"


@pytest.mark.parametrize("sized", [True, False])
def test_a_refusal_in_the_middle_of_a_large_body_is_heard(sized: bool) -> None:
    def act(connection: Connection) -> None:
        connection.head()
        connection.read(10)
        connection.answer("401 Unauthorized", b'{"error":{"code":"InvalidToken","message":"old"}}', "Connection: close")
        connection.drain()

    with FaultyServer(act) as server, pytest.raises(InvalidTokenError) as raised:
        send(server, pieces=PIECES, sized=sized, max_attempts=5)
    assert (raised.value.outcome, raised.value.attempts) == ("refused", 1)


def test_a_success_in_the_middle_of_a_large_body_is_not_believed() -> None:
    def act(connection: Connection) -> None:
        connection.head()
        connection.answer("204 No Content")
        connection.read(10)
        connection.reset()

    with FaultyServer(act) as server:
        error = failed(server, pieces=PIECES)
    assert error.outcome in {"unknown", "not sent"}  # the reset may overtake the answer


def test_connections_are_kept_open_between_requests() -> None:
    def act(connection: Connection) -> None:
        for _ in range(3):
            answers(connection)
        connection.drain()

    with FaultyServer(act) as server:
        http = Http()
        for _ in range(3):
            assert http.send(lambda: Request("POST", server.url, {}, iter([PIECE])), what="ask").attempts == 1
        http.close()
        assert server.connections == 1


def test_a_kept_connection_that_was_closed_meanwhile_costs_nothing() -> None:
    closed = threading.Event()

    def act(connection: Connection) -> None:
        answers(connection)
        connection.close()
        closed.set()

    with FaultyServer(act) as server:
        http = Http(max_attempts=2)
        for _ in range(3):
            assert http.send(lambda: Request("POST", server.url, {}, iter([PIECE])), what="ask").body.reveal() == b"ok"
            assert closed.wait(20)
            closed.clear()
        http.close()
        assert server.connections == 3


def test_a_kept_connection_that_closes_as_the_request_arrives_is_tried_again() -> None:
    def act(connection: Connection) -> None:
        answers(connection)
        connection.head()
        connection.reset()

    with FaultyServer(act, answers) as server:
        http = Http(max_attempts=2)
        assert http.send(lambda: Request("GET", server.url, {}), what="ask").attempts == 1
        assert http.send(lambda: Request("GET", server.url, {}), what="ask").attempts == 2
        http.close()


@pytest.mark.parametrize("kept", [True, False], ids=["same", "another"])
@pytest.mark.parametrize("status", ["408 Request Timeout", "429 Too Many Requests", "503 Service Unavailable"])
def test_a_busy_service_is_asked_again_over_the_same_or_another_connection(status: str, kept: bool) -> None:
    # One that is to end says so: else the next request may be sent before its end has come.
    ending = "Connection: keep-alive" if kept else "Connection: close"

    def busy(connection: Connection) -> None:
        connection.body(connection.head())
        connection.answer(status, b"<html>busy</html>", "Content-Type: text/html", "Retry-After: 0", ending)

    def serving(*acts: Act) -> FaultyServer:
        return (
            FaultyServer(lambda each: [act(each) for act in (*acts, Connection.drain)]) if kept else FaultyServer(*acts)
        )

    with serving(busy, busy, answers) as server:
        assert send(server, max_attempts=3).attempts == 3
        assert server.connections == (1 if kept else 3)
    with serving(busy, busy) as server, pytest.raises(RefusedError) as raised:
        send(server, max_attempts=2)
    outcome = "unknown" if status.startswith("5") else "refused"
    assert (raised.value.attempts, raised.value.outcome) == (2, outcome)


def test_an_interrupt_while_sending_ends_the_body_and_the_connection() -> None:
    closed = threading.Event()

    def pieces() -> Iterator[bytes]:
        try:
            yield PIECE
            raise KeyboardInterrupt
        finally:
            closed.set()

    with FaultyServer(Connection.drain) as server:
        http = Http()
        with pytest.raises(KeyboardInterrupt):
            http.send(lambda: Request("POST", server.url, {}, pieces()), what="ask")
        assert closed.is_set()
        http.close()
