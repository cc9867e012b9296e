"""What a write of many parts returns: one row per part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pandas as pd

from digime_pandas._client.partitions.deliveries import Deliveries, Delivery
from digime_pandas._client.tables.typed_frame import OF_FILE, OF_LOSS, dtypes_of, typed_frame
from digime_pandas.errors import DatasetError, DigimeError

COLUMNS = dtypes_of("account_id", "status", "outcome", "file_name", "mime_type", *OF_FILE, "elapsed", *OF_LOSS)
"""The columns, and their dtypes with and without rows."""
_OF_RECEIPT = ("status", "mime_type", *OF_FILE, "elapsed")
_NAMED = 5  # failures that an error names


def row_of(account_id: str, file_name: str, delivery: Delivery) -> dict[str, Any]:
    """Return the row of one part."""
    row: dict[str, Any] = dict.fromkeys(COLUMNS) | {"account_id": account_id, "file_name": file_name}
    if delivery.receipt is not None:
        values = {name: getattr(delivery.receipt, name) for name in _OF_RECEIPT}
        return row | values | {"lost": " ".join(delivery.receipt.losses)}
    row |= {"rows": None if delivery.facts is None else delivery.facts.rows, "attempts": delivery.attempts}
    if delivery.error is None:  # the write was ended before
        status, outcome = ("not sent", "not sent") if delivery.grant is None else ("failed", "unknown")
        return row | {"status": status, "outcome": outcome}
    return row | {
        "status": "failed",
        "outcome": delivery.outcome,
        "error_type": type(delivery.error).__name__,
        "error": _text_of(delivery.error),
    }


@contextmanager
def stopping(deliveries: Deliveries, make_result: Callable[[], pd.DataFrame]) -> Iterator[None]:
    """Give whatever ends the block, once nothing is under way, the result so far, as its attribute `result`."""
    try:
        yield
    except BaseException as error:
        deliveries.stop()
        vars(error)["result"] = make_result()
        raise


def result_frame(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Return the rows as a frame, whose dtypes are the same whatever came of the parts."""
    return typed_frame(rows, COLUMNS)


def raise_failures(what: str, result: pd.DataFrame) -> None:
    """Raise an error where parts failed; it names them and carries the result.

    Raises:
        DatasetError: Some were not delivered.
    """
    failed = result[result["status"] == "failed"]
    if failed.empty:
        return
    columns = (failed[name].head(_NAMED) for name in ("file_name", "error_type", "error"))
    named = [f"{name}: {kind}: {text}" for name, kind, text in zip(*columns, strict=True)]
    more = [f"and {len(failed) - _NAMED} more"] if len(failed) > _NAMED else []
    error = DatasetError(
        f"{len(failed)} of {len(result)} files of {what} were not delivered, the others were. "
        f"{'; '.join([*named, *more])}. The error's `result` says what became of each. The same call with the same "
        "journal sends only those that are missing."
    )
    error.missing, error.result = tuple(failed["file_name"]), result
    raise error


def _text_of(error: BaseException | None) -> str:
    notes = getattr(error, "__notes__", ()) if isinstance(error, DigimeError) else ()
    return " ".join([str(error), *notes])
