"""An authorization is completed from nothing but the address that came back, whoever began it."""

from __future__ import annotations

from collections.abc import Mapping

from digime_pandas._service.authorization import Access, Authorization
from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.oauth.authorizations import ContractAuthorizations
from digime_pandas._service.oauth.pasted import parse_pasted, pasted_states
from digime_pandas._service.oauth.pending.lifecycle import PendingAuthorizations, unknown_here
from digime_pandas._service.oauth.pending.record import PendingAuthorization, digest
from digime_pandas.errors import AuthorizationError, ConsentRefusedError, RedirectError


def complete_redirect(
    consents: Mapping[Access, ContractAuthorizations], redirected: Secret[str], state: Secret[str] | None
) -> Authorization:
    """Complete the authorization that an address belongs to; see `Client.complete_authorization`.

    Args:
        consents: The client's, by access.
        redirected: The address, as it came or was pasted, masked.
        state: The `state` that it has to bring, where the caller knows it, masked.
    """
    candidates = list(pasted_states(redirected)) if state is None else [state]
    for candidate in candidates:
        pending = consents["write"].pending.store.get(digest(candidate))  # which all of them share
        if pending is not None:
            return _complete(_owner(consents, pending), redirected, candidate)
    raise _unknown(redirected, candidates)


def _complete(owner: PendingAuthorizations, redirected: Secret[str], state: Secret[str]) -> Authorization:
    try:
        result = parse_pasted(redirected, state=state)
    except ConsentRefusedError:
        owner.refuse(state)
        raise
    return owner.complete(state, result)


def _owner(consents: Mapping[Access, ContractAuthorizations], pending: PendingAuthorization) -> PendingAuthorizations:
    for each in consents.values():
        if each.pending.is_own(pending):
            return each.pending
    raise RedirectError(
        f"This address answers a {pending.access} authorization of account {pending.account_id!r} that was begun with "
        f"contract {pending.client_id!r} at {pending.environment}. Complete it with a client of that contract there."
    )


def _unknown(redirected: Secret[str], candidates: list[Secret[str]]) -> AuthorizationError:
    try:
        parse_pasted(redirected, state=candidates[0] if candidates else Secret(""))
    except ConsentRefusedError as error:
        if not candidates:
            error.add_note(
                "The address does not say whose consent that is: digi.me sends its state with a consent only. Where "
                "your application knows who comes back, pass state=, the `state` of that person's flow."
            )
        return error
    except AuthorizationError as error:
        return error
    return unknown_here()
