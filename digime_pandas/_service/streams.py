"""Streams of bytes: several steps at the same time, in order and within bounds.

Serializing and encrypting release the GIL, so they overlap with each other, with hashing and with the network. The
consumer of the result drives every step before it: a task that it does not ask for is not begun, so that a slow
network slows the serializer and memory stays bounded. Sources are iterated in the consumer's own thread, as a source
that is bound to a thread needs it (a SQLite cursor, for instance).
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from itertools import chain, islice
from typing import TypeAlias, TypeVar

T = TypeVar("T")

Buffer: TypeAlias = bytes | bytearray | memoryview
Progress: TypeAlias = Callable[[int, int | None], None]
"""Called with the bytes sent so far, and with the bytes in all where that is known."""

SMALL_BYTES = 1 << 20
"""A file of at most this many bytes is handled as one piece, without threads."""

_PIECE_BYTES = 1 << 20
_CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
FEW_CORES = _CORES <= 2  # noqa: PLR2004
"""Whether one thread that serializes and one that does the rest use all cores."""


@dataclass(frozen=True, slots=True)
class ThreadPlan:
    """How many threads work on one file while it is sent.

    Args:
        serialize: Threads that serialize.
        encrypt: Threads that encrypt: 1, or 0 to encrypt in the thread that sends.
        hash: Threads that hash what the file is made of: 1, for pieces that stay as they are, or 0 to hash in the
            thread that sends.
    """

    serialize: int = 2
    encrypt: int = 1
    hash: int = 0


def run_in_order(tasks: Iterable[Callable[[], T]], /, *, workers: int = 2, window: int | None = None) -> Iterator[T]:
    """Yield the results of tasks in the order of the tasks, while the next ones run in threads.

    With one worker they also run in their order, never two at a time. A single task runs in the caller's thread, and
    so costs no thread. When this ends, for whatever reason (the last task, an error in one of them, an interrupt, a
    consumer that stops early), no task is left running and `tasks` is closed.

    Args:
        tasks: What to run. Iterated in the caller's thread, a few tasks ahead.
        workers: How many run at the same time. 0 runs each in the caller's thread when its result is asked for.
        window: How many are begun and not yet asked for, at most. Default: one more than there are workers.
    """
    window = window or workers + 1
    with closing_iterator(tasks) as left:
        if not workers:
            yield from (task() for task in left)
            return
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


def pieces_of(data: memoryview) -> Iterator[memoryview]:
    """Return the views of 1 MiB that some bytes consist of, of which one can be hashed while another is encrypted."""
    return (data[start : start + _PIECE_BYTES] for start in range(0, len(data), _PIECE_BYTES))


def closing_iterator(source: Iterable[T]) -> AbstractContextManager[Iterator[T]]:
    """Iterate in a ``with`` block, after which the source is closed if it has a `close`."""
    return closing(_each(source))


def _each(source: Iterable[T]) -> Generator[T, None, None]:
    yield from source
