from __future__ import annotations

from collections.abc import Callable

import pytest

from digime_pandas.sandbox._store.authorizations import (
    CODE_LIFETIME,
    REQUEST_LIFETIME,
    SESSION_LIFETIME,
    AuthorizationStore,
)
from digime_pandas.sandbox._store.library import Library
from digime_pandas.sandbox._store.records import AuthorizationCode, ConsentRequest, Session
from digime_pandas.sandbox._wire.error_replies import ErrorReply
from digime_pandas.sandbox._wire.session_scopes import SessionScope


@pytest.fixture
def user_id(library: Library) -> str:
    return library.add_person(0)


def requested(store: AuthorizationStore, *, user_id: str | None = None, now: float = 0) -> tuple[str, ConsentRequest]:
    """Store a request; return its code and what the code stands for."""
    session = store.open_session("writer", None, now=now)
    code = store.add_request(
        client_id="writer",
        redirect_uri="http://localhost/",
        state="state",
        challenge="challenge",
        user_id=user_id,
        session_key=session.session_key,
        now=now,
    )
    request = store.request(code)
    assert request is not None
    return code, request


def refused(work: Callable[[], object]) -> str:
    with pytest.raises(ErrorReply) as raised:
        work()
    assert raised.value.code == "InvalidToken"
    return raised.value.message


def test_a_nonce_is_new_once_per_contract_until_it_expires(authorizations: AuthorizationStore) -> None:
    assert authorizations.use_nonce("a", "n", expires=10, now=0)
    assert not authorizations.use_nonce("a", "n", expires=10, now=10)
    assert authorizations.use_nonce("b", "n", expires=10, now=0)
    assert authorizations.use_nonce("a", "n", expires=20, now=11)


def test_a_request_is_known_by_its_code_and_settled_once_decided(authorizations: AuthorizationStore) -> None:
    code, request = requested(authorizations, now=5)
    assert (request.state, request.expires, request.settled) == ("state", 5 + REQUEST_LIFETIME, False)
    other, _ = requested(authorizations)
    authorizations.mark_settled(code)
    assert [(found := authorizations.request(each)) and found.settled for each in (code, other)] == [True, False]
    assert authorizations.request("unknown") is None


def test_a_code_is_redeemed_once_and_opens_the_requests_session(
    authorizations: AuthorizationStore, user_id: str
) -> None:
    _, request = requested(authorizations)
    before = authorizations.session(request.session_key)
    code = authorizations.add_code(request, user_id, now=7)
    after = authorizations.session(request.session_key)
    assert [found and found.user_id for found in (before, after)] == [None, user_id]
    redeemed = authorizations.redeem_code(code)
    assert isinstance(redeemed, AuthorizationCode)
    assert (redeemed.client_id, redeemed.user_id, redeemed.challenge) == ("writer", user_id, "challenge")
    assert (redeemed.redirect_uri, redeemed.expires) == ("http://localhost/", 7 + CODE_LIFETIME)
    assert authorizations.redeem_code(code) is None


def test_tokens_are_160_hexadecimal_digits_with_both_lifetimes(
    authorizations: AuthorizationStore, user_id: str
) -> None:
    issued = authorizations.issue("writer", user_id, "consent", now=1)
    for token in (issued.access_token, issued.refresh_token):
        assert len(bytes.fromhex(token)) == 80
    assert issued.access_token != issued.refresh_token
    assert (issued.access_expires, issued.refresh_expires) == (101, 1001)


def test_an_access_token_is_its_own_contracts_until_it_expires(
    authorizations: AuthorizationStore, user_id: str
) -> None:
    token = authorizations.issue("writer", user_id, "consent", now=0).access_token
    assert authorizations.user_of(token, "writer", now=99) == user_id
    assert "is expired" in refused(lambda: authorizations.user_of(token, "writer", now=100))
    assert "is invalid" in refused(lambda: authorizations.user_of(token, "another", now=0))
    assert "is invalid" in refused(lambda: authorizations.user_of("unknown", "writer", now=0))
    assert authorizations.linked_user(token) == user_id
    assert "is invalid" in refused(lambda: authorizations.linked_user("unknown"))


