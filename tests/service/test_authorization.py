from __future__ import annotations

import copy
import json
import pickle
from dataclasses import replace
from typing import Any

import pytest

from digime_pandas._service.authorization import Authorization, Postbox, Token, UserAccessToken
from digime_pandas.errors import AuthorizationError, SecretError

ACCESS, REFRESH = "acce55" * 20, "4ef4e5" * 20
PAIR = UserAccessToken(Token(ACCESS, 1_700_000_000), Token(REFRESH, 1_715_000_000))
FULL = Authorization(
    "patient-17",
    "write",
    PAIR,
    postbox=Postbox("postbox-1", "MIIB…"),
    user_id="user-1",
    consent_id="consent-1",
    client_id="a_c",
    key_thumbprint="ab" * 32,
)


def test_a_token_has_expired_from_its_expiry_on() -> None:
    token = Token("x", 100)
    assert [token.is_expired(now) for now in (99, 99.9, 100, 101)] == [False, False, True, True]


@pytest.mark.parametrize("authorization", [FULL, Authorization("p", "read", PAIR)], ids=["full", "least"])
def test_an_authorization_comes_back_from_json_as_it_was(authorization: Authorization) -> None:
    assert Authorization.from_dict(json.loads(json.dumps(authorization.to_dict()))) == authorization


def test_members_that_are_not_known_are_ignored() -> None:
    assert Authorization.from_dict(FULL.to_dict() | {"new": 1}) == FULL


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("account_id",), None),
        (("account_id",), 17),
        (("access",), "admin"),
        (("access",), None),
        (("user_access_token",), "secret"),
        (("user_access_token", "access_token"), None),
        (("user_access_token", "refresh_token", "value"), 17),
        (("user_access_token", "access_token", "expiry"), "soon"),
        (("user_access_token", "access_token", "expiry"), True),
        (("postbox",), "postbox-1"),
        (("postbox", "id"), None),
        (("postbox", "public_key"), 17),
        (("user_id",), 17),
        (("key_thumbprint",), b"ab"),
    ],
)
def test_a_member_that_cannot_be_used_is_named_and_its_value_is_not(path: tuple[str, ...], value: object) -> None:
    values: dict[str, Any] = FULL.to_dict()
    inner = values
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    with pytest.raises(AuthorizationError, match=repr(path[-1])) as raised:
        Authorization.from_dict(values)
    assert not any(secret in str(raised.value) for secret in (ACCESS, REFRESH, "secret"))


@pytest.mark.parametrize("value", [PAIR.access_token, PAIR, FULL], ids=lambda value: type(value).__name__)
def test_what_holds_tokens_prints_without_them_and_is_not_pickled(value: object) -> None:
    for text in (repr(value), str(value), f"{value}", repr([value])):
        assert ACCESS not in text
        assert REFRESH not in text
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises((SecretError, TypeError)):
            pickle.dumps(value, protocol)


def test_copies_and_replacements_keep_the_tokens() -> None:
    for again in (copy.copy(FULL), copy.deepcopy(FULL), replace(FULL)):
        assert again == FULL
    assert replace(FULL, postbox=None).user_access_token is PAIR


def test_an_authorization_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        FULL.account_id = "patient-18"  # type: ignore[misc] # wrong on purpose


def test_it_shows_what_it_allows_until_when_and_no_token() -> None:
    pair = UserAccessToken(Token("acce55", 1), Token("4ef4e5", 1_811_116_800))
    made = Authorization("<p>", "write", pair, Postbox("box", "KEY"), user_id="user-1", consent_id="consent-1")
    assert repr(made) == "Authorization(account_id='<p>', access='write', until='24 May 2027')"
    page = made._repr_html_()
    for text in ("&lt;p&gt;", "lets you write until 24 May 2027", "into an encrypted postbox", "user-1", "consent-1"):
        assert text in page
    read = replace(made, access="read", postbox=None)._repr_html_()
    assert "lets you read until" in read
    assert "Files go" not in read
    assert "through direct import" in replace(made, postbox=None)._repr_html_()
    for shown in (repr(made), page, read):
        assert not any(secret in shown for secret in ("acce55", "4ef4e5"))


def test_one_that_has_ended_says_how_to_authorize_again() -> None:
    pair = UserAccessToken(Token("a", 1), Token("b", 253_402_300_799_999))
    ended = Authorization("p'1", "read", pair, refused=True)
    assert repr(ended).endswith("until='31 December 9999', refused=True)")
    assert "digime.AuthorizationWidget(&quot;p&#x27;1&quot;, access=&#x27;read&#x27;)" in ended._repr_html_()
    assert "✓" not in ended._repr_html_()
