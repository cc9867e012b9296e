"""Show how much of a file has been sent. Nothing that goes wrong here breaks a write."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from digime_pandas._service.messages import Progress
from digime_pandas.errors import InputError

_DELAY = 2.0  # seconds a write may take before anything is shown by default
_INTERVAL = 0.1  # seconds between two reports at least

_log = logging.getLogger("digime_pandas")


def show_progress(progress: object, file_name: str) -> AbstractContextManager[Progress | None]:
    """Return what shows the progress of one write, for a ``with`` block around it.

    Args:
        progress: None shows a bar once the write has taken two seconds, True at once, False never. A callable is
            called in the thread that writes, with the bytes sent so far and the bytes in all (None where that is not
            known), ten times a second at most and once at the end. When it raises an exception, that is logged and it
            is not called any more; the write goes on. So it is with the bar.
        file_name: Goes before the bar.

    Raises:
        InputError: `progress` is something else.
    """
    if progress is False:
        return _reporting(None)
    if progress is None or progress is True:
        return _reporting(_Bar(file_name) if _has_room_for_bar() else _Line(file_name), 0.0 if progress else _DELAY)
    if not callable(progress):
        raise InputError(
            f"progress is a {type(progress).__name__}; pass None, True, False, or a callable that takes the bytes sent "
            "and the bytes in all."
        )
    return _reporting(_Callback(progress))


class _Callback:
    """Somebody else's front end."""

    def __init__(self, show: Callable[[int, int | None], object]) -> None:
        self._show = show

    def show(self, sent: int, total: int | None) -> None:
        self._show(sent, total)

    def end(self, sent: int, total: int | None) -> None:
        self._show(sent, total)

    def close(self) -> None:
        """Nothing of ours is open."""


class _Bar:
    """A bar of tqdm, which fits itself to a terminal or a notebook."""

    def __init__(self, file_name: str) -> None:
        self._file_name = file_name
        self._started = time.monotonic()
        self._bar: Any = None

    def show(self, sent: int, total: int | None) -> None:
        if self._bar is None:
            from tqdm.auto import tqdm

            self._bar = tqdm(desc=self._file_name, unit="B", unit_scale=True)
            self._bar.start_t -= time.monotonic() - self._started
        # Set, not added up: another attempt begins at 0 again.
        self._bar.n, self._bar.total = sent, total
        self._bar.refresh()

    def end(self, sent: int, total: int | None) -> None:
        self.show(sent, total)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


class _Line:
    """One line at the end, for logs and other places where a bar would be a heap of lines."""

    def __init__(self, file_name: str) -> None:
        self._file_name = file_name
        self._started = time.monotonic()

    def show(self, sent: int, total: int | None) -> None:
        """Wait for the end."""

    def end(self, sent: int, total: int | None) -> None:  # noqa: ARG002 - one shape for all
        seconds = time.monotonic() - self._started
        sys.stderr.write(f"{self._file_name}: sent {sent / 1e6:,.1f} MB in {seconds:,.1f} s\n")

    def close(self) -> None:
        """Nothing is open."""


_Display = _Callback | _Bar | _Line


@contextmanager
def _reporting(display: _Display | None, delay: float = 0.0) -> Iterator[Progress | None]:
    if display is None:
        yield None
        return
    reporter = _Reporter(display, delay)
    try:
        yield reporter
        reporter.end()
    finally:
        reporter.close()


class _Reporter:
    """Passes on as many reports as a display can use, and keeps the display's errors from the write."""

    def __init__(self, display: _Display, delay: float) -> None:
        self._display: _Display | None = display
        self._due = time.monotonic() + delay
        self._is_shown = False
        self._latest: tuple[int, int | None] | None = None

    def __call__(self, sent: int, total: int | None) -> None:
        self._latest = (sent, total)
        now = time.monotonic()
        if now >= self._due:
            self._due = now + _INTERVAL
            self._is_shown = True
            self._guarded(lambda display: display.show(sent, total))

    def end(self) -> None:
        if self._latest is not None and (self._is_shown or time.monotonic() >= self._due):
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
