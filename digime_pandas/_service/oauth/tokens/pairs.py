"""Which of two pairs of tokens is the newer one."""

from __future__ import annotations

from digime_pandas._service.authorization import Authorization, UserAccessToken


def pair_of(authorization: Authorization | None) -> UserAccessToken | None:
    """Return the tokens of an authorization, if there is one."""
    return None if authorization is None else authorization.user_access_token


def supersedes(stored: Authorization, given: Authorization) -> bool:
    """Tell whether a stored authorization takes the place of one in hand: it differs, and is not known to be older.

    Not by the expiry of their tokens, whose life a service may shorten.
    """
    return stored.user_access_token != given.user_access_token and stored.serial >= given.serial
