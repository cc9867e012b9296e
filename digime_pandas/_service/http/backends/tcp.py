"""Connections over TCP."""

from __future__ import annotations

import math
import select
import socket
from collections.abc import Callable
from typing import TypeAlias

from digime_pandas._service.http.backends.backend import Stream
from digime_pandas._service.streams import Buffer

_Wait: TypeAlias = Callable[[float | None], object]


class TcpStream(Stream):
    """A connection: waits only where there is something to wait for.

    A time-out of a socket takes several calls of the system for each step, and after each one a thread waits for all
    others that have something to do.

    Args:
        connected: The socket.
    """

    def __init__(self, connected: socket.socket) -> None:
        connected.settimeout(0)
        self._socket = connected
        self._to_read, self._to_send = _waiting(connected, to_send=False), _waiting(connected, to_send=True)

    def recv(self, max_bytes: int, seconds: float | None) -> bytes:
        """Return what comes next; nothing at the end."""
        while True:
            self._wait(self._to_read, seconds)
            try:
                return self._socket.recv(max_bytes)
            except BlockingIOError:  # there was nothing after all
                continue

    def send(self, data: Buffer, seconds: float | None) -> int:
        """Send a part of some bytes; return how many."""
        while True:
            try:
                return self._socket.send(data)
            except BlockingIOError:
                self._wait(self._to_send, seconds)

    def is_readable(self) -> bool:
        """Tell whether something came, or the connection ended."""
        return self._socket.fileno() < 0 or bool(self._to_read(0))

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    def _wait(self, wait: _Wait, seconds: float | None) -> None:
        if self._socket.fileno() >= 0 and not wait(seconds):
            raise TimeoutError("timed out")


def _waiting(connected: socket.socket, *, to_send: bool) -> _Wait:
    """Return what waits for so many seconds until something can be sent, or came; it returns what is false if not."""
    if not hasattr(select, "poll"):  # on Windows
        read, sent = ([], [connected]) if to_send else ([connected], [])
        return lambda seconds: any(select.select(read, sent, [], seconds))
    poll = select.poll()
    poll.register(connected, select.POLLOUT if to_send else select.POLLIN)
    return lambda seconds: poll.poll(None if seconds is None else math.ceil(seconds * 1000))
