"""What a notebook shows of a journal: how many writes there are, those without a receipt first, and the latest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from digime_pandas._service.display import html
from digime_pandas._service.display.texts import count_text, size_text, time_text
from digime_pandas.errors import DigimeError

_SHOWN = 20  # writes, of those that need a look and of the others
_TITLES = ("Account", "File", "Status", "Rows", "Size", "Began", "Losses or error")
_TONES: Mapping[str, html.Tone] = MappingProxyType({"delivered": "good", "pending": "careful", "not sent": "plain"})


def journal_card(path: Path, table: pd.DataFrame | DigimeError) -> str:
    """Return HTML that shows a journal.

    Args:
        path: Its file.
        table: One row per write, as `Journal.to_frame` returns it, or why it cannot be read.
    """
    if isinstance(table, DigimeError):
        return html.card(html.head("Journal", "bad", path.name, "cannot be read."), html.line(str(table)))
    counts = table["status"].value_counts()
    said = ", ".join(f"{count:,} {status}" for status, count in counts.items())
    needs_look = ~table["status"].isin(["delivered"])
    return html.card(
        html.head("Journal", "plain", path.name, f"{count_text(len(table), 'write')}{said and f': {said}'}"),
        *_latest("Without a delivery, latest first:", table[needs_look]),
        *_latest("Delivered, latest first:", table[~needs_look]),
        html.folded("Details", html.facts({"File": str(path)})),
    )


def _latest(title: str, table: pd.DataFrame) -> list[html.Html]:
    if table.empty:
        return []
    rows = table[::-1].head(_SHOWN)
    left_out = len(table) - len(rows)
    more = [html.line(f"and {left_out:,} before; `journal.to_frame()` has all of them.")] if left_out else []
    shown = html.table(_TITLES, map(_row, rows.to_dict("records")), numbers=("Rows", "Size"), texts=_TITLES[-1:])
    return [html.line(title), shown, *more]


def _row(row: Mapping[Any, Any]) -> tuple[str, ...]:
    known = {name: value for name, value in row.items() if not pd.isna(value)}
    status = str(row["status"])
    return (
        row["account_id"],
        row["file_name"],
        html.labelled(status, _TONES.get(status, "bad")),
        f"{known['rows']:,}" if "rows" in known else "",
        size_text(known["size"]) if "size" in known else "",
        time_text(known["started_at"]) if "started_at" in known else "",
        known.get("losses") or known.get("error") or "",
    )
