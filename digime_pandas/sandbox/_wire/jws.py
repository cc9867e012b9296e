"""Compact JWS: parsing and verifying the tokens of clients, signing the tokens of the sandbox."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from digime_pandas.sandbox._wire.error_replies import ErrorReply
from digime_pandas.sandbox._wire.json_text import parse_json

_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_HEADER = {"alg": "PS512", "typ": "JWT"}
# PyJWS instead of PyJWT: it verifies the signature only; the rules for claims are digi.me's own.
_PS512 = jwt.PyJWS(algorithms=["PS512"])


@dataclass(frozen=True, slots=True)
class UnverifiedToken:
    """A well-formed compact JWS whose signature is not verified yet.

    Args:
        compact: The token as it was sent.
        claims: Its payload.
    """

    compact: str
    claims: Mapping[str, Any]

    def verify(self, key: RSAPublicKey) -> Mapping[str, Any]:
        """Verify the signature, PS512 with a salt of 64 bytes (digi.me API, SDK-observed), and return the claims.

        Args:
            key: Public key of the contract that the token claims to be signed with.

        Raises:
            ErrorReply: ``InvalidSignature``.
        """
        try:
            _PS512.decode(self.compact, key, algorithms=["PS512"])
        except jwt.InvalidTokenError:
            raise ErrorReply("InvalidSignature", "The signature does not belong to the contract's key") from None
        return self.claims


def parse_token(compact: str) -> UnverifiedToken:
    """Parse a compact JWS.

    The header must be exactly ``{"alg":"PS512","typ":"JWT"}``, as every vendor client sends it (SDK-observed).

    Raises:
        ErrorReply: ``TokenInvalid``.
    """
    match = _COMPACT.fullmatch(compact)
    if match is None:
        raise ErrorReply("TokenInvalid", "The signed token is not a compact JWS")
    header, claims = (_json_segment(segment) for segment in match.groups()[:2])
    if header != _HEADER:
        raise ErrorReply("TokenInvalid", 'The header of the signed token is not {"alg":"PS512","typ":"JWT"}')
    if not isinstance(claims, dict):
        raise ErrorReply("TokenInvalid", "The payload of the signed token is not a JSON object")
    return UnverifiedToken(compact, claims)


def sign_token(payload: Mapping[str, Any], key: RSAPrivateKey, *, jku: str, kid: str) -> str:
    """Return a token signed by the sandbox (PS512).

    Args:
        payload: The claims.
        key: The sandbox's signing key.
        jku: Address of the key set that holds the public key.
        kid: Id of the key in that set.

    Returns:
        The compact JWS.
    """
    return jwt.encode(dict(payload), key, algorithm="PS512", headers={"jku": jku, "kid": kid})


def _json_segment(segment: str) -> Any:
    try:
        return parse_json(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    except ValueError:  # binascii.Error is one
        raise ErrorReply("TokenInvalid", "A part of the signed token is not base64url of JSON") from None
