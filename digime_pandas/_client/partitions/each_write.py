"""One file per person from a Dask frame: checked here, computed and sent where the rows are."""

from __future__ import annotations

import time
from collections.abc import Hashable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import pandas as pd

from digime_pandas._client.arguments import WriteArguments
from digime_pandas._client.client import Client
from digime_pandas._client.connect import current_client
from digime_pandas._client.each.consents import Consents, consents_missing, find_consents
from digime_pandas._client.each.job import EachJob, check_choice, check_each, check_flags
from digime_pandas._client.each.table import NOT_SENT, PartResult, result_table
from digime_pandas._client.journal.journal import JournalLike, opened_journal
from digime_pandas._client.partitions.cluster import cluster_of
from digime_pandas._client.partitions.delayed import DelayedWrite
from digime_pandas._client.partitions.deliveries import Deliveries, Delivery
from digime_pandas._client.partitions.frames import run_tasks
from digime_pandas._client.partitions.persons import (
    COUNT,
    PersonsRequest,
    count_persons,
    deliver_persons,
    prepare_persons,
)
from digime_pandas._client.partitions.prepared import PartFacts
from digime_pandas._client.partitions.result import stopping
from digime_pandas._client.write_plan import plan_write
from digime_pandas._service.authorization import Authorization
from digime_pandas._service.descriptor import check_accounts
from digime_pandas._tabular.frames.split import split_rows
from digime_pandas.errors import CallSite, FidelityWarning, InputError, warn, warnings_at

