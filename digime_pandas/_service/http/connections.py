"""Connections to a service, kept open between requests: HTTP/1.1 without what a client of many services needs.

h11 reads answers. For small files, writing requests and reading answers with it takes longer than all the rest, though.
So requests are written here, and an answer that came whole, with nothing in it that can be read in two ways, is read
here. (httpcore's own pool looks at all of its connections at each request.)

What is sent is in clear here, so that the frames of this file are left out of tracebacks, as those of libraries are.
"""

from __future__ import annotations

import ssl
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple, TypeAlias

import h11
import httpcore

from digime_pandas._service.http.answers import Answer, Fields, joined, simple_answer
from digime_pandas._service.http.attempts.deadline import PASSED, SHORTEST_STEP, Deadline
from digime_pandas._service.http.backends.backend import Backend, Stream
from digime_pandas._service.http.opening import Origin, open_stream
from digime_pandas._service.streams import Buffer

ERRORS = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    h11.ProtocolError,
)
"""What is raised here. httpx has an error of the same name for each."""

Event: TypeAlias = h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]

# As httpx has it: services close connections that are idle for longer, and may do so while a request arrives.
_IDLE_SECONDS = 5.0
_HEAD_LIMIT_BYTES = 100 << 10
_READ_BYTES = 64 << 10
_JOINED_BYTES = 64 << 10  # copying more than that takes longer than another call of the system
# What h11 is told of a request: all that the answer depends on.
_TOLD = {method: h11.Request(method=method, target="/", headers=[("Host", "x")]) for method in ("GET", "HEAD", "POST")}
_TOLD_WHOLE = h11.EndOfMessage()


class Head(NamedTuple):
    """A request without its body.

    Attributes:
        method: GET, HEAD or POST.
        target: Path and query.
        fields: Header fields.
        length: Bytes of the body, or None where they are not known: it is chunked then.
    """

    method: str
    target: str
    fields: Fields
    length: int | None

    def encode(self) -> bytes:
        """Return it as it is sent.

        Raises:
            httpcore.LocalProtocolError: Something in it would end a line.
        """
        lines = [f"{self.method} {self.target} HTTP/1.1", *[f"{name}: {self.fields[name]}" for name in self.fields]]
        text = "".join(lines)
        if not text.isascii() or not text.isprintable():
            raise httpcore.LocalProtocolError("Illegal header value")
        return "\r\n".join([*lines, "", ""]).encode()


class Connections:
    """Open connections: as many as requests were under way at the same time.

    Args:
        context: What TLS connections trust.
        backend: Connects.
        clock: Monotonic clock, in seconds.
    """

    def __init__(self, context: ssl.SSLContext, backend: Backend, clock: Callable[[], float]) -> None:
        self._context = context
        self._backend = backend
        self._clock = clock
        self._lock = threading.Lock()
        self._open: set[Connection] = set()
        self._idle: defaultdict[Origin, list[Connection]] = defaultdict(list)
        self._closed = False

    def exchange(
        self, origin: Origin, request: Head, body: Iterable[Buffer], *, timeout: float, deadline: Deadline
    ) -> Answer:
        """Send a request; return the answer to it as soon as its head is there.

        Args:
            origin: Where to.
            request: What is asked.
            body: Pieces of the body; each is asked for when the one before it was sent.
            timeout: Seconds that connecting, one read or one write may take.
            deadline: When all of it, and the body of the answer, has to be over.
        """
        return self._get(origin, timeout, deadline).exchange(request, body, timeout, deadline)

    def _get(self, origin: Origin, timeout: float, deadline: Deadline) -> Connection:
        """Return a connection for one request: the one that was used last, or a new one."""
        while (kept := self._take(origin)) is not None:
            if kept.is_alive(self._clock()):
                return kept
            self._drop(kept)
        stream = open_stream(self._backend, self._context, origin, timeout, deadline)
        connection = Connection(stream, lambda used: self._put(origin, used), self._clock)
        self._open.add(connection)
        return connection

    def close(self) -> None:
        """Close all, those in use too. Waits for no lock, so that a forked child can close its copies."""
        self._closed = True
        while self._open:
            with suppress(Exception):
                self._drop(self._open.pop())

    def _take(self, origin: Origin) -> Connection | None:
        with self._lock:
            idle = self._idle[origin]
            return idle.pop() if idle else None

    def _put(self, origin: Origin, used: Connection) -> None:
        if self._closed or not used.renew(self._clock() + _IDLE_SECONDS):
            self._drop(used)
            return
        with self._lock:
            idle = self._idle[origin]
            idle.append(used)
            # The first of them was used longest ago. One at a time is enough, since one came.
            expired = None if idle[0].is_young(self._clock()) else idle.pop(0)
        if expired is not None:
            self._drop(expired)

    def _drop(self, connection: Connection) -> None:
        self._open.discard(connection)
        connection.close()


