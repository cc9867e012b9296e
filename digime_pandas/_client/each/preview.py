"""What a write of one file per person would send to whom, as a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from digime_pandas._client.each.consents import Consents
from digime_pandas._client.each.job import EachJob
from digime_pandas._client.each.preflight import inspect_parts
from digime_pandas._client.preview import estimated_size
from digime_pandas._client.tables.typed_frame import dtypes_of, typed_frame
from digime_pandas.errors import InputError

COLUMNS = dtypes_of(
    "account_id",
    "consent",
    "file_name",
    "rows",
    "estimated_size",
    "verdict",
    "lost",
    "error",
)
"""The columns, and their dtypes with and without rows."""
_BY_SEVERITY = ("impossible", "lost", "changed", "kept")


def preview_table(job: EachJob, consents: Consents) -> pd.DataFrame:
    """Return the table: one row per account.

    Args:
        job: The files that would be written.
        consents: The consents of their accounts.
    """
    return typed_frame(_rows(job, consents), COLUMNS)


def _rows(job: EachJob, consents: Consents) -> Iterator[dict[str, Any]]:
    counts = dict(zip(job.accounts, job.split.counts, strict=True))
    for account_id, rows, found in inspect_parts(job):
        row = {
            "account_id": account_id,
            "consent": consents.state_of(account_id),
            "file_name": job.file_name(account_id),
            "rows": counts[account_id],
        }
        if isinstance(found, InputError):
            yield row | {"estimated_size": None, "verdict": "impossible", "lost": None, "error": str(found)}
            continue
        verdicts = {each.verdict for each in found.columns}
        yield row | {
            "estimated_size": estimated_size(rows, job.request, found),
            "verdict": next((each for each in _BY_SEVERITY if each in verdicts), "kept"),
            "lost": " ".join(found.warnings),
            "error": None,
        }
