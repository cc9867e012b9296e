"""The time of the matrix: it passes where something waits, and nowhere else."""

from __future__ import annotations

import time

from digime_pandas import Client
from digime_pandas._service.http.attempts.timing import Timing

_BEGIN = 1_900_000_000.0  # Unix seconds, of another day than any on which the tests run


class Time:
    """Clock, calendar and sleep of clients and sandboxes.

    Attributes:
        waits: What was waited for since `forget_waits`, in seconds.
    """

    def __init__(self) -> None:
        self._passed = 0.0
        self.waits: list[float] = []

    def clock(self) -> float:
        return self._passed

    def now(self) -> float:
        return _BEGIN + self._passed

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self._passed += seconds
        time.sleep(0)  # other threads have their turn: those of servers, which close connections

    def pass_by(self, seconds: float) -> None:
        self._passed += seconds

    def forget_waits(self) -> None:
        self.waits.clear()


TIME = Time()


class TimedClient(Client):
    """A client in that time, which waits no longer than it has to: nothing is added at random."""

    _timing = Timing(clock=TIME.clock, now=TIME.now, sleep=TIME.sleep, chance=lambda: 0.0)
