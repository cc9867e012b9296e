"""Several steps at the same time, in order and within bounds.

Serializing and encrypting release the GIL, so that they overlap with each other, with hashing and with the network.
Whoever consumes the result drives everything before it: what it does not ask for is not begun, and a slow network
slows the serializer instead of filling the memory. Sources are iterated in the consumer's own thread, which matters
to those that are bound to a thread, such as a SQLite cursor.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from itertools import chain, islice
from typing import Protocol, TypeVar

T = TypeVar("T")

SMALL_BYTES = 1 << 20
"""What is not larger than this many bytes is not worth a thread."""

_CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
FEW_CORES = _CORES <= 2  # noqa: PLR2004
"""Whether one thread that serializes and one that does the rest use up the machine: more would only take turns."""


class Run(Protocol):
    """Runs tasks, so many of them at a time at most, and yields what they return, in their order."""

    def __call__(self, tasks: Iterable[Callable[[], T]], /, *, workers: int = 2) -> Iterator[T]: ...


def one_by_one(tasks: Iterable[Callable[[], T]], /, *, workers: int = 1) -> Iterator[T]:
    """Yield what the tasks return, without threads, whatever `workers` says."""
    del workers
    with closing_iterator(tasks) as left:
        for task in left:
            yield task()


def run_in_order(tasks: Iterable[Callable[[], T]], /, *, workers: int = 2, window: int | None = None) -> Iterator[T]:
    """Yield what the tasks return, in their order, while the next ones run in threads.

    With one worker they also run in their order, never two at a time. A single task runs in the caller's thread, so
    that it costs no thread at all. When this ends, for whatever reason (the last task, an error in one of
    them, an interrupt, a consumer that stops early), no task is left running and `tasks` is closed.

    Args:
        tasks: What to run. Asked for in the caller's thread, a few tasks ahead.
        workers: How many run at the same time.
        window: How many are begun and not yet asked for, at most. Default: one more than there are workers.
    """
    window = window or workers + 1
    with closing_iterator(tasks) as left:
        few = list(islice(left, 2))
        if len(few) < 2:  # noqa: PLR2004
            yield from (task() for task in few)
            return
        begun: deque[Future[T]] = deque()
        with ThreadPoolExecutor(workers, thread_name_prefix="digime-pandas") as threads:
            try:
                for task in chain(few, left):
                    begun.append(threads.submit(task))
                    if len(begun) == window:
                        yield begun.popleft().result()
                while begun:
                    yield begun.popleft().result()
            finally:
                for future in begun:
                    future.cancel()


def closing_iterator(source: Iterable[T]) -> AbstractContextManager[Iterator[T]]:
    """Iterate in a ``with`` block, after which the source is closed, if it is something that can be closed."""
    return closing(_each(source))


def _each(source: Iterable[T]) -> Generator[T, None, None]:
    yield from source
