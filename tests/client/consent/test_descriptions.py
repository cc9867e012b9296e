from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from digime_pandas._client.client import Client
from digime_pandas._client.consent.descriptions import request_facts, request_sentence, result_facts
from digime_pandas._client.display.services import describe_environment, describe_token_store
from digime_pandas._service.authorization import Authorization
from digime_pandas._service.oauth.token_store import FileTokenStore, MemoryTokenStore
from digime_pandas.sandbox import Sandbox


@pytest.mark.parametrize(
    ("base_url", "words"),
    [
        ("https://api.digi.me/v1.7/", "digi.me (api.digi.me)"),
        ("https://staging.example.test/v1.7/", "staging.example.test"),
        ("https://api.digi.me.evil.test/v1.7/", "api.digi.me.evil.test"),
        ("https://evildigi.me/v1.7/", "evildigi.me"),
        ("http://127.0.0.1:8080/v1.7/", "a service on this computer (127.0.0.1:8080)"),
    ],
)
def test_the_environment_is_named_by_its_host(sandbox: Sandbox, base_url: str, words: str) -> None:
    with Client(sandbox.contract, base_url=base_url, tokens=MemoryTokenStore()) as client:
        assert describe_environment(client) == words


def test_the_embedded_sandbox_is_named_as_such(client: Client, sandbox: Sandbox) -> None:
    client.sandbox = sandbox
    assert "embedded sandbox" in describe_environment(client)
    assert "nothing leaves this computer" in describe_environment(client)


def test_the_store_is_named_by_its_place(sandbox: Sandbox, connected: Callable[..., Client], tmp_path: Path) -> None:
    class OwnStore(MemoryTokenStore):
        pass

    folder = tmp_path / "tokens"
    assert describe_token_store(connected(sandbox, tokens=FileTokenStore(folder))) == f"the folder {folder}"
    assert "memory of this process" in describe_token_store(connected(sandbox))
    assert "memory of this process" in describe_token_store(connected(sandbox, tokens=OwnStore()))


def test_a_request_names_the_contract_of_its_own_access(client: Client) -> None:
    assert client.read_contract is not None
    assert request_facts(client, "patient-17", "write")["Contract"] == client.contract.contract_id
    assert request_facts(client, "patient-17", "read")["Contract"] == client.read_contract.contract_id
    assert "read the files in the library of account 'patient-17'" in request_sentence(client, "patient-17", "read")


def test_a_missing_contract_is_no_obstacle_to_saying_what_is_asked(
    sandbox: Sandbox, connected: Callable[..., Client]
) -> None:
    client = connected(sandbox, read_contract=None)
    assert "Contract" not in request_facts(client, "patient-17", "read")
    assert "patient-17" in request_sentence(client, "patient-17", "read")


def test_a_result_tells_postbox_from_direct_import_and_its_last_day(client: Client, person: Authorization) -> None:
    refresh_token = replace(person.user_access_token.refresh_token, expiry=1_800_000_000)
    dated = replace(person, user_access_token=replace(person.user_access_token, refresh_token=refresh_token))
    assert result_facts(client, dated)["Valid until"].startswith("2027-01-15")
    assert "postbox" in result_facts(client, dated)["Files go"]
    assert "direct import" in result_facts(client, replace(dated, postbox=None))["Files go"]
    assert "Files go" not in result_facts(client, replace(dated, access="read"))
    assert "Library" not in result_facts(client, replace(dated, user_id=None))
