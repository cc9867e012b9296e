"""Why a pasted address is not the one that is waited for, in words for who pasted it."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import urlsplit

from digime_pandas._client.client import Client
from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.oauth.flow import AuthorizationFlow
from digime_pandas._service.oauth.pasted import pasted_states
from digime_pandas._service.oauth.pending.record import PendingAuthorization, digest
from digime_pandas.errors import RedirectError, TokenStoreError

_HOW = (
    "Open the consent page with the link above and decide there. The tab then ends at another address: copy it whole, "
    "and paste it here."
)


def explain_paste(client: Client, flow: AuthorizationFlow, pasted: Secret[str], error: RedirectError) -> str:
    """Return why a pasted address was not accepted, and what to paste in its place.

    Args:
        client: The client of the flow.
        flow: The flow that waits for the address.
        pasted: What was pasted, masked.
        error: What completing the flow with it raised.
    """
    states = list(pasted_states(pasted))
    if not states and _leads_to(flow.url, pasted):
        return f"This is the address of the consent page itself. {_HOW}"
    if not states or Secret(flow.state) in states:
        return str(error)
    other = _pending(client, states)
    if other is None:
        return (
            "This address belongs to another authorization: to an older link, which was replaced or used, or to one "
            f"that was begun elsewhere. {_HOW}"
        )
    if (other.account_id, other.access) == (flow.account_id, flow.access):
        return f"This address belongs to another authorization of this account: to an older link. {_HOW}"
    return (
        f"This address belongs to another authorization: account {other.account_id!r}, to {other.access}. Paste it in "
        f"the panel of that one. Here, account {flow.account_id!r} is asked. {_HOW}"
    )


def _leads_to(link: str, pasted: Secret[str]) -> bool:
    parts = urlsplit(link)
    return f"{parts.netloc}{parts.path}" in pasted.reveal()


def _pending(client: Client, states: list[Secret[str]]) -> PendingAuthorization | None:
    with suppress(TokenStoreError):
        store = client.write_consents.pending.store  # which all contracts share
        found = filter(None, (store.get(digest(state)) for state in states))
        return next(found, None)
    return None
