"""Signed tokens: those that clients send, and those that this service issues."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from digime_pandas.sandbox._wire.error_replies import Refusal

_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_HEADER = {"alg": "PS512", "typ": "JWT"}
# The lower layer of PyJWT: it verifies the signature and leaves the claims alone, whose rules are digi.me's own.
_PS512 = jwt.PyJWS(algorithms=["PS512"])


@dataclass(frozen=True, slots=True)
class UnverifiedToken:
    """A compact JWS of the right form, whose signature has not been looked at yet.

    Args:
        compact: The token as it came.
        claims: What it claims.
    """

    compact: str
    claims: Mapping[str, Any]

    def verify(self, key: RSAPublicKey) -> Mapping[str, Any]:
        """Return the claims, once the signature holds: PS512 with a salt of 64 bytes (digi.me API, SDK-observed).

        Raises:
            Refusal: ``InvalidSignature``.
        """
        try:
            _PS512.decode(self.compact, key, algorithms=["PS512"])
        except jwt.InvalidTokenError:
            raise Refusal("InvalidSignature", "The signature does not belong to the contract's key") from None
        return self.claims


def parse_token(compact: str) -> UnverifiedToken:
    """Take a compact JWS apart and check its form.

    The header must be exactly ``{"alg":"PS512","typ":"JWT"}``, as every vendor client sends it (SDK-observed).

    Raises:
        Refusal: ``TokenInvalid``.
    """
    match = _COMPACT.fullmatch(compact)
    if match is None:
        raise Refusal("TokenInvalid", "The signed token is not a compact JWS")
    header, claims = (_json_segment(segment) for segment in match.groups()[:2])
    if header != _HEADER:
        raise Refusal("TokenInvalid", 'The header of the signed token is not {"alg":"PS512","typ":"JWT"}')
    if not isinstance(claims, dict):
        raise Refusal("TokenInvalid", "The payload of the signed token is not a JSON object")
    return UnverifiedToken(compact, claims)


def issue_token(payload: Mapping[str, Any], key: RSAPrivateKey, *, jku: str, kid: str) -> str:
    """Sign a token of this service.

    Args:
        payload: The claims.
        key: The service's signing key.
        jku: Address of the key set in which the public key is found.
        kid: Name of the key in that set.

    Returns:
        The compact JWS.
    """
    return jwt.encode(dict(payload), key, algorithm="PS512", headers={"jku": jku, "kid": kid})


def _json_segment(segment: str) -> Any:
    try:
        return json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    except (binascii.Error, ValueError):
        raise Refusal("TokenInvalid", "A part of the signed token is not base64url of JSON") from None
