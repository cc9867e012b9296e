"""One consent link per person, for people who are elsewhere."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pandas as pd

from digime_pandas._client.authorizations.tables import INVITATIONS, table, time
from digime_pandas._service.descriptor import check_accounts
from digime_pandas._service.http.environment import is_loopback_url
from digime_pandas._service.oauth.flow import AuthorizationFlow, leads_to_this_computer
from digime_pandas.errors import ConfigurationError, DescriptorError, DigimeError, Parts

_THREADS = 4
_MOST_FAILURES_IN_A_ROW = 8
_REHEARSAL = "http://localhost:8765/digime"  # at which nothing listens: the browser still shows what came back


def invite_all(accounts: tuple[str, ...], begin: Callable[[str], AuthorizationFlow]) -> pd.DataFrame:
    """Return the table of `Client.invite`.

    Args:
        accounts: What `check_invited` returned.
        begin: Begins the authorization of one account. Called in several threads.
    """
    asking = _Asking(begin)
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="digime-invite") as threads:
        rows = list(threads.map(asking.row, accounts))
    return table(INVITATIONS, rows)


class _Asking:
    """Asks for links until too many in a row failed, as they do where the service is down or refuses the contract."""

    def __init__(self, begin: Callable[[str], AuthorizationFlow]) -> None:
        self._begin = begin
        self._failures: list[str] = []  # in a row; threads may append to it and clear it at the same time

    def row(self, account_id: str) -> tuple[Any, ...]:
        """Return the account's row: a link, or why there is none."""
        failures = self._failures.copy()
        if len(failures) >= _MOST_FAILURES_IN_A_ROW:
            return account_id, None, None, f"Not tried, after {len(failures)} failures in a row. {failures[-1]}"
        try:
            flow = self._begin(account_id)
        except DigimeError as error:
            self._failures.append(" ".join([str(error), *getattr(error, "__notes__", ())]))
            return account_id, None, None, self._failures[-1]
        self._failures.clear()
        return account_id, flow.url, time(flow.expires), None


def check_invited(account_ids: object) -> tuple[str, ...]:
    """Return the accounts to invite.

    Raises:
        DescriptorError: There is none, one is no account id, or two would be one person.
    """
    if isinstance(account_ids, pd.Series | pd.Index):
        account_ids = account_ids.tolist()
    if isinstance(account_ids, Iterable) and not isinstance(account_ids, str | bytes):
        account_ids = list(account_ids)
        if not account_ids:
            return ()
        _check_different([each for each in account_ids if isinstance(each, str)])
    return check_accounts(account_ids)


def _check_different(account_ids: list[str]) -> None:
    seen: dict[str, str] = {}
    for account_id in account_ids:
        known = unicodedata.normalize("NFC", account_id).strip()
        if known in seen:
            other = seen[known]
            raise DescriptorError(
                f"account_ids holds {account_id!r} twice. Pass each account once."
                if other == account_id
                else f"account_ids holds {other!r} and {account_id!r}, which are one account id, written in two ways. "
                "Pass one of them."
            )
        seen[known] = account_id


def invitation_address(address: str | None, *, base_url: str, variable: str) -> str:
    """Return a redirect address to which people who are elsewhere can come back.

    It may be on this computer where the service is on this computer too, as a sandbox is; there it need not be set.

    Args:
        address: The redirect address, or None where none is set.
        base_url: Base URL of the API.
        variable: The environment variable that sets it.

    Raises:
        ConfigurationError: They cannot; the message says what to set.
    """
    register = "Register an address of your own web application on the contract,"
    ways = Parts(
        remedy=f"{register} pass it as callback= or as the contract's redirect_uri ({variable}), and let the "
        "application call client.complete_authorization(address).",
        command=f"{register} give it as --callback or set {variable}, and complete what comes back with digime-pandas "
        "authorize --address -",
    )
    if address is None:
        if is_loopback_url(base_url):
            return _REHEARSAL
        raise ConfigurationError(
            "Invitations need a redirect address: people who are elsewhere cannot come back to this process.", **ways
        )
    if leads_to_this_computer(address) and not is_loopback_url(base_url):
        raise ConfigurationError(
            f"The redirect address {address!r} leads to this computer, and people who are elsewhere cannot come back "
            "there.",
            **ways,
        )
    return address
