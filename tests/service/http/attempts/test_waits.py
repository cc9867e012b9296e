"""How long is waited before another attempt."""

from __future__ import annotations

import math

import pytest

from digime_pandas._service.http.attempts.waits import wait_before_retry
from digime_pandas.errors import RefusedError


@pytest.mark.parametrize(
    ("attempts", "asked", "chance", "seconds"),
    [
        (1, None, 0.0, 0.25),
        (1, None, 1.0, 0.75),
        (4, None, 0.5, 2.25),
        (9, None, 1.0, 8.0),
        (1, 0.0, 0.0, 0.25),
        (4, 1.0, 0.0, 2.0),
        (1, 17.0, 0.7, 17.0),
        (9, 17.0, 0.7, 17.0),
        (1, 120.0, 0.0, 120.0),
        (1, 121.0, 0.0, math.inf),
    ],
)
def test_the_wait_doubles_and_a_service_can_only_make_it_longer(
    attempts: int, asked: float | None, chance: float, seconds: float
) -> None:
    error = RefusedError("busy", outcome="refused", attempts=attempts, retry_after=asked)
    assert wait_before_retry(error, chance) == seconds
