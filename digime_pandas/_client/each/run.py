"""Sends many files at the same time, and ends in an orderly way whatever happens.

The calling thread hands out the work and reports what became of it; threads send. Results are kept by the thread that
has them, so that an interrupt of the calling thread loses none.

Python runs one thread at a time: threads that have something to do hinder each other, and only those that wait for
answers do not. So few begin, and more are added for as long as all of them together leave a processor idle.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Lock
from typing import TypeAlias

from digime_pandas._client.each.breaker import CircuitBreaker
from digime_pandas._client.each.table import NOT_SENT, PartResult, failed

Task: TypeAlias = Callable[[], PartResult]
"""Sends one file, and returns what became of it. Raises an interrupt only where nothing of it was sent."""

_AHEAD, _LEAST_AHEAD = 2, 64  # files per thread, and in all, that are ready or under way
_FIRST_THREADS = 3
_GROWTH_SECONDS = 0.02  # so often it is looked whether threads are to be added
_LITTLE = 0.5  # of a processor
_STEP_SECONDS = 0.1  # an interrupt is noticed after so long at most: not every wait can be interrupted
_PAUSE_SECONDS = 0.005  # files end faster than each could be reported by itself


class Run:
    """Sends files.

    Args:
        results: What is known so far, by place; changed in place.
        workers: How many files are sent at the same time at most.
        stops_at_failure: Whether the first failure ends the run.
        report: Called in the calling thread with the place of each file that has ended.
        clock: Monotonic clock, in seconds.
        thread_clock: Seconds of a processor that the calling thread has used.

    Attributes:
        reason: Why the run ended before all files were sent, or None.
        failure: The first failure, where it ended the run.
    """

    def __init__(
        self,
        results: list[PartResult],
        *,
        workers: int,
        stops_at_failure: bool,
        report: Callable[[int], object],
        clock: Callable[[], float] = time.monotonic,
        thread_clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self._results = results
        self._workers = workers
        self._stops_at_failure = stops_at_failure
        self._report = report
        self._clock = clock
        self._thread_clock = thread_clock
        self._breaker = CircuitBreaker()
        self._lock = Lock()
        self._ready: SimpleQueue[tuple[int, Task] | None] = SimpleQueue()
        self._ended: deque[int] = deque()
        self._news: SimpleQueue[None] = SimpleQueue()
        self._told = self._looked = clock()
        self._spent = self._busy = 0.0
        self._were_waiting = False
        self._threads = self._waiting = 0
        self._under_way: set[int] = set()
        self._is_stopped = False
        self._is_interrupted = False
        self.reason: str | None = None
        self.failure: BaseException | None = None

    def send(self, tasks: Iterable[tuple[int, Task | PartResult]]) -> None:
        """Send the files, in their order.

        Args:
            tasks: For each place what sends its file, or what became of it where it cannot be sent. Iterated in the
                calling thread, a few files ahead.

        Raises:
            BaseException: An interrupt, or an error of `tasks`. No further file is begun then, and those under way are
                waited for; a second interrupt ends the waiting, and leaves them unknown.
        """
        most = max(_AHEAD * self._workers, _LEAST_AHEAD)
        pool = ThreadPoolExecutor(self._workers, thread_name_prefix="digime-write-each")
        try:
            for place, task in tasks:
                if isinstance(task, PartResult):
                    self._results[place] = task
                    self._judge(task)
                    self._report(place)
                else:
                    self._ready.put((place, task))
                    self._waiting += 1
                    self._add_threads(pool)
                while self._waiting >= most and not self._is_stopped:
                    self._await_news(pool)
                if self._is_stopped:
                    break
            while self._waiting:
                self._await_news(pool)
        finally:
            self._is_stopped = True
            for _ in range(self._threads):
                self._ready.put(None)
            pool.shutdown(wait=False, cancel_futures=True)
            self._wait()

    def _add_threads(self, pool: ThreadPoolExecutor) -> None:
        if self._threads == self._workers:
            return
        added = 1 if self._threads < _FIRST_THREADS else self._threads if self._are_waiting() else 0
        for _ in range(min(added, self._workers - self._threads)):
            pool.submit(self._send_ready)
            self._threads += 1

    def _are_waiting(self) -> bool:
        """Tell, once in a while, whether all threads together used little of a processor while files waited for them.

        Twice in a row, since they also wait where the calling thread makes files.
        """
        now = self._clock()
        if now - self._looked < _GROWTH_SECONDS:
            return False
        with self._lock:
            spent, busy, self._spent, self._busy = self._spent, self._busy, 0.0, 0.0
        self._looked = now
        is_little = self._ready.qsize() >= self._threads and busy * self._threads <= _LITTLE * spent
        were_waiting, self._were_waiting = self._were_waiting, is_little
        return is_little and were_waiting

    def _await_news(self, pool: ThreadPoolExecutor) -> None:
        """Wait until files have ended, or a little while; report those that have."""
        with suppress(Empty):
            self._news.get(timeout=_STEP_SECONDS if self._threads == self._workers else _GROWTH_SECONDS)
        while self._ended:
            place = self._ended.popleft()
            self._waiting -= 1
            if self._results[place] is not NOT_SENT:  # it was not begun before the run ended
                self._report(place)
        if self._is_interrupted:
            raise KeyboardInterrupt
        self._add_threads(pool)

    def _wait(self) -> None:
        """Wait for what is under way; where that is interrupted, it is unknown what becomes of it."""
        try:
            while self._under_way:
                with suppress(Empty):
                    self._news.get(timeout=_STEP_SECONDS)
        except BaseException:
            for place in list(self._under_way):
                self._results[place] = PartResult("failed", "unknown")
            raise

    def _send_ready(self) -> None:
        """Send files until there are no more; what each thread does."""
        used = self._thread_clock()
        while (item := self._ready.get()) is not None:
            begun = self._clock()
            self._send_one(*item)
            now, left, before, used = self._clock(), self._ready.qsize(), used, self._thread_clock()
            with self._lock:
                self._spent += now - begun
                self._busy += used - before
                is_due = left < _LEAST_AHEAD // 2 or now - self._told >= _PAUSE_SECONDS
                self._told = now if is_due else self._told
            if is_due:
                self._news.put(None)

    def _send_one(self, place: int, task: Task) -> None:
        self._under_way.add(place)
        try:
            if not self._is_stopped:
                self._results[place] = result = task()
                self._judge(result)
        except KeyboardInterrupt:
            # polars raises it in whatever thread uses it when the signal comes. Nothing of this file was sent.
            self._is_interrupted = self._is_stopped = True
        except BaseException as error:  # noqa: BLE001 - the result must name every file that was delivered until then
            self._results[place] = result = failed(error)
            self._judge(result)
        finally:
            self._under_way.discard(place)
            self._ended.append(place)

    def _judge(self, result: PartResult) -> None:
        """End the run where what became of a file says that it is to end."""
        with self._lock:
            self._breaker.note(result.error)
            if self._breaker.reason is not None:
                self.reason = self._breaker.reason
                self._is_stopped = True
            if self._stops_at_failure and result.status == "failed" and self.failure is None:
                self.failure = result.error
                self.reason = "errors='raise' ends it at the first failure"
                self._is_stopped = True
