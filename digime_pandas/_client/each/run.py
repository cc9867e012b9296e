"""Sends many files at the same time, and ends in an orderly way whatever happens.

The calling thread hands out the work and takes note of what became of it; threads send. Results are kept by the thread
that has them, so that an interrupt of the calling thread loses none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TypeAlias

from digime_pandas._client.each.breaker import CircuitBreaker
from digime_pandas._client.each.table import NOT_SENT, PartResult, failed

Task: TypeAlias = Callable[[], PartResult]
"""Sends one file, and returns what became of it. Raises an interrupt only where nothing of it was sent."""

_AHEAD = 2  # files per thread that are ready or under way
_STEP_SECONDS = 0.1  # an interrupt is noticed after so long at most: not every wait can be interrupted


class Run:
    """Sends files.

    Args:
        results: What is known so far, by place; changed in place.
        workers: How many files are sent at the same time.
        stops_at_failure: Whether the first failure ends the run.
        report: Called in the calling thread with the place of each file that has ended.

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
    ) -> None:
        self._results = results
        self._workers = workers
        self._stops_at_failure = stops_at_failure
        self._report = report
        self._breaker = CircuitBreaker()
        self._ended: SimpleQueue[int] = SimpleQueue()
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
        threads = ThreadPoolExecutor(self._workers, thread_name_prefix="digime-write-each")
        try:
            waiting = 0
            for place, task in tasks:
                if isinstance(task, PartResult):
                    self._results[place] = task
                    self._note(place)
                else:
                    while waiting >= _AHEAD * self._workers or (waiting and not self._ended.empty()):
                        self._note(self._next_ended())
                        waiting -= 1
                    if not self._is_stopped:
                        threads.submit(self._send_one, place, task)
                        waiting += 1
                if self._is_stopped:
                    break
            for _ in range(waiting):
                self._note(self._next_ended())
        finally:
            self._is_stopped = True
            threads.shutdown(wait=False, cancel_futures=True)
            self._wait()

    def _next_ended(self) -> int:
        while True:
            with suppress(Empty):
                return self._ended.get(timeout=_STEP_SECONDS)

    def _wait(self) -> None:
        """Wait for what is under way; where that is interrupted, it is unknown what becomes of it."""
        try:
            while self._under_way:
                with suppress(Empty):
                    self._ended.get(timeout=_STEP_SECONDS)
        except BaseException:
            for place in list(self._under_way):
                self._results[place] = PartResult("failed", "unknown")
            raise

    def _send_one(self, place: int, task: Task) -> None:
        self._under_way.add(place)
        try:
            if not self._is_stopped:
                self._results[place] = task()
        except KeyboardInterrupt:
            # polars raises it in whatever thread uses it when the signal comes. Nothing of this file was sent.
            self._is_interrupted = True
        except BaseException as error:  # noqa: BLE001 - the result must name every file that was delivered until then
            self._results[place] = failed(error)
        finally:
            self._under_way.discard(place)
            self._ended.put(place)

    def _note(self, place: int) -> None:
        if self._is_interrupted:
            raise KeyboardInterrupt
        result = self._results[place]
        if result is NOT_SENT:  # it was in the queue when the run ended
            return
        self._report(place)
        self._breaker.note(result.error)
        if self._breaker.reason is not None:
            self.reason = self._breaker.reason
            self._is_stopped = True
        if self._stops_at_failure and result.status == "failed" and self.failure is None:
            self.failure = result.error
            self.reason = "errors='raise' ends it at the first failure"
            self._is_stopped = True
