"""TLS to a service within the TLS to an https proxy, which sockets of the standard library cannot do."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from typing import Any, TypeVar

import httpcore
from httpcore._backends.sync import SyncStream  # there is no public way from a socket to a stream

T = TypeVar("T")

_RECORD_BYTES = 16 << 10  # the most that TLS protects at a time


class ProxyTlsStream(SyncStream):
    """A connection over TLS to a proxy, within which another one over TLS can begin."""

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Begin TLS with what the proxy leads to.

        Raises:
            httpcore.ConnectError: It was refused, or the certificate is not trusted.
            httpcore.ConnectTimeout: It took too long.
        """
        inner = NestedTlsStream(self._sock, ssl_context, server_hostname)
        try:
            inner.begin(timeout)
        except TimeoutError as error:
            self.close()
            raise httpcore.ConnectTimeout(str(error)) from error
        except OSError as error:
            self.close()
            raise httpcore.ConnectError(str(error)) from error
        return inner


class NestedTlsStream(httpcore.NetworkStream):
    """A connection over TLS within another one; to `_write` of a connection it is a socket, too.

    Args:
        outer: The outer connection.
        context: What TLS trusts.
        host: Whose certificate is expected.
        clock: Monotonic clock, in seconds.
    """

    def __init__(
        self,
        outer: Any,
        context: ssl.SSLContext,
        host: str | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._outer = outer
        self._clock = clock
        self._timeout: float | None = None
        self._received, self._to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._received, self._to_send, server_hostname=host)

    def begin(self, timeout: float | None) -> None:
        """Shake hands."""
        self.settimeout(timeout)
        self._carry(self._tls.do_handshake)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what comes next; nothing at the end.

        Raises:
            httpcore.ReadTimeout: Nothing came in time.
            httpcore.ReadError: The connection broke.
        """
        self.settimeout(timeout)
        try:
            return self._carry(lambda: self._tls.read(max_bytes))
        except ssl.SSLZeroReturnError:
            return b""
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

    def settimeout(self, seconds: float | None) -> None:
        """Say how long the next step may take."""
        self._timeout = seconds

    def send(self, data: Any) -> int:
        """Send a part of some bytes; return how many."""
        part = memoryview(data)[:_RECORD_BYTES]
        return self._carry(lambda: self._tls.write(part))

    def close(self) -> None:
        """Close both connections."""
        self._outer.close()

    def get_extra_info(self, info: str) -> Any:
        """Return what is known of the connection; as ``"socket"`` this, which encrypts what is sent."""
        if info == "socket":
            return self
        if info == "ssl_object":
            return self._tls
        if info == "is_readable" and self._tls.pending():
            return True
        return SyncStream(self._outer).get_extra_info(info)

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
        if self._to_send.pending:
            self._limit(end)
            self._outer.sendall(self._to_send.read())

    def _receive(self, end: float | None) -> None:
        self._limit(end)
        data = self._outer.recv(_RECORD_BYTES)
        if data:
            self._received.write(data)
        else:
            self._received.write_eof()

    def _limit(self, end: float | None) -> None:
        left = None if end is None else end - self._clock()
        if left is not None and left <= 0:
            raise TimeoutError("timed out")
        self._outer.settimeout(left)
