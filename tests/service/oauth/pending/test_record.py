from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.oauth.pending.record import PendingAuthorization, digest, from_json, to_json

VERIFIER = "v3r1f1er-that-is-a-secret"
PENDING = PendingAuthorization(
    account_id="Zoë 17",
    access="read",
    environment="https://api.test/v1.7/",
    client_id="app_contract",
    begun=1_700_000_000.25,
    expires=1_700_000_600.0,
    verifier=Secret(VERIFIER),
)


@pytest.mark.parametrize(
    "pending",
    [
        PENDING,
        replace(PENDING, verifier=None, status="given", code="0" * 64),
        replace(PENDING, begun=1, expires=2, status="refused", access="write"),
    ],
)
def test_what_is_written_is_read_back_equal(pending: PendingAuthorization) -> None:
    assert from_json(to_json(pending)) == pending


def test_the_digest_is_that_of_the_text() -> None:
    assert digest(Secret("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert len(digest(Secret("ü\ud800"))) == 64


def test_members_of_a_later_version_are_left_out() -> None:
    members = json.loads(to_json(PENDING).reveal())
    assert from_json(Secret(json.dumps(members | {"more": 1}).encode())) == PENDING


@pytest.mark.parametrize(
    "change",
    [
        {"access": "admin"},
        {"access": None},
        {"status": "lost"},
        {"begun": "today"},
        {"begun": None},
        {"expires": -1},
        {"expires": 1e300},
        {"expires": float("nan")},
        {"verifier": {"value": VERIFIER}},
        {"account_id": 17},
        {"code": 17},
        {"client_id": ...},
    ],
    ids=str,
)
def test_what_is_no_record_is_none(change: dict[str, Any]) -> None:
    members = json.loads(to_json(PENDING).reveal()) | change
    members = {name: value for name, value in members.items() if value is not ...}
    assert from_json(Secret(json.dumps(members).encode())) is None


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b"null", b"[" * 100_000])
def test_what_is_no_json_of_a_record_is_none(content: bytes) -> None:
    assert from_json(Secret(content)) is None


def test_the_verifier_does_not_show() -> None:
    assert VERIFIER not in repr(PENDING)
    assert VERIFIER in to_json(PENDING).reveal().decode()
