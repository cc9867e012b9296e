"""A server that takes one upload per connection over TLS: ``python -m tests.benchmarks.network.tls_sink FILE``.

FILE has its certificate and key. It reads a head, so many bytes of body as `Content-Length` or chunks say, and answers.
"""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.certificates import certificate

_END = b"\r\n\r\n"
_CHUNKS_END = b"0\r\n\r\n"
_REPLY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
_SCRATCH_BYTES = 1 << 20
_ROOT = Path(__file__).parents[3]


@contextmanager
def running_tls_sink(folder: Path) -> Iterator[tuple[str, Path]]:
    """Run one in a process of its own; yield its base URL and the file of its certificate."""
    path = certificate(folder)
    command = [sys.executable, "-m", "tests.benchmarks.network.tls_sink", str(path)]
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"https://127.0.0.1:{int(process.stdout.readline())}/v1.7/", path
        finally:
            process.kill()


def _serve(path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_answer_all, args=(context, connection), daemon=True).start()


def _answer_all(context: ssl.SSLContext, connection: socket.socket) -> None:
    scratch = bytearray(_SCRATCH_BYTES)
    with context.wrap_socket(connection, server_side=True) as stream:
        while head := _head(stream):
            fields, _, begun = head.partition(_END)
            length = fields.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
            if length:
                _take(stream, int(length) - len(begun), scratch)
            else:
                _take_chunks(stream, begun, scratch)
            stream.sendall(_REPLY)


def _head(stream: ssl.SSLSocket) -> bytes:
    taken = b""
    while _END not in taken:
        data = stream.recv(_SCRATCH_BYTES)
        if not data:
            return b""
        taken += data
    return taken


def _take(stream: ssl.SSLSocket, left: int, scratch: bytearray) -> None:
    while left > 0:
        taken = stream.recv_into(scratch)
        if not taken:
            raise ConnectionError("the sender went away")
        left -= taken


def _take_chunks(stream: ssl.SSLSocket, begun: bytes, scratch: bytearray) -> None:
    """Take what comes until the end of chunks is at the end of it, which is right for bytes that do not have it."""
    end = begun[-len(_CHUNKS_END) :]
    while end != _CHUNKS_END:
        taken = stream.recv_into(scratch)
        if not taken:
            raise ConnectionError("the sender went away")
        end = (end + bytes(scratch[max(0, taken - len(_CHUNKS_END)) : taken]))[-len(_CHUNKS_END) :]


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
