"""One file per person: each gets their own rows, in their own library, under their own authorization.

::

    result = visits.digime.write_each("patient", "visits.parquet")
    result[result["status"] != "delivered"]  # the accounts without their file, and the reasons
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, Unpack

import pandas as pd

from digime_pandas._client.arguments import WriteArguments, shows_write_arguments
from digime_pandas._client.client import Client
from digime_pandas._client.connect import current_client
from digime_pandas._client.write import write_request
from digime_pandas._client.write_plan import WriteRequest, check_write_request, plan_write
from digime_pandas._service.descriptor import check_accounts, check_file_name
from digime_pandas._tabular.formats import resolve_format
from digime_pandas._tabular.frames.source import is_default_index
from digime_pandas._tabular.frames.split import Positions, check_part, split_rows
from digime_pandas.errors import CallSite, DigimeError, InputError, call_site, warnings_at

# Nullable integers and plain objects, so that a failed write has no size and a good one no error.
_COLUMNS: dict[str, Any] = {
    "status": "str",
    "file_name": "str",
    "rows": "Int64",
    "size": "Int64",
    "sha256": object,
    "error": object,
}


@shows_write_arguments
def write_each(
    frame: pd.DataFrame | pd.Series,
    by: str,
    file_name: str,
    *,
    client: Client | None = None,
    workers: int = 4,
    **arguments: Unpack[WriteArguments],
) -> pd.DataFrame:
    """Split a frame by person and write each part into that person's own library.

    Args:
        frame: The rows of all persons. Each part keeps the frame's columns, order, dtypes and index. Never changed.
        by: The column of account ids: text, or whole numbers, which are taken as their decimal text, in any dtype that
            holds them (str, string, object, category, integers and their Arrow forms).
        file_name: Name of each file.
        client: As for `write`.
        workers: How many files are written at the same time.
        arguments: As for `write`. `index` is decided for the whole frame: the parts of a default RangeIndex are written
            without it.

    Returns:
        A frame with one row per account, in order of first appearance, indexed by account id: `status`
        (``"delivered"``, ``"pending"`` or ``"failed"``), `file_name`, `rows`, `size` (bytes), `sha256` and `error`
        (None, or why it failed). When one file fails, the others are written all the same.

    Raises:
        InputError: There is no such column, a row has no account id or none that can be one, two keys would be one
            account id, or no part could be written with these arguments and dtypes. Nothing was sent.
    """
    resolve_format(check_file_name(file_name), arguments.get("format"))
    if not isinstance(frame, pd.DataFrame):
        raise InputError(f"frame is a {type(frame).__name__}; write_each splits a pandas DataFrame.")
    split = split_rows(frame, by, check_accounts)
    if not isinstance(workers, int) or workers < 1:
        raise InputError(f"workers is {workers!r}; pass how many files to write at the same time, 1 or more.")
    client = current_client(client)
    accounts = list(split.accounts)
    rows: list[dict[str, Any]] = []
    if accounts:
        request = _checked_request(frame, file_name, accounts, arguments)
        write_part = partial(_write_part, frame, by, request, client, call_site())
        with ThreadPoolExecutor(workers, thread_name_prefix="digime-write-each") as threads:
            rows = list(threads.map(write_part, accounts, split.positions))
    columns = {name: pd.Series([row.get(name) for row in rows], dtype=dtype) for name, dtype in _COLUMNS.items()}
    return pd.DataFrame(columns).set_axis(pd.Index(accounts, name=by))


def _checked_request(
    frame: pd.DataFrame, file_name: str, accounts: list[str], arguments: WriteArguments
) -> WriteRequest:
    """Return the request of all parts. What cannot be written for any account is refused before anything is sent."""
    request = check_write_request(file_name, accounts, arguments, is_part=True)
    if request.index is None:
        request = replace(request, index=not is_default_index(frame.index))
    plan_write(frame.iloc[:0], request)
    return request


def _write_part(  # noqa: PLR0917 - the first five are the same for all parts
    frame: pd.DataFrame,
    by: str,
    request: WriteRequest,
    client: Client,
    site: CallSite,
    account_id: str,
    positions: Positions,
) -> dict[str, Any]:
    """Write the rows of one account, in a thread, and return the account's row of the result."""
    try:
        # Copied here and not in the calling thread, so that at most `workers` parts are in memory.
        part = frame.take(positions)
        check_part(part, by, account_id)
        if not request.options.get("attrs"):
            part.attrs = {}  # the inspection of the whole frame has warned that they are left out
        with warnings_at(site):
            receipt = write_request(
                part, request.for_part(request.file_name, account_id), client=client, progress=False
            )
    except Exception as error:  # noqa: BLE001 - the result must name every file that was delivered until then
        text = str(error) if isinstance(error, DigimeError) else f"{type(error).__name__}: {error}"
        return {"status": "failed", "file_name": request.file_name, "rows": len(positions), "error": text}
    return {name: getattr(receipt, name) for name in _COLUMNS if name != "error"} | {"error": None}
