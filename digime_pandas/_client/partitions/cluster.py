"""Runs the parts of a frame on a cluster of ``distributed``: each worker sends what it computed.

What has the keys and what has the data talk through two kinds of the scheduler's queues: one for all questions, and one
for the answer to each. Values in them are pickled, as everything is that goes through a cluster.
"""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from uuid import uuid4

from digime_pandas._client.partitions.deliveries import Deliveries
from digime_pandas._client.partitions.prepared import PartFacts
from digime_pandas._service.grants.upload_grant import UploadGrant, UploadResult
from digime_pandas.errors import ServiceUnreachableError

_POLLS = [0.004 * 2**number for number in range(9)]  # seconds between looks for a reply, two in all: a step
ANSWER_STEPS = 300  # ten minutes: a process that was killed does not say that it has ended
"""For how many steps a reply is waited for, at most."""
_JOIN_SECONDS = 60.0


class ClusterChannel:
    """The way from a worker to what grants. It is pickled by the name of its queue.

    Args:
        name: Name of the queue for questions.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def ask(self, facts: PartFacts, result: UploadResult | None) -> UploadGrant | None:
        """See `Deliveries.answer`.

        Raises:
            ServiceUnreachableError: The process that has the keys does not answer.
        """
        answer: UploadGrant | None = self._call("answer", facts, result, name=facts.file_name)
        return answer

    def fail(self, key: str, error: Exception) -> None:
        """See `Deliveries.fail`."""
        self._call("fail", key, transferable(error), name=key)

    def _call(self, method: str, *arguments: object, name: str) -> Any:
        reply_to = f"{self.name}-{uuid4().hex}"
        with scheduler_queue(reply_to) as replies:
            with scheduler_queue(self.name) as questions:
                questions.put(pickle.dumps((reply_to, method, arguments)))
            return pickle.loads(self._reply(replies, name))  # noqa: S301 - from the user's own cluster

    def _reply(self, replies: Any, name: str) -> bytes:
        from distributed import Event  # here, because only a cluster needs it

        for _ in range(ANSWER_STEPS):
            for reply in take_replies(replies):
                return reply
            if Event(self.name).is_set():
                break
        raise ServiceUnreachableError(
            f"{name!r} was not granted: the process that began the write has ended it.", outcome="not sent", attempts=0
        )


def transferable(error: BaseException) -> BaseException:
    """Return an error that can be sent to another process: itself, or one that says the same."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - it was made here
    except Exception:  # noqa: BLE001 - whatever an error of another package is made of
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def cluster_of(scheduler: Any) -> Any:
    """Return the client of the cluster that a scheduler is, or None."""
    owner = getattr(scheduler, "__self__", None)
    return owner if type(owner).__module__.partition(".")[0] == "distributed" else None


@contextmanager
def scheduler_queue(name: str, cluster: Any = None) -> Iterator[Any]:
    """Use a queue of the scheduler, which is there until nothing uses it any more."""
    from distributed import Queue  # as above

    queue = Queue(name, client=cluster)
    try:
        yield queue
    finally:
        queue.close()


def take_replies(replies: Any, sleep: Callable[[float], object] = time.sleep) -> list[bytes]:
    """Return the replies that a queue of the scheduler has, after waiting for a step for one to come.

    A `get` of the queue with a timeout would leave an error in the scheduler's log wherever it ends.

    Args:
        replies: The queue.
        sleep: Waits so many seconds.
    """
    for wait in _POLLS:
        came: list[bytes] = list(replies.get(batch=True))
        if came:
            return came
        sleep(wait)
    return []


def send_reply(reply_to: str, cluster: Any, reply: bytes) -> None:
    """Put a reply into a queue of the scheduler, for `take_replies`.

    Args:
        reply_to: Name of the queue.
        cluster: The cluster's client.
        reply: What is to be put there.
    """
    with scheduler_queue(reply_to, cluster) as replies:
        replies.put(reply)


def run_on_cluster(tasks: Mapping[str, Any], cluster: Any, deliveries: Deliveries, name: str) -> None:
    """Compute and send all parts on a cluster. As many are sent at a time as the cluster has threads.

    Args:
        tasks: Dask's tasks by the parts' keys; each sends its part.
        cluster: The cluster's client.
        deliveries: Grants, and knows what came of each part.
        name: Name of the queue for questions.
    """
    with scheduler_queue(name, cluster) as questions:
        _run(tasks, cluster, deliveries, questions)


def _run(tasks: Mapping[str, Any], cluster: Any, deliveries: Deliveries, questions: Any) -> None:
    from distributed import Event, KilledWorker, as_completed  # as above

    answering = threading.Thread(
        target=_answer_all, args=(questions, cluster, deliveries), name="digime-grants", daemon=True
    )
    answering.start()
    futures: list[Any] = []
    try:
        futures += cluster.compute(list(tasks.values()))
        keys = {future.key: key for future, key in zip(futures, tasks, strict=True)}
        suspects = []
        for future in as_completed(futures):
            error = future.exception()
            if isinstance(error, KilledWorker):
                suspects.append(keys[future.key])
            elif error is not None:
                deliveries.fail(keys[future.key], error)
            future.release()
        # Workers that ended took with them what they computed beside what ended them.
        for key in suspects:
            futures = [cluster.compute(tasks[key])]
            error = futures[0].exception()
            if error is not None:
                deliveries.fail(key, error)
            futures[0].release()
    except BaseException:
        cluster.cancel(futures)
        deliveries.stop()  # while questions are answered
        Event(questions.name, client=cluster).set()  # for workers that ask later
        raise
    finally:
        with suppress(Exception):  # a cluster that is gone has no queue either
            questions.put(b"")
        answering.join(_JOIN_SECONDS)


def _answer_all(questions: Any, cluster: Any, deliveries: Deliveries) -> None:
    with suppress(Exception):  # the cluster is gone: the futures say so
        while question := questions.get():
            reply_to, method, arguments = pickle.loads(question)  # noqa: S301 - from the user's own cluster
            answer = getattr(deliveries, method)(*arguments)
            send_reply(reply_to, cluster, pickle.dumps(answer))
