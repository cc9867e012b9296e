"""How long to wait before another attempt."""

from __future__ import annotations

import math

from digime_pandas.errors import APIError

# Seconds. A shorter attempt could only end with an unknown outcome.
FIRST_WAIT, LONGEST_WAIT, JITTER, SHORTEST_ATTEMPT = 0.25, 8.0, 0.5, 1.0
LONGEST_ASKED_WAIT = 120.0


def wait_before_retry(error: APIError, chance: float) -> float:
    """Return the seconds to wait before another attempt: they double, and differ between clients.

    A service that asks for more (`Retry-After`) gets it; one that asks for less does not: it is asked by many.

    Args:
        error: What the last attempt ended in.
        chance: A random number from 0 to 1.

    Returns:
        The seconds; infinity where the service asks for more than two minutes, which nobody waits for in a call.
    """
    usual = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (error.attempts - 1) + JITTER * chance)
    asked = error.retry_after
    if asked is None or asked <= usual:
        return usual
    return asked if asked <= LONGEST_ASKED_WAIT else math.inf
