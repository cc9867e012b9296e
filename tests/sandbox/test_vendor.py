"""Requests recorded from the vendor's own program are accepted, byte for byte."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key

from digime_pandas._service.contract import Contract
from digime_pandas.sandbox import Sandbox
from digime_pandas.sandbox._store.records import ConsentRequest

from .endpoints.protocol_client import ProtocolClient, error_reply

pytestmark = pytest.mark.slow

VECTORS = Path(__file__).parents[1] / "vectors"
APPLICATION = "judgeapp0123456789abcdefABCDEF01"
REDIRECT = "https://example.test/return?x=1"
# A little after the first of the recordings, which lie within some seconds.
RECORDED = 1_795_437_945.0


def vector(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((VECTORS / f"{name}.json").read_text())
    return found


def key(name: str) -> RSAPrivateKey:
    loaded = load_der_private_key(base64.b64decode(vector("keys")[name]), None)
    assert isinstance(loaded, RSAPrivateKey)
    return loaded


def claims(request: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(request["authorization_jwt"]["claims_json"])
    return found


def posts(name: str) -> list[dict[str, Any]]:
    return [request for request in vector(name)["requests"] if request["method"] == "POST"]


@pytest.fixture
def api() -> Iterator[ProtocolClient]:
    contracts = (
        Contract(APPLICATION, "judgeContractWrite00000000000001", key("contract_w"), REDIRECT),
        Contract(APPLICATION, "judgeContractRead000000000000001", key("contract_r"), REDIRECT),
    )
    with Sandbox(contracts=contracts, postbox_key=key("postbox0"), clock=lambda: RECORDED) as sandbox:
        api = ProtocolClient(sandbox, clock=lambda: RECORDED)
        yield api
        api.http.close()


def replay(api: ProtocolClient, request: dict[str, Any]) -> httpx.Response:
    """Send a recorded request as it was, framing included; only the port is another."""
    headers = [tuple(header) for header in request["headers"] if header[0].lower() not in {"host", "connection"}]
    body = base64.b64decode(request["body_b64"])
    chunked = request["framing"] == "chunked"
    if not chunked:
        headers = [header for header in headers if header[0].lower() != "content-length"]
    url = api.sandbox.base_url.removesuffix("/v1.7/") + request["path"]
    return httpx.post(url, headers=headers, content=iter([body]) if chunked else body, trust_env=False)


def seed_tokens(
    api: ProtocolClient, *, access_token: str = "a", refresh_token: str = "r", postbox_id: str = "p"
) -> str:
    """Make the sandbox know what the recording's server had issued; returns the person."""
    context = api.sandbox._require_running().context
    user_id = context.library.add_person(RECORDED)
    client_id = api.sandbox.contract.client_id
    execute = context.library._database.execute
    execute(
        "INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?, ?, 0)",
        *(access_token, refresh_token, client_id, user_id, "consent", RECORDED + 3600, RECORDED + 3600),
    )
    execute("INSERT INTO postboxes VALUES (?, ?, ?)", postbox_id, user_id, client_id)
    return user_id


@pytest.mark.parametrize("name", ["v8_authorize", "v16_authorize"])
def test_a_recorded_question_for_consent_is_accepted(api: ProtocolClient, name: str) -> None:
    (request,) = posts(name)
    answer = replay(api, request)
    assert answer.status_code == 200, answer.text
    code = api.verified(answer.json()["token"])["preauthorization_code"]
    redirected = api.sandbox.approve(f"{api.sandbox.onboard_url}authorize?code={code}&sourceType=pull")
    assert redirected.startswith(f"{REDIRECT}&success=true&code=")
    assert "&state=st%C3%A4te%201%26%3D&" in redirected
    assert error_reply(replay(api, request)) == (401, "NonceReused")


