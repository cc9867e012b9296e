"""Whose consent is there, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from digime_pandas._client.client import Client
from digime_pandas._service.authorization import Authorization
from digime_pandas._service.oauth.tokens.advice import expired
from digime_pandas.errors import AuthorizationError, AuthorizationExpiredError, NotAuthorizedError

ConsentState = Literal["given", "none", "expired"]
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Consents:
    """The consents to write of some accounts.

    Attributes:
        given: The stored authorization of each account that can be used.
        lacking: Why there is none, for each other account.
    """

    given: dict[str, Authorization]
    lacking: dict[str, AuthorizationError]

    def state_of(self, account_id: str) -> ConsentState:
        """Return how things stand with an account's consent."""
        if account_id in self.given:
            return "given"
        return "expired" if isinstance(self.lacking[account_id], AuthorizationExpiredError) else "none"


def find_consents(client: Client, account_ids: Iterable[str], now: Callable[[], float]) -> Consents:
    """Look up the stored consents to write.

    Args:
        client: The client.
        account_ids: The accounts.
        now: Clock, Unix seconds.
    """
    given: dict[str, Authorization] = {}
    lacking: dict[str, AuthorizationError] = {}
    moment = now()
    for account_id in account_ids:
        try:
            found = client.authorization(account_id)
        except (NotAuthorizedError, AuthorizationExpiredError) as error:
            lacking[account_id] = error
            continue
        if found.user_access_token.is_over(moment):
            lacking[account_id] = expired(account_id, "write")
        else:
            given[account_id] = found
    return Consents(given, lacking)


def consents_missing(consents: Consents, count: int) -> NotAuthorizedError:
    """Return the error that names the accounts without a consent that can be used.

    Args:
        consents: What was found.
        count: How many accounts there are in all.
    """
    lacking = list(consents.lacking)
    shown = [
        f"{account_id!r}{' (expired)' if consents.state_of(account_id) == 'expired' else ''}"
        for account_id in lacking[:_SHOWN]
    ]
    more = f" and {len(lacking) - _SHOWN:,} more" if len(lacking) > _SHOWN else ""
    have = "has" if len(lacking) == 1 else "have"
    return NotAuthorizedError(
        f"{len(lacking):,} of {count:,} accounts {have} no consent that can be used: {', '.join(shown)}{more}. Nothing "
        "was sent.",
        remedy="Ask them for it: with client.invite(account_ids), with digime.AuthorizationWidget(account_id) in a "
        "notebook, or with digime.authorize(account_id) elsewhere. Or pass missing='skip' to write the others.",
        command="Ask them for it: digime-pandas invite ID... makes links. Or add --missing skip to write the others.",
    )
