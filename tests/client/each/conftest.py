"""People, their visits, and a network that can fail."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

import httpx
import pandas as pd
import pytest

import digime_pandas as digime
from digime_pandas.sandbox import Sandbox

Authorize = Callable[..., digime.Authorization]
Handle = Callable[[httpx.Request], httpx.Response | None]


class Network(httpx.HTTPTransport):
    """The network; `handle` may answer a delivery itself, or raise, and otherwise returns None."""

    def __init__(self) -> None:
        super().__init__()
        self.handle: Handle = lambda _: None
        self.deliveries = 0
        self._lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if "permission-access/postbox" not in request.url.path:
            return super().handle_request(request)
        with self._lock:
            self.deliveries += 1
        answer = self.handle(request)
        if answer is None:
            return super().handle_request(request)
        assert isinstance(request.stream, Iterable)
        for _ in request.stream:
            """An answer to a part of a request would be no answer."""
        return answer


def refusal(status: int, code: str | None) -> httpx.Response:
    return httpx.Response(status, json={"error": {"code": code, "message": "no"}} if code else {})


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def routed(
    network: Network, sandbox: Sandbox, client: digime.Client, connected: Callable[..., digime.Client]
) -> digime.Client:
    """A client that uses `network`, and the tokens of `client`."""
    return connected(sandbox, transport=network, tokens=client.tokens, max_attempts=1)


@pytest.fixture
def people(sandbox: Sandbox, client: digime.Client, authorize: Authorize, account_id: str) -> list[str]:
    """Twelve people who let `client` write."""
    accounts = [f"{account_id}-{number:02d}" for number in range(12)]
    for each in accounts:
        authorize(sandbox, client, each)
    return accounts


@pytest.fixture
def visits(people: list[str]) -> pd.DataFrame:
    """Two rows for each of them."""
    return pd.DataFrame({"who": people * 2, "pulse": range(60, 60 + 2 * len(people))})
