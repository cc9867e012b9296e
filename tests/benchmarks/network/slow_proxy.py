"""A proxy of TCP as a token bucket, with a delay: ``python -m tests.benchmarks.network.slow_proxy PORT COUNT_FILE``.

What clients send is passed on at so many bytes a second, and arrives later by half of the round trip; answers are late
by the other half. The bytes that were taken from clients are kept in a file of eight bytes, for who wants to compare.
"""

from __future__ import annotations

import mmap
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue

RATE = 100_000_000 / 8  # bytes a second
ROUND_TRIP = 0.03  # seconds
_PIECE_BYTES = 16 << 10
_BUFFER_BYTES = 64 << 10  # or the system would take megabytes from the client that were not passed on
_QUEUED = 64  # pieces on their way
_ROOT = Path(__file__).parents[3]


class Count:
    """The bytes that the proxy took.

    Args:
        path: The file it keeps them in.
    """

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._bytes = mmap.mmap(file.fileno(), 8)

    def get(self) -> int:
        """Return it."""
        return int(struct.unpack("<q", self._bytes[:8])[0])

    def add(self, count: int) -> None:
        """Add to it."""
        self._bytes[:8] = struct.pack("<q", self.get() + count)


@contextmanager
def slow_network(base_url: str, folder: Path) -> Iterator[tuple[str, Count]]:
    """Run a proxy in front of a server, in a process of its own; yield the address to use, and what was passed on."""
    path = folder / "count"
    path.write_bytes(bytes(8))
    server = base_url.removeprefix("http://127.0.0.1:").partition("/")[0]
    command = [sys.executable, "-m", "tests.benchmarks.network.slow_proxy", server, str(path)]
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield base_url.replace(server, process.stdout.readline().strip()), Count(path)
        finally:
            process.kill()


def _serve(server: int, count: Count) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
    print(listener.getsockname()[1], flush=True)
    while True:
        client, _ = listener.accept()
        upstream = socket.create_connection(("127.0.0.1", server))
        for one in (client, upstream):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _pass_on(client, upstream, RATE, count)
        _pass_on(upstream, client, float("inf"), None)


def _pass_on(source: socket.socket, target: socket.socket, rate: float, count: Count | None) -> None:
    """Pass on what comes from a socket, in threads of its own."""
    on_the_way: Queue[tuple[float, bytes]] = Queue(_QUEUED)

    def receive() -> None:
        free = 0.0
        while data := source.recv(_PIECE_BYTES):
            if count is not None:
                count.add(len(data))
            free = max(time.monotonic(), free) + len(data) / rate
            on_the_way.put((free + ROUND_TRIP / 2, data))
            time.sleep(max(0.0, free - time.monotonic()))
        on_the_way.put((0.0, b""))

    def send() -> None:
        while (piece := on_the_way.get())[1]:
            time.sleep(max(0.0, piece[0] - time.monotonic()))
            target.sendall(piece[1])
        target.shutdown(socket.SHUT_WR)

    for work in (receive, send):
        threading.Thread(target=work, daemon=True).start()


if __name__ == "__main__":
    _serve(int(sys.argv[1]), Count(Path(sys.argv[2])))
