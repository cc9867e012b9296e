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
    PublicFormat,
    load_pem_public_key,
)
from joserfc.jwk import RSAKey

from digime_pandas.sandbox import Sandbox

from .wire import AGENT, Consent, Wire, refusal, sign

TRIGGER = "permission-access/trigger"
PSS_OPTIONS = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:64", "-sigopt", "rsa_mgf1_md:sha512"]


@pytest.fixture(scope="module")
def reader(wire: Wire) -> Consent:
    return wire.reader(wire.consent())


def trigger(wire: Wire, token: str | None) -> httpx.Response:
    headers = {} if token is None else {"Authorization": token}
    return wire.http.post(TRIGGER, headers=headers, json=AGENT)


def segment(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def good_claims(wire: Wire, reader: Consent, **claims: Any) -> dict[str, Any]:
    return wire.claims(reader.contract, access_token=reader.access_token, **claims)


def test_a_token_signed_by_openssl_is_accepted(wire: Wire, reader: Consent, tmp_path: Path) -> None:
    pem = reader.contract.private_key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    (tmp_path / "key.pem").write_bytes(pem)
    header = segment(b'{"alg":"PS512","typ":"JWT"}')
    signing_input = f"{header}.{segment(json.dumps(good_claims(wire, reader)).encode())}"
    signature = subprocess.run(
        ["openssl", "dgst", "-sha512", "-sign", str(tmp_path / "key.pem"), *PSS_OPTIONS],
        input=signing_input.encode(),
        capture_output=True,
        check=True,
    ).stdout
    assert trigger(wire, f"Bearer {signing_input}.{segment(signature)}").status_code == 200


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Basic eDp5", "Bearer a.b", "Bearer a.b.c", "Bearer ===.===.==="],
    ids=repr,
)
def test_anything_but_a_compact_jws_is_a_token_invalid(wire: Wire, authorization: str | None) -> None:
    assert refusal(trigger(wire, authorization)) == (401, "TokenInvalid")


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
def test_any_other_jws_header_is_refused(wire: Wire, reader: Consent, header: dict[str, str]) -> None:
    token = sign(reader.contract.private_key, good_claims(wire, reader), header)
    assert refusal(trigger(wire, f"Bearer {token}")) == (401, "TokenInvalid")


def test_a_salt_of_another_length_is_refused(wire: Wire, reader: Consent) -> None:
    good = sign(reader.contract.private_key, good_claims(wire, reader)).rpartition(".")[0]
    for length, expected in ((32, (401, "InvalidSignature")), (64, None)):
        signature = reader.contract.private_key.sign(good.encode(), PSS(MGF1(SHA512()), length), SHA512())
        answer = trigger(wire, f"Bearer {good}.{segment(signature)}")
        assert answer.status_code == 200 if expected is None else refusal(answer) == expected


def test_a_key_that_is_not_the_contracts_has_a_code_of_its_own(wire: Wire, reader: Consent) -> None:
    token = sign(generate_private_key(65537, 2048), good_claims(wire, reader))
    assert refusal(trigger(wire, f"Bearer {token}")) == (401, "InvalidSignature")


def test_an_unknown_client_has_a_code_of_its_own(wire: Wire, reader: Consent) -> None:
    token = sign(reader.contract.private_key, good_claims(wire, reader) | {"client_id": "nobody_here"})
    assert refusal(trigger(wire, f"Bearer {token}")) == (401, "InvalidClient")


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
    ],
    ids=str,
)
def test_claims_of_the_wrong_form_are_refused(wire: Wire, reader: Consent, claims: dict[str, Any]) -> None:
    token = sign(reader.contract.private_key, good_claims(wire, reader) | claims)
    assert refusal(trigger(wire, f"Bearer {token}")) == (400, "InvalidClaim")


def test_a_nonce_works_once_and_is_not_used_up_by_a_forger(wire: Wire, reader: Consent) -> None:
    claims = good_claims(wire, reader, nonce=secrets.token_hex(16))
    forged = sign(generate_private_key(65537, 2048), claims)
    assert refusal(trigger(wire, f"Bearer {forged}")) == (401, "InvalidSignature")
    token = sign(reader.contract.private_key, claims)
    assert trigger(wire, f"Bearer {token}").status_code == 200
    assert refusal(trigger(wire, f"Bearer {token}")) == (401, "NonceReused")


def test_the_clock_window_is_kept_on_both_sides_and_nonces_for_as_long(tmp_path: Path) -> None:
    now = 1_700_000_000.0
    with Sandbox(clock=lambda: now, clock_window=60) as sandbox:
        wire = Wire(sandbox, clock=lambda: now)
        reader = wire.reader(wire.consent())
        early, late, used = (
            good_claims(wire, reader, timestamp=int((now + offset) * 1000)) for offset in (-61, 61, 60)
        )
        for claims in (early, late):
            token = sign(reader.contract.private_key, claims)
            assert refusal(trigger(wire, f"Bearer {token}")) == (401, "TimestampOutOfRange")
        token = sign(reader.contract.private_key, used)
        assert trigger(wire, f"Bearer {token}").status_code == 200
        now += 119  # the token still passes the window, so its nonce must still be known
        assert refusal(trigger(wire, f"Bearer {token}")) == (401, "NonceReused")
        wire.http.close()


def test_a_timestamp_beyond_all_clocks_is_out_of_range(wire: Wire, reader: Consent) -> None:
    for timestamp in (10**400, -(10**400), 0):
        token = sign(reader.contract.private_key, good_claims(wire, reader, timestamp=timestamp))
        assert refusal(trigger(wire, f"Bearer {token}")) == (401, "TimestampOutOfRange")


def test_each_kind_of_contract_does_its_own_calls_only(wire: Wire, person: Consent) -> None:
    reader = wire.reader(person)
    headers = wire.headers(person.contract, access_token=person.access_token)
    answer = wire.http.post(TRIGGER, headers=headers, json=AGENT)
    assert refusal(answer) == (400, "InvalidContractDataRequest")
    assert refusal(wire.import_file(reader, b"x")) == (400, "InvalidContractDataRequest")
    borrowed = wire.get(reader, f"permission-access/query/{wire.session(reader)}", access_token=person.access_token)
    assert refusal(borrowed) == (401, "InvalidToken")


def test_a_call_without_an_access_token_is_an_invalid_token(wire: Wire, reader: Consent) -> None:
    answer = trigger(wire, wire.headers(reader.contract)["Authorization"])
    assert refusal(answer) == (401, "InvalidToken")
    assert answer.json()["error"]["message"] == "The token (access_token) is invalid"


def test_unknown_addresses_and_methods_are_answered_in_the_same_form(wire: Wire) -> None:
    assert refusal(wire.http.get("nothing/here")) == (404, "NotFound")
    assert refusal(wire.http.get("oauth/token")) == (405, "MethodNotAllowed")


def test_a_name_that_is_not_this_computers_is_not_answered(wire: Wire) -> None:
    answer = wire.http.get("jwks/oauth", headers={"Host": "evil.example"})
    assert answer.status_code == 400
    assert "keys" not in answer.text


def test_the_key_set_holds_one_key_in_both_spellings(wire: Wire) -> None:
    (key,) = wire.http.get("jwks/oauth").json()["keys"]
    assert key.keys() == {"kid", "kty", "n", "e", "pem"}
    assert key["pem"].startswith("-----BEGIN RSA PUBLIC KEY-----")
    from_numbers = RSAKey.import_key({name: key[name] for name in ("kty", "n", "e")})
    spki = load_pem_public_key(key["pem"].encode()).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert from_numbers.as_pem(private=False) == spki
