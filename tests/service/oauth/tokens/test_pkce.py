from __future__ import annotations

import subprocess

import pytest

from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.oauth.tokens.pkce import code_challenge, code_verifier

# RFC 7636 appendix B.
RFC_OCTETS = bytes.fromhex("7418dfb49799e0254ffa607dd8adbbba16d4254d69d6bff05b58055853848d79")
RFC_VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
RFC_CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


# Recorded from the vendor's Node SDK 8.0.0: what it sent when it exchanged a code, and what it had announced before.
NODE_VERIFIER = "Tjh4c3p0QVdGc3VNYUs2Q0d1aXk1YnlhUUUyOFl4eng"
NODE_CHALLENGE = "1rayQMsoDXsuICUl2CbDd8vHO1BUeHL2JXfumJcaK2M"


def test_challenge_is_what_the_vendors_program_sends() -> None:
    assert code_challenge(Secret(NODE_VERIFIER)) == NODE_CHALLENGE


def test_verifier_and_challenge_are_those_of_the_rfc() -> None:
    assert code_verifier(RFC_OCTETS).reveal() == RFC_VERIFIER
    assert code_challenge(Secret(RFC_VERIFIER)) == RFC_CHALLENGE


@pytest.mark.parametrize("random", [bytes(32), b"\xff" * 32])
def test_verifier_is_43_unreserved_characters(random: bytes) -> None:
    verifier = code_verifier(random).reveal()
    assert len(verifier) == 43
    assert set(verifier) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@pytest.mark.parametrize("size", [0, 31, 33])
def test_verifier_refuses_any_other_number_of_bytes(size: int) -> None:
    with pytest.raises(ValueError, match=f"not {size}"):
        code_verifier(bytes(size))


def test_challenge_is_what_openssl_computes() -> None:
    verifier = code_verifier(bytes(range(32)))
    digest = subprocess.run(
        ["openssl", "dgst", "-sha256", "-binary"], input=verifier.reveal().encode(), capture_output=True, check=True
    ).stdout
    base64 = subprocess.run(["openssl", "base64", "-A"], input=digest, capture_output=True, check=True).stdout.decode()
    assert code_challenge(verifier) == base64.translate(str.maketrans("+/", "-_", "="))
