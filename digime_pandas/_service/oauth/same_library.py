"""Whether an account's two consents, to write and to read, open the same library.

Each is given on a page of its own. Where a consent is forgotten and given anew, the new one may be for another library,
and what is written then is not what is read. A library is known by the service's id of its person (`sub`); where that
was not told, nothing is found out here.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from digime_pandas._service.authorization import Access, Authorization
from digime_pandas._service.oauth.authorizations import ContractAuthorizations
from digime_pandas.errors import AuthorizationError, TokenStoreError

_ByAccess = Mapping[Access, ContractAuthorizations]


def usable_authorization(consents: _ByAccess, account_id: str, access: Access) -> Authorization | None:
    """Return the stored authorization of an account, or None where consent is to be asked for.

    That is so where there is none, where the service refused it, and where one to read opens another library than the
    stored one to write.
    """
    found = consents[access].get(account_id)
    if found is not None and found.refused:
        return None
    if access == "read" and found is not None and _opens_another(found, _stored(consents, account_id, "write")):
        return None
    return found


def authorization_to_read(consents: _ByAccess, account_id: str) -> Authorization:
    """Return the stored read authorization of an account, which opens the library that is written into.

    Raises:
        NotAuthorizedError: There is none.
        AuthorizationError: It opens another library than the stored write authorization.
    """
    found = consents["read"].require(account_id)
    if found.user_id is not None and _opens_another(found, _stored(consents, account_id, "write")):
        raise AuthorizationError(
            f"The stored read authorization of account {account_id!r} opens another library than its stored write "
            f"authorization, so what is written now would not be found. {_authorize_reading(account_id)} To read the "
            "other library even so, pass its authorization."
        )
    return found


def another_library_notice(consents: _ByAccess, made: Authorization) -> str | None:
    """Say that a new consent opens another library than the stored one for the other access, or return None.

    Args:
        consents: The client's, by access.
        made: The authorization that the new consent brought, stored already.
    """
    other: Access = "read" if made.access == "write" else "write"
    found: Authorization | None = None
    # The consent is given and kept: what is wrong with another one is told where that one is used.
    with suppress(TokenStoreError):
        found = _stored(consents, made.account_id, other)
    if not _opens_another(made, found):
        return None
    account_id = made.account_id
    opens = (
        f"This {made.access} consent of account {account_id!r} opens another library than the {other} consent stored"
    )
    if made.access == "write":
        return f"{opens}, so what is written now is not found by reading. {_authorize_reading(account_id)}"
    return (
        f"{opens}, so what was written is not found by reading. If this library is the right one, authorize writing "
        f"again: client.forget({account_id!r}), then digime.authorize({account_id!r}). Otherwise: "
        f"{_authorize_reading(account_id)}"
    )


def _stored(consents: _ByAccess, account_id: str, access: Access) -> Authorization | None:
    return consents[access].get(account_id) if access in consents else None


def _opens_another(one: Authorization, other: Authorization | None) -> bool:
    return other is not None and None not in {one.user_id, other.user_id} and one.user_id != other.user_id


def _authorize_reading(account_id: str) -> str:
    call = f"({account_id!r}, access='read')"
    return (
        f"Authorize reading again, which is linked to the write consent: digime.authorize{call}, or "
        f"digime.AuthorizationWidget{call} in a notebook."
    )
