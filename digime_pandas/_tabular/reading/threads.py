"""Several steps of reading at the same time: what Arrow and numpy do, they do without Python's lock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pyarrow as pa

T = TypeVar("T")
_MOST_THREADS = 8


def thread_count() -> int:
    """Return how many threads read one file: as many as Arrow uses, at most 8."""
    return min(_MOST_THREADS, int(pa.cpu_count()))


def at_once(tasks: Sequence[Callable[[], T]]) -> list[T]:
    """Return what tasks return, in their order. Of errors, the one of the first task is raised, after all have ended.

    Args:
        tasks: What is run in threads, or where there is one task or one processor, in this one.
    """
    threads = min(thread_count(), len(tasks))
    if threads < 2:  # noqa: PLR2004
        return [task() for task in tasks]
    with ThreadPoolExecutor(threads, thread_name_prefix="digime-pandas") as pool:
        return [each.result() for each in [pool.submit(task) for task in tasks]]
