from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digime_pandas._service.authorization import Authorization
from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.messages import (
    Agent,
    UploadReply,
    parse_document,
    parse_file_listing,
    parse_file_metadata,
    parse_token_reply,
    parse_upload_reply,
    read_text,
)
from digime_pandas.errors import ReplyError

PAYLOAD: dict[str, Any] = {
    "access_token": {"value": "a", "expires_on": 1_700_000_000},
    "refresh_token": {"value": "r", "expires_on": 1_715_000_000},
    "sub": "user",
    "consentid": "consent",
    "identifier": {"id": "user"},
    "token_type": "Bearer",
}
ODD_BODIES = [b"", b"<html>", b"{", b"[]", b"null", b'"text"', b"\xff", b"[" * 100_000, b"1" * 5000]


def dumped(document: object) -> bytes:
    return json.dumps(document).encode()


def test_the_agent_has_the_nested_form_of_the_vendors_sdk(vector: Callable[[str], Any]) -> None:
    recorded = json.loads(vector("v16_authorize")["requests"][0]["body_text"])["agent"]["sdk"]
    ours = Agent(recorded["name"], recorded["version"]).to_dict()["sdk"]
    assert ours.keys() == recorded.keys()
    assert (ours["name"], ours["version"]) == ("nodejs", "16.1.5")


@pytest.mark.parametrize("body", ODD_BODIES, ids=lambda body: repr(body[:8]))
def test_a_body_that_is_no_json_object_is_an_error_that_names_the_call(body: bytes) -> None:
    with pytest.raises(ReplyError, match="Could not count sheep: the answer lacks a JSON object") as raised:
        parse_document(Secret(body), "count sheep")
    assert raised.value.outcome == "unknown"


@pytest.mark.parametrize("members", [None, [], {}, {"key": ""}, {"key": 17}, {"key": None}])
def test_a_text_that_must_be_there_is_not_empty(members: object) -> None:
    with pytest.raises(ReplyError, match="'key'"):
        read_text(members, "key", "ask")


def test_a_grant_has_both_tokens_and_may_say_who_and_which_consent() -> None:
    grant = parse_token_reply(PAYLOAD, "ask")
    assert (grant.user_access_token.access_token.value, grant.user_access_token.access_token.expiry) == (
        "a",
        1_700_000_000,
    )
    assert (grant.user_access_token.refresh_token.value, grant.user_access_token.refresh_token.expiry) == (
        "r",
        1_715_000_000,
    )
    assert (grant.user_id, grant.consent_id) == ("user", "consent")
    least = parse_token_reply({name: PAYLOAD[name] for name in ("access_token", "refresh_token")}, "ask")
    assert (least.user_id, least.consent_id) == (None, None)


def test_ids_that_would_control_a_terminal_are_escaped() -> None:
    grant = parse_token_reply(PAYLOAD | {"sub": "a\x1b[31m\u202e", "consentid": "\x9b\r"}, "ask")
    assert (grant.user_id, grant.consent_id) == (r"a\x1b[31m\u202e", r"\x9b\r")


@pytest.mark.parametrize("name", ["access_token", "refresh_token"])
@pytest.mark.parametrize(
    "pair",
    [
        None,
        "a",
        {},
        {"value": "a"},
        {"expires_on": 1},
        {"value": "", "expires_on": 1},
        {"value": 1, "expires_on": 1},
        {"value": "a", "expires_on": "1"},
        {"value": "a", "expires_on": True},
        {"value": "a", "expires_on": float("inf")},
        {"value": "a", "expires_on": float("nan")},
        {"value": "a", "expires_on": 10**400},
        {"value": "a", "expires_on": -1},
        {"value": "\ud800", "expires_on": 1},
    ],
    ids=repr,
)
def test_a_token_without_value_or_a_time_of_expiry_is_an_error(name: str, pair: object) -> None:
    with pytest.raises(ReplyError, match=r"value|expires_on"):
        parse_token_reply(PAYLOAD | {name: pair}, "refresh the token")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
TOKENS = st.fixed_dictionaries({"value": st.text(st.characters()), "expires_on": st.integers() | st.floats()})


