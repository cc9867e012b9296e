"""Work ahead of whoever consumes it, in threads and within bounds.

Serializing, hashing and encrypting release the GIL, so they overlap with each other and with the network. The bounds
make a slow network slow everything before it, instead of filling the memory.

Both generators end everything behind them when they end, whatever the reason: the last item, an error on either side,
or a consumer that closes them early. Nothing runs before the first item is asked for.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from queue import SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")

SMALL_BYTES = 1 << 20
WORKERS = 2
DEPTH = 3
_PATIENCE = 5.0  # seconds


def ahead(source: Iterable[T], *, size: int | None = None, depth: int = DEPTH) -> Iterator[T]:
    """Yield the items of `source`, which runs in a thread of its own unless it is small.

    An error in `source` is raised here, after the items that came before it.

    Args:
        source: What to run; a generator is closed in its thread when the consumer stops early. One that blocks for
            longer than 5 seconds at that moment is left behind and ends with its next item.
        size: Bytes of all the items, where it is known. Up to 1 MiB is not worth a thread.
        depth: How many items exist at any time: the one being made, those waiting, and the one in use.
    """
    if size is not None and size <= SMALL_BYTES:
        yield from source
        return
    producer = _Producer(source, depth)
    try:
        producer.start()
        yield from producer.items()
    finally:
        producer.stop()


def in_order(tasks: Iterable[Callable[[], T]], *, workers: int = WORKERS) -> Iterator[T]:
    """Yield what the tasks return, in their order; several run at a time, at most one more than there are workers.

    `tasks` itself is run by the consumer, one task at a time. The first error in that order is raised here.
    """
    pending: deque[Future[T]] = deque()
    with closing_iter(tasks) as queue, ThreadPoolExecutor(workers, thread_name_prefix="digime-serialize") as pool:
        try:
            for task in queue:
                pending.append(pool.submit(task))
                if len(pending) > workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def closing_iter(source: Iterable[T]) -> AbstractContextManager[Iterator[T]]:
    """Iterate in a ``with`` block, after which the source is closed, where it is something that can be closed."""
    return closing(_each(source))


class _Producer(Generic[T]):
    """Runs a source in a thread, never further than `depth` items ahead of what was released."""

    def __init__(self, source: Iterable[T], depth: int) -> None:
        self._source = source
        self._room = threading.Semaphore(depth)
        self._made: SimpleQueue[T | _End] = SimpleQueue()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="digime-ahead", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def items(self) -> Iterator[T]:
        while not isinstance(item := self._made.get(), _End):
            yield item
            self._room.release()
        if item.error is not None:
            raise item.error

    def stop(self) -> None:
        self._stopped = True
        self._room.release()
        if self._thread.is_alive():
            self._thread.join(_PATIENCE)

    def _run(self) -> None:
        error = None
        try:
            with closing_iter(self._source) as items:
                while self._has_room():
                    self._made.put(next(items))
        except StopIteration:
            pass
        except BaseException as raised:  # noqa: BLE001 - also a Rust panic, which is no Exception, goes to the consumer
            error = raised
        self._made.put(_End(error))

    def _has_room(self) -> bool:
        self._room.acquire()
        return not self._stopped


class _End:
    """The last thing a producer gives."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def _each(source: Iterable[T]) -> Generator[T, None, None]:
    yield from source
