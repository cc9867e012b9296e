"""Invitations and consents as tables. The dtypes are the same without rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from digime_pandas._service.oauth.consent_status import ConsentStatus

_TIME = "datetime64[us, UTC]"
_LATEST = 253_402_300_799.0  # the end of the year 9999, the last that `datetime` knows
INVITATIONS: Mapping[str, Any] = {"account_id": "string", "url": "string", "expires": _TIME, "error": "string"}
CONSENTS: Mapping[str, Any] = {
    "account_id": "string",
    "access": "string",
    "status": "string",
    "until": _TIME,
    "user_id": "string",
}


def table(columns: Mapping[str, Any], rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
    """Return a table with the given columns and dtypes.

    Args:
        columns: Names and dtypes.
        rows: The values of each row; None where there is none.
    """
    by_column = zip(*rows, strict=True) if rows else ((),) * len(columns)
    return pd.DataFrame(
        {
            name: pd.Series(list(values), dtype=dtype)
            for (name, dtype), values in zip(columns.items(), by_column, strict=True)
        }
    )


def consents_table(statuses: Iterable[ConsentStatus]) -> pd.DataFrame:
    """Return the table of `Client.consents`."""
    rows = [(each.account_id, each.access, each.status, time(each.until), each.user_id) for each in statuses]
    return table(CONSENTS, rows)


def time(seconds: float | None) -> datetime | None:
    """Return a time that is given in Unix seconds; one that `datetime` does not know becomes the last that it knows."""
    return None if seconds is None else datetime.fromtimestamp(max(0.0, min(seconds, _LATEST)), UTC)
