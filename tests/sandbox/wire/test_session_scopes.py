from __future__ import annotations

from typing import Any

import pytest

from digime_pandas.sandbox._wire.error_replies import ErrorReply
from digime_pandas.sandbox._wire.session_scopes import SessionScope, StoredFile, parse_scope

FILE = StoredFile(
    {
        "mimeType": "text/csv",
        "accounts": [{"accountId": "p"}, {"accountId": "q"}],
        "reference": ["visits.csv", "urn:uuid:1"],
        "tags": ["visits"],
    },
    created=1_700_000_000_500,
    application_id="app",
    contract_id="writer",
)
BARE = StoredFile({"mimeType": "text/csv", "accounts": []}, created=0, application_id=None, contract_id=None)


@pytest.mark.parametrize(
    ("criteria", "admitted"),
    [
        ([{}], True),
        ([{"metadata": {}}], True),
        ([{"from": 1_700_000_000}], True),
        ([{"from": 1_700_000_000.5}], True),
        ([{"from": 1_700_000_001}], False),
        ([{"metadata": {"reference": ["urn:uuid:1"]}}], True),
        ([{"metadata": {"reference": ["other", "visits.csv"]}}], True),
        ([{"metadata": {"reference": ["visits"]}}], False),
        ([{"metadata": {"reference": []}}], False),
        ([{"metadata": {"tags": ["visits"], "mimeType": ["text/csv", "text/plain"]}}], True),
        ([{"metadata": {"tags": ["visits"], "mimeType": ["text/plain"]}}], False),
        ([{"metadata": {"accounts": [{"accountId": "q", "username": "Q"}]}}], True),
        ([{"metadata": {"accounts": [{"accountId": "r"}]}}], False),
        ([{"metadata": {"appId": ["app"], "contractId": ["writer"]}}], True),
        ([{"metadata": {"contractId": ["another"]}}], False),
        ([{"from": 2_000_000_000}, {"metadata": {"tags": ["visits"]}}], True),
        ([{"from": 1, "metadata": {"tags": ["visits"], "unknown": 1}, "unknown": 1}], True),
    ],
    ids=repr,
)
def test_a_file_is_admitted_that_has_all_members_of_one_criterion(criteria: list[Any], admitted: bool) -> None:
    scope = parse_scope({"scope": {"criteria": criteria, "timeRanges": [{"from": 1}]}})
    assert scope is not None
    assert scope.admits(FILE) is admitted
    assert SessionScope.from_json(scope.to_json()) == scope


@pytest.mark.parametrize("name", ["reference", "tags", "appId", "contractId"])
def test_a_file_that_says_nothing_is_not_admitted_by_what_it_lacks(name: str) -> None:
    scope = parse_scope({"scope": {"criteria": [{"metadata": {name: ["x"]}}]}})
    assert scope is not None
    assert not scope.admits(BARE)


@pytest.mark.parametrize("options", [{}, {"scope": {}}, {"scope": {"criteria": []}}, {"scope": {"serviceGroups": []}}])
def test_without_criteria_there_is_no_scope(options: dict[str, Any]) -> None:
    assert parse_scope(options) is None


@pytest.mark.parametrize(
    ("scope", "member"),
    [
        ([], "scope"),
        (None, "scope"),
        ({"criteria": {}}, "criteria"),
        ({"criteria": [1]}, "criteria"),
        ({"criteria": [{"from": "1"}]}, "from"),
        ({"criteria": [{"from": -1}]}, "from"),
        ({"criteria": [{"from": True}]}, "from"),
        ({"criteria": [{"from": float("nan")}]}, "from"),
        ({"criteria": [{"last": "1d"}]}, "last"),
        ({"criteria": [{"metadata": []}]}, "metadata"),
        ({"criteria": [{"metadata": {"reference": "a"}}]}, "reference"),
        ({"criteria": [{"metadata": {"mimeType": "text/csv"}}]}, "mimeType"),
        ({"criteria": [{"metadata": {"tags": [1]}}]}, "tags"),
        ({"criteria": [{}, {"metadata": {"accounts": ["p"]}}]}, "accounts"),
    ],
    ids=repr,
)
def test_a_scope_of_another_shape_is_refused_with_the_member(scope: object, member: str) -> None:
    with pytest.raises(ErrorReply, match=member) as raised:
        parse_scope({"scope": scope})
    assert (raised.value.code, raised.value.status) == ("ScopeOutOfBounds", 400)
