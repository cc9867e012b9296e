"""Writes of Dask frames: which scheduler computes the partitions, and what it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import uuid4

import pandas as pd

from digime_pandas._client.arguments import WriteArguments
from digime_pandas._client.client import Client
from digime_pandas._client.connect import current_client
from digime_pandas._client.dataset.manifest import DatasetName
from digime_pandas._client.journal.journal import JournalLike
from digime_pandas._client.partitions.cluster import ClusterChannel, cluster_of, run_on_cluster
from digime_pandas._client.partitions.dataset_write import DatasetWrite, Errors
from digime_pandas._client.partitions.delayed import DelayedWrite
from digime_pandas._client.partitions.deliveries import Deliveries
from digime_pandas._client.partitions.local import LocalChannel, run_in_processes, run_in_threads
from digime_pandas._client.partitions.prepared import Labels, prepare_one
from digime_pandas._client.partitions.sending import deliver_part
from digime_pandas._client.write_plan import check_write_request, plan_write
from digime_pandas.errors import CallSite, InputError


def delayed_write(
    frame: Any,
    file_name: str,
    account_id: Any,
    arguments: WriteArguments,
    *,
    client: Client | None,
    journal: JournalLike | None,
    errors: Errors,
    site: CallSite,
) -> DelayedWrite:
    """Check a write of a Dask frame; nothing is computed.

    Args:
        frame: The Dask frame or series.
        file_name: As for `DatasetName`.
        account_id: As for `write`.
        arguments: As for `write`.
        client: As for `write`.
        journal: As for `write`.
        errors: ``"raise"`` or ``"collect"``.
        site: The user's line.

    Raises:
        DigimeError: As for `write`.
    """
    name = DatasetName(file_name)
    if errors not in {"raise", "collect"}:
        raise InputError(f"errors is {errors!r}; pass 'raise' or 'collect'.")
    request = check_write_request(name.file(0, 1), account_id, arguments, is_part=True)
    meta = frame._meta  # noqa: SLF001 - Dask's name for the empty frame of the same dtypes
    if request.index is None:
        keeps_index = meta.index.name is not None or not isinstance(meta.index, pd.RangeIndex)
        request = replace(request, index=keeps_index)
    plan_write(meta, request)  # what cannot be written is refused before anything is computed
    client = current_client(client)
    authorization = client.authorization(request.descriptor.accounts[0])
    client.write_consents.check(authorization)
    partitions = frame.to_delayed()
    write = DatasetWrite(
        name=name,
        request=request,
        meta=meta,
        count=len(partitions),
        client=client,
        authorization=authorization,
        journal=journal,
        errors=errors,
        site=site,
    )
    return DelayedWrite(partial(_carry_out, write, partitions), partitions[:1])


def _carry_out(write: DatasetWrite, partitions: Sequence[Any], scheduler: Any) -> pd.DataFrame:
    def tasks(function: Callable[..., object], *more: object) -> dict[str, Any]:
        task, labels = dask.delayed(function, pure=False), Labels.of(write.meta)
        return {
            key: task(part, key, request, labels, *more)
            for part, (key, request) in zip(partitions, write.requests().items(), strict=True)
        }

    import dask  # here and below, because it is an optional part

    return write.carry_out(partial(run_tasks, partial(tasks, deliver_part), partial(tasks, prepare_one), scheduler))


def run_tasks(
    sending: Callable[[object], Mapping[str, Any]],
    preparing: Callable[[], Mapping[str, Any]],
    scheduler: Any,
    deliveries: Deliveries,
) -> None:
    """Compute and send the parts of a frame with the scheduler that is in use.

    Args:
        sending: Returns tasks that send their parts, from the channel to what grants.
        preparing: Returns tasks that return their parts, for processes without a channel.
        scheduler: What Dask computes with.
        deliveries: Grants, and knows what came of each part.
    """
    import dask

    cluster = cluster_of(scheduler)
    compute = partial(dask.compute, scheduler=scheduler)
    if cluster is not None:
        name = f"digime-{uuid4().hex}"
        run_on_cluster(sending(ClusterChannel(name)), cluster, deliveries, name)
        return
    channel = LocalChannel(deliveries)
    if _runs_in_this_process(scheduler):
        run_in_threads(sending(channel), compute, deliveries)
    else:
        run_in_processes(preparing(), compute, deliveries, channel)


def _runs_in_this_process(scheduler: Any) -> bool:
    if isinstance(scheduler, partial):  # Dask's form of an executor: its `submit` is the first argument
        return any(isinstance(getattr(each, "__self__", None), ThreadPoolExecutor) for each in scheduler.args[:1])
    module = getattr(scheduler, "__module__", "")
    return module.partition(".")[0] in {"dask", __name__.partition(".")[0]} and "multiprocessing" not in module
