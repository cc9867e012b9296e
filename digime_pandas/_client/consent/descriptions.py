"""Texts about a consent and its result: the same in a terminal, below a cell and in the widget."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from digime_pandas._client.client import Client
from digime_pandas._service.authorization import Access, Authorization
from digime_pandas._service.contract import Contract
from digime_pandas._service.http.environment import is_loopback_url
from digime_pandas._service.oauth.token_store import MemoryTokenStore

_GRANTS = {"write": "write files into the library of", "read": "read the files in the library of"}


def request_sentence(client: Client, account_id: str, access: Access) -> str:
    """Return one sentence: which application asks for what, of whom, and at which service."""
    contract = _contract(client, access)
    asks = "This asks" if contract is None else f"Application {contract.application_id} asks"
    return f"{asks} to {_GRANTS[access]} account {account_id!r} at {describe_environment(client)}."


def request_facts(client: Client, account_id: str, access: Access) -> dict[str, str]:
    """Return the same as a table, with the place where the consent is kept: names and texts."""
    contract = _contract(client, access)
    facts = {"Consent to": f"{_GRANTS[access]} this account", "Account": account_id}
    if contract is not None:
        facts |= {"Application": contract.application_id, "Contract": contract.contract_id}
    return facts | {"Environment": describe_environment(client), "Kept in": describe_token_store(client)}


def result_facts(client: Client, authorization: Authorization) -> dict[str, str]:
    """Return what an authorization allows, and until when, as a table without secrets: names and texts."""
    until = time.strftime("%Y-%m-%d", time.gmtime(authorization.user_access_token.refresh_token.expiry))
    facts = {"Account": authorization.account_id, "Environment": describe_environment(client)}
    if authorization.user_id:
        facts["Library"] = f"of user {authorization.user_id}"
    if authorization.access == "write":
        facts["Files go"] = "through direct import" if authorization.postbox is None else "into a sealed postbox"
    return facts | {"Valid until": f"{until}, and longer when it is used", "Kept in": describe_token_store(client)}


def describe_environment(client: Client) -> str:
    """Return a text that names the service of a client."""
    host = urlsplit(client.base_url).netloc
    if client.sandbox is not None:
        return f"the embedded sandbox ({host}; nothing leaves this computer)"
    if is_loopback_url(client.base_url):
        return f"a service on this computer ({host})"
    return f"digi.me ({host})" if host.endswith(".digi.me") else host


def describe_token_store(client: Client) -> str:
    """Return a text that names where a client keeps authorizations."""
    if isinstance(client.tokens, MemoryTokenStore):
        return "the memory of this process, and gone with it"
    path = getattr(client.tokens, "path", None)
    return f"the folder {path}" if path is not None else f"a store of your own ({type(client.tokens).__name__})"


def _contract(client: Client, access: Access) -> Contract | None:
    return client.contract if access == "write" else client.read_contract
