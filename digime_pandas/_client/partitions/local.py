"""Runs the parts of a frame with Dask's own schedulers: threads of this process, or processes of this computer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from digime_pandas._client.partitions.deliveries import Deliveries
from digime_pandas._client.partitions.prepared import PartFacts, PreparedPart, RefusedPart
from digime_pandas._client.partitions.sending import send_prepared
from digime_pandas._service.grants.upload_grant import UploadGrant, UploadResult

Compute = Callable[..., Sequence[Any]]
_SENDING_THREADS = 4
_PATIENCE = 600.0


class LocalChannel:
    """The way to what grants, within one process. Of threads that have the same part, one at a time is granted.

    Dask's threads go on with what they have begun when another one fails, while the parts are computed one by one.

    Args:
        deliveries: Grants.
        patience: Seconds to wait for another thread that sends the same part.
    """

    def __init__(self, deliveries: Deliveries, patience: float = _PATIENCE) -> None:
        self._deliveries = deliveries
        self._patience = patience
        self._senders: dict[str, int] = {}
        self._changed = threading.Condition()

    def ask(self, facts: PartFacts, result: UploadResult | None) -> UploadGrant | None:
        """See `Deliveries.answer`."""
        own = threading.get_ident()
        with self._changed:
            self._changed.wait_for(lambda: self._senders.get(facts.key, own) == own, self._patience)
            self._senders[facts.key] = own
        grant = self._deliveries.answer(facts, result)
        if grant is None:
            with self._changed:
                self._senders.pop(facts.key, None)
                self._changed.notify_all()
        return grant

    def fail(self, key: str, error: Exception) -> None:
        """See `Deliveries.fail`."""
        self._deliveries.fail(key, error)

    def __dask_tokenize__(self) -> object:
        return "digime-local-channel", id(self)


def run_in_threads(tasks: Mapping[str, Any], compute: Compute, deliveries: Deliveries) -> None:
    """Compute and send all parts in this process.

    Args:
        tasks: Dask's tasks by the parts' keys; each sends its part.
        compute: Computes tasks, as ``dask.compute`` does.
        deliveries: Knows what came of each part.
    """
    try:
        compute(*tasks.values())
    except Exception:  # noqa: BLE001 - found again below, by part
        _one_by_one(tasks, compute, deliveries, lambda _: None)


def run_in_processes(tasks: Mapping[str, Any], compute: Compute, deliveries: Deliveries, channel: LocalChannel) -> None:
    """Compute all parts in other processes, which return them, and send them from this one.

    Args:
        tasks: Dask's tasks by the parts' keys; each returns parts that are prepared.
        compute: As for `run_in_threads`.
        deliveries: As for `run_in_threads`.
        channel: As for `run_in_threads`.
    """
    send = partial(send_prepared, channel=channel)
    try:
        prepared = compute(*tasks.values())
    except Exception:  # noqa: BLE001 - found again below, by part
        _one_by_one(tasks, compute, deliveries, send)
    else:
        send_all(prepared, send)


def send_all(
    prepared: Iterable[Sequence[PreparedPart | RefusedPart]],
    send: Callable[[Sequence[PreparedPart | RefusedPart]], object],
) -> None:
    """Send the parts of partitions that are in this process, several at a time."""
    with ThreadPoolExecutor(_SENDING_THREADS, thread_name_prefix="digime-parts") as threads:
        list(threads.map(send, [[part] for parts in prepared for part in parts]))


def _one_by_one(
    tasks: Mapping[str, Any], compute: Compute, deliveries: Deliveries, take: Callable[[Any], object]
) -> None:
    """Compute what is not delivered yet part by part, so that one that fails keeps no other from being sent."""
    for key, task in tasks.items():
        if not deliveries.of(key).is_over:
            try:
                take(*compute(task))
            except Exception as error:  # noqa: BLE001 - of this part alone
                deliveries.fail(key, error)
