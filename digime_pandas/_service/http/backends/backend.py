"""What connects, and connections, each step of which has an end in time."""

from __future__ import annotations

from abc import ABC, abstractmethod

from digime_pandas._service.streams import Buffer


class Stream(ABC):
    """A connection."""

    @abstractmethod
    def recv(self, max_bytes: int, seconds: float | None) -> bytes:
        """Return what comes next; nothing at the end.

        Raises:
            TimeoutError: Nothing came in time.
            OSError: The connection broke.
        """

    @abstractmethod
    def send(self, data: Buffer, seconds: float | None) -> int:
        """Send a part of some bytes, which are not none; return how many.

        Raises:
            TimeoutError: The network took none of them in time.
            OSError: The connection broke.
        """

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
