"""Messages on connections that are kept: what goes out, what is read of answers, when a connection serves again."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any

import h11
import httpcore
import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from digime_pandas._service.http.answers import joined, simple_answer
from digime_pandas._service.http.attempts.deadline import Deadline
from digime_pandas._service.http.backends import backend
from digime_pandas._service.http.backends.tcp import TcpStream
from digime_pandas._service.http.connections import Connections, Head
from digime_pandas._service.http.lines import DirectLine
from digime_pandas._service.http.opening import Origin
from digime_pandas._service.http.request import Request
from digime_pandas._service.http.request_body import RequestBody
from digime_pandas._service.streams import Buffer

HERE = Origin(secure=False, host="api.test", port=80)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
IN_TWO = [OK[:-1], OK[-1:]]
LARGE = 1 << 20


class Stream(backend.Stream):
    """A connection whose other side has said everything beforehand; each of its texts is one read."""

    def __init__(self, answers: Iterable[bytes]) -> None:
        self.answers = list(answers)
        self.writes: list[Any] = []
        self.closed = False
        self.readable = False
        self.broken = False
        self.timeouts: list[float | None] = []

    def recv(self, max_bytes: int, seconds: float | None) -> bytes:  # noqa: ARG002 - of the interface
        assert not self.closed
        return self.answers.pop(0) if self.answers else b""

    def send(self, data: Buffer, seconds: float | None) -> int:
        assert not self.closed
        assert len(data)
        self.timeouts.append(seconds)
        if self.broken:
            raise BrokenPipeError("broken pipe")
        self.writes.append(data)
        return len(data)

    def close(self) -> None:
        self.closed = True

    def is_readable(self) -> bool:
        return self.readable


class Network(backend.Backend):
    """Connects to streams in turn."""

    def __init__(self, *streams: backend.Stream) -> None:
        self.streams = list(streams)
        self.connected: list[tuple[str, int]] = []

    def connect(self, host: str, port: int, seconds: float | None) -> backend.Stream:  # noqa: ARG002 - of the interface
        self.connected.append((host, port))
        return self.streams[len(self.connected) - 1]


class Asking:
    """Connections to streams, and a clock."""

    def __init__(self, *streams: Stream) -> None:
        self.now = 0.0
        self.streams = streams
        self.network = Network(*streams)
        self.connections = Connections(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), self.network, lambda: self.now)

    def deadline(self, seconds: float = 1.0) -> Deadline:
        return Deadline(seconds, lambda: self.now)

    def ask(self, method: str = "GET", body: Iterable[bytes] = (), length: int | None = 0) -> tuple[int, bytes]:
        head = Head(method, "/x", {"Host": "api.test"}, length)
        answer = self.connections.exchange(HERE, head, body, timeout=1, deadline=self.deadline())
        try:
            return answer.status, b"".join(answer.pieces)
        finally:
            answer.close()


class TestRequests:
    @pytest.mark.parametrize("pieces", [[], [b"one"], [memoryview(b"one")]], ids=["none", "bytes", "view"])
    def test_a_small_one_goes_out_in_one_go(self, pieces: list[bytes]) -> None:
        stream = Stream([OK])
        assert Asking(stream).ask("POST", pieces, sum(map(len, pieces))) == (200, b"ok")
        assert stream.writes == [b"POST /x HTTP/1.1\r\nHost: api.test\r\n\r\n" + b"".join(pieces)]

    def test_a_large_piece_is_not_copied(self) -> None:
        stream, piece = Stream([OK]), bytes(LARGE)
        Asking(stream).ask("POST", [piece], LARGE)
        assert stream.writes[1] is piece

    @pytest.mark.parametrize("pieces", [[], [b""], [b"one", b"", b"three"], [bytes(LARGE), b"x" * 17]], ids=range(4))
    def test_one_of_unknown_length_is_chunked(self, pieces: list[bytes]) -> None:
        stream = Stream([OK])
        Asking(stream).ask("POST", pieces, None)
        server = h11.Connection(h11.SERVER)
        sent = b"".join(stream.writes)
        server.receive_data(sent.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n", 1))
        received = b""
        while not isinstance(event := server.next_event(), h11.EndOfMessage):
            received += event.data if isinstance(event, h11.Data) else b""
        assert received == b"".join(pieces)

    def test_a_piece_is_asked_for_when_the_one_before_was_sent(self) -> None:
        stream = Stream([OK])

        def pieces() -> Iterator[bytes]:
            yield b"one"
            assert b"".join(stream.writes).endswith(b"one")
            yield b"two"

        Asking(stream).ask("POST", pieces(), 6)

    @pytest.mark.parametrize(("pieces", "words"), [([b"12345"], "Too little"), ([b"1234567"], "Too much")])
    def test_a_body_of_another_length_than_declared_is_an_error(self, pieces: list[bytes], words: str) -> None:
        stream = Stream([OK])
        with pytest.raises(httpcore.LocalProtocolError, match=words):
            Asking(stream).ask("POST", pieces, 6)
        assert stream.closed

    @pytest.mark.parametrize("value", ["a\r\nX: b", "a\nb", "a\rb", "a\0b", "a\x7fb", "é", "\u2028"])
    def test_what_would_end_a_line_is_neither_sent_nor_shown(self, value: str) -> None:
        stream = Stream([OK])
        asking = Asking(stream)
        with pytest.raises(httpcore.LocalProtocolError) as raised:
            asking.connections.exchange(
                HERE, Head("GET", "/", {"X": value}, 0), (), timeout=1, deadline=asking.deadline()
            )
        assert (stream.writes, stream.closed) == ([], True)
        assert value not in str(raised.value)


ANSWERS = [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", (200, b"ok"), True),
    (b"HTTP/1.1 200\r\ncontent-length:2\r\n\r\nok", (200, b"ok"), True),
    (b"HTTP/1.1 404 \xe9 \r\nX: \xe9\r\nContent-Length: 0\r\n\r\n", (404, b""), True),
    (b"HTTP/1.1 204 No Content\r\n\r\n", (204, b""), True),
    (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", (304, b""), True),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", (200, b"ok"), True),
    (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nA: b\r\n\r\n" + OK, (200, b"ok"), True),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok", (200, b"ok"), True),
    (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", (200, b"ok"), False),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", (200, b"ok"), False),
    (b"HTTP/1.1 200 OK\r\n\r\nok", (200, b"ok"), False),
]
BROKEN = [
    b"",
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 1\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok",
    b"HTTP/1.1 200 OK\r\nno field\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nA : b\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nA: \0\r\nContent-Length: 2\r\n\r\nok",
    b"SSH-2.0-OpenSSH_9\r\n\r\n",
    b"HTTP/2 200 OK\r\nContent-Length: 2\r\n\r\nok",
]


def whole(data: bytes) -> list[bytes]:
    return [data[at : at + (64 << 10)] for at in range(0, len(data), 64 << 10)]


def bytewise(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


class TestAnswers:
    @pytest.mark.parametrize("cut", [whole, bytewise])
    @pytest.mark.parametrize(("data", "expected", "kept"), ANSWERS, ids=range(len(ANSWERS)))
    def test_one_is_read_however_it_is_cut(self, cut: Any, data: bytes, expected: Any, *, kept: bool) -> None:
        stream = Stream(cut(data))
        assert Asking(stream).ask() == expected
        assert stream.closed is not kept

    @pytest.mark.parametrize("cut", [whole, bytewise])
    @pytest.mark.parametrize("data", BROKEN, ids=range(len(BROKEN)))
    def test_one_that_is_none_is_an_error_and_ends_the_connection(self, cut: Any, data: bytes) -> None:
        stream = Stream(cut(data))
        with pytest.raises((httpcore.RemoteProtocolError, h11.RemoteProtocolError)):
            Asking(stream).ask()
        assert stream.closed

    def test_a_head_without_end_is_not_read_to_its_end(self) -> None:
        stream = Stream([b"HTTP/1.1 200 OK\r\nA: ", *[b"a" * 60_000] * 9])
        with pytest.raises(h11.RemoteProtocolError):
            Asking(stream).ask()
        assert (stream.closed, len(stream.answers) > 5) == (True, True)

    @pytest.mark.parametrize("seconds", [11.0, 26.0])
    def test_a_head_that_trickles_in_ends_with_the_deadline(self, seconds: float) -> None:
        stream = Stream(bytewise(b"HTTP/1.1 200 OK\r\nA: " + b"a" * 100))
        asking, read = Asking(stream), stream.recv

        def read_slowly(max_bytes: int, seconds: float | None) -> bytes:
            asking.now += 1
            return read(max_bytes, seconds)

        stream.recv = read_slowly  # type: ignore[method-assign] # a slow one
        with pytest.raises(httpcore.ReadTimeout, match="deadline"):
            asking.connections.exchange(
                HERE, Head("GET", "/", {}, 0), (), timeout=10, deadline=asking.deadline(seconds)
            )
        assert (asking.now, stream.closed) == (seconds, True)

    def test_a_body_that_trickles_in_ends_with_the_deadline(self) -> None:
        stream = Stream([OK[:-2], b"o", b"k"])
        asking, read = Asking(stream), stream.recv

        def read_slowly(max_bytes: int, seconds: float | None) -> bytes:
            asking.now += 1
            return read(max_bytes, seconds)

        stream.recv = read_slowly  # type: ignore[method-assign] # a slow one
        answer = asking.connections.exchange(HERE, Head("GET", "/", {}, 0), (), timeout=10, deadline=asking.deadline(2))
        with pytest.raises(httpcore.ReadTimeout, match="deadline"):
            list(answer.pieces)
        assert (asking.now, stream.closed, stream.answers) == (2, True, [b"k"])

    def test_a_body_that_trickles_out_ends_with_the_deadline(self) -> None:
        stream = Stream([OK])
        asking = Asking(stream)

        def send_slowly(data: Buffer, seconds: float | None) -> int:
            asking.now += 1
            stream.timeouts.append(seconds)
            stream.writes.append(data[:1])
            return 1

        stream.send = send_slowly  # type: ignore[method-assign] # a slow one
        head = Head("POST", "/", {}, LARGE)
        with pytest.raises(httpcore.WriteTimeout, match="deadline"):
            asking.connections.exchange(HERE, head, [bytes(LARGE)], timeout=10, deadline=asking.deadline(30))
        assert (len(stream.writes), stream.closed) == (30, True)
        assert stream.timeouts[:20] == [10] * 20
        assert stream.timeouts[20:] == list(range(10, 0, -1))

    def test_no_step_takes_longer_than_what_is_left(self) -> None:
        stream = Stream([OK])
        asking = Asking(stream)
        for timeout, seconds, expected in ((10, 3.0, 3.0), (2, 3.0, 2)):
            stream.answers = [OK]
            deadline = asking.deadline(seconds)
            asking.connections.exchange(HERE, Head("GET", "/", {}, 0), (), timeout=timeout, deadline=deadline).close()
            assert stream.timeouts.pop() == expected

    def test_what_comes_beyond_one_is_not_taken_for_the_next(self) -> None:
        streams = Stream([OK + b"HTTP/1.1 200 Of another\r\nContent-Length: 3\r\n\r\nnot"]), Stream([OK])
        asking = Asking(*streams)
        assert [asking.ask(), asking.ask()] == [(200, b"ok")] * 2
        assert streams[0].closed

    def test_that_to_head_has_no_body(self) -> None:
        stream = Stream([b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", OK])
        asking = Asking(stream)
        assert asking.ask("HEAD") == (200, b"")
        assert asking.ask() == (200, b"ok")

    def test_one_that_comes_before_the_whole_body_is_read_and_ends_the_connection(self) -> None:
        stream = Stream([OK])
        stream.broken = True
        assert Asking(stream).ask("POST", [b"one"], 3) == (200, b"ok")
        assert stream.closed

    @given(
        st.tuples(
            st.sampled_from(
                [b"HTTP/1.1 200 OK", b"HTTP/1.1 200", b"HTTP/1.1 500 \xff", b"HTTP/1.1 204 ", b"HTTP/1.0 200 A"]
            ),
            st.lists(
                st.sampled_from(
                    [
                        b"Content-Length: 2",
                        b"content-length:  2\t",
                        b"Content-Length: 02",
                        b"Content-Length: 3",
                        b"Connection: close",
                        b"Connection: keep-alive",
                        b"Transfer-Encoding: chunked",
                        b"A: b",
                        b"A:",
                        b" folded",
                        b"A\x0b: b",
                        b"A: \x01",
                        b"A: \xe9",
                        b"",
                    ]
                ),
                max_size=4,
            ),
            st.sampled_from([b"ok", b"", b"okk", b"2\r\nok\r\n0\r\n\r\n"]),
        )
    )
    @settings(derandomize=True, max_examples=80, deadline=None)
    @example((b"HTTP/1.1 200 OK", [b"Content-Length: 2"], b"ok"))
    def test_what_is_read_without_h11_is_what_h11_reads(self, parts: tuple[bytes, list[bytes], bytes]) -> None:
        first, lines, body = parts
        data = b"\r\n".join([first, *lines, b"", body])
        simple = simple_answer(data)
        if parts == (b"HTTP/1.1 200 OK", [b"Content-Length: 2"], b"ok"):
            assert simple is not None
        if simple is None:
            return
        client = h11.Connection(h11.CLIENT)
        client.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
        client.send(h11.EndOfMessage())
        client.receive_data(data)
        response, received = client.next_event(), b""
        assert isinstance(response, h11.Response)
        while not isinstance(event := client.next_event(), h11.EndOfMessage):
            assert isinstance(event, h11.Data)
            received += event.data
        assert (response.status_code, joined(list(response.headers)), [received]) == simple
        assert (client.their_state, client.trailing_data) == (h11.DONE, (b"", False))

    def test_fields_are_texts_and_repeated_ones_are_joined(self) -> None:
        raw = [(b"a", b"1"), (b"b", "é".encode()), (b"c", "é".encode("latin-1")), (b"a", b"2")]
        assert joined(raw) == {"a": "1, 2", "b": "é", "c": "é"}
        assert joined(raw) == {name.lower(): value for name, value in httpx.Headers(raw).items()} | {"b": "é"}


class TestReuse:
    def test_the_one_that_was_used_last_serves_again(self) -> None:
        streams = Stream([OK, OK]), Stream([OK, OK, OK])
        asking = Asking(*streams)

        def pieces() -> Iterator[bytes]:
            asking.ask()
            yield b"one"

        asking.ask("POST", pieces(), 3)
        assert len(asking.network.connected) == 2
        asking.ask()
        assert [len(stream.answers) for stream in streams] == [0, 2]

    @pytest.mark.parametrize(("seconds", "kept"), [(4.9, True), (5.1, False)])
    def test_one_that_was_idle_for_too_long_is_closed(self, seconds: float, *, kept: bool) -> None:
        streams = Stream([OK, OK]), Stream([OK])
        asking = Asking(*streams)
        asking.ask()
        asking.now += seconds
        assert asking.ask() == (200, b"ok")
        assert (len(asking.network.connected) == 1, not streams[0].closed) == (kept, kept)

    def test_those_that_nobody_needs_any_more_are_closed_while_another_is_used(self) -> None:
        streams = Stream([*IN_TWO, *[OK] * 9]), Stream([OK] * 9)
        asking = Asking(*streams)
        held = asking.connections.exchange(HERE, Head("GET", "/", {}, 0), (), timeout=1, deadline=asking.deadline())
        asking.ask()
        b"".join(held.pieces)
        for _ in range(3):
            asking.now += 3
            asking.ask()
        assert sorted(stream.closed for stream in streams) == [False, True]

    def test_one_that_can_be_read_was_ended_by_the_service(self) -> None:
        streams = Stream([OK]), Stream([OK])
        asking = Asking(*streams)
        asking.ask()
        streams[0].readable = True
        assert asking.ask() == (200, b"ok")
        assert (streams[0].closed, streams[1].closed) == (True, False)

    def test_an_answer_that_is_left_ends_the_connection(self) -> None:
        stream = Stream([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart"])
        asking = Asking(stream)
        answer = asking.connections.exchange(HERE, Head("GET", "/", {}, 0), (), timeout=1, deadline=asking.deadline())
        assert next(iter(answer.pieces)) == b"part"
        answer.close()
        answer.close()
        assert stream.closed

    @pytest.mark.parametrize("error", [httpcore.ReadTimeout(), KeyboardInterrupt()], ids=["time-out", "interrupt"])
    @pytest.mark.parametrize("parts", [[], [OK[:20]], [OK[:-1]]], ids=["nothing", "of-the-head", "of-the-body"])
    def test_one_whose_answer_did_not_come_is_closed_since_it_may_come_later(
        self, parts: list[bytes], error: BaseException
    ) -> None:
        late, other = Stream(parts), Stream([OK])
        read = late.recv

        def read_or_fail(max_bytes: int, seconds: float | None) -> bytes:
            if not late.answers:
                raise error
            return read(max_bytes, seconds)

        late.recv = read_or_fail  # type: ignore[method-assign]
        asking = Asking(late, other)
        with pytest.raises(type(error)):
            asking.ask("POST", [b"one"], 3)
        assert late.closed
        assert asking.ask() == (200, b"ok")
        assert not late.answers
        assert len(asking.network.connected) == 2

    def test_closing_ends_those_in_use_too_and_none_is_kept_after_it(self) -> None:
        idle, used, later = Stream([OK, *IN_TWO]), Stream(IN_TWO), Stream([OK])
        asking = Asking(idle, used, later)
        asking.ask()
        held = asking.connections.exchange(HERE, Head("GET", "/", {}, 0), (), timeout=1, deadline=asking.deadline())
        other = asking.connections.exchange(HERE, Head("GET", "/", {}, 0), (), timeout=1, deadline=asking.deadline())
        asking.connections.close()
        assert (idle.closed, used.closed) == (True, True)
        held.close()
        other.close()
        asking.ask()
        assert later.closed

    def test_each_origin_has_its_own(self) -> None:
        asking = Asking(Stream([OK]), Stream([OK]))
        asking.ask()
        other = Origin(secure=False, host="api.test", port=81)
        asking.connections.exchange(other, Head("GET", "/", {}, 0), (), timeout=1, deadline=asking.deadline()).close()
        assert asking.network.connected == [("api.test", 80), ("api.test", 81)]


URLS = [
    "http://127.0.0.1:8000/v1.7/oauth/token",
    "http://127.0.0.1:8000/v1.7/permission-access/query/a%2Fb/c_-~.json",
    "http://127.0.0.1:8000/v1.7/../x/./y",
    "http://127.0.0.1:8000/v1.7/.hidden",
    "http://127.0.0.1:8000/v1.7/a b?c=d#e",
    "http://127.0.0.1:8000/keys?x=1#y",
    "http://127.0.0.1:8000/é",
    "http://127.0.0.1:8000",
    "http://127.0.0.1:8000?x",
    "http://[::1]:80/x",
    "http://localhost:80/x/",
    "http://LOCALHOST/x//y",
]


@pytest.mark.parametrize("again", [False, True], ids=["first", "again"])
@pytest.mark.parametrize("url", URLS)
def test_an_address_leads_where_httpx_takes_it(url: str, *, again: bool) -> None:
    stream = Stream([OK, OK])
    network = Network(stream)
    line = DirectLine(Connections(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), network, lambda: 0.0))
    for _ in range(1 + again):
        list(line.open(Request("GET", url, {}), None, 1, Deadline(1, lambda: 0.0)).pieces)
    expected = httpx.Request("GET", url)
    first, *fields = stream.writes[-1].decode().split("\r\n")
    assert first == f"GET {expected.url.raw_path.decode()} HTTP/1.1"
    assert f"Host: {expected.headers['Host']}" in fields
    assert network.connected == [(expected.url.host, expected.url.port or 80)]


@pytest.mark.parametrize(("size", "field"), [(3, "Content-Length: 3"), (None, "Transfer-Encoding: chunked")])
def test_a_body_is_announced(size: int | None, field: str) -> None:
    stream = Stream([OK])
    line = DirectLine(Connections(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), Network(stream), lambda: 0.0))
    body = RequestBody([b"one"], size, None, copied=False)
    list(
        line.open(
            Request("POST", "http://api.test/x", {"X-Own": "1"}, [b"one"], size), body, 1, Deadline(1, lambda: 0.0)
        ).pieces
    )
    fields = b"".join(stream.writes).decode().partition("\r\n\r\n")[0].split("\r\n")[1:]
    assert field in fields
    assert "X-Own: 1" in fields
    assert sum(each.startswith(("Content-Length", "Transfer-Encoding")) for each in fields) == 1


class TestSockets:
    """Connections without TLS, over sockets of the system."""

    @pytest.fixture
    def pair(self) -> Iterator[tuple[socket.socket, socket.socket]]:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            yield ours, theirs

    @staticmethod
    def over(ours: socket.socket) -> Connections:
        return Connections(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), Network(TcpStream(ours)), time.monotonic)

    @staticmethod
    def ask(connections: Connections, body: bytes = b"", timeout: float = 5.0) -> int:
        head = Head("POST", "/x", {"Host": "api.test"}, len(body))
        deadline = Deadline(60.0, time.monotonic)
        return connections.exchange(HERE, head, [body], timeout=timeout, deadline=deadline).status

    def test_one_carries_several_requests(self, pair: tuple[socket.socket, socket.socket]) -> None:
        ours, theirs = pair
        connections = self.over(ours)
        received: list[bytes] = []

        def answer() -> None:
            received.append(theirs.recv(LARGE))
            theirs.sendall(OK)  # not before it was asked

        for number in range(2):
            answering = threading.Thread(target=answer)
            answering.start()
            assert self.ask(connections, b"%d" % number) == 200
            answering.join()
            assert received[number].endswith(b"\r\n\r\n%d" % number)

    def test_an_answer_that_does_not_come_ends_in_time(self, pair: tuple[socket.socket, socket.socket]) -> None:
        with pytest.raises(httpcore.ReadTimeout, match="timed out"):
            self.ask(self.over(pair[0]), timeout=0.01)

    def test_a_body_that_is_not_taken_ends_in_time(self, pair: tuple[socket.socket, socket.socket]) -> None:
        with pytest.raises(httpcore.WriteTimeout, match="timed out"):
            self.ask(self.over(pair[0]), bytes(8 * LARGE), timeout=0.01)

    def test_a_large_body_arrives_whole(self, pair: tuple[socket.socket, socket.socket]) -> None:
        ours, theirs = pair
        received = 0

        def answer() -> None:
            nonlocal received
            while received < 4 * LARGE:
                received += len(theirs.recv(LARGE))
            theirs.sendall(OK)

        taking = threading.Thread(target=answer)
        taking.start()
        assert self.ask(self.over(ours), bytes(4 * LARGE)) == 200
        taking.join()
        assert received > 4 * LARGE

    @pytest.mark.parametrize("end", ["theirs", "ours"])
    def test_one_that_was_closed_is_not_used_again(self, pair: tuple[socket.socket, socket.socket], end: str) -> None:
        ours, theirs = pair
        connections = self.over(ours)
        theirs.sendall(OK)
        assert self.ask(connections) == 200
        (theirs if end == "theirs" else ours).close()
        with pytest.raises(IndexError):  # there is no second stream
            self.ask(connections)
