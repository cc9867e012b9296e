from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from joserfc import jws
from joserfc.jwk import RSAKey

from digime_pandas._service.contract import Contract
from digime_pandas.sandbox import Sandbox

from .protocol_client import AGENT, REDIRECT, Consent, ProtocolClient, error_reply

pytestmark = pytest.mark.slow

# RFC 7636 appendix B.
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def code_of(api: ProtocolClient, contract: Contract, **claims: Any) -> str:
    redirected = api.sandbox.approve(api.consent_url(contract, **{"code_challenge": CHALLENGE} | claims))
    return parse_qs(urlsplit(redirected).query)["code"][0]


def exchange(api: ProtocolClient, code: str, contract: Contract | None = None, **claims: Any) -> httpx.Response:
    asked = {"grant_type": "authorization_code", "code": code, "code_verifier": VERIFIER} | claims
    return api.exchange(contract or api.sandbox.contract, **asked)


def test_tokens_of_the_server_say_who_signed_them_and_hold(api: ProtocolClient) -> None:
    answer = api.authorize(api.sandbox.contract)
    header = jws.extract_compact(answer.json()["token"].encode()).headers()
    (key,) = api.http.get("jwks/oauth").json()["keys"]
    assert header["alg"] == "PS512"
    assert header["kid"] == key["kid"]
    assert header["jku"] == f"{api.sandbox.base_url}jwks/oauth"
    assert api.verified(answer.json()["token"]).keys() == {"preauthorization_code"}
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_key_set_is_named_at_the_origin_the_client_came_to(api: ProtocolClient) -> None:
    by_name = api.sandbox.base_url.replace("127.0.0.1", "localhost")
    asked = api.authorize(api.sandbox.contract)
    headers = api.headers(api.sandbox.contract, grant_type="refresh_token", refresh_token="x")
    assert error_reply(httpx.post(f"{by_name}oauth/token", headers=headers, trust_env=False)) == (401, "InvalidToken")
    old = asked.json()["token"]
    person = api.consent()
    headers = api.headers(person.contract, grant_type="refresh_token", refresh_token=person.refresh_token)
    new = httpx.post(f"{by_name}oauth/token", headers=headers, trust_env=False).json()["token"]
    assert jws.extract_compact(old.encode()).headers()["jku"].startswith("http://127.0.0.1:")
    assert jws.extract_compact(new.encode()).headers()["jku"] == f"{by_name}jwks/oauth"


