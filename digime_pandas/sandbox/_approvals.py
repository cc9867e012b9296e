"""Consent of many people at once, without a page, a request or a signature for each."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from digime_pandas._service.authorization import Authorization, Postbox, Token, UserAccessToken
from digime_pandas._service.descriptor import check_accounts
from digime_pandas.errors import InputError
from digime_pandas.sandbox._context import Access, Registration, SandboxContext
from digime_pandas.sandbox._store.keys import public_pem
from digime_pandas.sandbox._store.records import IssuedTokens

_THREADS = 16


class TokenStore(Protocol):
    """The store of a client, as far as it is needed here."""

    def put(self, environment: str, contract: str, authorization: Authorization) -> None:
        """Keep the authorization in place of any older one."""


def approve_accounts(context: SandboxContext, account_ids: Iterable[str], access: Access) -> list[Authorization]:
    """Give consent for accounts; see `Sandbox.approve_all`."""
    registration = next((each for each in context.registrations.values() if each.access == access), None)
    if registration is None:
        raise InputError(f"access is {access!r}; pass 'write' or 'read'.")
    accounts = _checked(account_ids)
    client_id = registration.contract.client_id
    user_ids = context.library.people_of(accounts, context.now())
    issued = context.authorizations.issue_all(client_id, user_ids, now=context.now())
    postboxes: list[Postbox | None] = [None] * len(accounts)
    if context.settings.postbox and access == "write":
        key = public_pem(context.keys.postbox)
        postboxes = [Postbox(each, key) for each in context.authorizations.postbox_ids(client_id, user_ids)]
    return [_authorization(registration, *each) for each in zip(accounts, issued, postboxes, strict=True)]


def keep_all(authorizations: Iterable[Authorization], tokens: TokenStore, environment: str) -> None:
    """Put authorizations into the store of a client.

    Args:
        authorizations: What `approve_accounts` returned.
        tokens: The store.
        environment: Base URL of the API.
    """
    # Each waits until its file is on the disk, and a disk that many threads wait for writes many files at a time.
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="digime-sandbox-approve") as threads:
        puts = [threads.submit(tokens.put, environment, str(each.client_id), each) for each in authorizations]
    for put in puts:
        put.result()


def _checked(account_ids: Iterable[str]) -> tuple[str, ...]:
    if isinstance(account_ids, str) or not isinstance(account_ids, Iterable):
        return check_accounts(account_ids)
    accounts = list(account_ids)
    if all(isinstance(each, str) for each in accounts):
        accounts = list(dict.fromkeys(accounts))
    return check_accounts(accounts) if accounts else ()


def _authorization(
    registration: Registration, account_id: str, issued: IssuedTokens, postbox: Postbox | None
) -> Authorization:
    return Authorization(
        account_id=account_id,
        access=registration.access,
        user_access_token=UserAccessToken(
            Token(issued.access_token, int(issued.access_expires)),
            Token(issued.refresh_token, int(issued.refresh_expires)),
        ),
        postbox=postbox,
        user_id=issued.user_id,
        consent_id=issued.consent_id,
        client_id=registration.contract.client_id,
        key_thumbprint=registration.contract.key_thumbprint,
    )
