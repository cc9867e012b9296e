"""Show how much of a write has been sent. No error in here ends a write."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from digime_pandas._client.progress.counts import BYTES, Count, Unit
from digime_pandas._client.progress.displays import Callback, Clock, Display, display_for
from digime_pandas._client.progress.places import place_of_display
from digime_pandas._client.progress.rows import Rows
from digime_pandas.errors import InputError

_DELAY = 2.0  # seconds a write may take before anything is shown by default
_INTERVAL = 0.1  # seconds between two reports at least

_log = logging.getLogger("digime_pandas")


def show_progress(
    progress: object, file_name: str, clock: Clock = time.monotonic, *, unit: Unit = BYTES
) -> AbstractContextManager[Reporter | None]:
    """Return what shows the progress of one write, or of many files, for a ``with`` block around it.

    A terminal has a bar of tqdm. A notebook that a person looks at (JupyterLab, Notebook 7, VS Code) has a line with a
    bar, which is replaced. All other places (logs, nbconvert, papermill, marimo, consoles of Jupyter) have one line at
    the end. ``TQDM_DISABLE=1`` in the environment shows nothing, but calls a callable.

    Args:
        progress: None shows it once the write has taken two seconds, True at once, False never. A callable is
            called in the thread that writes, with the bytes sent so far and the bytes in all (None where that is not
            known), ten times a second at most and once at the end. When it raises an exception, that is logged and it
            is not called any more; the write goes on. An error of the display is handled in the same way.
        file_name: Shown before the bar.
        clock: Returns the time in seconds.
        unit: What is counted; bytes above. Where the reporter is told of rows, these are shown first.

    Raises:
        InputError: `progress` is something else.
    """
    if progress is False:
        return nullcontext()
    if progress is None or progress is True:
        reporter = Reporter(file_name, clock, unit=unit, delay=0.0 if progress else _DELAY)
        return _reporting(reporter)
    if not callable(progress):
        raise InputError(
            f"progress is a {type(progress).__name__}; pass None, True, False, or a callable that takes "
            f"{unit.called_with}."
        )
    return _reporting(Reporter(file_name, clock, unit=unit, delay=0.0, call=progress))


@contextmanager
def _reporting(reporter: Reporter) -> Iterator[Reporter]:
    try:
        yield reporter
        reporter.end()
    finally:
        reporter.close()


class Reporter:
    """Passes on as many reports as a display can use, and keeps the display's errors from the write.

    Args:
        name: What is written.
        clock: Returns the time in seconds.
        unit: What is counted.
        delay: Seconds before the first report is passed on. The display is made then: most writes end before.
        call: Called with the reports instead of showing them.

    Attributes:
        all_rows: How many rows there are; None where that is not known.
        rows: Knows how many of them are done. None: they are done evenly with what is counted.
    """

    def __init__(
        self,
        name: str,
        clock: Clock,
        *,
        unit: Unit,
        delay: float,
        call: Callable[[int, int | None], object] | None = None,
    ) -> None:
        self._name = name
        self._clock = clock
        self._unit = unit
        self._call = call
        self._started = clock()
        self._due = self._started + delay
        self._display: Display | None = None
        self._has_failed = False
        self._latest: tuple[int, int | None] | None = None
        self._attempt = 1
        self.all_rows: int | None = None
        self.rows: Rows | None = None

    def __call__(self, done: int, total: int | None) -> None:
        """Report how much was sent.

        Args:
            done: Bytes or persons so far. Less than before: another attempt.
            total: How many there are in all, or None where that is not known.
        """
        if self._latest is not None and done < self._latest[0]:
            self._attempt += 1
        self._latest = (done, total)
        now = self._clock()
        if now >= self._due:
            self._due = now + _INTERVAL
            self._guarded(lambda: self._opened().show(self._count(done, total)))

    def end(self) -> None:
        """Report that all was sent."""
        if self._latest is not None and (self._display is not None or self._clock() >= self._due):
            done, total = self._latest
            self._guarded(lambda: self._opened().end(self._count(done, total)))

    def close(self) -> None:
        """End the display."""
        if self._display is not None:
            self._guarded(self._display.close)

    def _opened(self) -> Display:
        if self._display is None:
            if self._call is None:
                self._display = display_for(place_of_display(), self._name, self._clock, self._started)
            else:
                self._display = Callback(self._call)
        return self._display

    def _count(self, done: int, total: int | None) -> Count:
        so_far = self._rows_at(done, total)
        rows = None if so_far is None or self.all_rows is None else (so_far, self.all_rows)
        return Count(done=done, total=total, unit=self._unit, rows=rows, attempt=self._attempt)

    def _rows_at(self, done: int, total: int | None) -> int | None:
        if self.rows is not None:
            return self.rows.at(done)
        return self.all_rows * done // total if self.all_rows and total else None

    def _guarded(self, act: Callable[[], object]) -> None:
        if self._has_failed:
            return
        try:
            act()
        except Exception:  # noqa: BLE001 - the file matters more than its bar
            self._has_failed = True
            _log.warning("The progress display failed and is off for this write; the write goes on.", exc_info=True)
