"""Texts about a consent and its result: the same in a terminal, below a cell and in the widget."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from digime_pandas._client.client import Client
from digime_pandas._client.display.services import describe_environment, describe_token_store
from digime_pandas._service.authorization import ACCESSES, Access, Authorization
from digime_pandas._service.contract import Contract
from digime_pandas._service.display.texts import day_text
from digime_pandas.errors import InputError
from digime_pandas.errors.names import did_you_mean

_GRANTS = {"write": "write files into the library of", "read": "read the files in the library of"}
_FILE = "visits.parquet"


def checked_access(access: object) -> Access:
    """Return an access that was given.

    Raises:
        InputError: There is no such access.
    """
    for each in ACCESSES:
        if access == each:
            return each
    near = did_you_mean(access, ACCESSES) if isinstance(access, str) else ""
    raise InputError(f"access is {access!r}.", remedy=f"{near} Pass 'write' or 'read'.".strip())


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


def result_sentence(client: Client, authorization: Authorization) -> str:
    """Return one line: who lets you do what, until when, and where."""
    host = urlsplit(client.base_url).netloc
    where = "sandbox" if client.sandbox is not None else "digi.me" if host.endswith(".digi.me") else host
    until = day_text(authorization.user_access_token.refresh_token.expiry)
    return f"{authorization.account_id} lets you {authorization.access} until {until} · {where}"


def result_facts(client: Client, authorization: Authorization) -> dict[str, str]:
    """Return what an authorization allows, and until when, as a table without secrets: names and texts."""
    facts = {"Account": authorization.account_id, "Environment": describe_environment(client)}
    if authorization.user_id:
        facts["Library"] = f"of user {authorization.user_id}"
    if authorization.access == "write":
        facts["Files go"] = "through direct import" if authorization.postbox is None else "into a sealed postbox"
    until = time.strftime("%Y-%m-%d", time.gmtime(authorization.user_access_token.refresh_token.expiry))
    return facts | {"Valid until": f"{until}, and longer when it is used", "Kept in": describe_token_store(client)}


def next_call(authorization: Authorization) -> str:
    """Return the line of code that comes next."""
    account = f"account_id={_quoted(authorization.account_id)}"
    if authorization.access == "write":
        return f'df.digime.write("{_FILE}", {account})'
    return f'digime.read_frame("{_FILE}", {account})'


def forget_call(authorization: Authorization) -> str:
    """Return the line of code that forgets an authorization."""
    access = "" if authorization.access == "write" else f', access="{authorization.access}"'
    return f"client.forget({_quoted(authorization.account_id)}{access})"


def _quoted(text: str) -> str:
    """Return a text as Python code, in double quotes where it needs no escapes."""
    return f'"{text}"' if repr(text) == f"'{text}'" and '"' not in text else repr(text)


def _contract(client: Client, access: Access) -> Contract | None:
    return client.contract if access == "write" else client.read_contract
