"""Invitations and consents as tables. The dtypes are the same without rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from digime_pandas._client.tables.typed_frame import dtypes_of, typed_frame
from digime_pandas._service.oauth.consent_status import ConsentStatus

_LATEST = 253_402_300_799.0  # the end of the year 9999, the last that `datetime` knows
INVITATIONS = dtypes_of("account_id", "url", "expires", "error")
CONSENTS = dtypes_of("account_id", "access", "status", "until", "user_id")


def table(columns: Mapping[str, Any], rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
    """Return a table with the given columns and dtypes.

    Args:
        columns: Names and dtypes.
        rows: The values of each row; None where there is none.
    """
    return typed_frame((dict(zip(columns, row, strict=True)) for row in rows), columns)


def consents_table(statuses: Iterable[ConsentStatus]) -> pd.DataFrame:
    """Return the table of `Client.consents`."""
    rows = [(each.account_id, each.access, each.status, time(each.until), each.user_id) for each in statuses]
    return table(CONSENTS, rows)


def time(seconds: float | None) -> datetime | None:
    """Return a time that is given in Unix seconds; one that `datetime` does not know becomes the last that it knows."""
    return None if seconds is None else datetime.fromtimestamp(max(0.0, min(seconds, _LATEST)), UTC)