def test_a_session_comes_with_the_pre_authorization_in_milliseconds(api: ProtocolClient) -> None:
    session = api.authorize(api.sandbox.contract).json()["session"]
    assert session.keys() == {"key", "expiry"}
    assert 0 < session["expiry"] / 1000 - api.clock() < 86400


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"code_challenge": "short"}, "InvalidClaim"),
        ({"code_challenge": ...}, "InvalidClaim"),
        ({"code_challenge_method": "plain"}, "InvalidClaim"),
        ({"response_mode": "fragment"}, "InvalidClaim"),
        ({"response_type": "token"}, "InvalidClaim"),
        ({"state": 7}, "InvalidClaim"),
        ({"redirect_uri": ...}, "InvalidClaim"),
        ({"redirect_uri": "https://evil.example/"}, "InvalidRedirectUri"),
        ({"redirect_uri": "http://localhost.evil.example/"}, "InvalidRedirectUri"),
        ({"redirect_uri": "http://localhost@evil.example/"}, "InvalidRedirectUri"),
        ({"redirect_uri": "http://[::1];script-src *:80/"}, "InvalidRedirectUri"),
        ({"redirect_uri": "http://localhost/a\nb"}, "InvalidRedirectUri"),
        ({"redirect_uri": "http://localhost/#part"}, "InvalidRedirectUri"),
        ({"redirect_uri": "ftp://localhost/"}, "InvalidRedirectUri"),
        ({"redirect_uri": "//localhost/"}, "InvalidRedirectUri"),
    ],
    ids=str,
)
def test_a_question_of_the_wrong_form_is_refused(api: ProtocolClient, claims: dict[str, Any], code: str) -> None:
    assert error_reply(api.authorize(api.sandbox.contract, **claims)) == (400, code)


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:1/x", "http://localhost", "https://localhost:65535/a/b?c=d", "http://[::1]:80/?q", REDIRECT],
)
def test_any_address_on_this_computer_may_be_redirected_to(api: ProtocolClient, address: str) -> None:
    assert api.authorize(api.sandbox.contract, redirect_uri=address).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        AGENT,
        AGENT | {"actions": {"pull": {"limits": {"duration": {"sourceFetch": 1}}}}},
        {"agent": {"name": "ios", "version": "5.1.0"}, "actions": {"pull": {"accept": {"compression": "gzip"}}}},
        {"agent": {"sdk": {"name": "js", "version": "5.1.0"}}, "actions": {"pull": {}}},
    ],
    ids=["node", "node with options", "ios", "node v5"],
)
def test_every_vendor_clients_body_is_understood(api: ProtocolClient, body: object) -> None:
    assert api.authorize(api.sandbox.contract, body=body).status_code == 200


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, (403, "SDKInvalid")),
        ({"agent": {"sdk": {"version": "1"}}}, (403, "SDKInvalid")),
        ({"agent": {"sdk": {"name": "nodejs"}}}, (403, "SDKVersionInvalid")),
        (AGENT | {"actions": {"pull": 1}}, (400, "InvalidRequest")),
        ([], (400, "InvalidRequest")),
    ],
    ids=str,
)
def test_a_body_that_names_no_sdk_is_refused(api: ProtocolClient, body: object, expected: tuple[int, str]) -> None:
    assert error_reply(api.authorize(api.sandbox.contract, body=body)) == expected


def test_the_answer_to_a_code_has_all_members_and_both_lifetimes(api: ProtocolClient) -> None:
    payload = api.consent().payload
    assert payload.keys() == {"access_token", "refresh_token", "sub", "consentid", "identifier", "token_type"}
    assert payload["token_type"] == "Bearer"
    assert payload["identifier"] == {"id": payload["sub"]}
    for name, days in (("access_token", 1), ("refresh_token", 180)):
        assert len(payload[name]["value"]) == 160
        assert payload[name]["expires_on"] == api.clock() + days * 86400


def test_a_code_works_once(api: ProtocolClient) -> None:
    code = code_of(api, api.sandbox.contract)
    assert exchange(api, code).status_code == 200
    again = exchange(api, code)
    assert error_reply(again) == (401, "InvalidToken")
    assert again.json()["error"]["message"] == "The token (authorization_code) is invalid"


def test_a_code_belongs_to_its_contract(api: ProtocolClient) -> None:
    code = code_of(api, api.sandbox.contract)
    assert error_reply(exchange(api, code, api.sandbox.read_contract)) == (401, "InvalidToken")


def test_a_verifier_must_be_the_one_that_was_hashed_and_is_guessed_at_once(api: ProtocolClient) -> None:
    assert base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=") == CHALLENGE
    code = code_of(api, api.sandbox.contract)
    assert error_reply(exchange(api, code, code_verifier="x" * 43)) == (400, "InvalidClaim")
    assert error_reply(exchange(api, code)) == (401, "InvalidToken")


def test_a_redirect_address_in_the_exchange_must_be_the_same(api: ProtocolClient) -> None:
    same = exchange(api, code_of(api, api.sandbox.contract), redirect_uri=REDIRECT)
    other = exchange(api, code_of(api, api.sandbox.contract), redirect_uri="http://localhost/")
    assert same.status_code == 200
    assert error_reply(other) == (400, "InvalidRedirectUri")


