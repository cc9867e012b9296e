"""TLS on a connection: all bytes arrive, no step takes longer than it may, and an end that was not announced is one."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import httpcore
import pytest

from digime_pandas._service.http.backends.backend import Stream
from digime_pandas._service.http.backends.tls import TlsStream
from digime_pandas._service.streams import Buffer
from tests.certificates import certificate

KIB = 1 << 10


class Service(Stream):
    """A service in memory, and the connection to it: it is run whenever it is sent something.

    Attributes:
        received: What it got.
        sizes: How many bytes of TLS it was sent, time by time.
        limits: The time-outs that it was told, in seconds.
        now: The time, in seconds.
        seconds: How long it takes to send it something.
        most: How many bytes the network takes at a time.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self.coming, self.going = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.coming, self.going, server_side=True)
        self.received = b""
        self.sizes: list[int] = []
        self.limits: list[float | None] = []
        self.now = 0.0
        self.seconds = 0.0
        self.most = 1 << 30
        self.is_closed = self.has_shaken_hands = False

    def send(self, data: Buffer, seconds: float | None) -> int:
        self.limits.append(seconds)
        part = memoryview(data)[: self.most]
        self.now += self.seconds
        self.coming.write(part)
        try:
            if not self.has_shaken_hands:
                self.tls.do_handshake()
                self.has_shaken_hands = True
            while piece := self.tls.read(KIB * KIB):
                self.received += piece
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            pass
        self.sizes.append(len(part))
        return len(part)

    def recv(self, max_bytes: int, seconds: float | None) -> bytes:  # noqa: ARG002 - of the interface
        return self.going.read(max_bytes)

    def close(self) -> None:
        self.is_closed = True

    def is_readable(self) -> bool:
        return False


def send_all(stream: TlsStream, data: bytes, seconds: float = 5.0) -> None:
    while data:
        data = data[stream.send(data, seconds) :]


@pytest.fixture
def service(tmp_path: Path) -> Service:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(tmp_path))
    return Service(context)


@pytest.fixture
def stream(tmp_path: Path, service: Service) -> TlsStream:
    context = ssl.create_default_context(cafile=tmp_path / "service.pem")
    opened = TlsStream(service, context, "127.0.0.1", clock=lambda: service.now)
    opened.begin(5.0)
    return opened


def test_bytes_arrive_in_both_directions(service: Service, stream: TlsStream) -> None:
    data = bytes(range(256)) * 9_000
    send_all(stream, data)
    assert service.received == data

    for most, reads in ((KIB, 40), (24 * KIB, 2), (64 * KIB, 1)):  # of three records
        service.tls.write(data[: 40 * KIB])
        assert b"".join(stream.recv(most, 5.0) for _ in range(reads)) == data[: 40 * KIB]


def test_what_is_sent_at_a_time_follows_the_speed_of_the_network(service: Service, stream: TlsStream) -> None:
    def records(seconds: float) -> list[int]:
        service.seconds, begun = seconds, len(service.sizes)
        send_all(stream, bytes(KIB * KIB))
        return [size // (16 * KIB) for size in service.sizes[begun:]]

    assert records(0.0) == [1, 2, 4, 8, 16, 32, 1]
    assert records(0.1) == [32, 16, 8, 4, 2, 1, 1]


def test_a_step_ends_in_time_however_little_the_network_takes(service: Service, stream: TlsStream) -> None:
    service.most, service.seconds = 1, 1.0
    with pytest.raises(TimeoutError):
        send_all(stream, bytes(100))
    assert service.now == 5.0
    assert service.limits[-5:] == [5.0, 4.0, 3.0, 2.0, 1.0]


@pytest.mark.parametrize("announced", [True, False])
def test_only_an_end_that_was_announced_is_no_error(service: Service, stream: TlsStream, announced: bool) -> None:
    service.tls.write(b"begun")
    if announced:
        with pytest.raises(ssl.SSLWantReadError):
            service.tls.unwrap()
    assert stream.recv(KIB, 5.0) == b"begun"
    if announced:
        assert stream.is_readable()
        assert stream.recv(KIB, 5.0) == b""
    else:
        with pytest.raises(OSError, match="EOF"):
            stream.recv(KIB, 5.0)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (TimeoutError("late"), httpcore.ConnectTimeout),
        (ConnectionResetError("reset"), httpcore.ConnectError),
    ],
)
def test_a_handshake_that_fails_closes_the_connection(
    tmp_path: Path, service: Service, monkeypatch: pytest.MonkeyPatch, fault: Exception, error: type[Exception]
) -> None:
    def fail(max_bytes: int, seconds: float | None) -> bytes:
        raise fault

    monkeypatch.setattr(service, "recv", fail)
    begun: Callable[[float], None] = TlsStream(
        service, ssl.create_default_context(cafile=tmp_path / "service.pem"), "127.0.0.1"
    ).begin
    with pytest.raises(error, match=str(fault)):
        begun(5.0)
    assert service.is_closed
