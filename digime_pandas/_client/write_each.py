"""One file a person: each gets their own rows, in their own library, under their own authorization.

::

    result = visits.digime.write_each("patient", "visits.parquet")
    result[result["status"] != "delivered"]  # who did not get theirs, and why
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pandas as pd

from digime_pandas._client.client import Client
from digime_pandas._client.connect import current_client
from digime_pandas._client.write import write_outlined
from digime_pandas._client.write_plan import check_write_request, plan_write
from digime_pandas._service.descriptor import check_file_name
from digime_pandas._service.receipt import Receipt
from digime_pandas._tabular.formats import resolve_format
from digime_pandas._tabular.frames.source import is_default_index
from digime_pandas._tabular.frames.split import Positions, check_part, split_rows
from digime_pandas.errors import DigimeError, InputError

# Nullable integers and plain objects, so that a failed write has no size and a good one no error.
_COLUMNS: dict[str, Any] = {
    "status": "str",
    "file_name": "str",
    "rows": "Int64",
    "size": "Int64",
    "sha256": object,
    "error": object,
}


def write_each(
    frame: pd.DataFrame | pd.Series,
    by: str,
    file_name: str,
    *,
    format: str | None = None,
    reference: Iterable[str] | None = None,
    tags: Iterable[str] = (),
    index: bool | None = None,
    mime_type: str | None = None,
    client: Client | None = None,
    workers: int = 4,
    **format_options: Any,
) -> pd.DataFrame:
    """Split a frame by person and write each part into that person's own library.

    Args:
        frame: The rows of all persons. Each part keeps the frame's columns, order, dtypes and index. Never changed.
        by: The column of account ids: text, or whole numbers, which are taken as their decimal text, in any dtype that
            holds them (str, string, object, category, integers and their Arrow forms).
        file_name: Name of each file.
        format: As for `write`.
        reference: As for `write`.
        tags: As for `write`.
        index: As for `write`, decided for the whole frame: the parts of a default RangeIndex are written without it.
        mime_type: As for `write`.
        client: As for `write`.
        workers: How many files are written at the same time.
        format_options: As for `write`.

    Returns:
        A frame with one row an account, in order of first appearance, indexed by account id: `status`
        (``"delivered"``, ``"pending"`` or ``"failed"``), `file_name`, `rows`, `size` (bytes), `sha256` and `error`
        (None, or why it failed). One person's failure does not keep the others' files back.

    Raises:
        InputError: There is no such column, a row has no account id or none that can be one, two keys would be one
            account id, or nobody's part could be written with these arguments and dtypes. Nothing was sent.
    """
    resolve_format(check_file_name(file_name), format)
    if not isinstance(frame, pd.DataFrame):
        raise InputError(f"frame is a {type(frame).__name__}; write_each splits a pandas DataFrame.")
    split = split_rows(frame, by)
    if not isinstance(workers, int) or workers < 1:
        raise InputError(f"workers is {workers!r}; pass how many files to write at the same time, 1 or more.")
    if index is None:
        index = not is_default_index(frame.index)
    client = current_client(client)
    # Values that can be read again for each person. A bare str is refused below.
    named: dict[str, Any] = {
        "format": format,
        "reference": reference if reference is None or isinstance(reference, str) else tuple(reference),
        "tags": tags if isinstance(tags, str) else tuple(tags),
        "mime_type": mime_type,
    }
    people = list(split.accounts)
    if people:
        # What cannot be written for anybody is refused before anything is sent.
        outline = check_write_request(file_name, account_id=people, **named)
        plan_write(frame.iloc[:0], outline, index=index, options=format_options, warn_of_cut=False)

    def write_one(account_id: str, positions: Positions) -> dict[str, Any]:
        try:
            # A part is copied when its turn comes, not all of them at once.
            part = frame.take(positions)
            check_part(part, by, account_id)
            if not format_options.get("attrs"):
                part.attrs = {}  # that they are left out was said once, of the whole frame
            receipt = write_outlined(
                part,
                check_write_request(file_name, account_id=account_id, **named),
                index=index,
                options=format_options,
                client=client,
                progress=False,
                warn_of_cut=False,  # that others' categories stay out is what splitting is for
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, who has got a file by then must be known
            text = str(error) if isinstance(error, DigimeError) else f"{type(error).__name__}: {error}"
            return {"status": "failed", "file_name": file_name, "rows": len(positions), "error": text}
        return _row(receipt)

    with ThreadPoolExecutor(workers, thread_name_prefix="digime-write-each") as threads:
        rows = list(threads.map(write_one, people, split.positions))
    columns = {name: pd.Series([row.get(name) for row in rows], dtype=dtype) for name, dtype in _COLUMNS.items()}
    return pd.DataFrame(columns).set_axis(pd.Index(people, name=by))


def _row(receipt: Receipt) -> dict[str, Any]:
    return {name: getattr(receipt, name) for name in _COLUMNS if name != "error"} | {"error": None}