def test_a_refresh_gives_a_new_pair_and_ends_the_old_refresh_token_alone(api: ProtocolClient) -> None:
    person = api.consent()
    answer = api.exchange(person.contract, grant_type="refresh_token", refresh_token=person.refresh_token)
    payload = api.verified(answer.json()["token"])
    assert payload.keys() == person.payload.keys()
    assert payload["sub"] == person.payload["sub"]
    assert payload["access_token"]["value"] != person.access_token
    assert payload["refresh_token"]["value"] != person.refresh_token
    assert api.import_file(person, b"still valid").status_code == 204
    again = api.exchange(person.contract, grant_type="refresh_token", refresh_token=person.refresh_token)
    assert error_reply(again) == (401, "InvalidToken")
    assert again.json()["error"]["message"] == "The token (refresh_token) is invalid"


def test_a_refresh_token_belongs_to_its_contract(api: ProtocolClient, person: Consent) -> None:
    claims = {"grant_type": "refresh_token", "refresh_token": person.refresh_token}
    assert error_reply(api.exchange(api.sandbox.read_contract, **claims)) == (401, "InvalidToken")
    assert api.exchange(api.sandbox.contract, **claims).status_code == 200


def test_any_other_grant_is_refused(api: ProtocolClient) -> None:
    assert error_reply(api.exchange(api.sandbox.contract, grant_type="password")) == (400, "InvalidClaim")


def test_expired_tokens_are_refused_and_still_name_their_person() -> None:
    now = 1_700_000_000.0
    with Sandbox(clock=lambda: now, access_token_lifetime=100, refresh_token_lifetime=1000) as sandbox:
        api = ProtocolClient(sandbox, clock=lambda: now)
        person = api.consent()
        assert person.payload["access_token"]["expires_on"] == now + 100
        now += 100
        expired = api.import_file(person, b"x")
        assert error_reply(expired) == (401, "InvalidToken")
        assert expired.json()["error"]["message"] == "The token (access_token) is expired"
        assert api.consent(access_token=person.access_token).payload["sub"] == person.payload["sub"]
        now += 900
        ended = api.exchange(person.contract, grant_type="refresh_token", refresh_token=person.refresh_token)
        assert error_reply(ended) == (401, "InvalidToken")
        assert ended.json()["error"]["message"] == "The token (refresh_token) is expired"
        api.http.close()


def test_tokens_can_be_expired_by_hand() -> None:
    with Sandbox() as sandbox:
        api = ProtocolClient(sandbox)
        person = api.consent()
        sandbox.expire_access_tokens()
        assert error_reply(api.import_file(person, b"x")) == (401, "InvalidToken")
        answer = api.exchange(person.contract, grant_type="refresh_token", refresh_token=person.refresh_token)
        renewed = Consent(person.contract, person.redirected, api.verified(answer.json()["token"]))
        assert api.import_file(renewed, b"x").status_code == 204
        sandbox.expire_refresh_tokens()
        ended = api.exchange(person.contract, grant_type="refresh_token", refresh_token=renewed.refresh_token)
        assert error_reply(ended) == (401, "InvalidToken")
        api.http.close()


def test_an_unknown_token_names_nobody(api: ProtocolClient) -> None:
    assert error_reply(api.authorize(api.sandbox.contract, access_token="f" * 160)) == (401, "InvalidToken")


def test_a_removed_person_is_gone_with_files_and_tokens(api: ProtocolClient) -> None:
    person, other = api.consent(), api.consent()
    for consent in (person, other):
        assert api.import_file(consent, b"x").status_code == 204
    headers = api.headers(person.contract, access_token=person.access_token)
    assert api.http.delete("user", headers=headers).status_code == 204
    assert error_reply(api.import_file(person, b"x")) == (401, "InvalidToken")
    remaining = {file.user_id for file in api.sandbox.files()}
    assert person.payload["sub"] not in remaining
    assert other.payload["sub"] in remaining


def test_the_key_set_holds_one_key_in_both_spellings(api: ProtocolClient) -> None:
    (key,) = api.http.get("jwks/oauth").json()["keys"]
    assert key.keys() == {"kid", "kty", "n", "e", "pem"}
    assert key["pem"].startswith("-----BEGIN RSA PUBLIC KEY-----")
    from_numbers = RSAKey.import_key({name: key[name] for name in ("kty", "n", "e")})
    spki = load_pem_public_key(key["pem"].encode()).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert from_numbers.as_pem(private=False) == spki