@settings(deadline=None, derandomize=True)
@given(st.dictionaries(st.sampled_from(sorted(PAYLOAD)), JSON | TOKENS))
def test_any_payload_is_a_grant_that_can_be_stored_or_an_error(payload: dict[str, Any]) -> None:
    try:
        grant = parse_token_reply(PAYLOAD | payload, "ask")
    except ReplyError:
        return
    made = Authorization("p", "write", grant.user_access_token, user_id=grant.user_id, consent_id=grant.consent_id)
    assert Authorization.from_dict(json.loads(json.dumps(made.to_dict()))) == made


def test_a_delivery_is_delivered_or_pending() -> None:
    assert parse_upload_reply(Secret(b'{"status":"delivered","expires":1700000000000}'), 2, "d") == UploadReply(
        "delivered", 1.7e12, 2
    )
    assert parse_upload_reply(Secret(b'{"status":"pending","session":{},"more":[]}'), 1, "d") == UploadReply(
        "pending", None, 1
    )


@pytest.mark.parametrize("body", [b"{}", b'{"status":"lost"}', b'{"status":null}', b'{"status":["delivered"]}', b"OK"])
def test_any_other_status_leaves_the_outcome_unknown(body: bytes) -> None:
    with pytest.raises(ReplyError) as raised:
        parse_upload_reply(Secret(body), 1, "deliver")
    assert raised.value.outcome == "unknown"


def test_a_file_list_may_be_missing_and_a_date_too() -> None:
    assert parse_file_listing(Secret(b'{"status":{"state":"pending"}}'), "list").files == {}
    listed = parse_file_listing(
        Secret(
            dumped({"status": {"state": "completed"}, "fileList": [{"name": "a", "updatedDate": 5.5}, {"name": "b"}]})
        ),
        "list",
    )
    assert (listed.state, listed.files) == ("completed", {"a": 5.5, "b": 0.0})


@pytest.mark.parametrize("date", [1e300, -1, float("inf"), 10**400, "now", None, False])
def test_a_date_that_is_none_counts_as_missing(date: object) -> None:
    body = dumped({"status": {"state": "completed"}, "fileList": [{"name": "a", "updatedDate": date}]})
    assert parse_file_listing(Secret(body), "list").files == {"a": 0.0}


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"status": "completed"},
        {"status": {}},
        {"status": {"state": "completed"}, "fileList": {"name": "a"}},
        {"status": {"state": "completed"}, "fileList": ["a"]},
        {"status": {"state": "completed"}, "fileList": [{"updatedDate": 1}]},
    ],
    ids=repr,
)
def test_a_file_list_of_another_shape_is_an_error(document: object) -> None:
    with pytest.raises(ReplyError):
        parse_file_listing(Secret(dumped(document)), "list")


def test_the_vendors_file_metadata_is_read(vector: Callable[[str], Any]) -> None:
    for recorded in vector("read_blobs"):
        stored = parse_file_metadata({"x-metadata": recorded["x_metadata"]}, "read")
        assert stored.metadata == recorded["x_metadata_json"]["metadata"]
        assert stored.compression == recorded["x_metadata_json"]["compression"]


def encoded(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).decode()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-metadata": ""},
        {"x-metadata": "%%%"},
        {"x-metadata": "ü"},
        {"x-metadata": encoded(b"[]")},
        {"x-metadata": encoded(b"{}")},
        {"x-metadata": encoded(b'{"metadata":[]}')},
        {"x-metadata": encoded(b"[" * 100_000)},
    ],
    ids=lambda headers: str(headers)[:40],
)
def test_a_file_without_readable_metadata_is_an_error(headers: dict[str, str]) -> None:
    with pytest.raises(ReplyError, match="X-Metadata"):
        parse_file_metadata(headers, "read a file")


def test_padding_of_the_metadata_is_optional() -> None:
    for text in (b'{"metadata":{}}', b'{"metadata":{}} ', b'{"metadata":{}}  '):
        assert parse_file_metadata({"x-metadata": encoded(text)}, "read").metadata == {}
        assert parse_file_metadata({"x-metadata": encoded(text).rstrip("=")}, "read").metadata == {}
