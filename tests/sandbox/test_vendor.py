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
from digime_pandas.sandbox._store.authorizations import ConsentRequest

from .wire import Wire, refusal

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
def wire() -> Iterator[Wire]:
    contracts = (
        Contract(APPLICATION, "judgeContractWrite00000000000001", key("contract_w"), REDIRECT),
        Contract(APPLICATION, "judgeContractRead000000000000001", key("contract_r"), REDIRECT),
    )
    with Sandbox(contracts=contracts, postbox_key=key("postbox0"), clock=lambda: RECORDED) as sandbox:
        wire = Wire(sandbox, clock=lambda: RECORDED)
        yield wire
        wire.http.close()


def replay(wire: Wire, request: dict[str, Any]) -> httpx.Response:
    """Send a recorded request as it was, framing included; only the port is another."""
    headers = [tuple(header) for header in request["headers"] if header[0].lower() not in {"host", "connection"}]
    body = base64.b64decode(request["body_b64"])
    chunked = request["framing"] == "chunked"
    if not chunked:
        headers = [header for header in headers if header[0].lower() != "content-length"]
    url = wire.sandbox.base_url.removesuffix("/v1.7/") + request["path"]
    return httpx.post(url, headers=headers, content=iter([body]) if chunked else body, trust_env=False)


def seed_tokens(wire: Wire, *, access_token: str = "a", refresh_token: str = "r", postbox_id: str = "p") -> str:
    """Make the sandbox know what the recording's server had issued; returns the person."""
    service = wire.sandbox._require_running().service
    user_id = service.library.add_person(RECORDED)
    client_id = wire.sandbox.contract.client_id
    execute = service.library._database.execute
    execute(
        "INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?, ?, 0)",
        *(access_token, refresh_token, client_id, user_id, "consent", RECORDED + 3600, RECORDED + 3600),
    )
    execute("INSERT INTO postboxes VALUES (?, ?, ?)", postbox_id, user_id, client_id)
    return user_id


@pytest.mark.parametrize("name", ["v8_authorize", "v16_authorize"])
def test_a_recorded_question_for_consent_is_accepted(wire: Wire, name: str) -> None:
    (request,) = posts(name)
    answer = replay(wire, request)
    assert answer.status_code == 200, answer.text
    code = wire.verified(answer.json()["token"])["preauthorization_code"]
    redirected = wire.sandbox.approve(f"{wire.sandbox.onboard_url}authorize?code={code}&sourceType=pull")
    assert redirected.startswith(f"{REDIRECT}&success=true&code=")
    assert "&state=st%C3%A4te%201%26%3D&" in redirected
    assert refusal(replay(wire, request)) == (401, "NonceReused")


def test_the_recorded_verifier_belongs_to_the_recorded_challenge(wire: Wire) -> None:
    (request,) = posts("v16_authorize")
    code = wire.verified(replay(wire, request).json()["token"])["preauthorization_code"]
    redirected = wire.sandbox.approve(f"{wire.sandbox.onboard_url}authorize?code={code}")
    granted = httpx.URL(redirected).params["code"]
    answer = wire.exchange(
        wire.sandbox.contract,
        grant_type="authorization_code",
        code=granted,
        code_verifier=vector("v16_authorize_url")["codeVerifier"],
    )
    assert answer.status_code == 200, answer.text


def test_a_recorded_exchange_is_accepted(wire: Wire) -> None:
    (request,) = posts("v8_token_exchange")
    service = wire.sandbox._require_running().service
    verifier = claims(request)["code_verifier"]
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    user_id = service.library.add_person(RECORDED)
    asked = ConsentRequest(wire.sandbox.contract.client_id, REDIRECT, None, challenge, None, "", 0, settled=True)
    granted = service.grants.grant(asked, user_id, now=RECORDED)
    execute = service.library._database.execute
    execute("UPDATE grants SET code = ? WHERE code = ?", claims(request)["code"], granted)
    answer = replay(wire, request)
    assert answer.status_code == 200, answer.text
    assert wire.verified(answer.json()["token"])["sub"] == user_id


def test_a_recorded_refresh_is_accepted(wire: Wire) -> None:
    (request,) = posts("v16_refresh")
    user_id = seed_tokens(wire, refresh_token=claims(request)["refresh_token"])
    answer = replay(wire, request)
    assert answer.status_code == 200, answer.text
    assert wire.verified(answer.json()["token"])["sub"] == user_id


def test_a_recorded_postbox_write_is_opened(wire: Wire) -> None:
    (request,) = posts("v8_write_text")
    seed_tokens(wire, access_token=claims(request)["access_token"], postbox_id=request["path"].rpartition("/")[2])
    answer = replay(wire, request)
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "delivered"
    (file,) = wire.sandbox.files()
    sent = vector("v8_write_text")["input"]
    assert (file.content, file.name) == (base64.b64decode(sent["data_b64"]), sent["fileName"])
    assert file.descriptor == sent["descriptor"]


def test_a_recorded_write_that_goes_through_a_refresh_is_opened(wire: Wire) -> None:
    first, refresh, second = posts("v8_write_refresh")
    postbox_id = first["path"].rpartition("/")[2]
    user_id = seed_tokens(
        wire,
        access_token=claims(first)["access_token"],
        refresh_token=claims(refresh)["refresh_token"],
        postbox_id=postbox_id,
    )
    wire.sandbox.pending_writes = 1
    assert replay(wire, first).json()["status"] == "pending"
    renewed = wire.verified(replay(wire, refresh).json()["token"])
    assert renewed["sub"] == user_id
    # The recording used the token that its own server gave.
    wire.sandbox._require_running().service.library._database.execute(
        "UPDATE tokens SET access_token = ? WHERE access_token = ?",
        *(claims(second)["access_token"], renewed["access_token"]["value"]),
    )
    assert replay(wire, second).json()["status"] == "delivered"
    (file,) = wire.sandbox.files()
    assert file.content == base64.b64decode(vector("v8_write_refresh")["input"]["data_b64"])


def test_a_recorded_direct_import_is_kept(wire: Wire) -> None:
    (request,) = posts("v16_write_text")
    seed_tokens(wire, access_token=claims(request)["access_token"])
    answer = replay(wire, request)
    assert answer.status_code == 204, answer.text
    (file,) = wire.sandbox.files()
    sent = vector("v16_write_text")["input"]
    assert file.content == base64.b64decode(sent["data_b64"])
    assert file.descriptor == sent["descriptor"]


def test_a_recorded_request_whose_claims_were_touched_is_refused(wire: Wire) -> None:
    (request,) = posts("v16_refresh")
    head, payload, signature = request["authorization_jwt"]["compact"].split(".")
    changed = payload[:-2] + ("A" if payload[-2] != "A" else "B") + payload[-1]
    headers = {"Authorization": f"Bearer {head}.{changed}.{signature}"}
    assert wire.http.post("oauth/token", headers=headers).status_code == 401
