"""Waiting for what another thread or process does."""

from __future__ import annotations

import time
from collections.abc import Callable

_SECONDS = 20.0


def wait_until(is_so: Callable[[], object]) -> None:
    """Wait until something is so, and fail where that takes too long."""
    end = time.monotonic() + _SECONDS
    while not is_so() and time.monotonic() < end:
        time.sleep(0.01)
    assert is_so()
