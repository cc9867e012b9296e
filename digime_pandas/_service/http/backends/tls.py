"""TLS on a connection, or within the TLS of another one, as behind an https proxy.

Python's own sockets with TLS ask the system to send each record of 16 KiB alone, which takes longer than encrypting it,
and cannot be put into one another.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import httpcore

from digime_pandas._service.streams import Buffer

T = TypeVar("T")

_READ_BYTES = 64 << 10
# What is encrypted, and then sent within the time of one step: a record at least, and on a fast network so much more as
# takes no longer than this. More than 512 KiB is no longer in the processor's cache when it is sent.
_LEAST_SENT_BYTES, _MOST_SENT_BYTES = 16 << 10, 512 << 10
_SENT_SECONDS = 0.05


class Outer(Protocol):
    """What carries the bytes of TLS: a socket, or another `TlsStream`."""

    def settimeout(self, seconds: float | None, /) -> None:
        """Say how long the next step may take."""

    def send(self, data: Buffer, /) -> int:
        """Send a part of some bytes; return how many."""

    def recv(self, max_bytes: int, /) -> bytes:
        """Return what comes next; nothing at the end."""

    def close(self) -> None:
        """Close it."""


class TlsStream(httpcore.NetworkStream):
    """A connection over TLS.

    An end that TLS was not told of is an error: the end of an answer may be missing.

    Args:
        outer: What carries it.
        outer_info: `get_extra_info` of that.
        context: What TLS trusts.
        host: Whose certificate is expected.
        clock: Monotonic clock, in seconds.
    """

    def __init__(
        self,
        outer: Outer,
        outer_info: Callable[[str], Any],
        context: ssl.SSLContext,
        host: str | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._outer = outer
        self._outer_info = outer_info
        self._clock = clock
        self._timeout: float | None = None
        self._part_bytes = _LEAST_SENT_BYTES
        self._received, self._to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._received, self._to_send, server_hostname=host)

    def begin(self, timeout: float | None) -> None:
        """Shake hands.

        Raises:
            httpcore.ConnectError: It was refused, or the certificate is not trusted. The connection is closed.
            httpcore.ConnectTimeout: It took too long. The connection is closed.
        """
        self.settimeout(timeout)
        try:
            self._carry(self._tls.do_handshake)
        except TimeoutError as error:
            self.close()
            raise httpcore.ConnectTimeout(str(error)) from error
        except OSError as error:
            self.close()
            raise httpcore.ConnectError(str(error)) from error

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Begin TLS with what this connection leads to, as `begin` does."""
        inner = TlsStream(self, self.get_extra_info, ssl_context, server_hostname, self._clock)
        inner.begin(timeout)
        return inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what comes next; nothing at the end.

        Raises:
            httpcore.ReadTimeout: Nothing came in time.
            httpcore.ReadError: The connection broke.
        """
        self.settimeout(timeout)
        try:
            return self.recv(max_bytes)
        except TimeoutError as error:
            raise httpcore.ReadTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.ReadError(str(error)) from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send bytes.

        Raises:
            httpcore.WriteTimeout: The network did not take a part of them in time.
            httpcore.WriteError: The connection broke.
        """
        self.settimeout(timeout)
        left = memoryview(buffer)
        try:
            while left:
                left = left[self.send(left) :]
        except TimeoutError as error:
            raise httpcore.WriteTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.WriteError(str(error)) from error

    def settimeout(self, seconds: float | None, /) -> None:
        """Say how long the next step may take."""
        self._timeout = seconds

    def recv(self, max_bytes: int, /) -> bytes:
        """Return what comes next; nothing at the end."""
        try:
            return self._carry(lambda: self._tls.read(max_bytes))
        except ssl.SSLZeroReturnError:
            return b""

    def send(self, data: Buffer, /) -> int:
        """Send a part of some bytes; return how many."""
        begun = self._clock()
        with memoryview(data)[: self._part_bytes] as part:
            sent = self._carry(lambda: self._tls.write(part))
        if self._clock() - begun > _SENT_SECONDS:
            self._part_bytes = max(self._part_bytes // 2, _LEAST_SENT_BYTES)
        elif sent == self._part_bytes:
            self._part_bytes = min(self._part_bytes * 2, _MOST_SENT_BYTES)
        return sent

    def close(self) -> None:
        """Close the connection."""
        self._outer.close()

    def get_extra_info(self, info: str) -> Any:
        """Return what is known of the connection; as ``"socket"`` this, which encrypts what is sent."""
        if info == "socket":
            return self
        if info == "ssl_object":
            return self._tls
        if info == "is_readable" and (self._tls.pending() or self._received.pending):
            return True
        return self._outer_info(info)

    def _carry(self, act: Callable[[], T]) -> T:
        """Do something of TLS, and carry what it needs over the outer connection, within the time of one step."""
        end = None if self._timeout is None else self._clock() + self._timeout
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
            self._limit(end)
            left = left[self._outer.send(left) :]

    def _receive(self, end: float | None) -> None:
        self._limit(end)
        data = self._outer.recv(_READ_BYTES)
        if data:
            self._received.write(data)
        else:
            self._received.write_eof()

    def _limit(self, end: float | None) -> None:
        left = None if end is None else end - self._clock()
        if left is not None and left <= 0:
            raise TimeoutError("timed out")
        self._outer.settimeout(left)
