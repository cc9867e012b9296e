"""Of the sessions of this process that ask for the same consent, the latest one goes on."""

from __future__ import annotations

import threading
from typing import Any, Protocol
from weakref import WeakValueDictionary


class Replaceable(Protocol):
    """What stops when a newer one takes over."""

    def replace(self) -> None:
        """Stop."""


def become_latest(session: Replaceable, consent: tuple[str, ...]) -> None:
    """Replace the session that asked for a consent before, if there is another one.

    Args:
        session: The new one.
        consent: Environment, access, contract and account.
    """
    with _lock:
        before = _latest.get(consent)
        _latest[consent] = session
    if before is not None and before is not session:
        before.replace()


_latest: WeakValueDictionary[tuple[str, ...], Any] = WeakValueDictionary()
_lock = threading.Lock()
