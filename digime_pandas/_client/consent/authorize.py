"""Authorize an account and wait for it, in one call.

::

    import digime_pandas as digime

    digime.connect()
    digime.authorize("patient-17")  # the consent page opens; returns when the person has agreed
    df.digime.write("visits.parquet", account_id="patient-17")
"""

from __future__ import annotations

import time
import webbrowser
from collections.abc import Callable

from digime_pandas._client.client import Client
from digime_pandas._client.connect import current_client
from digime_pandas._client.consent.descriptions import request_sentence
from digime_pandas._client.consent.prompts import NotebookPrompt, Prompt, TerminalPrompt, is_attended, running_kernel
from digime_pandas._client.display.services import describe_token_store
from digime_pandas._service.authorization import Access, Authorization
from digime_pandas._service.http.attempts.deadline import checked_timeout
from digime_pandas._service.oauth.flow import AuthorizationFlow
from digime_pandas.errors import (
    AuthorizationError,
    AuthorizationExpiredError,
    AuthorizationTimeoutError,
)
from digime_pandas.errors.calls.explained import explains_calls

_TICK_SECONDS = 1.0


@explains_calls()
def authorize(
    account_id: str,
    *,
    access: Access = "write",
    client: Client | None = None,
    timeout: float = 300.0,
    open_browser: bool = True,
) -> Authorization:
    """Ask a person for consent and wait until they gave it.

    An authorization that is stored already and still valid is refreshed and returned; the person is not asked again.
    (To ask again, for another library for instance, call ``client.forget(account_id)`` first, then authorize reading
    again too.) One to read is valid only if it opens the library that the stored one to write opens. Otherwise the
    consent page is opened, and this waits until the browser is redirected to a listener on this computer. It shows the
    link and the time that is left, and can be interrupted.

    Args:
        account_id: The person's id in your own system.
        access: ``"write"`` or ``"read"``: two contracts, two consents.
        client: Default: the one that `connect` made.
        timeout: Seconds to wait for the person at most.
        open_browser: Open the consent page in this computer's browser. In a notebook, whose kernel may run elsewhere,
            there is a link to click instead.

    Returns:
        The authorization, stored already.

    Raises:
        AuthorizationTimeoutError: No consent was given in time.
        ConsentRefusedError: The person or the service refused.
        AuthorizationError: The browser would not come back to this process (the contract's `redirect_uri` leads
            elsewhere), or this is a notebook that is run unattended. The message says what works instead.
        ConfigurationError: There is no client, or none with a contract for this access.
        APIError: The request to the service failed.

    Warns:
        DigimeWarning: The person's consent is for another library than the account's stored one for the other access.
    """
    client, timeout = current_client(client), checked_timeout(timeout)
    known = refreshed_authorization(client, account_id, access)
    if known is not None:
        return known
    kernel = running_kernel()
    if kernel is not None and not is_attended(kernel):
        raise AuthorizationError(_unattended(client, account_id, access))
    with client.begin_authorization(account_id, access=access) as flow:
        if not flow.listens:
            raise AuthorizationError(f"{flow.not_listening} {_by_hand(account_id, access)}")
        request = request_sentence(client, account_id, access)
        prompt: Prompt = (TerminalPrompt if kernel is None else NotebookPrompt)(request, flow.url)
        prompt.show(timeout)
        if open_browser and kernel is None:
            webbrowser.open(flow.url)
        return _wait(flow, prompt, timeout)


def refreshed_authorization(client: Client, account_id: str, access: Access) -> Authorization | None:
    """Return the usable authorization of an account, refreshed just now, or None where consent is needed.

    Args:
        client: The client whose store and service are asked.
        account_id: The person's id in your own system.
        access: ``"write"`` or ``"read"``.

    Raises:
        APIError: The request to the service failed.
    """
    known = client.usable_authorization(account_id, access=access)
    try:
        return None if known is None else client.refresh(known)
    except AuthorizationExpiredError:
        return None


def _wait(
    flow: AuthorizationFlow, prompt: Prompt, timeout: float, clock: Callable[[], float] = time.monotonic
) -> Authorization:
    deadline = clock() + timeout
    outcome = f"Account {flow.account_id!r} is not authorized."
    try:
        while True:
            left = max(0.0, deadline - clock())
            try:
                authorization = flow.wait(min(left, _TICK_SECONDS))
            except AuthorizationTimeoutError:
                if left == 0.0:
                    raise AuthorizationTimeoutError(
                        f"Nobody gave consent for account {flow.account_id!r} within {timeout:g} seconds. Call this "
                        f"again with more time. {_by_hand(flow.account_id, flow.access)}"
                    ) from None
                prompt.show(left)
            else:
                outcome = f"Account {flow.account_id!r} is authorized."
                return authorization
    finally:
        prompt.end(outcome)


def _by_hand(account_id: str, access: Access) -> str:
    call = _arguments(account_id, access)
    return (
        f"Where the browser cannot come back to this process, use digime.AuthorizationWidget{call} in a notebook, "
        f"which takes a pasted address; or flow = client.begin_authorization{call}, open flow.url, and pass the "
        "address the browser ends at to flow.complete(address)."
    )


def _unattended(client: Client, account_id: str, access: Access) -> str:
    call = _arguments(account_id, access)
    head = f"Nobody can give consent for account {account_id!r} here: this notebook is run unattended."
    if client.sandbox is not None:
        return (
            f"{head} In the sandbox, consent can be given by code: flow = client.begin_authorization{call}; "
            "flow.complete(client.sandbox.approve(flow.url))."
        )
    return (
        f"{head} Run digime.authorize{call} once in a terminal, or digime.AuthorizationWidget{call} in a notebook that "
        "a person looks at, with the same contract (the DIGIME_* variables) and a token store that both use (here: "
        f"{describe_token_store(client)}); then this notebook finds the authorization."
    )


def _arguments(account_id: str, access: Access) -> str:
    return f"({account_id!r})" if access == "write" else f"({account_id!r}, access={access!r})"
