"""What to do where an account has no authorization that can be used, in words."""

from __future__ import annotations

from shlex import quote

from digime_pandas._service.authorization import Access
from digime_pandas.errors import AuthorizationExpiredError, Parts


def ways_to_authorize(account_id: str, access: Access) -> Parts:
    """Return the calls and the command that ask a person for consent, as parts of an error."""
    options, flag = ("", "") if access == "write" else (f", access={access!r}", f" --access {access}")
    return {
        "remedy": (
            f"Run digime.AuthorizationWidget({account_id!r}{options}) in a notebook cell, "
            f"or digime.authorize({account_id!r}{options}) elsewhere."
        ),
        "command": f"Here: digime-pandas authorize --account {quote(account_id)}{flag}",
    }


def refused(account_id: str, access: Access) -> AuthorizationExpiredError:
    """Return the error about an authorization that the service ended."""
    return AuthorizationExpiredError(
        f"The authorization of account {account_id!r} was refused: authorize again. It is no longer valid, since the "
        "service did not take its refresh token.",
        **ways_to_authorize(account_id, access),
    )


def expired(account_id: str, access: Access) -> AuthorizationExpiredError:
    """Return the error about an authorization whose refresh token has expired."""
    return AuthorizationExpiredError(
        f"The authorization of account {account_id!r} has expired (its refresh token too).",
        **ways_to_authorize(account_id, access),
    )
