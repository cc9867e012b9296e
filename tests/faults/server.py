"""A server that breaks the rules on purpose: what it does to each connection is written down beforehand."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

_HOST = "127.0.0.1"
_PATIENCE_SECONDS = 20.0


class Connection:
    """One accepted connection."""

    def __init__(self, accepted: socket.socket) -> None:
        self.socket = accepted
        self.socket.settimeout(_PATIENCE_SECONDS)
        self._stream = accepted.makefile("rb")

    def head(self) -> dict[str, str]:
        """Read a request's head; return its fields, the request line as "", or nothing where there is none."""
        lines: list[str] = []
        while line := self._stream.readline().decode().rstrip("\r\n"):
            lines.append(line)
        fields = dict(line.split(": ", 1) for line in lines[1:])
        return {name.lower(): value for name, value in fields.items()} | {"": lines[0]} if lines else {}

    def body(self, head: dict[str, str]) -> bytes:
        """Read the body that belongs to a head."""
        if "content-length" in head:
            return self._stream.read(int(head["content-length"]))
        pieces: list[bytes] = []
        while "transfer-encoding" in head and (size := int(self._stream.readline(), 16)):
            pieces.append(self._stream.read(size))
            self._stream.readline()
        if "transfer-encoding" in head:
            self._stream.readline()
        return b"".join(pieces)

    def read(self, size: int) -> bytes:
        """Read so many bytes of whatever comes."""
        return self._stream.read(size)

    def drain(self) -> None:
        """Read on until the client, or this server, ends the connection."""
        with suppress(OSError):
            while not self._stream.closed and self._stream.read(1 << 16):
                pass

    def answer(self, status: str = "200 OK", body: bytes = b"", *fields: str) -> None:
        """Send an answer whole."""
        self.send(f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields, body=body)

    def send(self, *head: str, body: bytes = b"") -> None:
        """Send a head and bytes, whatever they are."""
        self.socket.sendall("\r\n".join([*head, "", ""]).encode() + body)

    def reset(self) -> None:
        """End the connection as a crash would: with a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._stream.close()
        self.socket.close()


Act = Callable[[Connection], object]


class FaultyServer:
    """Does one act to each connection, in turn; a context manager.

    Args:
        acts: What to do. Each connection is closed when its act returns; the last act is done to all later ones.
    """

    def __init__(self, *acts: Act) -> None:
        self.acts = list(acts)
        self.connections = 0
        self.error: BaseException | None = None
        self._listener = socket.create_server((_HOST, 0))
        self._thread = threading.Thread(target=self._serve, name="faulty-server", daemon=True)
        self._open: Connection | None = None

    @property
    def url(self) -> str:
        """Its address, with a slash at the end."""
        return f"http://{_HOST}:{self._listener.getsockname()[1]}/v1.7/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        if self._open is not None:
            with suppress(OSError):
                self._open.socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(_PATIENCE_SECONDS)
        if self.error is not None and error is None:
            raise self.error

    def _serve(self) -> None:
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            act = self.acts[min(self.connections, len(self.acts) - 1)]
            self.connections += 1
            self._open = Connection(accepted)
            try:
                act(self._open)
            except OSError:
                pass  # the client gave up first
            except BaseException as error:  # noqa: BLE001 - raised again where the test can see it
                self.error = error
            finally:
                self._open.close()
