"""What became of each person's file, and the table of it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from digime_pandas._client.tables.typed_frame import OF_FILE, OF_LOSS, dtypes_of, typed_frame
from digime_pandas._service.display import html
from digime_pandas._service.receipt import Receipt
from digime_pandas.errors import DigimeError, Outcome

_SHOWN_LOSSES = 5  # accounts
PartStatus = Literal["delivered", "pending", "failed", "skipped", "not sent"]

COLUMNS = dtypes_of("account_id", "status", "outcome", "file_name", *OF_FILE, *OF_LOSS)
"""The columns of the result, and their dtypes with and without rows."""


@dataclass(frozen=True, slots=True)
class PartResult:
    """What became of one person's file.

    Args:
        status: ``"delivered"``, ``"pending"``, ``"failed"``, ``"skipped"`` (no consent) or ``"not sent"`` (the run
            ended before it was its turn).
        outcome: What is known of a file that has no receipt.
        receipt: The receipt, where there is one.
        error: Why there is none.
        lost: What is lost of a file that has no receipt, where that is known.
    """

    status: PartStatus
    outcome: Outcome | None = None
    receipt: Receipt | None = None
    error: BaseException | None = None
    lost: Sequence[str] | None = None


NOT_SENT = PartResult("not sent", "not sent")


def delivered(receipt: Receipt) -> PartResult:
    """Return the result of a write that ended in a receipt."""
    return PartResult(receipt.status, receipt=receipt)


def failed(error: BaseException) -> PartResult:
    """Return the result of a write that ended in an error."""
    if isinstance(error, DigimeError) and error.outcome is not None:
        return PartResult("failed", error.outcome, error=error)
    # An error of this package that is not about a request was raised before one was made; of others nothing is known.
    return PartResult("failed", "not sent" if isinstance(error, DigimeError) else "unknown", error=error)


class EachResult(pd.DataFrame):
    """The result of `write_each`: a frame that shows itself with a line about all of its rows on top.

    What is made of it (a selection, a copy) is a plain frame.
    """

    @property
    def _constructor(self) -> Callable[..., pd.DataFrame]:
        return pd.DataFrame

    def __repr__(self) -> str:
        return f"{self._summary()}{super().__repr__()}"

    def _repr_html_(self) -> str | None:
        # The method of pandas; its stubs leave it out.
        shown: str | None = pd.DataFrame(self)._repr_html_()  # type: ignore[operator]
        summary = self._summary().strip()
        if shown is None or not summary:
            return shown
        return html.card(*_losses(self), html.line(html.labelled(summary, "plain")), html.scrolled(shown))

    def _summary(self) -> str:
        return f"{summary_of(self['status'])}\n" if "status" in self.columns else ""


def _losses(table: pd.DataFrame) -> list[html.Html]:
    if not {"lost", "account_id"} <= set(table.columns):
        return []
    lossy = table[table["lost"].fillna("") != ""]
    shown = [f"{account_id}: {lost}" for account_id, lost in zip(lossy["account_id"], lossy["lost"], strict=True)]
    if len(shown) > _SHOWN_LOSSES:
        shown[_SHOWN_LOSSES:] = [f"and of {len(shown) - _SHOWN_LOSSES:,} more accounts; see the column 'lost'"]
    return [html.notice("careful", "Losses", shown)] if shown else []


def summary_of(statuses: Iterable[str]) -> str:
    """Return a line such as "37 of 40 delivered (2 failed, 1 skipped)"."""
    counts = pd.Series(list(statuses), dtype="object").value_counts()
    others = [f"{counts[name]:,} {name}" for name in ("pending", "failed", "skipped", "not sent") if name in counts]
    also = f" ({', '.join(others)})" if others else ""
    return f"{counts.get('delivered', 0):,} of {counts.sum():,} delivered{also}"


def result_table(
    by: Hashable,
    accounts: Sequence[str],
    *,
    names: Sequence[str],
    rows: Sequence[int],
    results: Sequence[PartResult],
    reason: str | None,
) -> EachResult:
    """Return the table: one row per account, with the account id as a column and as the index.

    Args:
        by: Label of the column of account ids. The index is called so, unless a column of the table is.
        accounts: The account ids.
        names: The name of each one's file.
        rows: How many rows it has.
        results: What became of it.
        reason: Why the run ended before all files were sent, or None.
    """
    not_sent = {} if reason is None else {"error": reason_text(reason)}
    values = [
        {
            "account_id": account_id,
            "file_name": name,
            "rows": count,
            **(not_sent if result.status == "not sent" else {}),
            **_values(result),
        }
        for account_id, name, count, result in zip(accounts, names, rows, results, strict=True)
    ]
    name: Any = None if by in COLUMNS else by
    index = pd.Index(list(accounts), name=name, dtype=None if accounts else object)
    return EachResult(typed_frame(values, COLUMNS).set_axis(index))


def reason_text(reason: str | None) -> str | None:
    """Return what is said of a file that was not tried, for why the run ended."""
    return None if reason is None else f"Not tried: {reason}."


def _values(result: PartResult) -> dict[str, Any]:
    values: dict[str, Any] = {"status": result.status, "outcome": result.outcome}
    if result.receipt is not None:
        receipt = result.receipt
        names = ("size", "sha256", "write_id", "delivered_at", "attempts")
        return values | {name: getattr(receipt, name) for name in names} | {"lost": " ".join(receipt.losses)}
    if result.lost is not None:
        values["lost"] = " ".join(result.lost)
    error = result.error
    if error is None:
        return values
    text = " ".join([str(error), *getattr(error, "__notes__", ())])
    values["error"] = text if isinstance(error, DigimeError) else f"{type(error).__name__}: {error}"
    return values | {"error_type": type(error).__name__, "attempts": getattr(error, "attempts", None)}
