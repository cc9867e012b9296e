"""The faults that are arranged, and the one whose turn it is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Self

from digime_pandas.sandbox._faults.fault import Fault


class InjectedFault:
    """A fault that was arranged; a context manager that takes it back at its end.

    Args:
        fault: What it is.
        on_heal: Called once it was taken back.
    """

    def __init__(self, fault: Fault, on_heal: Callable[[InjectedFault], None]) -> None:
        self.fault = fault
        self._on_heal = on_heal
        self._lock = threading.Lock()
        self._seen = 0
        self._healed = False

    @property
    def hits(self) -> int:
        """How many requests (of ``"connect"``: connections) it has happened to. Refused connections are not counted."""
        with self._lock:
            return self._hits()

    @property
    def is_over(self) -> bool:
        """Whether it happens to no further request: it has happened `times` times, or was taken back."""
        with self._lock:
            return self._healed or self._is_used_up()

    @property
    def is_healed(self) -> bool:
        """Whether it was taken back, which also ends what still hangs or trickles."""
        return self._healed

    def heal(self) -> None:
        """Take it back: it happens to no further request, and what it holds up is let go."""
        with self._lock:
            again, self._healed = self._healed, True
        if not again:
            self._on_heal(self)

    def take(self) -> bool:
        """Count a request that it is about; return whether it happens to this one."""
        with self._lock:
            if self._healed or self._is_used_up():
                return False
            self._seen += 1
            return self._seen > self.fault.after

    def _hits(self) -> int:
        return max(0, self._seen - self.fault.after)

    def _is_used_up(self) -> bool:
        return not self.fault.is_lasting and self.fault.times is not None and self._hits() >= self.fault.times

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.heal()

    def __repr__(self) -> str:
        return f"<InjectedFault of {self.fault.call!r}, hits: {self.hits}>"


class FaultPlan:
    """All faults of one sandbox, in the order in which they were arranged."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[InjectedFault] = []

    def add(self, fault: Fault, on_heal: Callable[[InjectedFault], None]) -> InjectedFault:
        """Arrange a fault, after those that are there."""
        injected = InjectedFault(fault, on_heal)
        with self._lock:
            self._faults = [each for each in self._faults if not each.is_healed] + [injected]
        return injected

    def take(self, calls: Collection[str]) -> InjectedFault | None:
        """Return the first fault that happens to a request, and count it; None where there is none.

        Args:
            calls: The names of the call that the request makes.
        """
        return next((each for each in self._all() if each.fault.is_about(calls) and each.take()), None)

    def replaces_key(self) -> bool:
        """Tell whether the service's signing key is replaced."""
        return any(each.fault.keys == "replaced" and not each.is_healed for each in self._all())

    def heal(self) -> None:
        """Take all faults back."""
        for each in self._all():
            each.heal()

    def _all(self) -> list[InjectedFault]:
        with self._lock:
            return list(self._faults)
