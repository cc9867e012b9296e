"""The secret of one authorization that proves that code and link belong together (PKCE, RFC 7636)."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import sha256

from digime_pandas._service.masking.secret import Secret

VERIFIER_BYTES = 32


def code_verifier(random: bytes) -> Secret[str]:
    """Return the code verifier for one authorization.

    Args:
        random: 32 bytes from a cryptographic source, as RFC 7636 section 4.1 recommends.

    Returns:
        43 characters of base64url without padding. A secret: it is kept beside the tokens until the code is exchanged.

    Raises:
        ValueError: There are not exactly 32 bytes.
    """
    if len(random) != VERIFIER_BYTES:
        raise ValueError(f"A code verifier is made of {VERIFIER_BYTES} random bytes, not {len(random)}.")
    return Secret(_base64url(random))


def code_challenge(verifier: Secret[str]) -> str:
    """Return the S256 code challenge of a verifier.

    Args:
        verifier: What `code_verifier` returned. Its ASCII text is hashed, not the bytes it was made of.

    Returns:
        43 characters of base64url without padding (`code_challenge` of the digi.me API, SDK-observed).
    """
    return _base64url(sha256(verifier.reveal().encode("ascii")).digest())


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
