"""Show how much of a file has been sent. No error in here ends a write."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from digime_pandas._service.streams import Progress
from digime_pandas.errors import InputError

_DELAY = 2.0  # seconds a write may take before anything is shown by default
_INTERVAL = 0.1  # seconds between two reports at least

Clock: TypeAlias = Callable[[], float]

_log = logging.getLogger("digime_pandas")


@dataclass(frozen=True, slots=True)
class Unit:
    """What is counted.

    Args:
        bar: Arguments of tqdm for it.
        line: What the line at the end says of a count.
        called_with: What a callable is given, for messages.
    """

    bar: Mapping[str, Any]
    line: Callable[[int, int | None], str]
    called_with: str


BYTES = Unit(
    {"unit": "B", "unit_scale": True},
    lambda sent, _: f"sent {sent / 1e6:,.1f} MB",
    "the bytes sent and the bytes in all",
)
PERSONS = Unit(
    {"unit": " persons"},
    lambda done, total: f"{done:,} of {total:,} persons done",
    "the persons done and the persons in all",
)


def show_progress(
    progress: object, file_name: str, clock: Clock = time.monotonic, *, unit: Unit = BYTES
) -> AbstractContextManager[Progress | None]:
    """Return what shows the progress of one write, or of many files, for a ``with`` block around it.

    Args:
        progress: None shows a bar once the write has taken two seconds, True at once, False never. A callable is
            called in the thread that writes, with the bytes sent so far and the bytes in all (None where that is not
            known), ten times a second at most and once at the end. When it raises an exception, that is logged and it
            is not called any more; the write goes on. An error of the bar is handled in the same way.
        file_name: Shown before the bar.
        clock: Returns the time in seconds.
        unit: What is counted; bytes above.

    Raises:
        InputError: `progress` is something else.
    """
    if progress is False:
        return nullcontext()
    if progress is None or progress is True:
        display = _Bar(file_name, unit, clock) if _has_room_for_bar() else _Line(file_name, unit, clock)
        return _reporting(_Reporter(display, clock, delay=0.0 if progress else _DELAY))
    if not callable(progress):
        raise InputError(
            f"progress is a {type(progress).__name__}; pass None, True, False, or a callable that takes "
            f"{unit.called_with}."
        )
    return _reporting(_Reporter(_Callback(progress), clock, delay=0.0))


class _Display(Protocol):
    """Shows how many bytes were sent."""

    def show(self, sent: int, total: int | None) -> None: ...
    def end(self, sent: int, total: int | None) -> None: ...
    def close(self) -> None: ...


class _Callback:
    """A callable of the user."""

    def __init__(self, show: Callable[[int, int | None], object]) -> None:
        self._show = show

    def show(self, sent: int, total: int | None) -> None:
        self._show(sent, total)

    end = show

    def close(self) -> None:
        """Nothing is open."""


class _Bar:
    """A bar of tqdm, which fits itself to a terminal or a notebook.

    It is made when it is first shown: tqdm's own ``delay=`` would have tqdm loaded for every short write.
    """

    def __init__(self, file_name: str, unit: Unit, clock: Clock) -> None:
        self._file_name = file_name
        self._unit = unit
        self._clock = clock
        self._started = clock()
        self._bar: Any = None

    def show(self, sent: int, total: int | None) -> None:
        if self._bar is None:
            from tqdm.auto import tqdm

            self._bar = tqdm(desc=self._file_name, **self._unit.bar)
            self._bar.start_t -= self._clock() - self._started
        # Set, not added up: another attempt begins at 0 again.
        self._bar.n, self._bar.total = sent, total
        self._bar.refresh()

    end = show

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


class _Line:
    """One line at the end, for logs and other places where a bar would become many lines."""

    def __init__(self, file_name: str, unit: Unit, clock: Clock) -> None:
        self._file_name = file_name
        self._unit = unit
        self._clock = clock
        self._started = clock()

    def show(self, sent: int, total: int | None) -> None:
        """Nothing is shown before the end."""

    def end(self, sent: int, total: int | None) -> None:
        seconds = self._clock() - self._started
        sys.stderr.write(f"{self._file_name}: {self._unit.line(sent, total)} in {seconds:,.1f} s\n")

    def close(self) -> None:
        """Nothing is open."""


@contextmanager
def _reporting(reporter: _Reporter) -> Iterator[Progress]:
    try:
        yield reporter
        reporter.end()
    finally:
        reporter.close()


class _Reporter:
    """Passes on as many reports as a display can use, and keeps the display's errors from the write.

    Args:
        display: What shows the reports.
        clock: Returns the time in seconds.
        delay: Seconds before the first report is passed on.
    """

    def __init__(self, display: _Display, clock: Clock, *, delay: float) -> None:
        self._display: _Display | None = display
        self._clock = clock
        self._due = clock() + delay
        self._is_shown = False
        self._latest: tuple[int, int | None] | None = None

    def __call__(self, sent: int, total: int | None) -> None:
        self._latest = (sent, total)
        now = self._clock()
        if now >= self._due:
            self._due = now + _INTERVAL
            self._is_shown = True
            self._guarded(lambda display: display.show(sent, total))

    def end(self) -> None:
        if self._latest is not None and (self._is_shown or self._clock() >= self._due):
            sent, total = self._latest
            self._guarded(lambda display: display.end(sent, total))

    def close(self) -> None:
        self._guarded(lambda display: display.close())

    def _guarded(self, act: Callable[[_Display], None]) -> None:
        if self._display is None:
            return
        try:
            act(self._display)
        except Exception:  # noqa: BLE001 - the file matters more than its bar
            self._display = None
            _log.warning("The progress display failed and is off for this write; the write goes on.", exc_info=True)


def _has_room_for_bar() -> bool:
    if sys.stderr.isatty():
        return True
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and hasattr(shell, "kernel")
