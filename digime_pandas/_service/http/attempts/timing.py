"""Time and chance as one client has them; tests give a client others."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Where the times of a client come from.

    Attributes:
        clock: Monotonic clock, in seconds: for deadlines and what took how long.
        now: Clock, Unix seconds: for the times of tokens and requests, and dates of the service.
        sleep: Waits so many seconds, between attempts and between looks at a library. None: as tenacity and `time` do.
        chance: Returns a random number from 0 to 1, for waits.
    """

    clock: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] | None = None
    chance: Callable[[], float] = random.random
