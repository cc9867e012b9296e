"""What shows progress: a bar in a terminal, a line in a notebook that is replaced, one line at the end, a callable."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from html import escape
from typing import Any, Protocol, TypeAlias

from digime_pandas._client.progress.counts import Count
from digime_pandas._client.progress.places import Place

Clock: TypeAlias = Callable[[], float]

_USUAL_COLUMNS, _USUAL_LINES = 80, 24


class Display(Protocol):
    """Shows how much was sent."""

    def show(self, count: Count) -> None:
        """Show a count."""

    def end(self, count: Count) -> None:
        """Show that all was sent."""

    def close(self) -> None:
        """End, after `end` or without it."""


class Callback:
    """Calls a callable of the user with each count.

    Args:
        show: It is given the bytes or persons so far, and in all.
    """

    def __init__(self, show: Callable[[int, int | None], object]) -> None:
        self._show = show

    def show(self, count: Count) -> None:
        """Call it."""
        self._show(count.done, count.total)

    end = show

    def close(self) -> None:
        """Nothing is open."""


class Nothing:
    """Shows nothing."""

    def show(self, count: Count) -> None:
        """Nothing is shown."""

    end = show

    def close(self) -> None:
        """Nothing is open."""


class _Timed:
    """Shows how long it took, too.

    Args:
        name: Shown before all else.
        clock: Returns the time in seconds.
        started: When the write began, on the clock.
    """

    def __init__(self, name: str, clock: Clock, started: float) -> None:
        self._name = name
        self._clock = clock
        self._started = started

    def _seconds(self) -> float:
        return self._clock() - self._started

    def close(self) -> None:
        """Nothing is open."""


class TerminalBar(_Timed):
    """A bar of tqdm."""

    _bar: Any = None

    def show(self, count: Count) -> None:
        """Show the bar."""
        if self._bar is None:
            from tqdm.std import tqdm

            self._bar = tqdm(desc=self._name, total=count.measure[1], disable=False, **count.bar, **_size())
            self._bar.start_t -= self._seconds()
        # Set, not added up: another attempt begins at 0 again.
        self._bar.n, self._bar.total = count.measure
        self._bar.set_postfix_str(count.details)

    end = show

    def close(self) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.close()


class CellLine(_Timed):
    """A line with a bar in a notebook, which is replaced; it needs no widgets, and stays true in a saved notebook."""

    _handle: Any = None
    _latest: Count | None = None

    def show(self, count: Count) -> None:
        """Show how much was sent, and how long the rest will take where that can be said."""
        done, total = count.measure
        seconds = self._seconds()
        # Not said of less than 1 %: it would be too wrong.
        left = f", {_clock_time(seconds * max(0, total - done) / done)} left" if total and 100 * done >= total else ""
        value = "" if total is None else f'value="{done}" max="{total}"'
        bar = f'<progress {value} style="vertical-align:middle" aria-label="{escape(self._name)}"></progress> '
        self._latest = count
        self._replace(f"{count.text}, {_clock_time(seconds)}{left}", bar)

    def end(self, count: Count) -> None:
        """Show what was sent, and how long it took."""
        self._latest = None
        self._replace(_last_line(count, self._seconds()))

    def close(self) -> None:
        """Say where it ended, if it ended before the end."""
        if self._latest is not None:
            self._replace(f"ended at {self._latest.text}")

    def _replace(self, text: str, bar: str = "") -> None:
        html = (
            '<div style="margin:4px 0;padding:8px 16px;font-variant-numeric:tabular-nums">'
            f"{escape(self._name)}: {bar}{escape(text)}</div>"
        )
        shown = {"text/plain": f"{self._name}: {text}", "text/html": html}
        if self._handle is None:
            from IPython.display import display

            self._handle = display(shown, raw=True, display_id=True)  # type: ignore[no-untyped-call] # as it is
        else:
            self._handle.update(shown, raw=True)


class FinalLine(_Timed):
    """One line at the end, on standard error, for logs and other places where a bar would become many lines."""

    def show(self, count: Count) -> None:
        """Nothing is shown before the end."""

    def end(self, count: Count) -> None:
        """Write the line."""
        self._write(f"{self._name}: {_last_line(count, self._seconds())}\n")

    def _write(self, line: str) -> None:
        sys.stderr.write(line)


class PageLine(FinalLine):
    """The same on standard output, where pages of notebooks show standard error as an error."""

    def _write(self, line: str) -> None:
        sys.stdout.write(line)


def display_for(place: Place, name: str, clock: Clock, started: float) -> Display:
    """Return what a place can show.

    Args:
        place: The place.
        name: What is written.
        clock: Returns the time in seconds.
        started: When the write began, on the clock.
    """
    if place == "nowhere":
        return Nothing()
    kinds: dict[Place, Callable[[str, Clock, float], Display]]
    kinds = {"terminal": TerminalBar, "notebook": CellLine, "page": PageLine, "log": FinalLine}
    return kinds[place](name, clock, started)


def _last_line(count: Count, seconds: float) -> str:
    return f"{count.unit.ended.format(count.text)} in {seconds:,.1f} s"


def _size() -> dict[str, int]:
    """Return the size for a bar where a terminal says 0, as one of a container does: tqdm would show nothing."""
    try:
        columns, lines = os.get_terminal_size(sys.stderr.fileno())
    except (AttributeError, OSError, ValueError):
        return {}
    return {"ncols": columns or _USUAL_COLUMNS, "nrows": lines or _USUAL_LINES} if not (columns and lines) else {}


def _clock_time(seconds: float) -> str:
    from tqdm.std import tqdm

    return str(tqdm.format_interval(seconds))
