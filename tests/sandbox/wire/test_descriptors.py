from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from digime_pandas._service.descriptor import FileDescriptor
from digime_pandas.sandbox._wire.descriptors import descriptor_for_readers, parse_descriptor
from digime_pandas.sandbox._wire.error_replies import ErrorReply

SENT: dict[str, Any] = {"mimeType": "text/csv", "accounts": [{"accountId": "a"}, {"accountId": "b"}]}
CREATED = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)


def test_a_descriptor_is_parsed_and_unknown_members_are_ignored() -> None:
    sent = SENT | {"reference": ["r"], "tags": ["t"], "providerName": 7}
    assert parse_descriptor(sent) == FileDescriptor("text/csv", ["a", "b"], ["r"], ["t"])


@pytest.mark.parametrize(
    ("wire", "named"),
    [
        (None, "not a JSON object"),
        ([], "not a JSON object"),
        ({}, "accounts and mimeType"),
        ({"accounts": []}, "mimeType"),
        (SENT | {"accounts": {}}, "accounts"),
        (SENT | {"accounts": []}, "account_id is empty"),
        (SENT | {"accounts": [{"accountId": 7}]}, "accounts"),
        (SENT | {"accounts": [{"accountId": "\ud800"}]}, "surrogate"),
        (SENT | {"mimeType": "text/csv\r\nX: y"}, "mime_type"),
        (SENT | {"mimeType": None}, "mime_type"),
        (SENT | {"reference": "r"}, "reference is not an array"),
        (SENT | {"tags": [[]]}, "tags"),
    ],
)
def test_a_malformed_descriptor_is_refused_with_the_members_name(wire: object, named: str) -> None:
    with pytest.raises(ErrorReply, match=named) as raised:
        parse_descriptor(wire)
    assert raised.value.code == "InvalidFileDescriptor"


def test_readers_receive_lower_case_names_and_the_writer_that_signed() -> None:
    sent = SENT | {"tags": ["t"], "serviceGroups": [1], "contractId": "claimed", "appId": "claimed", "other": 1}
    assert descriptor_for_readers(sent, CREATED, application_id="app", contract_id="contract") == {
        "mimetype": "text/csv",
        "accounts": [{"accountid": "a"}, {"accountid": "b"}],
        "created": 1_767_323_045_678,
        "contractid": "contract",
        "appid": "app",
        "tags": ["t"],
        "servicegroups": [1],
    }


def test_a_writer_that_is_not_recorded_is_left_out() -> None:
    received = descriptor_for_readers(SENT | {"appId": "claimed"}, CREATED, application_id=None, contract_id=None)
    assert received.keys() == {"mimetype", "accounts", "created"}