Missing = Literal["error", "skip"]
Errors = Literal["collect", "raise"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonsFound:
    """The persons of a frame, before anything is sent.

    Attributes:
        job: What is to be written; its rows are the keys alone.
        counts: How many rows each account has.
        consents: Who has given consent.
    """

    job: EachJob
    counts: Mapping[str, int]
    consents: Consents

    def authorization(self, account_id: str) -> Authorization:
        """Return the authorization of an account.

        Raises:
            AuthorizationError: There is none that can be used.
        """
        if account_id in self.consents.lacking:
            raise self.consents.lacking[account_id]
        return self.consents.given[account_id]

    def check(self, facts: PartFacts) -> None:
        """Check that a part has all rows of its account.

        Raises:
            InputError: It has another number of rows than were counted before.
        """
        counted = self.counts.get(facts.key, 0)
        if facts.rows != counted:
            raise InputError(
                f"Account {facts.key!r} had {counted} rows when they were counted, and has {facts.rows} where they "
                "were brought together. The frame differs each time it is computed: persist() it, or fix its source."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class EachWrite:
    """A write of one file per person from a Dask frame, whose arguments and dtypes were checked.

    Args:
        frame: The Dask frame.
        job: What is to be written, without rows.
        missing: ``"error"`` or ``"skip"``.
        drop_null: Whether rows without an account id are left out.
        client: Has the keys and the tokens.
        journal: As for `write_each`.
        errors: ``"collect"`` or ``"raise"``.
        site: The user's line, for warnings.
    """

    frame: Any
    job: EachJob
    missing: Missing
    drop_null: bool
    client: Client
    journal: JournalLike | None
    errors: Errors
    site: CallSite

    def carry_out(self, scheduler: Any) -> pd.DataFrame:
        """Count the rows of each person, and deliver them.

        Args:
            scheduler: What Dask computes with.

        Raises:
            DigimeError: As for `DaskDigimeAccessor.write_each`.
        """
        found = _find_persons(self.frame, self.job, self.client, scheduler, self.drop_null)
        if found.consents.lacking and self.missing == "error":
            raise consents_missing(found.consents, len(found.job.accounts))
        with ExitStack() as resources:
            resources.callback(self.client.note_written)
            deliveries = Deliveries(
                self.client.write_consents,
                self.job.run_id(self.client.base_url, self.client.contract.client_id),
                found.authorization,
                opened_journal(self.journal, resources) or self.client.journal,
                self.site,
                check=found.check,
            )
            with stopping(deliveries, lambda: _table(found, deliveries)):
                partitions = _deliver(self.frame, found.job, deliveries, scheduler, self.drop_null)
            _settle(found, deliveries, partitions)
            table = _table(found, deliveries)
        with warnings_at(self.site):
            _warn_of_losses(deliveries, len(table))
        failures = (deliveries.of(account_id).error for account_id in found.consents.given)
        failure = next(filter(None, failures), None)
        if self.errors == "raise" and failure is not None:
            vars(failure)["result"] = table
            raise failure
        return table


def delayed_each(
    frame: Any,
    by: Hashable,
    file_name: str,
    arguments: WriteArguments,
    *,
    missing: Missing,
    drop_null: bool,
    keep_key: bool,
    client: Client | None,
    journal: JournalLike | None,
    errors: Errors,
    site: CallSite,
) -> DelayedWrite:
    """Check a write of one file per person; nothing is computed. `DaskDigimeAccessor.write_each` says more."""
    check_choice("missing", missing, ("error", "skip"))
    check_choice("errors", errors, ("collect", "raise"))
    check_flags(drop_null=drop_null, keep_key=keep_key)
    write = EachWrite(
        frame=frame,
        job=_job_without_rows(frame, by, file_name, arguments, drop_null=drop_null, keep_key=keep_key),
        missing=missing,
        drop_null=drop_null,
        client=current_client(client),
        journal=journal,
        errors=errors,
        site=site,
    )
    return DelayedWrite(write.carry_out, [frame])


def _warn_of_losses(deliveries: Deliveries, count: int) -> None:
    lossy = [facts for facts in deliveries.facts() if facts.losses]
    if lossy:
        example = f"{lossy[0].file_name!r} of {lossy[0].key!r}"
        text = f"Not everything is in the files of {len(lossy):,} of {count:,} accounts, such as {example}: "
        warn(text + " ".join(lossy[0].losses), FidelityWarning)


def _job_without_rows(
    frame: Any, by: Hashable, file_name: str, arguments: WriteArguments, *, drop_null: bool, keep_key: bool
) -> EachJob:
    """Check the arguments and the dtypes."""
    meta = frame._meta  # noqa: SLF001 - Dask's name for the empty frame of the same dtypes
    job = check_each(meta, by, file_name, arguments, drop_null=drop_null, keep_key=keep_key)
    if arguments.get("index") is None:
        keeps_index = meta.index.name is not None or not isinstance(meta.index, pd.RangeIndex)
        job = replace(job, request=replace(job.request, index=keeps_index))
    plan_write(job.split.whole(), job.request)
    return job


def _find_persons(frame: Any, job: EachJob, client: Client, scheduler: Any, drop_null: bool) -> PersonsFound:
    """Compute who is in the frame, with how many rows, and look up their consents."""
    meta = pd.DataFrame({job.by: [], COUNT: []}, dtype=object)
    counted = frame[[job.by]].map_partitions(count_persons, job.by, drop_null, meta=meta)
    counts: pd.DataFrame = pd.concat([meta, counted.compute(scheduler=scheduler)], ignore_index=True)
    split = split_rows(counts, job.by, check_accounts)
    rows = {
        account_id: int(counts[COUNT].iloc[own].sum())
        for account_id, own in zip(split.accounts, split.positions, strict=True)
    }
    keys = check_each(counts, job.by, job.template, {}, drop_null=False, keep_key=True)
    consents = find_consents(client, split.accounts, time.time)
    return PersonsFound(job=replace(job, split=keys.split), counts=rows, consents=consents)


def _deliver(frame: Any, job: EachJob, deliveries: Deliveries, scheduler: Any, drop_null: bool) -> list[str]:
    """Bring the rows of each person together, and send them; return what the partitions are called."""
    import dask  # here, because it is an optional part

    if frame.npartitions > 1:
        # Dask's choice goes by the cluster that is connected, also where threads compute.
        method = None if cluster_of(scheduler) is not None else dask.config.get("dataframe.shuffle.method") or "disk"
        frame = frame.shuffle(on=job.by, shuffle_method=method)
    partitions = frame.to_delayed()
    asked = PersonsRequest(
        by=job.by, template=job.template, request=job.request, keep_key=job.keep_key, drop_null=drop_null
    )
    # No account id holds a line break: names of partitions are no keys of persons.
    names = [f"partition\n{number}" for number in range(len(partitions))]

    def tasks(function: Any, *more: object) -> dict[str, Any]:
        task = dask.delayed(function, pure=False)
        return {name: task(part, asked, *more) for name, part in zip(names, partitions, strict=True)}

    run_tasks(partial(tasks, deliver_persons), partial(tasks, prepare_persons), scheduler, deliveries)
    return names


def _settle(found: PersonsFound, deliveries: Deliveries, partitions: list[str]) -> None:
    """Note of each account without an end that its rows were in a partition that failed."""
    errors = [deliveries.of(name).error for name in partitions]
    lost = next(filter(None, errors), None) or InputError("Its rows were in no partition.")
    for account_id in found.consents.given:
        deliveries.fail(account_id, lost)


def _table(found: PersonsFound, deliveries: Deliveries) -> pd.DataFrame:
    job, lacking = found.job, found.consents.lacking
    return result_table(
        job.by,
        job.accounts,
        names=[job.file_name(account_id) for account_id in job.accounts],
        rows=[found.counts[account_id] for account_id in job.accounts],
        results=[_result(deliveries.of(account_id), lacking.get(account_id)) for account_id in job.accounts],
        reason="the write was ended",
    )


def _result(delivery: Delivery, lacking: BaseException | None) -> PartResult:
    if lacking is not None:
        return PartResult("skipped", "not sent", error=lacking)
    if delivery.receipt is not None:
        return PartResult(delivery.receipt.status, receipt=delivery.receipt)
    if delivery.error is None:
        return NOT_SENT if delivery.grant is None else PartResult("failed", "unknown")
    losses = None if delivery.facts is None else delivery.facts.losses
    return PartResult("failed", delivery.outcome, error=delivery.error, lost=losses)
