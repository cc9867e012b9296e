from __future__ import annotations

import json
from base64 import urlsafe_b64encode

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from digime_pandas.sandbox._wire.error_replies import ErrorReply
from digime_pandas.sandbox._wire.jws import parse_token, sign_token


def segment(content: object) -> str:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return urlsafe_b64encode(data).rstrip(b"=").decode()


HEADER = segment({"alg": "PS512", "typ": "JWT"})


def code_of(compact: str) -> str:
    with pytest.raises(ErrorReply) as raised:
        parse_token(compact)
    return raised.value.code


@pytest.mark.parametrize(
    "compact",
    [
        "",
        "a.b",
        f"{HEADER}.{segment({})}.",
        f"{HEADER}.{segment({})}.a.b",
        f"{HEADER}.{segment({})}.a=",
        f"{HEADER}.{segment({})}.a\n",
        f"{HEADER}.a.a",
        f"{HEADER}.{segment(b'not json')}.a",
        f"{HEADER}.{segment(b'[' * 100_000)}.a",
        f"{HEADER}.{segment([])}.a",
        f"{HEADER}.{segment('claims')}.a",
        f"{segment({'alg': 'none', 'typ': 'JWT'})}.{segment({})}.a",
        f"{segment({'alg': 'HS512', 'typ': 'JWT'})}.{segment({})}.a",
        f"{segment({'alg': 'PS512', 'typ': 'JWT', 'jku': 'x'})}.{segment({})}.a",
        f"{segment([])}.{segment({})}.a",
    ],
    ids=range(15),
)
def test_a_malformed_token_is_refused(compact: str) -> None:
    assert code_of(compact) == "TokenInvalid"


def test_claims_are_returned_once_the_signature_is_the_keys(vendor_keys: dict[str, RSAPrivateKey]) -> None:
    key, other = vendor_keys["contract_w"], vendor_keys["contract_r"]
    token = parse_token(jwt.encode({"a": 1}, key, algorithm="PS512"))
    assert token.claims == token.verify(key.public_key()) == {"a": 1}
    with pytest.raises(ErrorReply) as raised:
        token.verify(other.public_key())
    assert raised.value.code == "InvalidSignature"


def test_claims_that_were_changed_are_refused(vendor_keys: dict[str, RSAPrivateKey]) -> None:
    key = vendor_keys["contract_w"]
    signature = jwt.encode({"a": 1}, key, algorithm="PS512").rpartition(".")[2]
    with pytest.raises(ErrorReply) as raised:
        parse_token(f"{HEADER}.{segment({'a': 2})}.{signature}").verify(key.public_key())
    assert raised.value.code == "InvalidSignature"


def test_a_signed_token_names_its_key(vendor_keys: dict[str, RSAPrivateKey]) -> None:
    key = vendor_keys["contract_w"]
    token = sign_token({"a": 1}, key, jku="http://localhost/jwks", kid="1")
    assert jwt.get_unverified_header(token) == {
        "alg": "PS512",
        "typ": "JWT",
        "jku": "http://localhost/jwks",
        "kid": "1",
    }
    assert jwt.decode(token, key.public_key(), algorithms=["PS512"]) == {"a": 1}