def test_a_refresh_token_is_its_own_contracts_and_works_once(authorizations: AuthorizationStore, user_id: str) -> None:
    first = authorizations.issue("writer", user_id, "consent", now=0)
    assert "is invalid" in refused(lambda: authorizations.refresh(first.refresh_token, "another", now=0))
    assert "is expired" in refused(lambda: authorizations.refresh(first.refresh_token, "writer", now=1000))
    second = authorizations.refresh(first.refresh_token, "writer", now=50)
    assert (second.user_id, second.consent_id, second.access_expires) == (user_id, "consent", 150)
    assert "is invalid" in refused(lambda: authorizations.refresh(first.refresh_token, "writer", now=50))
    assert authorizations.user_of(first.access_token, "writer", now=50) == user_id


def test_all_tokens_can_be_made_to_expire_and_none_to_live_longer(
    authorizations: AuthorizationStore, user_id: str
) -> None:
    issued = authorizations.issue("writer", user_id, "consent", now=0)
    authorizations.expire_access_tokens(1000)
    assert "is expired" in refused(lambda: authorizations.user_of(issued.access_token, "writer", now=100))
    authorizations.expire_access_tokens(10)
    assert "is expired" in refused(lambda: authorizations.user_of(issued.access_token, "writer", now=10))
    authorizations.expire_refresh_tokens(10)
    assert "is expired" in refused(lambda: authorizations.refresh(issued.refresh_token, "writer", now=10))


def test_a_contract_has_one_postbox_per_person(authorizations: AuthorizationStore, library: Library) -> None:
    one, two = library.add_person(0), library.add_person(0)
    pairs = [("a", one), ("a", two), ("b", one)]
    first = [authorizations.postbox_id(*pair) for pair in pairs]
    assert len(set(first)) == 3
    assert [authorizations.postbox_id(*pair) for pair in pairs] == first


def test_a_session_is_known_by_its_key(authorizations: AuthorizationStore, user_id: str) -> None:
    session = authorizations.open_session("reader", user_id, now=1.5)
    assert authorizations.session(session.session_key) == session
    assert session == Session(session.session_key, "reader", user_id, 1.5 + SESSION_LIFETIME)
    assert session.to_dict() == {"key": session.session_key, "expiry": 3_601_500}
    assert authorizations.session("unknown") is None


def test_a_session_keeps_its_scope(authorizations: AuthorizationStore, user_id: str) -> None:
    scope = SessionScope(({"metadata": {"tags": ["\ud800", "ü"]}},))
    session = authorizations.open_session("reader", user_id, now=0, scope=scope)
    assert authorizations.session(session.session_key) == session
    assert session.scope == scope


def test_many_get_tokens_and_postboxes_at_once_in_their_order(
    authorizations: AuthorizationStore, library: Library
) -> None:
    people = library.people_of(["a", "b", "c"], 0)
    first = authorizations.postbox_id("writer", people[1])
    postboxes = authorizations.postbox_ids("writer", people)
    assert postboxes[1] == first
    assert len(set(postboxes)) == 3
    issued = authorizations.issue_all("writer", people, now=0)
    assert [each.user_id for each in issued] == people
    assert len({each.consent_id for each in issued}) == 3
    assert [authorizations.user_of(each.access_token, "writer", now=0) for each in issued] == people
    assert authorizations.issue_all("writer", [], now=0) == []


def test_everything_of_a_person_goes_with_the_person(
    authorizations: AuthorizationStore, library: Library, user_id: str
) -> None:
    code, request = requested(authorizations, user_id=user_id)
    granted = authorizations.add_code(request, user_id, now=0)
    issued = authorizations.issue("writer", user_id, "consent", now=0)
    library.remove_person(user_id)
    assert authorizations.request(code) is None
    assert authorizations.redeem_code(granted) is None
    assert authorizations.session(request.session_key) is None
    assert "is invalid" in refused(lambda: authorizations.user_of(issued.access_token, "writer", now=0))
    assert "is invalid" in refused(lambda: authorizations.refresh(issued.refresh_token, "writer", now=0))
