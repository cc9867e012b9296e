"""Show how much of a file has been sent. No error in here ends a write."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol, TypeAlias

from digime_pandas._service.streams import Progress
from digime_pandas.errors import InputError

_DELAY = 2.0  # seconds a write may take before anything is shown by default
_INTERVAL = 0.1  # seconds between two reports at least

Clock: TypeAlias = Callable[[], float]

_log = logging.getLogger("digime_pandas")


def show_progress(
    progress: object, file_name: str, clock: Clock = time.monotonic
) -> AbstractContextManager[Progress | None]:
    """Return what shows the progress of one write, for a ``with`` block around it.

    Args:
        progress: None shows a bar once the write has taken two seconds, True at once, False never. A callable is
            called in the thread that writes, with the bytes sent so far and the bytes in all (None where that is not
            known), ten times a second at most and once at the end. When it raises an exception, that is logged and it
            is not called any more; the write goes on. An error of the bar is handled in the same way.
        file_name: Shown before the bar.
        clock: Returns the time in seconds.

    Raises:
        InputError: `progress` is something else.
    """
    if progress is False:
        return nullcontext()
    if progress is None or progress is True:
        display = _Bar(file_name, clock) if _has_room_for_bar() else _Line(file_name, clock)
        return _reporting(_Reporter(display, clock, delay=0.0 if progress else _DELAY))
    if not callable(progress):
        raise InputError(
            f"progress is a {type(progress).__name__}; pass None, True, False, or a callable that takes the bytes sent "
            "and the bytes in all."
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

    def __init__(self, file_name: str, clock: Clock) -> None:
        self._file_name = file_name
        self._clock = clock
        self._started = clock()
        self._bar: Any = None

    def show(self, sent: int, total: int | None) -> None:
        if self._bar is None:
            from tqdm.auto import tqdm

            self._bar = tqdm(desc=self._file_name, unit="B", unit_scale=True)
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

    def __init__(self, file_name: str, clock: Clock) -> None:
        self._file_name = file_name
        self._clock = clock
        self._started = clock()

    def show(self, sent: int, total: int | None) -> None:
        """Nothing is shown before the end."""

    def end(self, sent: int, total: int | None) -> None:  # noqa: ARG002 - one signature for all displays
        seconds = self._clock() - self._started
        sys.stderr.write(f"{self._file_name}: sent {sent / 1e6:,.1f} MB in {seconds:,.1f} s\n")

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
