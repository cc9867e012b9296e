"""Write a frame into a person's library: serialize → encrypt → sign → send → receipt.

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

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from typing import Unpack

from digime_pandas._client.arguments import WriteArguments, shows_write_arguments
from digime_pandas._client.client import Client
from digime_pandas._client.connect import current_client
from digime_pandas._client.journal.journal import JournalLike
from digime_pandas._client.progress.rows import SentRows, counted_chunks
from digime_pandas._client.progress.show import Reporter, show_progress
from digime_pandas._client.write_plan import WritePlan, WriteRequest, check_write_request, plan_write
from digime_pandas._service.authorization import Authorization, check_authorization
from digime_pandas._service.crypto.encrypted_file import ReplayableStream
from digime_pandas._service.descriptor import AccountIds, FileName
from digime_pandas._service.journal.records import RunPart
from digime_pandas._service.messages import Upload
from digime_pandas._service.receipt import Receipt
from digime_pandas._service.streams import (
    FEW_CORES,
    SMALL_BYTES,
    Buffer,
    ThreadPlan,
    closing_iterator,
    pieces_of,
    run_in_order,
)
from digime_pandas.errors import DigimeError, InputError
from digime_pandas.errors.calls.explained import explains_calls

_FEW_ROWS = 100  # so few are counted by the size of the file, which is mostly known before it is sent


@explains_calls()
@shows_write_arguments
def write(
    frame: object,
    file_name: FileName,
    account_id: AccountIds,
    *,
    client: Client | None = None,
    authorization: Authorization | None = None,
    progress: object = None,
    journal: JournalLike | None = None,
    **arguments: Unpack[WriteArguments],
) -> Receipt:
    """Write a frame into a person's digi.me library.

    Args:
        frame: A pandas DataFrame or Series, or any object that exports an Arrow stream (`__arrow_c_stream__`): a polars
            frame, a pyarrow table or record batch reader. It is never changed. Also what does not fit into memory: the
            path of a Parquet file, a pyarrow ParquetFile, Dataset or Scanner, a polars LazyFrame, a DuckDB relation, or
            an iterable of record batches. Those that can be opened again are read twice, first to judge the columns and
            then to send them, and once more for each further attempt; the rows must be the same each time, in any
            order. A generator or reader is read once, and its values are judged while it is sent.
        file_name: Name of the file, or a path whose last part it is; its suffix says the format (``.csv``, ``.json``,
            ``.ndjson``, ``.jsonl``, ``.parquet``) unless `format` does.
        account_id: The person's id in your own system, text or a whole number, which stands for its decimal text; or
            several ids that the file is about; then the first one's authorization is used.
        format: ``"csv"``, ``"json"``, ``"ndjson"`` or ``"parquet"``. Must agree with a suffix that says a format.
        reference: Texts by which a reader finds the file. Default: the file name and a write id (``urn:uuid:…``, by
            which a reader drops the duplicate that a repeated upload can leave), and for text formats a compact schema
            where it is needed to bring the dtypes back. What you pass is used as it is; without a write id in
            it, a file that may be in the library already is not sent again.
        tags: Texts by which files are grouped.
        index: None: a default RangeIndex is left out, any other index is kept as named columns. True keeps any, False
            drops any.
        mime_type: Media type to declare instead of the format's own.
        client: The client to use. Default: the one of `connect`.
        authorization: The consent to use. Default: the stored one of the account.
        progress: None shows the rows sent (of a stream the bytes) and the remaining time when the write takes more
            than two seconds: a bar in a terminal, JupyterLab, Notebook 7 and VS Code, one line at the end elsewhere.
            True always shows it, False never; ``TQDM_DISABLE=1`` in the environment never. A callable is given the
            bytes sent so far and the bytes in all, or None where that is not known, in this thread.
        journal: A `Journal` that records this write, or the path of one. Default: the client's, if it has one. Where
            the outcome of the same write is unknown there, its write id is used again.
        arguments: The ones above that the signature does not name, and options of the format. All formats have two. A
            file holds only what its rows use, so that a categorical column comes back with the categories that its
            rows have: ``keep_unused_categories=True`` sends all. ``attrs=True`` sends the frame's `attrs`, which are
            left out otherwise. A `FidelityWarning` says what is left out, and how many unused categories are sent.
            CSV, JSON and NDJSON: ``typed=False`` makes no schema. CSV: ``escape_formulas=True`` puts an apostrophe
            before text that a spreadsheet would take for a formula, ``nested="json"`` writes lists and dicts, which
            are refused otherwise, as JSON text. JSON and NDJSON: ``strict=True`` refuses NaN and the infinities,
            ``decimals="number"`` writes decimals as numbers instead of strings. Parquet: `compression` may be
            ``"snappy"``, ``"zstd"``, ``"gzip"``, ``"brotli"``, ``"lz4"`` or ``"none"``.

    Returns:
        The receipt. Its `rows` are the frame's rows and its `size` is in bytes.

    Raises:
        InputError: An argument or a column cannot be written as asked, or the source fails while it is read or gives
            other rows when it is read again; the message names it. Nothing was delivered.
        NotAuthorizedError: The account has not authorized this contract. Nothing was sent.
        AuthorizationError: The authorization is of another account or contract, or has expired.
        JournalError: The write cannot be recorded. Nothing was sent.
        APIError: The file was not delivered, or it is not known whether it was: see `outcome`.

    Warns:
        FidelityWarning: The file does not hold everything of the frame, or in another form; the message says what.
    """
    request = check_write_request(file_name, account_id, arguments)
    return write_request(frame, request, client=client, authorization=authorization, progress=progress, journal=journal)


def write_request(
    frame: object,
    request: WriteRequest,
    *,
    client: Client | None = None,
    authorization: Authorization | None = None,
    progress: object = None,
    journal: JournalLike | None = None,
    part: RunPart | None = None,
) -> Receipt:
    """Carry out a write whose arguments were checked; `write` says more.

    Args:
        frame: The rows.
        request: The checked arguments.
        client: The client to use.
        authorization: The consent to use.
        progress: How progress is shown.
        journal: The journal that records it.
        part: The part of a run that it is. One that the journal has as delivered is not sent again.
    """
    display = show_progress(progress, request.file_name)
    plan: WritePlan | None = None
    try:
        plan = plan_write(frame, request)
        with ExitStack() as resources:
            resources.callback(plan.frame.close)
            client = current_client(client)
            authorization = _authorization(client, plan, authorization)
            threads = _thread_plan(plan, authorization)
            upload = _upload(plan, threads, resources.enter_context(display), resources)
            return client.upload(upload, authorization, journal=journal, part=part)
    except DigimeError as error:
        if error.outcome is None:
            error.outcome, error.write_id = "not sent", None if plan is None else plan.descriptor.write_id
        raise


def _authorization(client: Client, plan: WritePlan, given: Authorization | None) -> Authorization:
    accounts = plan.descriptor.accounts
    if given is None:
        return client.write_consents.require(accounts[0])
    if check_authorization(given).account_id not in accounts:
        raise InputError(
            f"authorization is account {given.account_id!r}'s and account_id is {', '.join(map(repr, accounts))}: the "
            "file would go into another person's library. Pass the authorization of the same account."
        )
    return given


def _thread_plan(plan: WritePlan, authorization: Authorization) -> ThreadPlan:
    """Return how many threads to use: on two cores, more than one beside the sending thread would only take turns."""
    if not FEW_CORES:
        return ThreadPlan(serialize=2, encrypt=1)
    is_encrypted = authorization.postbox is not None
    # The sending thread also keeps what a single-pass stream yields, for further attempts. Encoders of Parquet wait for
    # it where it encrypts too: their rows take less time than all that is done to the file afterwards.
    encrypts_beside = plan.frame.single_pass or plan.frame.format.stores_types
    return ThreadPlan(serialize=1 if is_encrypted else 2, encrypt=1 if encrypts_beside else 0)


def _upload(plan: WritePlan, threads: ThreadPlan, report: Reporter | None, resources: ExitStack) -> Upload:
    """Return the upload. A small file is serialized at once: its size is known then, which saves a chunked body."""
    serialize: Callable[[], Generator[Buffer, None, None]]
    serialize = partial(plan.frame.chunks, run_in_order, workers=threads.serialize)
    if report is not None:
        report.all_rows = plan.frame.rows
        if (plan.frame.rows or 0) > _FEW_ROWS:
            report.rows = SentRows()
            serialize = counted_chunks(plan.frame, report.rows, threads.serialize)
    chunks = resources.enter_context(closing(serialize()))
    beginning, size = _read_beginning(chunks)
    content: bytes | Callable[[], Iterable[Buffer]]
    if size is not None:
        content = b"".join(beginning) if size <= SMALL_BYTES else lambda: beginning
    elif plan.frame.single_pass:
        content = resources.enter_context(closing(ReplayableStream(_resumed(beginning, chunks)))).chunks
    else:
        content = _Attempts(_resumed(beginning, chunks), serialize).pieces
    # Known after the sending only, where the stream is single-pass.
    rows, losses = (partial(getattr, plan.frame, name) for name in ("rows", "warnings"))
    return Upload(
        content,
        size,
        plan.file_name,
        plan.descriptor,
        report,
        threads,
        count_rows=rows,
        find_losses=losses,
        renews_write_id=plan.renews_write_id,
    )


def _read_beginning(chunks: Iterator[Buffer]) -> tuple[list[Buffer], int | None]:
    """Return the first chunks, so many that they are more than a small file has, and the size of the file in bytes.

    The size is None where more chunks may follow.
    """
    beginning: list[Buffer] = []
    size = 0
    for chunk in chunks:
        beginning.append(chunk)
        size += len(chunk)
        if size > SMALL_BYTES and len(beginning) > 1:
            return beginning, None
    return beginning, size


def _resumed(beginning: list[Buffer], rest: Iterator[Buffer]) -> Iterator[Buffer]:
    """Yield what was read already, then the rest; to close this generator closes `rest`, unlike `itertools.chain`."""
    yield from beginning
    beginning.clear()  # its memory is not needed while the rest is sent
    yield from rest


class _Attempts:
    """The content of a file for each attempt to send it.

    Args:
        begun: The stream that was begun already; the first attempt gets it.
        serialize: Makes a new stream, for each further attempt.
    """

    def __init__(self, begun: Iterator[Buffer], serialize: Callable[[], Iterator[Buffer]]) -> None:
        self._begun: Iterator[Buffer] | None = begun
        self._serialize = serialize

    def pieces(self) -> Iterator[Buffer]:
        """Yield the chunks in pieces, one of which is encrypted while the next one is hashed."""
        begun, self._begun = self._begun, None
        with closing_iterator(self._serialize() if begun is None else begun) as chunks:
            for chunk in chunks:
                yield from pieces_of(memoryview(chunk))
                del chunk  # or its memory could not be used for the next one
