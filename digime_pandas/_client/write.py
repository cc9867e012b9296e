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

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from typing import Any

from digime_pandas._client.client import Client
from digime_pandas._client.connect import current_client
from digime_pandas._client.progress import show_progress
from digime_pandas._client.write_plan import WritePlan, WriteRequest, check_write_request, plan_write
from digime_pandas._service.authorization import Authorization, check_authorization
from digime_pandas._service.crypto.encrypted_file import ReplayableStream
from digime_pandas._service.messages import Buffer, Progress, Upload
from digime_pandas._service.receipt import Receipt
from digime_pandas._service.streams import FEW_CORES, SMALL_BYTES, closing_iterator, run_in_order
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
        progress: None shows a bar when the write takes more than two seconds (one line at its end where no bar can
            be), True always, False never. A callable is given the bytes sent so far and the bytes in all, or None
            where that is not known, in this thread.
        format_options: Options of the format, such as ``escape_formulas=True`` for CSV or ``strict=True`` for JSON. All
            formats have two. A file holds only what its rows use, so that a categorical column comes back with the
            categories that its rows have: ``keep_unused_categories=True`` sends all. ``attrs=True`` sends the frame's
            `attrs`, which are left out otherwise. A `FidelityWarning` says what is left out, and how many unused
            categories are sent.

    Returns:
        The receipt. Its `rows` are the frame's rows and its `size` is in bytes.

    Raises:
        InputError: An argument or a column cannot be written as asked; the message names it. Nothing was sent.
        NotAuthorizedError: The account has not authorized this contract. Nothing was sent.
        AuthorizationError: The authorization is of another account or contract, or has expired.
        APIError: The file was not delivered, or it is not known whether it was: see `outcome`.
    """
    outline = check_write_request(
        file_name, account_id=account_id, format=format, reference=reference, tags=tags, mime_type=mime_type
    )
    return write_outlined(
        frame,
        outline,
        index=index,
        options=format_options,
        client=client,
        authorization=authorization,
        progress=progress,
    )


def write_outlined(
    frame: object,
    outline: WriteRequest,
    *,
    index: bool | None,
    options: Mapping[str, object],
    client: Client | None = None,
    authorization: Authorization | None = None,
    progress: object = None,
    warn_of_cut: bool = True,
) -> Receipt:
    """Write a frame under an outline; `write` for arguments that were checked.

    Args:
        frame: As for `write`, and so are the others.
        outline: What is known without the rows.
        index: Whether the index is kept.
        options: Options of the format.
        client: The client to use.
        authorization: The consent to use.
        progress: How progress is shown.
        warn_of_cut: As for `plan_write`.
    """
    display = show_progress(progress, outline.file_name)
    plan = plan_write(frame, outline, index=index, options=options, warn_of_cut=warn_of_cut)
    client = current_client(client)
    authorization = _authorization(client, plan, authorization)
    with ExitStack() as resources:
        # On two cores sealing keeps one busy.
        workers = 1 if FEW_CORES and authorization.postbox is not None else 2
        upload = _upload(plan, workers, resources.enter_context(display), resources)
        receipt = client.deliver(upload, authorization)
    return replace(receipt, rows=plan.prepared.rows)


def _authorization(client: Client, plan: WritePlan, given: Authorization | None) -> Authorization:
    accounts = plan.descriptor.accounts
    if given is None:
        return client.authorization(accounts[0])
    if check_authorization(given).account_id not in accounts:
        raise InputError(
            f"authorization is account {given.account_id!r}'s and account_id is {', '.join(map(repr, accounts))}: the "
            "file would go into another person's library. Pass the authorization of the same account."
        )
    return given


def _upload(plan: WritePlan, workers: int, progress: Progress | None, resources: ExitStack) -> Upload:
    """Return the upload. A small file is serialized at once: its size is known then, which saves a chunked body."""
    prepared = plan.prepared
    serialize = partial(prepared.chunks, run_in_order, workers=workers)
    stream = resources.enter_context(closing_iterator(serialize()))
    head: list[Buffer] = []
    size = 0
    for chunk in stream:
        head.append(chunk)
        size += len(chunk)
        if size > SMALL_BYTES and len(head) > 1:
            break
    else:
        return Upload(lambda: head, size, plan.file_name, plan.descriptor, progress)
    begun = _joined(head, stream)
    if prepared.single_pass:
        chunks = resources.enter_context(closing(ReplayableStream(begun))).chunks
    else:
        chunks = _first_then(begun, serialize)
    return Upload(chunks, None, plan.file_name, plan.descriptor, progress, threaded=not prepared.single_pass)


def _joined(head: list[Buffer], rest: Iterator[Buffer]) -> Iterator[Buffer]:
    # A generator, unlike a chain, ends `rest` when it is closed itself.
    yield from head
    head.clear()
    yield from rest


def _first_then(begun: Iterator[Buffer], again: Callable[[], Iterator[Buffer]]) -> Callable[[], Iterator[Buffer]]:
    """Give the stream that was begun to the first attempt, and a new one to each further one."""
    streams = [begun]
    return lambda: streams.pop() if streams else again()
