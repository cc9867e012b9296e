"""Threads that a test starts, told from those of others; some end a moment after what ends them."""

from __future__ import annotations

import threading
from collections.abc import Set as AbstractSet

_SECONDS = 20.0


def left_since(before: AbstractSet[threading.Thread]) -> list[str]:
    """Return the names of the threads that were started since and go on, once they have had time to end.

    Args:
        before: The threads that there were then.
    """
    return [thread.name for thread in set(threading.enumerate()) - before if not _has_ended(thread)]


def _has_ended(thread: threading.Thread) -> bool:
    thread.join(_SECONDS)
    return not thread.is_alive()


def join_named(*names: str) -> None:
    """Wait for the threads of some names."""
    for thread in threading.enumerate():
        if thread.name in names:
            thread.join(_SECONDS)
