"""A journal as a table: one row per write."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import pandas as pd

from digime_pandas._client.tables.typed_frame import dtypes_of, typed_frame
from digime_pandas._service.journal.records import receipt_of, status_of
from digime_pandas._service.journal.write_journal import Attempt
from digime_pandas._service.receipt import Receipt

COLUMNS = dtypes_of(
    "account_id",
    "file_name",
    "status",
    "rows",
    "size",
    "sha256",
    "write_id",
    "contract_id",
    "consent_id",
    "environment",
    "started_at",
    "ended_at",
    "attempts",
    "losses",
    "error_type",
    "error",
)
"""The columns, and their dtypes with and without rows."""
_OF_ATTEMPT = ("account_id", "file_name", "write_id", "contract_id", "consent_id", "environment")


def journal_table(attempts: Iterable[Attempt]) -> pd.DataFrame:
    """Return the table of all writes, in the order in which they began.

    Args:
        attempts: All attempts in the order in which they began. Those of one write, which have one write id, are one
            row.
    """
    return typed_frame(map(_row, _by_write(attempts)), COLUMNS)


def _by_write(attempts: Iterable[Attempt]) -> Iterable[list[Attempt]]:
    writes: dict[tuple[str, str | int], list[Attempt]] = {}
    for each in attempts:
        writes.setdefault((each.key, each.write_id or each.id), []).append(each)
    return writes.values()


def _row(attempts: Sequence[Attempt]) -> dict[str, Any]:
    first, status = attempts[0], status_of([each.status for each in attempts])
    deciding = [each for each in attempts if (each.status or "unknown") == status][-1]
    receipt = None if deciding.receipt is None else receipt_of(deciding.receipt)
    # Of an attempt that was cut off nothing is known; what an earlier or later one ran into says more.
    failed = None if receipt is not None else _last(attempts, "error_type") or _last(attempts, "error")
    ended = deciding if receipt is not None else _last(attempts, "ended_at")
    counts = [each.attempts for each in attempts if each.attempts is not None]
    return {
        **{name: getattr(deciding, name) for name in _OF_ATTEMPT},
        **_facts(receipt),
        "status": status,
        "started_at": _time(first.started_at),
        "ended_at": None if ended is None else _time(ended.ended_at),
        "attempts": sum(counts) if counts else None,
        "error_type": None if failed is None else failed.error_type,
        "error": None if failed is None else failed.error,
    }


def _facts(receipt: Receipt | None) -> dict[str, Any]:
    """Return what a receipt says of the file: nothing where there is none."""
    if receipt is None:
        return dict.fromkeys(("rows", "size", "sha256", "losses"))
    facts = {"rows": receipt.rows, "size": receipt.size, "sha256": receipt.sha256}
    return {**facts, "losses": " ".join(receipt.losses)}


def _last(attempts: Sequence[Attempt], name: str) -> Attempt | None:
    return next((each for each in reversed(attempts) if getattr(each, name) is not None), None)


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