def test_the_recorded_verifier_belongs_to_the_recorded_challenge(api: ProtocolClient) -> None:
    (request,) = posts("v16_authorize")
    code = api.verified(replay(api, request).json()["token"])["preauthorization_code"]
    redirected = api.sandbox.approve(f"{api.sandbox.onboard_url}authorize?code={code}")
    granted = httpx.URL(redirected).params["code"]
    answer = api.exchange(
        api.sandbox.contract,
        grant_type="authorization_code",
        code=granted,
        code_verifier=vector("v16_authorize_url")["codeVerifier"],
    )
    assert answer.status_code == 200, answer.text


def test_a_recorded_exchange_is_accepted(api: ProtocolClient) -> None:
    (request,) = posts("v8_token_exchange")
    context = api.sandbox._require_running().context
    verifier = claims(request)["code_verifier"]
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    user_id = context.library.add_person(RECORDED)
    asked = ConsentRequest(api.sandbox.contract.client_id, REDIRECT, None, challenge, None, "", 0, settled=True)
    granted = context.authorizations.add_code(asked, user_id, now=RECORDED)
    execute = context.library._database.execute
    execute("UPDATE grants SET code = ? WHERE code = ?", claims(request)["code"], granted)
    answer = replay(api, request)
    assert answer.status_code == 200, answer.text
    assert api.verified(answer.json()["token"])["sub"] == user_id


def test_a_recorded_refresh_is_accepted(api: ProtocolClient) -> None:
    (request,) = posts("v16_refresh")
    user_id = seed_tokens(api, refresh_token=claims(request)["refresh_token"])
    answer = replay(api, request)
    assert answer.status_code == 200, answer.text
    assert api.verified(answer.json()["token"])["sub"] == user_id


def test_a_recorded_postbox_write_is_opened(api: ProtocolClient) -> None:
    (request,) = posts("v8_write_text")
    seed_tokens(api, access_token=claims(request)["access_token"], postbox_id=request["path"].rpartition("/")[2])
    answer = replay(api, request)
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "delivered"
    (file,) = api.sandbox.files()
    sent = vector("v8_write_text")["input"]
    assert (file.content, file.name) == (base64.b64decode(sent["data_b64"]), sent["fileName"])
    assert file.descriptor == sent["descriptor"]


def test_a_recorded_write_that_goes_through_a_refresh_is_opened(api: ProtocolClient) -> None:
    first, refresh, second = posts("v8_write_refresh")
    postbox_id = first["path"].rpartition("/")[2]
    user_id = seed_tokens(
        api,
        access_token=claims(first)["access_token"],
        refresh_token=claims(refresh)["refresh_token"],
        postbox_id=postbox_id,
    )
    api.sandbox.pending_writes = 1
    assert replay(api, first).json()["status"] == "pending"
    renewed = api.verified(replay(api, refresh).json()["token"])
    assert renewed["sub"] == user_id
    # The recording used the token that its own server gave.
    api.sandbox._require_running().context.library._database.execute(
        "UPDATE tokens SET access_token = ? WHERE access_token = ?",
        *(claims(second)["access_token"], renewed["access_token"]["value"]),
    )
    assert replay(api, second).json()["status"] == "delivered"
    (file,) = api.sandbox.files()
    assert file.content == base64.b64decode(vector("v8_write_refresh")["input"]["data_b64"])


def test_a_recorded_direct_import_is_kept(api: ProtocolClient) -> None:
    (request,) = posts("v16_write_text")
    seed_tokens(api, access_token=claims(request)["access_token"])
    answer = replay(api, request)
    assert answer.status_code == 204, answer.text
    (file,) = api.sandbox.files()
    sent = vector("v16_write_text")["input"]
    assert file.content == base64.b64decode(sent["data_b64"])
    assert file.descriptor == sent["descriptor"]


def test_a_recorded_request_whose_claims_were_touched_is_refused(api: ProtocolClient) -> None:
    (request,) = posts("v16_refresh")
    head, payload, signature = request["authorization_jwt"]["compact"].split(".")
    changed = payload[:-2] + ("A" if payload[-2] != "A" else "B") + payload[-1]
    headers = {"Authorization": f"Bearer {head}.{changed}.{signature}"}
    assert api.http.post("oauth/token", headers=headers).status_code == 401
