"""What belongs to one process: connections and locks are made anew in a forked child.

A fork copies everything at one moment. Values, such as stored tokens and fetched key sets, are right in the child
too, and stay. A connection is not: parent and child would read each other's answers. Neither is a lock: the thread
that holds it may not exist in the child, which would wait without end.

What holds a connection or a port is closed by `close`, or by the end of a ``with`` block: `ClosesAtExit`.
"""

from __future__ import annotations

import os
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

T = TypeVar("T")

# No WeakSet: each step on a dict is a single one, so that a fork never finds it half changed.
_resets: dict[int, tuple[weakref.ref[Any], Callable[[Any], object]]] = {}


class ClosesAtExit(ABC):
    """What the end of a ``with`` block closes."""

    @abstractmethod
    def close(self) -> None:
        """Release what it holds. May be called again."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def reset_after_fork(owner: T, reset: Callable[[T], object]) -> None:
    """Have `reset` called with `owner` in every forked child, before anything else runs there.

    Args:
        owner: What is to be reset, for as long as it lives; it is not kept alive by this.
        reset: Called with `owner`; it must neither raise nor wait for a lock, nor be a bound method of `owner`.
    """
    number = id(owner)
    _resets[number] = (weakref.ref(owner, lambda _: _resets.pop(number, None)), reset)


class OnePerProcess(Generic[T]):
    """A value that each process makes for itself, at its first use there.

    Args:
        make: Makes the value.
        leave: Called in a forked child with its copy of the parent's value, which is then forgotten. It must neither
            raise nor wait for a lock.

    Attributes:
        ended: Whether it was ended, in this process or before it was forked.
    """

    def __init__(self, make: Callable[[], T], leave: Callable[[T], object]) -> None:
        self._make = make
        self._leave = leave
        self._value: T | None = None
        self._lock = threading.Lock()
        self.ended = False
        reset_after_fork(self, OnePerProcess._forget)

    def get(self) -> T:
        """Return this process's value."""
        with self._lock:
            if self._value is None:
                self._value = self._make()
            return self._value

    def end(self, end: Callable[[T], object]) -> None:
        """Note that it is over, and call `end` with this process's value, if there is one."""
        with self._lock:
            self.ended = True
            value = self._value
        if value is not None:
            end(value)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        value, self._value = self._value, None
        if value is not None:
            self._leave(value)


def _reset_all() -> None:
    for reference, reset in list(_resets.values()):
        owner = reference()
        if owner is not None:
            reset(owner)


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_reset_all)
