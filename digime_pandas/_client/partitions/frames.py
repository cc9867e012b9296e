"""Writes of Dask frames: which scheduler computes the partitions, and what it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NoReturn
from uuid import uuid4

import pandas as pd

from digime_pandas._client.arguments import WriteArguments
from digime_pandas._client.client import Client
from digime_pandas._client.connect import current_client
from digime_pandas._client.dataset.manifest import DatasetName
from digime_pandas._client.journal.journal import JournalLike
from digime_pandas._client.partitions.cluster import ClusterChannel, run_on_cluster
from digime_pandas._client.partitions.dataset_write import DatasetWrite, Errors
from digime_pandas._client.partitions.deliveries import Deliveries
from digime_pandas._client.partitions.local import LocalChannel, run_in_processes, run_in_threads, send_all
from digime_pandas._client.partitions.prepared import PreparedPart, prepare_one
from digime_pandas._client.partitions.sending import deliver_part, send_prepared
from digime_pandas._client.write_plan import check_write_request, plan_write
from digime_pandas.errors import CallSite, InputError, SecretError


@dataclass(frozen=True)
class DelayedWrite:
    """A write of a Dask frame that was checked, and of which nothing was computed or sent.

    `compute` carries it out, each time it is called: with a journal, what was delivered is not sent again. For Dask's
    threads it is a collection too: ``dask.compute(one, other)`` computes the partitions of both at once, and then sends
    them. Clusters run the last step of a collection elsewhere, and refuse it: there, call its `compute`.
    """

    _write: DatasetWrite = field(repr=False)
    _partitions: Sequence[Any] = field(repr=False)

    def compute(self, *, scheduler: Any = None) -> pd.DataFrame:
        """Compute the partitions and send them from where they are.

        Args:
            scheduler: As for Dask; None: the present one.

        Returns:
            What `write` returns.

        Raises:
            DigimeError: As for `write`.
        """
        import dask  # here and below, because it is an optional part

        used = dask.base.get_scheduler(scheduler=scheduler, collections=list(self._partitions[:1]))
        return self._write.carry_out(partial(self._deliver, used))

    def _deliver(self, scheduler: Any, deliveries: Deliveries) -> None:
        run_tasks(partial(self._tasks, deliver_part), partial(self._tasks, prepare_one), scheduler, deliveries)

    def _tasks(self, function: Callable[..., object], *more: object) -> dict[str, Any]:
        import dask

        task = dask.delayed(function, pure=False)
        requests = self._write.requests().items()
        return {
            key: task(part, key, request, *more)
            for part, (key, request) in zip(self._partitions, requests, strict=True)
        }

    @property
    def _collection(self) -> Any:
        import dask

        if "_made" not in vars(self):
            vars(self)["_made"] = dask.delayed(list, pure=False)(list(self._tasks(prepare_one).values()))
        return vars(self)["_made"]

    def __dask_graph__(self) -> Any:
        return self._collection.__dask_graph__()

    def __dask_keys__(self) -> Any:
        return self._collection.__dask_keys__()

    def __dask_layers__(self) -> Any:
        return self._collection.__dask_layers__()

    def __dask_tokenize__(self) -> Any:
        return self._collection.__dask_tokenize__()

    def __dask_postcompute__(self) -> tuple[_SendHere, tuple[()]]:
        return _SendHere(self._write), ()

    @staticmethod
    def __dask_optimize__(graph: Any, keys: Any, **_: Any) -> Any:
        from dask.delayed import Delayed

        return Delayed.__dask_optimize__(graph, keys)

    @staticmethod
    def __dask_scheduler__(*arguments: Any, **options: Any) -> Any:
        from dask.threaded import get

        return get(*arguments, **options)


class _SendHere:
    """The last step of a write that Dask takes for a collection: what sends the files. It stays in this process.

    Args:
        write: The write.
    """

    def __init__(self, write: DatasetWrite) -> None:
        self._write = write

    def __call__(self, prepared: Sequence[Sequence[Sequence[PreparedPart]]]) -> pd.DataFrame:
        return self._write.carry_out(
            lambda deliveries: send_all(prepared[0], partial(send_prepared, channel=LocalChannel(deliveries)))
        )

    def __reduce__(self) -> NoReturn:
        raise SecretError(
            "A delayed write has the private key and tokens of its client, and is not sent to other processes. Call "
            "its compute(): that lets the workers send the files, and keeps the key here."
        )


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
    return DelayedWrite(write, partitions)


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

    cluster = _cluster_of(scheduler)
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


def _cluster_of(scheduler: Any) -> Any:
    """Return the client of the cluster that a scheduler is, or None."""
    owner = getattr(scheduler, "__self__", None)
    return owner if type(owner).__module__.partition(".")[0] == "distributed" else None


def _runs_in_this_process(scheduler: Any) -> bool:
    if isinstance(scheduler, partial):  # Dask's form of an executor: its `submit` is the first argument
        return any(isinstance(getattr(each, "__self__", None), ThreadPoolExecutor) for each in scheduler.args[:1])
    module = getattr(scheduler, "__module__", "")
    return module.partition(".")[0] in {"dask", __name__.partition(".")[0]} and "multiprocessing" not in module
