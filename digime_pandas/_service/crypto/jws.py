"""Signed request tokens, and the check of tokens the service signs.

Both are compact JWS with PS512 and a salt of 64 bytes, nothing else (observed on the wire).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from digime_pandas._service.masking.secret import MaskedMapping, Secret
from digime_pandas._service.masking.tracebacks import FramesDropped, drop_frames

ALGORITHM = "PS512"
NONCE_BYTES = 16
LEEWAY_SECONDS = 60.0  # between the clocks of the service and of this computer
_LATEST = 1e15  # far beyond any time in seconds; JSON has infinities and NaN too
_DEFAULT_PORTS = {"http": 80, "https": 443}


def request_claims(client_id: str, *, nonce: bytes, timestamp: float, **claims: object) -> dict[str, object]:
    """Return the claims of a signed request.

    Args:
        client_id: The contract's `client_id`.
        nonce: 16 random bytes, new for every attempt; sent as 32 lower-case hex characters.
        timestamp: Unix time in seconds; sent in milliseconds.
        claims: What the endpoint needs besides. Those that are None are left out, as the vendor's SDKs do.
    """
    common = {"client_id": client_id, "nonce": nonce.hex(), "timestamp": int(timestamp * 1000)}
    return common | {name: value for name, value in claims.items() if value is not None}


def sign_request(
    private_key: RSAPrivateKey, client_id: str, *, nonce: bytes, timestamp: float, **claims: object
) -> Secret[str]:
    """Return the signed claims of a request, see `request_claims` and `sign`."""
    return sign(request_claims(client_id, nonce=nonce, timestamp=timestamp, **claims), private_key)


def sign(claims: Mapping[str, object], private_key: RSAPrivateKey) -> Secret[str]:
    """Return the compact JWS of `claims`, with the header ``{"alg":"PS512","typ":"JWT"}``.

    Args:
        claims: The claims. Masked ones are sent in clear, and bytes as lower-case hex characters.
        private_key: The contract's key.
    """
    handled = sys.exception()
    try:
        return Secret(
            jwt.encode({name: _clear_claim(claims[name]) for name in claims}, private_key, algorithm=ALGORITHM)
        )
    except BaseException as error:
        drop_frames(error, handled)
        raise


def _clear_claim(value: object) -> Any:
    clear = value.reveal() if isinstance(value, Secret) else value
    return clear.hex() if isinstance(clear, bytes) else clear


def key_address(token: Secret[str]) -> tuple[str, str]:
    """Return where a token of the service says its key is: the key set's URL (`jku`) and the key's id (`kid`).

    Raises:
        ValueError: The token is no JWS, not PS512, or lacks either.
    """
    header = None
    with suppress(jwt.InvalidTokenError, ValueError), FramesDropped():
        header = MaskedMapping(jwt.get_unverified_header(token.reveal()))
    if header is None:
        raise ValueError("it is not a compact JWS")
    if header.get("alg") != ALGORITHM:
        raise ValueError(f"it is not signed with {ALGORITHM}")
    jku, kid = header.get("jku"), header.get("kid")
    if not isinstance(jku, str) or not isinstance(kid, str):
        raise ValueError("its header names no key set (jku) and key (kid)")
    return jku, kid


def same_origin(url: str, base_url: str) -> bool:
    """Tell whether two URLs have the same scheme, host and port.

    False for a `url` with user info, and for one with characters that parsers treat in different ways: spaces, control
    characters, non-ASCII.
    """
    if not url.isascii() or not url.isprintable() or not {" ", "\\"}.isdisjoint(url):
        return False
    try:
        ours, theirs = urlsplit(base_url), urlsplit(url)
        ports = [parts.port or _DEFAULT_PORTS.get(parts.scheme) for parts in (ours, theirs)]
    except ValueError:
        return False
    return (
        "@" not in theirs.netloc
        and bool(theirs.hostname)
        and theirs.scheme == ours.scheme
        and theirs.hostname == ours.hostname
        and ports[0] == ports[1]
    )


class TokenTimeError(ValueError):
    """A token is genuine, and not valid at this time. No other key would change that."""


def check_key_set(key_set: object) -> None:
    """Check that a key set can be read and that there is an RSA key in it.

    Raises:
        ValueError: It cannot, or there is none.
    """
    for entry in _entries(key_set):
        with suppress(ValueError):
            _key_of(entry)
            return
    raise ValueError("the key set holds no key that can be read")


def find_key(key_set: object, kid: str) -> RSAPublicKey | None:
    """Return the RSA key that a key set holds under `kid`, or None.

    The first entry with that id counts and its `pem` (PKCS#1 or SPKI) is preferred to `n` and `e`, as in the vendor's
    SDKs.

    Raises:
        ValueError: The key set, or the entry, is not readable.
    """
    entry = next((entry for entry in _entries(key_set) if entry.get("kid") == kid), None)
    return None if entry is None else _key_of(entry)


def _entries(key_set: object) -> list[Mapping[str, Any]]:
    keys = key_set.get("keys") if isinstance(key_set, Mapping) else None
    if not isinstance(keys, list):
        raise ValueError("the key set has no list 'keys'")
    return [item for item in keys if isinstance(item, Mapping)]


def _key_of(entry: Mapping[str, Any]) -> RSAPublicKey:
    try:
        pem = entry.get("pem")
        key = load_pem_public_key(pem.encode()) if isinstance(pem, str) else jwt.PyJWK(dict(entry), ALGORITHM).key
    except (ValueError, TypeError, UnsupportedAlgorithm, jwt.PyJWTError):
        raise ValueError("the key set's entry holds no key that can be read") from None
    if not isinstance(key, RSAPublicKey):
        raise ValueError("the key set's entry is not an RSA key")
    return key


def verify(
    token: Secret[str],
    key: RSAPublicKey,
    *,
    received: float | None = None,
    now: Callable[[], float] = time.time,
) -> Mapping[str, Any]:
    """Return the payload of a token the service signed, masked.

    Only PS512 is accepted. `exp`, `nbf` and `iat` are compared where present, with a leeway of a minute.

    Args:
        token: The token.
        key: The service's key.
        received: When it was received, Unix seconds, where that was before now. What was valid then, or is by now, is.
        now: Clock, Unix seconds.

    Raises:
        TokenTimeError: It is not valid now.
        ValueError: The signature does not hold.
    """
    checks = ("signature", "exp", "nbf", "iat", "aud", "iss", "sub", "jti")
    options = {f"verify_{name}": name == "signature" for name in checks}
    payload = None
    with suppress(jwt.InvalidTokenError, ValueError), FramesDropped():
        payload = MaskedMapping(jwt.decode(token.reveal(), key, algorithms=[ALGORITHM], options=options))  # type: ignore[arg-type] # a TypedDict whose name is private
    if payload is None:
        raise ValueError("its signature does not hold")
    moments = now() if received is None else received, now()
    _check_times(payload, min(moments), max(moments))
    return payload


def _check_times(payload: Mapping[str, Any], earliest: float, latest: float) -> None:
    late = earliest - _moment(payload, "exp", latest)
    if late >= LEEWAY_SECONDS:
        raise TokenTimeError(f"it has expired {_span(late)} ago by the clock of this computer. {_SET_CLOCK}")
    early = max(_moment(payload, name, earliest) for name in ("nbf", "iat")) - latest
    if early > LEEWAY_SECONDS:
        raise TokenTimeError(
            f"it is not valid yet: by the clock of this computer it is {_span(early)} in the future. {_SET_CLOCK}"
        )


_SET_CLOCK = "If that clock is wrong, set it and try again"


def _moment(payload: Mapping[str, Any], name: str, default: float) -> float:
    value = payload.get(name, default)
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) < _LATEST:
        raise TokenTimeError(f"its {name!r} is no time in Unix seconds")
    return value


def _span(seconds: float) -> str:
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"
