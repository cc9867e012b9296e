"""One file per person: each gets their own rows, in their own library, under their own authorization.

::

    result = visits.digime.write_each("patient", "visits.parquet", missing="skip")
    result[result["status"] != "delivered"]  # the accounts without their file, and the reasons
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Literal, Unpack

import pandas as pd

from digime_pandas._client.arguments import WriteArguments, shows_write_arguments
from digime_pandas._client.client import Client
from digime_pandas._client.connect import current_client
from digime_pandas._client.each.consents import Consents, consents_missing, find_consents
from digime_pandas._client.each.job import EachJob, check_choice, check_each, check_flags
from digime_pandas._client.each.preflight import Preflight, check_parts
from digime_pandas._client.each.preview import preview_table
from digime_pandas._client.each.run import Run
from digime_pandas._client.each.sending import Sender
from digime_pandas._client.each.table import NOT_SENT, EachResult, PartResult, result_table, summary_of
from digime_pandas._client.each.unsent import UnsentRecorder, recorded_unsent
from digime_pandas._client.journal.journal import JournalLike, opened_journal
from digime_pandas._client.progress.counts import PERSONS
from digime_pandas._client.progress.rows import EndedRows
from digime_pandas._client.progress.show import Reporter, show_progress
from digime_pandas._service.descriptor import FileName, check_file_name
from digime_pandas.errors import DigimeWarning, FidelityWarning, InputError, warn
from digime_pandas.errors.calls.explained import explains_calls

DEFAULT_WORKERS = 8


@explains_calls()
@shows_write_arguments
def write_each(
    frame: object,
    by: Hashable,
    file_name: FileName,
    *,
    missing: Literal["error", "skip"] = "error",
    drop_null: bool = False,
    keep_key: bool = True,
    client: Client | None = None,
    workers: int = DEFAULT_WORKERS,
    progress: object = None,
    journal: JournalLike | None = None,
    errors: Literal["collect", "raise"] = "collect",
    **arguments: Unpack[WriteArguments],
) -> pd.DataFrame:
    """Split a frame by person and write each part into that person's own library.

    Everything is checked before anything is sent: the arguments, the account ids, the consents, and whether each
    part can be written.

    With a journal the call can be made again, after an interrupt, a crash or failures: files that were delivered are
    not sent again (but those of more than 1 MiB, whose content is not known beforehand), and what is sent again keeps
    its write id, so that readers see it once. An account whose rows have changed gets a new file. The journal also has
    a row for each account to which nothing was sent, with the reason.

    Args:
        frame: The rows of all persons: any frame that `write` takes. Each part keeps the frame's columns, order, dtypes
            and index. Never changed. Arrow streams that can be read once are read into memory first.
        by: The column of account ids: text, or whole numbers, which are taken as their decimal text, in any dtype that
            holds them (str, string, object, category, integers and their Arrow forms).
        file_name: Name of each file; ``{account_id}`` in it is filled in.
        missing: What to do where accounts have no consent that can be used: ``"error"`` refuses everything before
            anything is sent, ``"skip"`` writes the others' files.
        drop_null: Leave out rows without an account id, with a warning, instead of refusing them.
        keep_key: Whether the files have the column `by`.
        client: As for `write`.
        workers: How many files are sent at the same time at most, on as many connections. Few at first, and more where
            answers take long.
        progress: None shows the rows and persons done and the remaining time when the call takes more than two
            seconds, where and how `write` does. True always shows it, False never. A callable is given the persons
            done and the persons in all.
        journal: A `Journal` that records every file, or the path of one. Default: the client's, if it has one.
        errors: ``"collect"`` puts failures into the result, ``"raise"`` ends the run at the first one and raises it.
        arguments: As for `write`. `index` is decided for the whole frame: the parts of a default RangeIndex are written
            without it.

    Returns:
        A frame with one row per account, in order of first appearance, indexed by account id (the index is called as
        `by` is, unless a column of the result is): `account_id`, `status`, `outcome`, `file_name`, `rows`, `size`
        (bytes), `sha256`, `write_id`, `delivered_at` (UTC), `attempts`, `lost`, `error_type` and `error`. It shows
        itself with a line such as "37 of 40 delivered" on top.

        `status` is ``"delivered"``, ``"pending"``, ``"failed"``, ``"skipped"`` (no consent) or ``"not sent"`` (the run
        ended before). `outcome` says of a file without receipt what is known: ``"not sent"``, ``"refused"`` or
        ``"unknown"``. `lost` says what of the rows is not in the file, or in another form; empty text where nothing is.

        When one file fails, the others are sent all the same, unless all of them would fail: a refusal of the
        contract, or 8 failures in a row of the same type and code (beside those of a person's consent or rows), end the
        run, and the rest is ``"not sent"``.

    Raises:
        InputError: An argument is not valid, the rows cannot be split, or no part can be written. Nothing was sent.
        NotAuthorizedError: Accounts have no consent that can be used, and `missing` is ``"error"``. Nothing was sent.
        DigimeError: The first failure, with ``errors="raise"``.
        KeyboardInterrupt: An interrupt: no file is begun any more, and those under way are waited for. A second
            interrupt ends the waiting; they are ``"unknown"`` then.

        Whatever ends the run has the table of all accounts so far as its attribute `result`.

    Warns:
        FidelityWarning: Files do not hold everything of their rows, or in another form: one warning, before anything
            is sent, that says what, and for how many accounts.
        DigimeWarning: Rows without an account id are left out.
    """
    check_choice("missing", missing, ("error", "skip"))
    check_choice("errors", errors, ("collect", "raise"))
    check_flags(drop_null=drop_null, keep_key=keep_key)
    if not isinstance(workers, int) or isinstance(workers, bool) or workers < 1:
        raise InputError(f"workers is {workers!r}; pass how many files to send at the same time, 1 or more.")
    display = show_progress(progress, check_file_name(file_name), unit=PERSONS)
    job = check_each(frame, by, file_name, arguments, drop_null=drop_null, keep_key=keep_key)
    client = current_client(client)
    consents = find_consents(client, job.accounts, time.time)
    if consents.lacking and missing == "error":
        raise consents_missing(consents, len(job.accounts))
    preflight = check_parts(job)
    _warn(job, preflight)
    results = _known_before(job, consents, preflight)
    places = [place for place, result in enumerate(results) if result is NOT_SENT]
    with _table_in_errors(job, results), ExitStack() as resources:
        if errors == "raise" and preflight.refusals:
            raise next(iter(preflight.refusals.values()))
        run = Run(
            results,
            workers=min(workers, max(1, len(places))),
            stops_at_failure=errors == "raise",
            report=_counting(resources.enter_context(display), list(map(int, job.split.counts)), places),
        )
        used = opened_journal(journal, resources) or client.journal
        sender = Sender(job, client, consents.given, used)
        with recorded_unsent(UnsentRecorder(job, client, consents.given, used), results, sender.begun, run):
            run.send(sender.tasks(places))
            if run.failure is not None:
                raise run.failure
    table = _table(job, results, run.reason)
    _warn_of_unforeseen(preflight, table)
    return table


@explains_calls()
@shows_write_arguments
def preview_each(
    frame: object,
    by: Hashable,
    file_name: FileName,
    *,
    drop_null: bool = False,
    keep_key: bool = True,
    client: Client | None = None,
    **arguments: Unpack[WriteArguments],
) -> pd.DataFrame:
    """Return what `write_each` would send to whom, without sending it.

    Args:
        frame: As for `write_each`.
        by: As for `write_each`.
        file_name: As for `write_each`.
        drop_null: As for `write_each`.
        keep_key: As for `write_each`.
        client: Whose stored consents are looked up. Default: as for `write`.
        arguments: As for `write`.

    Returns:
        A frame with one row per account, in order of first appearance: `account_id`, `consent` (``"given"``, ``"none"``
        or ``"expired"``), `file_name`, `rows`, `estimated_size` (bytes before encryption: exact up to 10,000 rows,
        projected from the first 10,000 beyond, missing where the file cannot be written), `verdict` (the worst of its
        columns: ``"kept"``, ``"changed"``, ``"lost"`` or ``"impossible"``), `lost` (what there is to warn of; empty
        text where nothing is) and `error` (why it cannot be written).

    Raises:
        InputError: An argument is not valid, or the rows cannot be split; `write_each` would raise it too.

    Warns:
        DigimeWarning: Rows without an account id are left out.
    """
    check_flags(drop_null=drop_null, keep_key=keep_key)
    job = check_each(frame, by, file_name, arguments, drop_null=drop_null, keep_key=keep_key)
    _warn_of_rows_left_out(job)
    return preview_table(job, find_consents(current_client(client), job.accounts, time.time))


def _known_before(job: EachJob, consents: Consents, preflight: Preflight) -> list[PartResult]:
    """Return what is known of each account's file before anything is sent."""
    results = []
    for account_id in job.accounts:
        lacking, refusal = consents.lacking.get(account_id), preflight.refusals.get(account_id)
        if lacking is not None:
            results.append(PartResult("skipped", "not sent", error=lacking))
        elif refusal is not None:
            results.append(PartResult("failed", "not sent", error=refusal))
        else:
            results.append(NOT_SENT)
    return results


@contextmanager
def _table_in_errors(job: EachJob, results: list[PartResult]) -> Iterator[None]:
    """Give whatever ends the block the table so far, as its attribute `result`."""
    try:
        yield
    except BaseException as error:
        table = _table(job, results, None)
        vars(error)["result"] = table
        error.add_note(f"{summary_of(table['status'])}. The attribute `result` of this exception has a row for each.")
        raise


def _table(job: EachJob, results: list[PartResult], reason: str | None) -> EachResult:
    names = [job.file_name(account_id) for account_id in job.accounts]
    return result_table(job.by, job.accounts, names=names, rows=job.split.counts, results=results, reason=reason)


def _counting(report: Reporter | None, counts: Sequence[int], places: Sequence[int]) -> Callable[[int], None]:
    """Return what reports the persons and rows that are done, given the place of each file that has ended.

    Args:
        report: Where to; None: nowhere.
        counts: Rows of each person.
        places: Of the persons to whom something is sent; the others are done from the beginning.
    """
    total, persons, rows = len(counts), len(counts) - len(places), EndedRows()
    rows.done = sum(counts) - sum(counts[place] for place in places)
    if report is not None:
        report.all_rows, report.rows = sum(counts), rows

    def note(place: int) -> None:
        nonlocal persons
        persons += 1
        rows.done += counts[place]
        if report is not None:
            report(persons, total)

    return note


def _warn(job: EachJob, preflight: Preflight) -> None:
    _warn_of_rows_left_out(job)
    text = preflight.warning(len(job.accounts))
    if text:
        warn(f"{job.template!r}: {text}", FidelityWarning)


def _warn_of_rows_left_out(job: EachJob) -> None:
    count = job.split.left_out
    if count:
        rows = "1 row has" if count == 1 else f"{count:,} rows have"
        left = "is" if count == 1 else "are"
        warn(f"{rows} no account id in column {job.by!r} and {left} left out (drop_null=True).", DigimeWarning)


def _warn_of_unforeseen(preflight: Preflight, table: pd.DataFrame) -> None:
    """Warn of what was lost and not said before. Then all of it is in the result already."""
    lost = table["account_id"][table["lost"].fillna("") != ""]
    unforeseen = [account_id for account_id in lost if account_id not in preflight.reasons]
    if unforeseen:
        warn(
            f"Not everything is in the files of {len(unforeseen):,} of {len(table):,} accounts, such as "
            f"{table['file_name'][unforeseen[0]]!r} of {unforeseen[0]!r}: {table['lost'][unforeseen[0]]}",
            FidelityWarning,
        )