class Connection:
    """One connection, which carries one request at a time.

    Args:
        stream: The socket.
        released: Called with this when a request is over, however it ended.
        clock: Monotonic clock, in seconds.
    """

    def __init__(self, stream: Stream, released: Callable[[Connection], object], clock: Callable[[], float]) -> None:
        self._stream = stream
        self._released = released
        self._clock = clock
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD_LIMIT_BYTES)
        self._end = 0.0
        self._sent_whole = False
        self._used_h11 = False

    def is_alive(self, now: float) -> bool:
        """Tell whether it can carry another request. What can be read when nothing was asked is the service's end."""
        return self.is_young(now) and not self._stream.is_readable()

    def is_young(self, now: float) -> bool:
        """Tell whether it was used lately."""
        return now < self._end

    def renew(self, end: float) -> bool:
        """Make it ready for the next request, to be begun before `end`; False where it cannot carry one."""
        if self._used_h11:
            if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
                return False
            if self._http.trailing_data != (b"", False):
                return False  # what came beyond the answer would be taken for the next one
            self._http.start_next_cycle()
        self._end = end
        return self._sent_whole

    def release(self) -> None:
        """Say that a request is over."""
        self._released(self)

    def close(self) -> None:
        """Close it."""
        self._stream.close()

    def exchange(self, request: Head, body: Iterable[Buffer], timeout: float, deadline: Deadline) -> Answer:
        """Send a request, as `Connections.exchange` does."""
        self._sent_whole = self._used_h11 = False
        try:
            # A service may answer, and close the connection, before it has the whole body.
            with suppress(httpcore.WriteError):
                self._send(request, body, timeout, deadline)
                self._sent_whole = True
            data = self._read(timeout, deadline)
            simple = None if request.method == "HEAD" else simple_answer(data)
            if simple is not None:
                self.release()
                return Answer(None, *simple)
            self._tell_h11(request.method, data)
            while not isinstance(head := self._next_event(timeout, deadline), h11.Response):
                pass  # 1xx: the answer is still to come
        except BaseException:
            # The answer may still come, and must not be taken for that of the next request.
            self._sent_whole = False
            self.release()
            raise
        return Answer(self.release, head.status_code, joined(list(head.headers)), self._pieces(timeout, deadline))

    def _tell_h11(self, method: str, data: bytes) -> None:
        self._used_h11 = True
        self._http.send(_TOLD[method])
        if self._sent_whole:
            self._http.send(_TOLD_WHOLE)
        self._receive(data)

    def _next_event(self, timeout: float, deadline: Deadline) -> Event:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._receive(self._read(timeout, deadline))
        return event

    def _read(self, timeout: float, deadline: Deadline) -> bytes:
        seconds = _step(deadline, timeout, self._clock, httpcore.ReadTimeout)
        try:
            return self._stream.recv(_READ_BYTES, seconds)
        except TimeoutError as error:
            raise httpcore.ReadTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.ReadError(str(error)) from error

    def _receive(self, data: bytes) -> None:
        if not data and self._http.their_state is h11.SEND_RESPONSE:
            raise httpcore.RemoteProtocolError("Server disconnected without sending a response.")
        self._http.receive_data(data)

    def _pieces(self, timeout: float, deadline: Deadline) -> Iterator[bytes]:
        while isinstance(event := self._next_event(timeout, deadline), h11.Data):
            yield bytes(event.data)

    def _send(self, request: Head, body: Iterable[Buffer], timeout: float, deadline: Deadline) -> None:
        """Send a request; its head goes out together with the first piece of its body."""
        before, sent = request.encode(), 0
        for piece in body:
            sent += len(piece)
            parts: list[Buffer]
            if request.length is None:
                parts = [before, b"%x\r\n" % len(piece), piece, b"\r\n"] if piece else [before]
            elif sent <= request.length:
                parts = [before, piece]
            else:
                raise httpcore.LocalProtocolError("Too much data for declared Content-Length")
            self._write(parts, timeout, deadline)
            before = b""
        if sent < (request.length or 0):
            raise httpcore.LocalProtocolError("Too little data for declared Content-Length")
        last = b"0\r\n\r\n" if request.length is None else b""
        if before or last:
            self._write([before, last], timeout, deadline)

    def _write(self, parts: list[Buffer], timeout: float, deadline: Deadline) -> None:
        for part in [b"".join(parts)] if sum(map(len, parts)) <= _JOINED_BYTES else parts:
            left: Buffer = part
            try:
                while size := len(left):
                    # Each part that the network takes has `timeout` seconds; all of them have the deadline.
                    taken = self._stream.send(left, _step(deadline, timeout, self._clock, httpcore.WriteTimeout))
                    left = b"" if taken == size else memoryview(left)[taken:]
                    if size > _JOINED_BYTES:
                        deadline.moved(taken)
            except TimeoutError as error:
                raise httpcore.WriteTimeout(str(error)) from error
            except OSError as error:
                raise httpcore.WriteError(str(error)) from error


def _step(deadline: Deadline, timeout: float, clock: Callable[[], float], error: type[Exception]) -> float:
    """`Deadline.step`, here since each call into another file costs."""
    left = deadline.end - clock()
    if left <= 0:
        raise error(PASSED)
    return timeout if timeout < left else max(left, SHORTEST_STEP)
