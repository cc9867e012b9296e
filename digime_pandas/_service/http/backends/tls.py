"""TLS on a connection, or within the TLS of another one, as behind an https proxy.

Python's own sockets with TLS ask the system to send each record of 16 KiB alone, which takes longer than encrypting it,
and cannot be put into one another.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import httpcore

from digime_pandas._service.http.backends.backend import Stream
from digime_pandas._service.streams import Buffer

T = TypeVar("T")

_READ_BYTES = 64 << 10
# What is encrypted, and then sent within the time of one step: a record at least, and on a fast network so much more as
# takes no longer than this. More than 512 KiB is no longer in the processor's cache when it is sent.
_LEAST_SENT_BYTES, _MOST_SENT_BYTES = 16 << 10, 512 << 10
_SENT_SECONDS = 0.05


class TlsStream(Stream):
    """A connection over TLS.

    An end that TLS was not told of is an error: the end of an answer may be missing.

    Args:
        outer: What carries it.
        context: What TLS trusts.
        host: Whose certificate is expected.
        clock: Monotonic clock, in seconds.
    """

    def __init__(
        self, outer: Stream, context: ssl.SSLContext, host: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._outer = outer
        self._clock = clock
        self._part_bytes = _LEAST_SENT_BYTES
        self._has_ended = False
        self._received, self._to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._received, self._to_send, server_hostname=host)

    def begin(self, seconds: float | None) -> None:
        """Shake hands, as for `begin_tls`."""
        try:
            self._carry(self._tls.do_handshake, seconds)
        except TimeoutError as error:
            self.close()
            raise httpcore.ConnectTimeout(str(error)) from error
        except OSError as error:
            self.close()
            raise httpcore.ConnectError(str(error)) from error

    def recv(self, max_bytes: int, seconds: float | None) -> bytes:
        """Return what comes next; nothing at the end."""
        record = self._carry(lambda: self._tls.read(max_bytes), seconds)
        return record + self._rest(max_bytes - len(record)) if self._received.pending else record

    def _rest(self, max_bytes: int) -> bytes:
        """Return what came with a record, as far as it is whole."""
        records: list[bytes] = []
        with suppress(ssl.SSLWantReadError):
            while max_bytes and self._received.pending and not self._has_ended:
                records.append(self._tls.read(max_bytes))
                max_bytes -= len(records[-1])
                self._has_ended = not records[-1]
        return b"".join(records)

    def send(self, data: Buffer, seconds: float | None) -> int:
        """Send a part of some bytes; return how many."""
        begun = self._clock()
        with memoryview(data)[: self._part_bytes] as part:
            sent = self._carry(lambda: self._tls.write(part), seconds)
        if self._clock() - begun > _SENT_SECONDS:
            self._part_bytes = max(self._part_bytes // 2, _LEAST_SENT_BYTES)
        elif sent == self._part_bytes:
            self._part_bytes = min(self._part_bytes * 2, _MOST_SENT_BYTES)
        return sent

    def is_readable(self) -> bool:
        """Tell whether something came, or the connection ended."""
        return self._has_ended or bool(self._tls.pending() or self._received.pending) or self._outer.is_readable()

    def close(self) -> None:
        """Close the connection."""
        self._outer.close()

    def _carry(self, act: Callable[[], T], seconds: float | None) -> T:
        """Do something of TLS, and carry what it needs over the outer connection, within so many seconds."""
        end = None if seconds is None else self._clock() + seconds
        while True:
            try:
                result = act()
            except ssl.SSLWantReadError:
                self._flush(end)
                self._receive(end)
            else:
                self._flush(end)
                return result

    def _flush(self, end: float | None) -> None:
        left = memoryview(self._to_send.read())
        while left:
            left = left[self._outer.send(left, self._left(end)) :]

    def _receive(self, end: float | None) -> None:
        data = self._outer.recv(_READ_BYTES, self._left(end))
        if data:
            self._received.write(data)
        else:
            self._received.write_eof()

    def _left(self, end: float | None) -> float | None:
        left = None if end is None else end - self._clock()
        if left is not None and left <= 0:
            raise TimeoutError("timed out")
        return left


def begin_tls(outer: Stream, context: ssl.SSLContext, host: str, seconds: float | None) -> TlsStream:
    """Begin TLS with a host that a connection leads to, which may be over TLS itself.

    Args:
        outer: The connection.
        context: What TLS trusts.
        host: Whose certificate is expected.
        seconds: How long it may take.

    Raises:
        httpcore.ConnectError: It was refused, or the certificate is not trusted. The connection is closed.
        httpcore.ConnectTimeout: It took too long. The connection is closed.
    """
    secured = TlsStream(outer, context, host)
    secured.begin(seconds)
    return secured
