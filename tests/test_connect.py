from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from digime_pandas import _connect
from digime_pandas._client import BASE_URL, ONBOARD_URL, Client
from digime_pandas._connect import connect, current_client
from digime_pandas._contract import Contract
from digime_pandas._token_store import MemoryTokenStore
from digime_pandas.errors import ConfigurationError


@pytest.fixture(autouse=True)
def no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    for name in [name for name in os.environ if name.startswith("DIGIME_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(_connect, "_default", None)


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch, vendor_keys: dict[str, RSAPrivateKey]) -> Callable[..., None]:
    def configure(**more: str) -> None:
        pem = vendor_keys["contract_w"].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        variables = {"APPLICATION_ID": "app", "CONTRACT_ID": "w", "PRIVATE_KEY": pem.replace("\n", "\\n")} | more
        for name, value in variables.items():
            monkeypatch.setenv(f"DIGIME_{name}", value.replace("PEM", pem))

    return configure


@pytest.fixture
def closing() -> Iterator[list[Client]]:
    clients: list[Client] = []
    yield clients
    for client in clients:
        client.close()


def test_a_contract_is_that_contract_at_the_real_service(
    vendor_keys: dict[str, RSAPrivateKey], closing: list[Client]
) -> None:
    contract = Contract("app", "w", vendor_keys["contract_w"])
    client = connect(contract, tokens=MemoryTokenStore())
    closing.append(client)
    assert (client.contract, client.base_url, client.onboard_url) == (contract, BASE_URL, ONBOARD_URL)
    assert current_client() is client
    assert current_client(None) is client


def test_the_environment_is_the_default(configured: Callable[..., None], closing: list[Client]) -> None:
    configured()
    client = connect()
    closing.append(client)
    assert (client.contract.client_id, client.read_contract, client.base_url) == ("app_w", None, BASE_URL)
    configured(
        READ_CONTRACT_ID="r",
        READ_PRIVATE_KEY="PEM",
        BASE_URL="http://127.0.0.1:5/v1.7",
        ONBOARD_URL="http://127.0.0.1:5/apps/saas",
    )
    closing.append(connect())
    assert closing[1].read_contract is not None
    assert closing[1].read_contract.client_id == "app_r"
    assert closing[1].base_url == "http://127.0.0.1:5/v1.7/"
    closing.append(connect(base_url="http://127.0.0.1:6/"))
    assert closing[2].base_url == "http://127.0.0.1:6/"


def test_where_nothing_is_configured_the_way_on_is_named() -> None:
    for call in (connect, current_client):
        with pytest.raises(ConfigurationError, match=r"DIGIME_APPLICATION_ID.*connect\('sandbox'\)"):
            call()


@pytest.mark.parametrize("target", ["Sandbox", "", 17, b"sandbox"])
def test_any_other_target_is_an_error(target: object) -> None:
    with pytest.raises(ConfigurationError, match=r"^target is"):
        connect(target)  # type: ignore[arg-type] # wrong on purpose


def test_a_client_that_is_none_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="client is a str"):
        current_client("sandbox")  # type: ignore[arg-type] # wrong on purpose


def test_a_client_that_is_passed_is_the_one(client: Client) -> None:
    assert current_client(client) is client


def test_the_embedded_sandbox_is_started_once_and_keeps_its_consents(closing: list[Client]) -> None:
    one = connect("sandbox")
    two = connect("sandbox")
    closing += [one, two]
    assert one.sandbox is two.sandbox
    assert one.sandbox.base_url == one.base_url == two.base_url
    assert current_client() is two
    with one.begin_authorization("p") as flow:
        made = flow.complete(one.sandbox.approve(flow.url))
    assert two.authorization("p") == made


def test_threads_that_connect_at_once_share_one_sandbox(closing: list[Client]) -> None:
    start = threading.Barrier(4)

    def make(_: int) -> Client:
        start.wait(20)
        return connect("sandbox")

    with ThreadPoolExecutor(4) as threads:
        closing += threads.map(make, range(4))
    assert len({client.base_url for client in closing}) == 1


def test_a_sandbox_that_was_closed_is_started_again(closing: list[Client]) -> None:
    closing.append(connect("sandbox"))
    closing[0].sandbox.close()
    closing.append(connect("sandbox"))
    with closing[1].begin_authorization("p") as flow:
        assert flow.complete(closing[1].sandbox.approve(flow.url)).account_id == "p"


def test_options_reach_the_client(closing: list[Client]) -> None:
    tokens = MemoryTokenStore()
    closing.append(connect("sandbox", tokens=tokens, max_attempts=1))
    assert closing[0].tokens is tokens
    with pytest.raises(ConfigurationError, match="timeout"):
        connect("sandbox", timeout=-1)
    assert current_client() is closing[0]
