from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

import pytest

from digime_pandas._client.progress.counts import BYTES, PERSONS, Count
from digime_pandas._client.progress.displays import display_for
from digime_pandas._client.progress.places import Place


def _count(done: int, total: int | None, *, rows: tuple[int, int] | None = None, attempt: int = 1) -> Count:
    return Count(done=done, total=total, unit=BYTES, rows=rows, attempt=attempt)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (_count(12, None), "12 bytes"),
        (_count(12_000_000, 20_000_000), "12.0 MB of 20.0 MB"),
        (_count(20_000_000, 20_000_000, attempt=2), "20.0 MB (attempt 2)"),
        (_count(12_000_000, None, rows=(1_000, 4_000)), "1,000 of 4,000 rows (12.0 MB)"),
        (_count(12_000_000, None, rows=(1_000, 4_000), attempt=3), "1,000 of 4,000 rows (12.0 MB, attempt 3)"),
        (_count(99, 99, rows=(1, 1)), "1 row (99 bytes)"),
        (Count(done=1, total=1, unit=PERSONS), "1 of 1 person"),
        (Count(done=3, total=40, unit=PERSONS, rows=(30, 400)), "30 of 400 rows (3 of 40 persons)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_count_says_rows_first(count: Count, text: str) -> None:
    assert count.text == text


class _Handle:
    """Stands in for what IPython returns of a display."""

    def __init__(self, shown: list[dict[str, str]]) -> None:
        self._shown = shown

    def update(self, data: dict[str, str], *, raw: bool) -> None:
        assert raw
        self._shown[-1] = data


@pytest.fixture
def cells(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """What is shown below a cell, of each display the latest."""
    shown: list[dict[str, str]] = []

    def display(data: dict[str, str], *, raw: bool, display_id: bool) -> _Handle:
        assert raw
        assert display_id
        shown.append(data)
        return _Handle(shown)

    import IPython.display

    monkeypatch.setattr(IPython.display, "display", display)
    return shown


@pytest.fixture
def now() -> list[float]:
    return [100.0]


@pytest.fixture
def line(now: list[float]) -> Any:
    return display_for("notebook", "<b>.csv", lambda: now[0], 100.0)


def test_a_cell_has_one_line_that_is_replaced(cells: list[dict[str, str]], line: Any, now: list[float]) -> None:
    now[0] = 110.0
    line.show(_count(5_000_000, None, rows=(500, 2_000)))
    (shown,) = cells
    assert shown["text/plain"] == "<b>.csv: 500 of 2,000 rows (5.0 MB), 00:10, 00:30 left"
    assert '<progress value="500" max="2000"' in shown["text/html"]
    assert "&lt;b&gt;.csv" in shown["text/html"]
    assert "<b>" not in shown["text/html"]
    now[0] = 140.0
    line.end(_count(20_000_000, None, rows=(2_000, 2_000)))
    line.close()
    (shown,) = cells
    assert shown["text/plain"] == "<b>.csv: sent 2,000 rows (20.0 MB) in 40.0 s"
    assert "<progress" not in shown["text/html"]


def test_without_a_total_a_cell_says_no_remaining_time(cells: list[dict[str, str]], line: Any) -> None:
    line.show(_count(5_000_000, None))
    (shown,) = cells
    assert shown["text/plain"] == "<b>.csv: 5.0 MB, 00:00"
    assert "<progress  style" in shown["text/html"]


@pytest.mark.parametrize(("done", "said"), [(1, False), (100, True)])
def test_a_remaining_time_is_said_once_it_means_something(
    done: int, said: bool, cells: list[dict[str, str]], line: Any, now: list[float]
) -> None:
    now[0] = 101.0
    line.show(_count(done, 9_000))
    assert ("left" in cells[0]["text/plain"]) is said


def test_a_write_that_fails_leaves_no_bar_in_a_saved_notebook(cells: list[dict[str, str]], line: Any) -> None:
    line.show(_count(5_000_000, 20_000_000, rows=(500, 2_000)))
    line.close()
    (shown,) = cells
    assert shown["text/plain"] == "<b>.csv: ended at 500 of 2,000 rows (5.0 MB of 20.0 MB)"
    assert "<progress" not in shown["text/html"]


def test_what_was_never_shown_leaves_nothing(cells: list[dict[str, str]], line: Any) -> None:
    line.close()
    assert cells == []


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
@pytest.mark.parametrize(("lines", "columns"), [(0, 0), (0, 100), (40, 0), (40, 100)])
def test_a_terminal_of_any_size_has_a_bar(
    lines: int, columns: int, resized: Callable[[int, int], Callable[[], str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = resized(lines, columns)
    bar = display_for("terminal", "visits.csv", lambda: 100.0, 90.0)
    bar.show(_count(5_000_000, None, rows=(500, 2_000)))
    bar.close()
    assert re.search(r"500/2,000 rows \[\d\d:\d\d<\d\d:\d\d, 5\.0 MB\]", read())


@pytest.mark.parametrize(("place", "stream"), [("log", "err"), ("page", "out")])
def test_one_line_is_on_standard_output_where_a_page_shows_errors_as_errors(
    capsys: pytest.CaptureFixture[str], place: Place, stream: str
) -> None:
    display = display_for(place, "visits.csv", lambda: 100.0, 90.0)
    display.show(_count(5_000_000, None, rows=(500, 2_000)))
    display.end(_count(20_000_000, None, rows=(2_000, 2_000)))
    display.close()
    shown = capsys.readouterr()._asdict()
    assert shown.pop(stream) == "visits.csv: sent 2,000 rows (20.0 MB) in 10.0 s\n"
    assert shown == {"out" if stream == "err" else "err": ""}


@pytest.fixture
def resized(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Callable[[int, int], Callable[[], str]]:
    """Makes a terminal of a size standard error, and returns what reads what it shows."""
    import fcntl
    import os
    import struct
    import termios

    def make(lines: int, columns: int) -> Callable[[], str]:
        ours, theirs = os.openpty()
        request.addfinalizer(lambda: os.close(ours))
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        stream = os.fdopen(theirs, "w", encoding="utf-8")
        request.addfinalizer(stream.close)
        monkeypatch.setattr(sys, "stderr", stream)

        def read() -> str:
            stream.write("\0")
            stream.flush()
            text = b""
            while not text.endswith(b"\0"):
                text += os.read(ours, 1 << 16)
            return text.decode()

        return read

    return make
