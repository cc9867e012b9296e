"""A server that takes uploads faster than anybody can send them, so that it is not what a benchmark measures.

It speaks just enough HTTP/1.1: keep-alive, Content-Length and chunked bodies. Bodies are dropped inside the kernel
(``MSG_TRUNC``, Linux), never copied out of it. Every answer is that of a postbox and says in ``X-Received`` how many
bytes of body came.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_REPLY = b'{"status":"delivered","expires":0}'
_SCRATCH_BYTES = 8 << 20
_ROOT = Path(__file__).parents[2]


@contextmanager
def running_sink(delay: float = 0.0) -> Iterator[str]:
    """Run a sink in a process of its own, which waits so many seconds before each answer; yield its base URL."""
    command = [sys.executable, "-m", "tests.benchmarks.sink", str(delay)]
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1.7/"
        finally:
            process.kill()


def _serve(delay: float) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=_answer_all, args=(connection, delay), daemon=True).start()


def _answer_all(connection: socket.socket, delay: float) -> None:
    scratch = bytearray(_SCRATCH_BYTES)
    with connection:
        while head := _until(connection, b"\r\n\r\n"):
            fields = head.lower()
            if b"transfer-encoding: chunked" in fields:
                received = _drop_chunks(connection, scratch)
            else:
                received = _drop(connection, _content_length(fields), scratch)
            length = len(_REPLY)
            time.sleep(delay)
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\nX-Received: %d\r\n\r\n%s" % (length, received, _REPLY)
            )


def _content_length(fields: bytes) -> int:
    _, found, rest = fields.partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0]) if found else 0


def _drop_chunks(connection: socket.socket, scratch: bytearray) -> int:
    received = 0
    while size := int(_until(connection, b"\r\n").partition(b";")[0], 16):
        received += _drop(connection, size, scratch)
        _drop(connection, 2, scratch)
    _until(connection, b"\r\n")
    return received


def _until(connection: socket.socket, mark: bytes) -> bytes:
    """Take what comes up to and with `mark`, and not a byte more; nothing at the end of the connection."""
    taken = b""
    while not taken.endswith(mark):
        seen = connection.recv(16_384 if len(mark) > 2 else 32, socket.MSG_PEEK)
        if not seen:
            return b""
        end = (taken + seen).find(mark)
        count = len(seen) if end < 0 else end + len(mark) - len(taken)
        taken += connection.recv(count)
    return taken


def _drop(connection: socket.socket, size: int, scratch: bytearray) -> int:
    left = size
    while left:
        dropped = connection.recv_into(scratch, min(left, len(scratch)), socket.MSG_TRUNC)
        if not dropped:
            raise ConnectionError("the sender went away")
        left -= dropped
    return size


if __name__ == "__main__":
    _serve(float(sys.argv[1]))
