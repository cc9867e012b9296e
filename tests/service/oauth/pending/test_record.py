from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
        replace(PENDING, verifier=None, status="unverified", answer=Secret("a.b.c")),
    ],
)
def test_what_is_written_is_read_back_equal(pending: PendingAuthorization) -> None:
    assert from_json(to_json(pending)) == pending


def test_the_digest_is_that_of_the_text() -> None:
    assert digest(Secret("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert len(digest(Secret("ü\ud800"))) == 64


def test_a_record_without_an_answer_is_one_of_an_earlier_version() -> None:
    members = json.loads(to_json(PENDING).reveal())
    del members["answer"]
    assert from_json(Secret(json.dumps(members).encode())) == PENDING


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
MEMBERS = st.sampled_from(sorted(json.loads(to_json(PENDING).reveal())))


@settings(deadline=None, derandomize=True)
@given(st.binary(max_size=100) | JSON | st.dictionaries(MEMBERS, JSON | st.text(st.characters(categories=["Cs"]))))
def test_anything_else_is_a_record_that_can_be_used_or_none(content: Any) -> None:
    if isinstance(content, dict):
        content = json.loads(to_json(PENDING).reveal()) | content
    found = from_json(Secret(content if isinstance(content, bytes) else json.dumps(content).encode()))
    if found is not None:
        assert from_json(to_json(found)) == found
        datetime.fromtimestamp(found.expires, UTC)
        found.account_id.encode()


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
