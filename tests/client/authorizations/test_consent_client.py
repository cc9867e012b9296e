from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from digime_pandas._client.authorizations.consent_client import pending_store_of
from digime_pandas._client.client import Client
from digime_pandas._service.authorization import Authorization
from digime_pandas._service.oauth.token_store import FileTokenStore, MemoryTokenStore
from digime_pandas.errors import ConsentRefusedError, InputError, RedirectError
from digime_pandas.sandbox import Sandbox

Authorize = Callable[..., Authorization]
Connected = Callable[..., Client]
CALLBACK = "http://127.0.0.1/callback"  # without a port, so that nothing listens there


def test_consents_are_those_of_this_clients_contracts(
    sandbox: Sandbox, import_sandbox: Sandbox, connected: Connected, authorize: Authorize, tmp_path: Path
) -> None:
    tokens = FileTokenStore(tmp_path / "tokens")
    one, other = connected(sandbox, tokens=tokens), connected(import_sandbox, tokens=tokens)
    made = authorize(sandbox, one, "p")
    authorize(import_sandbox, other, "q")
    one.begin_authorization("r", callback=CALLBACK)
    consents = one.consents()
    assert list(consents["account_id"]) == ["p", "r"]
    assert list(consents["status"]) == ["given", "pending"]
    assert consents.loc[0, "user_id"] == made.user_id
    assert list(other.consents()["account_id"]) == ["q"]


def test_a_day_of_consents(sandbox: Sandbox, client: Client, authorize: Authorize) -> None:
    authorize(sandbox, client, "given")
    authorize(sandbox, client, "given", "read")
    late = authorize(sandbox, client, "late")
    ended = {
        name: replace(getattr(late.user_access_token, name), expiry=1) for name in ("access_token", "refresh_token")
    }
    old = replace(late, user_access_token=replace(late.user_access_token, **ended))
    client.tokens.put(client.base_url, client.contract.client_id, old)
    client.begin_authorization("asked", callback=CALLBACK)
    with client.begin_authorization("unwilling") as flow, pytest.raises(ConsentRefusedError):
        flow.complete(sandbox.refuse(flow.url))
    with client.begin_authorization("cancelled"):
        pass
    consents = client.consents()
    assert consents[["account_id", "access", "status"]].to_numpy().tolist() == [
        ["asked", "write", "pending"],
        ["given", "write", "given"],
        ["given", "read", "given"],
        ["late", "write", "expired"],
        ["unwilling", "write", "refused"],
    ]
    assert list(consents["until"].isna()) == [False, False, False, False, True]


def test_no_consent_shows_a_secret(sandbox: Sandbox, client: Client, authorize: Authorize) -> None:
    made = authorize(sandbox, client, "p")
    flow = client.begin_authorization("q", callback=CALLBACK)
    text = client.consents().to_csv()
    pair = made.user_access_token
    assert "user_id" in text
    assert [
        secret for secret in (pair.access_token.value, pair.refresh_token.value, flow.state) if secret in text
    ] == []


def test_a_client_that_only_writes_tells_of_writing(
    sandbox: Sandbox, connected: Connected, authorize: Authorize
) -> None:
    client = connected(sandbox, read_contract=None)
    authorize(sandbox, client, "p")
    assert list(client.consents()["access"]) == ["write"]


def test_forgetting_an_account_forgets_its_links_of_that_access(sandbox: Sandbox, client: Client) -> None:
    write, other = (client.begin_authorization(account, callback=CALLBACK) for account in ("p", "q"))
    read = client.begin_authorization("p", access="read", callback=CALLBACK)
    assert client.forget("p")
    assert not client.forget("p")
    assert list(client.consents()["account_id"] + " " + client.consents()["access"]) == ["p read", "q write"]
    with pytest.raises(RedirectError, match="forgotten"):
        client.complete_authorization(sandbox.approve(write.url))
    for flow in (other, read):
        assert client.complete_authorization(sandbox.approve(flow.url)).account_id in {"p", "q"}


def test_a_state_of_ones_own_is_used_once(sandbox: Sandbox, client: Client) -> None:
    flow = client.begin_authorization("p", state="my state", callback=CALLBACK)
    with pytest.raises(InputError, match="state was used before"):
        client.begin_authorization("q", state="my state")
    assert client.complete_authorization(sandbox.approve(flow.url), state="my state").account_id == "p"


def test_a_store_says_where_links_wait() -> None:
    store = MemoryTokenStore()
    assert pending_store_of(store) is store.pending
    assert pending_store_of(object()) is not pending_store_of(object())  # type: ignore[arg-type] # no store at all
