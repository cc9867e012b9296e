"""What connects, and connections, each step of which has an end in time."""

from __future__ import annotations

import ssl
from abc import ABC, abstractmethod

import httpcore

from digime_pandas._service.streams import Buffer


class Stream(ABC):
    """A connection."""

    def read(self, max_bytes: int, seconds: float | None) -> bytes:
        """Return what comes next; nothing at the end.

        Raises:
            httpcore.ReadTimeout: Nothing came in time.
            httpcore.ReadError: The connection broke.
        """
        try:
            return self.recv(max_bytes, seconds)
        except TimeoutError as error:
            raise httpcore.ReadTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.ReadError(str(error)) from error

    def write(self, data: Buffer, seconds: float | None) -> int:
        """Send a part of some bytes, which are not none; return how many.

        Raises:
            httpcore.WriteTimeout: The network took none of them in time.
            httpcore.WriteError: The connection broke.
        """
        try:
            return self.send(data, seconds)
        except TimeoutError as error:
            raise httpcore.WriteTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.WriteError(str(error)) from error

    @abstractmethod
    def start_tls(self, context: ssl.SSLContext, host: str, seconds: float | None) -> Stream:
        """Begin TLS with a host that this connection leads to.

        Raises:
            httpcore.ConnectError: It was refused, or the certificate is not trusted. The connection is closed.
            httpcore.ConnectTimeout: It took too long. The connection is closed.
        """

    @abstractmethod
    def recv(self, max_bytes: int, seconds: float | None) -> bytes:
        """Return what comes next, as `read` does; raise an `OSError` where that fails."""

    @abstractmethod
    def send(self, data: Buffer, seconds: float | None) -> int:
        """Send a part of some bytes, as `write` does; raise an `OSError` where that fails."""

    @abstractmethod
    def is_readable(self) -> bool:
        """Tell whether something came, or the connection ended."""

    @abstractmethod
    def close(self) -> None:
        """Close it."""


class Backend(ABC):
    """Connects to hosts."""

    @abstractmethod
    def connect(self, host: str, port: int, seconds: float | None) -> Stream:
        """Connect to a host over TCP.

        Raises:
            httpcore.ConnectError: There is no such host, or it takes no connection.
            httpcore.ConnectTimeout: It did not do so in time.
            httpcore.ProxyError: A proxy refused.
        """
