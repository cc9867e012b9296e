"""As many connections as there are threads that send, and none of them is opened twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from digime_pandas._service.http.request import Request
from digime_pandas._service.http.transport import Http

THREADS = 40  # more than HTTP clients keep by default
ROUNDS = 3


@pytest.fixture
def counted() -> Iterator[tuple[str, list[int]]]:
    """A server that answers once all threads have asked, and the connections that it accepted."""
    accepted: list[int] = []
    together = threading.Barrier(THREADS, timeout=30)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            accepted.append(1)

        def do_GET(self) -> None:
            together.wait()
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        request_queue_size = THREADS

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", accepted
        server.shutdown()
        thread.join()


def test_every_connection_is_kept(counted: tuple[str, list[int]]) -> None:
    url, accepted = counted
    http = Http(max_attempts=1, clock=lambda: 0.0)  # none is idle for too long
    everybody = threading.Barrier(THREADS, timeout=30)

    def send(_: int) -> None:
        for _ in range(ROUNDS):
            http.send(lambda: Request("GET", url, {}), what="ask")
            everybody.wait()  # all connections are idle

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(send, range(THREADS)))
    http.close()
    assert len(accepted) == THREADS
