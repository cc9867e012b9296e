"""When a call has to have ended: one end for all that it waits for, in whatever requests that is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import InitVar, dataclass, field

from digime_pandas.errors import InputError, in_words

SECOND_BYTES = 64 << 10
"""For so many bytes of a file, and for each answer, the default deadline is moved by a second."""
SHORTEST_STEP = 0.001
"""Seconds; a socket takes 0 for "do not wait"."""
PASSED = "the deadline of the call has passed"


def checked_timeout(timeout: object) -> float:
    """Return the seconds that a call may wait, for a person or for a service to be ready.

    Raises:
        InputError: That is no number of seconds that can be waited for.
    """
    # Neither NaN nor an infinity is between.
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 <= timeout <= threading.TIMEOUT_MAX:
        raise InputError(
            f"timeout is {in_words(timeout)}.", remedy="Pass how many seconds to wait at most, such as 600."
        )
    return float(timeout)


@dataclass(slots=True, eq=False)
class Deadline:
    """The end of a call.

    Args:
        seconds: How long the call may take, from now on.
        clock: Monotonic clock, in seconds.
        spent: How much of that has passed already.
        extends: Whether `moved` moves the end, by a second for each 64 KiB; never to more than `seconds` from now.

    Attributes:
        end: When it has to have ended, on the clock.
    """

    seconds: float
    clock: Callable[[], float]
    spent: InitVar[float] = field(default=0.0, kw_only=True)
    extends: bool = field(default=False, kw_only=True)
    end: float = field(init=False)

    def __post_init__(self, spent: float) -> None:
        self.end = self.clock() + self.seconds - spent

    def left(self) -> float:
        """Return the seconds that are left; below 0 where it has passed."""
        return self.end - self.clock()

    def at_most(self, seconds: float) -> float:
        """Return so many seconds, or those that are left where these are fewer; never less than 0."""
        return max(0.0, min(seconds, self.left()))

    def step(self, timeout: float, error: type[Exception]) -> float:
        """Return the seconds that the next step may take.

        Args:
            timeout: How many it may take at most.
            error: What to raise where none are left.
        """
        left = self.end - self.clock()
        if left <= 0:
            raise error(PASSED)
        return timeout if timeout < left else max(left, SHORTEST_STEP)

    def moved(self, size: int) -> None:
        """Note that so many bytes of a file were sent or received."""
        if self.extends:
            self.end = max(self.end, min(self.end + size / SECOND_BYTES, self.clock() + self.seconds))


CURRENT: ContextVar[tuple[object, Deadline] | None] = ContextVar("digime_deadline", default=None)
"""The deadline of the call that is going on, and what sends its requests."""
