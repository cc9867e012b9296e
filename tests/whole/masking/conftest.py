"""A client whose network is listened to, and a person who authorized it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from digime_pandas._client.client import Client
from digime_pandas._service.authorization import Authorization
from digime_pandas._service.oauth.token_store import FileTokenStore
from digime_pandas.sandbox import Sandbox
from tests.clients import client_of

from .wiretap import Wiretap


@pytest.fixture(scope="package", params=[True, False], ids=["postbox", "import"])
def own_sandbox(request: pytest.FixtureRequest, vendor_keys: dict[str, RSAPrivateKey]) -> Iterator[Sandbox]:
    with Sandbox(postbox=request.param, postbox_key=vendor_keys["postbox0"]) as running:
        yield running


@pytest.fixture
def tap() -> Wiretap:
    return Wiretap()


@pytest.fixture
def tapped(own_sandbox: Sandbox, tap: Wiretap, tmp_path: Path, no_waiting: None) -> Iterator[Client]:
    tokens = FileTokenStore(tmp_path / "tokens")
    with client_of(own_sandbox, tokens=tokens, transport=tap, max_attempts=2) as client:
        tap.listen_to(client)
        yield client


@pytest.fixture
def writer(own_sandbox: Sandbox, tapped: Client, account_id: str) -> Authorization:
    with tapped.begin_authorization(account_id) as flow:
        return flow.complete(own_sandbox.approve(flow.url))


@pytest.fixture
def reader(own_sandbox: Sandbox, tapped: Client, writer: Authorization) -> Authorization:
    with tapped.begin_authorization(writer.account_id, access="read") as flow:
        return flow.complete(own_sandbox.approve(flow.url))
