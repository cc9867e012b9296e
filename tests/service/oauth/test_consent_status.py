from __future__ import annotations

from collections.abc import Callable

import pytest

from digime_pandas._client.client import Client
from digime_pandas._service.authorization import Authorization, Token, UserAccessToken
from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.oauth.consent_status import ConsentStatus, consent_statuses
from digime_pandas.errors import AuthorizationExpiredError
from digime_pandas.sandbox import Sandbox

Authorize = Callable[..., Authorization]
NOW = 1_700_000_000.0
CALLBACK = "http://127.0.0.1/callback"  # without a port, so that nothing listens there


@pytest.fixture
def fixed(client: Client) -> Client:
    """A client whose links are made at one moment."""
    for consents in client._consents.values():
        consents.pending._now = lambda: NOW
    return client


def statuses(client: Client, now: float = NOW) -> list[ConsentStatus]:
    return consent_statuses(client._consents.values(), lambda: now)


def put(client: Client, account_id: str, *, access_until: int, refresh_until: int) -> Authorization:
    pair = UserAccessToken(Token("a", access_until), Token(f"r-{account_id}", refresh_until))
    authorization = Authorization(account_id, "write", pair, user_id=f"user of {account_id}")
    client.tokens.put(client.base_url, client.contract.client_id, authorization)
    return authorization


def test_nothing_is_known_of_nobody(fixed: Client) -> None:
    assert statuses(fixed) == []


@pytest.mark.parametrize(
    ("access_until", "refresh_until", "status"),
    [(1, 100, "given"), (100, 1, "given"), (1, 1, "expired"), (-1, 0, "expired")],
)
def test_tokens_are_a_consent_as_long_as_one_of_them_lasts(
    fixed: Client, access_until: int, refresh_until: int, status: str
) -> None:
    put(fixed, "p", access_until=int(NOW) + access_until, refresh_until=int(NOW) + refresh_until)
    until = NOW + max(access_until, refresh_until)
    assert [(each.status, each.until, each.user_id) for each in statuses(fixed, NOW + 50)] == [
        (status, until, "user of p")
    ]


def test_a_link_is_pending_until_it_expires(fixed: Client) -> None:
    flow = fixed.begin_authorization("p", callback=CALLBACK)
    assert flow.expires == NOW + 7 * 86_400
    assert statuses(fixed, flow.expires - 1) == [ConsentStatus("p", "write", "pending", flow.expires)]
    assert statuses(fixed, flow.expires) == [ConsentStatus("p", "write", "expired", flow.expires)]


def test_they_are_sorted_by_account_and_writing_comes_first(fixed: Client) -> None:
    for account_id, access in (("q", "read"), ("p", "read"), ("q", "write")):
        fixed.begin_authorization(account_id, access=access, callback=CALLBACK)  # type: ignore[arg-type] # texts
    assert [(each.account_id, each.access) for each in statuses(fixed)] == [
        ("p", "read"),
        ("q", "write"),
        ("q", "read"),
    ]


def test_of_several_the_one_that_matters_most_counts(fixed: Client) -> None:
    seen = []
    asked, refused = (fixed.begin_authorization("p", callback=CALLBACK) for _ in range(2))
    fixed._consents["write"].pending.refuse(Secret(refused.state))
    for step in (
        lambda: None,
        asked.close,
        lambda: put(fixed, "p", access_until=1, refresh_until=1),
        lambda: put(fixed, "p", access_until=1, refresh_until=int(NOW) + 1),
    ):
        step()
        seen += [each.status for each in statuses(fixed)]
    assert seen == ["pending", "refused", "refused", "given"]


def test_the_newest_link_of_a_kind_is_told_of(fixed: Client) -> None:
    for later in (1.0, 3.0, 2.0):
        fixed._consents["write"].pending._now = lambda later=later: NOW + later  # type: ignore[misc] # a loop's variable
        fixed.begin_authorization("p", callback=CALLBACK)
    (found,) = statuses(fixed)
    assert found.until == NOW + 3 + 7 * 86_400


def test_a_pair_whose_refresh_was_refused_is_over_until_a_new_one_is_there(
    connected: Callable[..., Client], authorize: Authorize
) -> None:
    with Sandbox() as own:
        mine = connected(own)
        made = authorize(own, mine, "p")
        assert [each.status for each in statuses(mine, made.user_access_token.access_token.expiry)] == ["given"]
        own.expire_refresh_tokens()
        with pytest.raises(AuthorizationExpiredError):
            mine.refresh(made)
        assert statuses(mine) == [ConsentStatus("p", "write", "refused", None, made.user_id)]
        with pytest.raises(AuthorizationExpiredError, match="refused: authorize again"):
            mine.authorization("p")
        assert mine.usable_authorization("p") is None
        authorize(own, mine, "p")  # in place of what the service ended
        assert [each.status for each in statuses(mine)] == ["given"]
