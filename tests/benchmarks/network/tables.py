"""Whether the network is what a write waits for, whether its progress is true, and how fast TLS is."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from tests.benchmarks.contenders import Keys, Ours
from tests.benchmarks.frames import Case
from tests.benchmarks.sink import running_sink
from tests.benchmarks.tables import show, slowest_stage

from .slow_proxy import RATE, ROUND_TRIP, Count, slow_network
from .tls_sink import running_tls_sink

_MIB = 1 << 20


def slow_network_writes(cases: Iterable[Case], runs: int) -> None:
    """Compare writes over a slow network with the larger of sending their bytes alone and serializing alone.

    Beside it, what the progress says was sent and what the network took, at the end and at the largest difference.
    """
    header = ["frame", "rows", "format", "protocol", "MB", "s", "sending alone s", "slowest stage s", "/ larger"]
    header += ["shown / taken", "ahead MiB"]
    title = f"Network of {RATE * 8 / 1e6:.0f} Mbit/s, {ROUND_TRIP * 1e3:.0f} ms: medians of {runs} runs"
    with TemporaryDirectory() as folder, running_sink() as sink, slow_network(sink, Path(folder)) as (url, taken):
        show(title, header, _slow_writes(Ours(url, Keys()), url, taken, cases, runs))


def _slow_writes(ours: Ours, url: str, taken: Count, cases: Iterable[Case], runs: int) -> Iterator[Sequence[object]]:
    for case in cases:
        frame = case.make()
        stage = slowest_stage(frame, case, 1)
        walls, sendings, watched = [], [], []
        for _ in range(runs):
            watched.append(_Watched(taken))
            started = time.perf_counter()
            size = ours.write_watched(frame, case.format, case.protocol, watched[-1].note)
            walls.append(time.perf_counter() - started)
            watched[-1].end()
            started = time.perf_counter()
            _send_alone(url, watched[-1].shown)
            sendings.append(time.perf_counter() - started)
        wall, sending = median(walls), median(sendings)
        yield (
            case.frame,
            f"{case.rows:,}",
            case.format,
            case.protocol,
            f"{size / 1e6:.1f}",
            *(f"{each:.2f}" for each in (wall, sending, stage, wall / max(sending, stage))),
            f"{median(each.ratio for each in watched):.4f}",
            f"{max(each.ahead for each in watched) / _MIB:.1f}",
        )


class _Watched:
    """What a progress says beside what the network took.

    Args:
        taken: What the network took, of all that was ever sent.

    Attributes:
        shown: Bytes that were shown last.
        ahead: Most bytes that were shown and not taken yet.
        ratio: Of the bytes that were shown and taken at the end.
    """

    def __init__(self, taken: Count) -> None:
        self._taken = taken
        self._before = taken.get()
        self.shown = self.ahead = 0
        self.ratio = 0.0

    def note(self, sent: int, _all: int | None) -> None:
        self.shown = sent
        self.ahead = max(self.ahead, sent - (self._taken.get() - self._before))

    def end(self) -> None:
        self.ratio = self.shown / (self._taken.get() - self._before)


def _send_alone(url: str, size: int) -> None:
    """Post bytes that are there already by nothing but a socket."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port or 80)) as connection:
        _post(connection, bytes(size))


def _post(connection: socket.socket, body: bytes | bytearray) -> None:
    head = f"POST /v1.7/permission-access/import HTTP/1.1\r\nHost: sink\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.sendall(head.encode())
    view = memoryview(body)
    for start in range(0, len(view), _MIB):
        connection.sendall(view[start : start + _MIB])
    assert connection.recv(_MIB).startswith(b"HTTP/1.1 200")


def tls_throughput(size: int, runs: int) -> None:
    """Compare a direct import of ready bytes over TLS with sending them by `ssl` alone."""
    rates: dict[str, list[float]] = {"ours": [], "ssl": []}
    data = bytearray(size)
    with TemporaryDirectory() as folder, running_tls_sink(Path(folder)) as (url, certificate):
        ours, parts = Ours(url, Keys(), ca=certificate), urlsplit(url)
        context = ssl.create_default_context(cafile=certificate)
        address = parts.hostname, parts.port
        with socket.create_connection(address) as plain, context.wrap_socket(plain, server_hostname=address[0]) as bare:
            actions = {"ours": partial(ours.write_bytes, data, "import"), "ssl": partial(_post, bare, data)}
            for turn in range(runs + 1):
                for name, action in actions.items():
                    started = time.perf_counter()
                    action()
                    if turn:  # the first one connects
                        rates[name].append(size / (time.perf_counter() - started))
    own, alone = median(rates["ours"]), median(rates["ssl"])
    show(
        f"Direct import over TLS: {size // _MIB} MiB, medians of {runs} runs",
        ["ours GB/s", "ssl alone GB/s", "ours / ssl"],
        [(f"{own / 1e9:.2f}", f"{alone / 1e9:.2f}", f"{own / alone:.2f}")],
    )
