"""A name that is not looked up holds no call up, and no thread beyond one."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpcore
import pytest

from digime_pandas._service.http.backends.lookups import Lookups
from digime_pandas._service.http.environment import Proxy, Route
from digime_pandas._service.http.request import Request
from digime_pandas._service.http.transport import Http
from digime_pandas.errors import ServiceUnreachableError

LONG, SHORT = 20.0, 0.15


class NameServer:
    """Answers with addresses, when it is let."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.answers = threading.Event()
        self.asked: list[str] = []

    def __call__(self, host: str, *_: object, **__: object) -> list[tuple[Any, ...]]:
        self.asked.append(host)
        assert self.answers.wait(LONG)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in self.addresses]


@pytest.fixture
def silent() -> Iterator[NameServer]:
    """One that does not answer before the end of the test."""
    server = NameServer("127.0.0.1")
    yield server
    server.answers.set()


def test_one_that_does_not_answer_is_asked_once_for_all_that_wait(silent: NameServer) -> None:
    lookups = Lookups(silent)
    for _ in range(3):
        with pytest.raises(httpcore.ConnectTimeout, match=r"name api\.test was not looked up"):
            lookups.addresses("api.test", SHORT)
    assert silent.asked == ["api.test"]
    assert [each.name for each in threading.enumerate()].count("digime-lookup") == 1
    silent.answers.set()
    assert lookups.addresses("api.test", LONG) == ["127.0.0.1"]


def test_a_name_is_looked_up_anew_for_each_connection() -> None:
    server = NameServer("127.0.0.1", "127.0.0.2", "127.0.0.1")
    server.answers.set()
    lookups = Lookups(server)
    assert lookups.addresses("api.test", LONG) == lookups.addresses("api.test", None) == ["127.0.0.1", "127.0.0.2"]
    assert server.asked == ["api.test", "api.test"]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "fe80::1%1"])
def test_an_address_is_not_looked_up(silent: NameServer, address: str) -> None:
    assert Lookups(silent).addresses(address, SHORT) == [address]
    assert silent.asked == []


@pytest.mark.parametrize(
    "error", [socket.gaierror(socket.EAI_NONAME, "no such name"), UnicodeError("label too long"), None]
)
def test_a_name_without_an_address_is_no_host(error: Exception | None) -> None:
    def resolve(*_: object, **__: object) -> list[tuple[Any, ...]]:
        if error is not None:
            raise error
        return []

    with pytest.raises(httpcore.ConnectError, match=r"no such name|label too long|has no address"):
        Lookups(resolve).addresses("api.test", LONG)


def test_where_no_thread_can_be_started_it_is_looked_up_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread at interpreter shutdown")

    server = NameServer("127.0.0.1")
    server.answers.set()
    monkeypatch.setattr(threading.Thread, "start", start)
    assert Lookups(server).addresses("api.test", LONG) == ["127.0.0.1"]


@pytest.mark.parametrize("scheme", [None, "http", "https", "socks5", "socks4"])
@pytest.mark.slow
def test_a_call_ends_with_its_deadline_whatever_name_is_not_looked_up(silent: NameServer, scheme: str | None) -> None:
    proxy = None if scheme is None else Proxy("ALL_PROXY", scheme, "proxy.test", 3128, None)
    route = Route(proxy, resolve=silent)
    with (
        # The clock stands still, so that nothing but the look-up meets the deadline.
        closing(Http(route=route, deadline=SHORT, max_attempts=3, clock=lambda: 0.0)) as http,
        pytest.raises(ServiceUnreachableError, match="not looked up in time") as raised,
    ):
        http.send(lambda: Request("GET", "https://api.test/", {}), what="ask")
    assert raised.value.outcome == "not sent"
    assert silent.asked == ["api.test" if scheme in {None, "socks4"} else "proxy.test"]
