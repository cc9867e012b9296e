"""Write a frame into a person's library: serialize → seal → sign → send → receipt.

::

    import pandas as pd
    import digime_pandas as digime

    client = digime.connect("sandbox")
    digime.authorize("patient-17")
    frame = pd.DataFrame({"day": ["2026-01-05"], "pulse": [61]})
    receipt = digime.write(frame, "visits.parquet", account_id="patient-17", tags=["visits"])
    receipt.status  # "delivered"
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import chain, islice
from typing import Any

from digime_pandas._authorization import Authorization
from digime_pandas._client import Client
from digime_pandas._connect import current_client
from digime_pandas._pipeline import closing_iter
from digime_pandas._plan import Plan, plan_write
from digime_pandas._receipt import Receipt
from digime_pandas._spool import Spool
from digime_pandas._wire import Buffer, Upload
from digime_pandas.errors import InputError


def write(
    frame: object,
    file_name: str,
    *,
    account_id: str | Iterable[str],
    format: str | None = None,
    reference: Iterable[str] | None = None,
    tags: Iterable[str] = (),
    index: bool | None = None,
    mime_type: str | None = None,
    client: Client | None = None,
    authorization: Authorization | None = None,
    progress: object = None,
    **format_options: Any,
) -> Receipt:
    """Write a frame into a person's digi.me library.

    Args:
        frame: A pandas DataFrame or Series, or any object that exports an Arrow stream (`__arrow_c_stream__`): a polars
            frame, a pyarrow table or record batch reader, a DuckDB relation. It is never changed.
        file_name: Name of the file; its suffix says the format (``.csv``, ``.json``, ``.ndjson``, ``.jsonl``,
            ``.parquet``) unless `format` does.
        account_id: The person's id in your own system, or several ids that the file is about; then the first one's
            authorization is used.
        format: ``"csv"``, ``"json"``, ``"ndjson"`` or ``"parquet"``. Must agree with a suffix that says a format.
        reference: Texts by which a reader finds the file. Default: the file name and a write id (``urn:uuid:…``, by
            which a reader drops the duplicate that a repeated upload can leave), and for text formats a compact schema
            where it is needed to bring the dtypes back. What you pass is used as it is.
        tags: Texts by which files are grouped.
        index: None: a default RangeIndex is left out, any other index is kept as named columns. True keeps any, False
            drops any.
        mime_type: Media type to declare instead of the format's own.
        client: The client to use. Default: the one of `connect`.
        authorization: The consent to use. Default: the stored one of the account.
        progress: None, a bool, or a callable that is given the bytes sent so far.
        format_options: Options of the format, such as ``escape_formulas=True`` for CSV or ``strict=True`` for JSON.

    Returns:
        The receipt. Its `rows` are the frame's rows and its `size` is in bytes.

    Raises:
        InputError: An argument or a column cannot be written as asked; the message names it. Nothing was sent.
        NotAuthorizedError: The account has not authorized this contract. Nothing was sent.
        AuthorizationError: The authorization is of another account or contract, or has expired.
        APIError: The file was not delivered, or it is not known whether it was: see `outcome`.
    """
    plan = plan_write(
        frame,
        file_name,
        account_id=account_id,
        format=format,
        reference=reference,
        tags=tags,
        index=index,
        mime_type=mime_type,
        options=format_options,
    )
    client = current_client(client)
    authorization = _authorization(client, plan, authorization)
    with ExitStack() as resources:
        receipt = client.deliver(_upload(plan, resources), authorization)
    return replace(receipt, rows=plan.prepared.rows)


def _authorization(client: Client, plan: Plan, given: Authorization | None) -> Authorization:
    accounts = plan.descriptor.accounts
    if given is None:
        return client.authorization(accounts[0])
    if isinstance(given, Authorization) and given.account_id not in accounts:
        raise InputError(
            f"authorization is account {given.account_id!r}'s and account_id is {', '.join(map(repr, accounts))}: the "
            "file would go into another person's library. Pass the authorization of the same account."
        )
    return given


def _upload(plan: Plan, resources: ExitStack) -> Upload:
    """Return the upload; a file of one chunk has a known size, which saves the service a chunked body."""
    prepared = plan.prepared
    # Closed at the end, however that comes: an error's traceback keeps what it was working on alive, threads and all.
    stream = resources.enter_context(closing_iter(prepared.chunks()))
    head = list(islice(stream, 2))
    if len(head) < 2:  # noqa: PLR2004 - one chunk, or none
        size = sum(memoryview(chunk).nbytes for chunk in head)
        return Upload(lambda: head, size, plan.file_name, plan.descriptor)
    first = chain(head, stream)
    if prepared.one_shot:
        spool = Spool(first)
        resources.callback(spool.close)
        return Upload(spool.chunks, None, plan.file_name, plan.descriptor)
    return Upload(_begun(first, prepared.chunks), None, plan.file_name, plan.descriptor)


def _begun(first: Iterator[Buffer], again: Callable[[], Iterator[Buffer]]) -> Callable[[], Iterator[Buffer]]:
    """Give the stream that was begun to the first attempt, and a new one to each further one."""
    begun = [first]
    return lambda: begun.pop() if begun else again()
