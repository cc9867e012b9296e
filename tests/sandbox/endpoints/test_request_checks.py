from __future__ import annotations

import json
import secrets
import subprocess
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from digime_pandas.sandbox import Sandbox

from .protocol_client import AGENT, Consent, ProtocolClient, error_reply, sign

pytestmark = pytest.mark.slow

TRIGGER = "permission-access/trigger"
PSS_OPTIONS = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:64", "-sigopt", "rsa_mgf1_md:sha512"]


@pytest.fixture(scope="module")
def reader(api: ProtocolClient) -> Consent:
    return api.reader(api.consent())


def trigger(api: ProtocolClient, token: str | None) -> httpx.Response:
    headers = {} if token is None else {"Authorization": token}
    return api.http.post(TRIGGER, headers=headers, json=AGENT)


def segment(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def good_claims(api: ProtocolClient, reader: Consent, **claims: Any) -> dict[str, Any]:
    return api.claims(reader.contract, access_token=reader.access_token, **claims)


def test_a_token_signed_by_openssl_is_accepted(api: ProtocolClient, reader: Consent, tmp_path: Path) -> None:
    pem = reader.contract.private_key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    (tmp_path / "key.pem").write_bytes(pem)
    header = segment(b'{"alg":"PS512","typ":"JWT"}')
    signing_input = f"{header}.{segment(json.dumps(good_claims(api, reader)).encode())}"
    signature = subprocess.run(
        ["openssl", "dgst", "-sha512", "-sign", str(tmp_path / "key.pem"), *PSS_OPTIONS],
        input=signing_input.encode(),
        capture_output=True,
        check=True,
    ).stdout
    assert trigger(api, f"Bearer {signing_input}.{segment(signature)}").status_code == 200


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Basic eDp5", "Bearer a.b", "Bearer a.b.c", "Bearer ===.===.==="],
    ids=repr,
)
def test_anything_but_a_compact_jws_is_a_token_invalid(api: ProtocolClient, authorization: str | None) -> None:
    assert error_reply(trigger(api, authorization)) == (401, "TokenInvalid")


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "PS512"},
        {"alg": "PS512", "typ": "JWT", "kid": "1"},
        {"alg": "PS256", "typ": "JWT"},
        {"alg": "RS512", "typ": "JWT"},
    ],
    ids=str,
)
def test_any_other_jws_header_is_refused(api: ProtocolClient, reader: Consent, header: dict[str, str]) -> None:
    token = sign(reader.contract.private_key, good_claims(api, reader), header)
    assert error_reply(trigger(api, f"Bearer {token}")) == (401, "TokenInvalid")


def test_a_salt_of_another_length_is_refused(api: ProtocolClient, reader: Consent) -> None:
    good = sign(reader.contract.private_key, good_claims(api, reader)).rpartition(".")[0]
    for length, expected in ((32, (401, "InvalidSignature")), (64, None)):
        signature = reader.contract.private_key.sign(good.encode(), PSS(MGF1(SHA512()), length), SHA512())
        answer = trigger(api, f"Bearer {good}.{segment(signature)}")
        assert answer.status_code == 200 if expected is None else error_reply(answer) == expected


def test_a_key_that_is_not_the_contracts_has_a_code_of_its_own(api: ProtocolClient, reader: Consent) -> None:
    token = sign(generate_private_key(65537, 2048), good_claims(api, reader))
    assert error_reply(trigger(api, f"Bearer {token}")) == (401, "InvalidSignature")


def test_an_unknown_client_has_a_code_of_its_own(api: ProtocolClient, reader: Consent) -> None:
    token = sign(reader.contract.private_key, good_claims(api, reader) | {"client_id": "nobody_here"})
    assert error_reply(trigger(api, f"Bearer {token}")) == (401, "InvalidClient")


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "short"},
        {"nonce": 32 * 7},
        {"timestamp": "1700000000000"},
        {"timestamp": 1700000000000.5},
        {"timestamp": True},
        {"timestamp": ""},
        {"state": None},
        {"access_token": 5},
        {"access_token": "\ud800"},
        {"nonce": 32 * "\ud800"},
    ],
    ids=str,
)
def test_claims_of_the_wrong_form_are_refused(api: ProtocolClient, reader: Consent, claims: dict[str, Any]) -> None:
    token = sign(reader.contract.private_key, good_claims(api, reader) | claims)
    assert error_reply(trigger(api, f"Bearer {token}")) == (400, "InvalidClaim")


def test_a_nonce_works_once_and_is_not_used_up_by_a_forger(api: ProtocolClient, reader: Consent) -> None:
    claims = good_claims(api, reader, nonce=secrets.token_hex(16))
    forged = sign(generate_private_key(65537, 2048), claims)
    assert error_reply(trigger(api, f"Bearer {forged}")) == (401, "InvalidSignature")
    token = sign(reader.contract.private_key, claims)
    assert trigger(api, f"Bearer {token}").status_code == 200
    assert error_reply(trigger(api, f"Bearer {token}")) == (401, "NonceReused")


def test_the_clock_window_is_kept_on_both_sides_and_nonces_for_as_long(tmp_path: Path) -> None:
    now = 1_700_000_000.0
    with Sandbox(clock=lambda: now, clock_window=60) as sandbox:
        api = ProtocolClient(sandbox, clock=lambda: now)
        reader = api.reader(api.consent())
        early, late, used = (good_claims(api, reader, timestamp=int((now + offset) * 1000)) for offset in (-61, 61, 60))
        for claims in (early, late):
            token = sign(reader.contract.private_key, claims)
            assert error_reply(trigger(api, f"Bearer {token}")) == (401, "TimestampOutOfRange")
        token = sign(reader.contract.private_key, used)
        assert trigger(api, f"Bearer {token}").status_code == 200
        now += 119  # the token still passes the window, so its nonce must still be known
        assert error_reply(trigger(api, f"Bearer {token}")) == (401, "NonceReused")
        api.http.close()


def test_a_timestamp_beyond_all_clocks_is_out_of_range(api: ProtocolClient, reader: Consent) -> None:
    for timestamp in (10**400, -(10**400), 0):
        token = sign(reader.contract.private_key, good_claims(api, reader, timestamp=timestamp))
        assert error_reply(trigger(api, f"Bearer {token}")) == (401, "TimestampOutOfRange")


def test_each_kind_of_contract_does_its_own_calls_only(api: ProtocolClient, person: Consent) -> None:
    reader = api.reader(person)
    headers = api.headers(person.contract, access_token=person.access_token)
    answer = api.http.post(TRIGGER, headers=headers, json=AGENT)
    assert error_reply(answer) == (400, "InvalidContractDataRequest")
    assert error_reply(api.import_file(reader, b"x")) == (400, "InvalidContractDataRequest")
    borrowed = api.get(reader, f"permission-access/query/{api.session(reader)}", access_token=person.access_token)
    assert error_reply(borrowed) == (401, "InvalidToken")


def test_a_call_without_an_access_token_is_an_invalid_token(api: ProtocolClient, reader: Consent) -> None:
    answer = trigger(api, api.headers(reader.contract)["Authorization"])
    assert error_reply(answer) == (401, "InvalidToken")
    assert answer.json()["error"]["message"] == "The token (access_token) is invalid"
