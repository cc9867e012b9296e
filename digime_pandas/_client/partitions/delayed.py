"""Writes of Dask frames that were checked and are carried out later: in this process, whatever computes them.

What carries a write out has the private key and the tokens of its client. Where a cluster computes it, what the cluster
is given is a task that asks this process to begin, and waits for the result.
"""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import uuid4

import pandas as pd

from digime_pandas._client.partitions.cluster import (
    ANSWER_STEPS,
    cluster_of,
    scheduler_queue,
    send_reply,
    take_replies,
    transferable,
)
from digime_pandas.errors import SecretError, ServiceUnreachableError

CarryOut = Callable[[Any], pd.DataFrame]
"""Carries a write out with one of Dask's schedulers, and returns its result."""
_STILL_RUNNING = b""
_HEARTBEAT_SECONDS = 10.0


@dataclass(frozen=True)
class DelayedWrite:
    """A write of a Dask frame that was checked, and of which nothing was computed or sent.

    `compute` carries it out, each time it is called: with a journal, what was delivered is not sent again. It is a
    collection too: ``dask.compute(write)`` and ``dask.persist(write)`` do the same, with threads or on a cluster.
    """

    _carry_out: CarryOut = field(repr=False)
    _frames: Sequence[Any] = field(repr=False)

    def compute(self, *, scheduler: Any = None) -> pd.DataFrame:
        """Compute the partitions and send them from where they are.

        Args:
            scheduler: As for Dask; None: the present one.

        Returns:
            What the method that made it returns.

        Raises:
            DigimeError: As for that method.
        """
        import dask  # here and below, because it is an optional part

        return self._carry_out(dask.base.get_scheduler(scheduler=scheduler, collections=list(self._frames)))

    def persist(self, **options: Any) -> Any:
        """Begin to carry it out, and return what gives the result: ``dask.persist`` of this write alone.

        Args:
            options: As for ``dask.persist``.
        """
        import dask

        return dask.persist(self, **options)[0]

    @property
    def _collection(self) -> Any:
        import dask

        if "_made" not in vars(self):
            task = dask.delayed(_TaskHere(self._carry_out), pure=False, traverse=False)
            vars(self)["_made"] = task(dask_key_name=f"digime-write-{uuid4().hex}")
        return vars(self)["_made"]

    def __dask_graph__(self) -> Any:
        return self._collection.__dask_graph__()

    def __dask_keys__(self) -> Any:
        return self._collection.__dask_keys__()

    def __dask_layers__(self) -> Any:
        return self._collection.__dask_layers__()

    def __dask_tokenize__(self) -> Any:
        return self._collection.__dask_tokenize__()

    def __dask_postcompute__(self) -> Any:
        return self._collection.__dask_postcompute__()

    def __dask_postpersist__(self) -> Any:
        return self._collection.__dask_postpersist__()

    @staticmethod
    def __dask_optimize__(graph: Any, keys: Any, **_: Any) -> Any:
        from dask.delayed import Delayed

        return Delayed.__dask_optimize__(graph, keys)

    @staticmethod
    def __dask_scheduler__(*arguments: Any, **options: Any) -> Any:
        from dask.threaded import get

        return get(*arguments, **options)


class _TaskHere:
    """The one task of a delayed write. It stays in this process; its pickle asks this process to carry it out.

    Args:
        carry_out: Carries the write out.
    """

    def __init__(self, carry_out: CarryOut) -> None:
        self._carry_out = carry_out
        self._name = f"digime-{uuid4().hex}"
        self._lock = threading.Lock()
        self._serving: threading.Thread | None = None

    def __call__(self) -> pd.DataFrame:
        from dask.threaded import get

        is_on_cluster = _leave_the_thread_to_others()  # on one of threads of this process
        return self._carry_out(_present_cluster().get if is_on_cluster else get)

    def __dask_tokenize__(self) -> object:
        return self._name

    def __reduce__(self) -> tuple[Any, ...]:
        cluster = _present_cluster()
        if cluster is None:
            raise SecretError(
                "A delayed write has the private key and tokens of its client, and is not sent to other processes. "
                "Call its compute(): that sends the files and keeps the key here."
            )
        with self._lock:
            if self._serving is None or not self._serving.is_alive():
                serve = partial(_serve, self._name, cluster, self._carry_out)
                self._serving = threading.Thread(target=serve, name="digime-delayed-write", daemon=True)
                self._serving.start()
        return TaskElsewhere, (self._name,)


class TaskElsewhere:
    """The task of a delayed write on a worker: it has the write carried out where it was made.

    Args:
        name: Name of the queue for what it asks.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self) -> pd.DataFrame:
        """Return the result of the write.

        Raises:
            DigimeError: As for the write.
            ServiceUnreachableError: The process that has the keys does not answer.
        """
        _leave_the_thread_to_others()
        reply_to = f"{self._name}-{uuid4().hex}"
        with scheduler_queue(reply_to) as replies, scheduler_queue(self._name) as questions:
            questions.put(reply_to)
            result, error = pickle.loads(self._reply(replies))  # noqa: S301 - from the user's own cluster
        if error is not None:
            raise error
        frame: pd.DataFrame = result
        return frame

    def _reply(self, replies: Any) -> bytes:
        silent = 0
        while silent < ANSWER_STEPS:
            came = take_replies(replies)
            if came and came[-1] != _STILL_RUNNING:
                return came[-1]
            silent = 0 if came else silent + 1
        raise ServiceUnreachableError(
            "The write was not carried out: the process that made it does not answer.", outcome="unknown", attempts=0
        )


def _leave_the_thread_to_others() -> bool:
    """Let the worker compute the partitions beside the task that waits for them; False where there is no worker."""
    try:
        from distributed import secede

        secede()
    except (ImportError, ValueError):
        return False
    return True


def _present_cluster() -> Any:
    import dask

    return cluster_of(dask.base.get_scheduler())


def _serve(name: str, cluster: Any, carry_out: CarryOut) -> None:
    """Carry a write out once it is asked for, and tell all that ask: a task whose worker ends asks again elsewhere."""
    with suppress(Exception), scheduler_queue(name, cluster) as questions:  # the cluster is gone: its futures say so
        askers = [questions.get()]
        # Not the `with` of threads: the end of the cluster is not to wait for them.
        running = ThreadPoolExecutor(1, thread_name_prefix="digime-delayed-write").submit(carry_out, cluster.get)
        while not wait([running], _HEARTBEAT_SECONDS).done:
            askers += questions.get(batch=True)
            for each in askers:
                send_reply(each, cluster, _STILL_RUNNING)
        for each in [*askers, *questions.get(batch=True)]:
            send_reply(each, cluster, _outcome_of(running))


def _outcome_of(running: Future[pd.DataFrame]) -> bytes:
    error = running.exception()
    return pickle.dumps((None, transferable(error)) if error is not None else (running.result(), None))
