from __future__ import annotations

import re
import subprocess
import sys

import pytest

from digime_pandas._client.progress.counts import PERSONS
from digime_pandas._client.progress.rows import EndedRows
from digime_pandas._client.progress.show import show_progress
from digime_pandas.errors import InputError


class _Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class _Terminal:
    """Stands in for standard error."""

    def __init__(self, *, tty: bool) -> None:
        self.text = ""
        self._tty = tty

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        """Nothing waits."""

    def isatty(self) -> bool:
        return self._tty


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


anywhere = pytest.mark.parametrize("tty", [True, False], ids=["terminal", "log"])


def _standard_error(monkeypatch: pytest.MonkeyPatch, *, tty: bool) -> _Terminal:
    terminal = _Terminal(tty=tty)
    monkeypatch.setattr(sys, "stderr", terminal)
    return terminal


def _send(progress: object, clock: _Clock, *, seconds: float, total: int | None = None, pieces: int = 100) -> None:
    with show_progress(progress, "visits.csv", clock) as report:
        assert report is not None
        for number in range(1, pieces + 1):
            clock.now += seconds / pieces
            report(number * 1_000_000, total)


def test_false_reports_to_nobody() -> None:
    with show_progress(False, "visits.csv") as report:
        assert report is None


@anywhere
def test_a_short_write_shows_nothing_by_default(tty: bool, clock: _Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _standard_error(monkeypatch, tty=tty)
    _send(None, clock, seconds=1.9)
    assert terminal.text == ""


def test_a_long_write_shows_a_bar_in_a_terminal(clock: _Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _standard_error(monkeypatch, tty=True)
    _send(None, clock, seconds=10, total=100_000_000)
    assert "visits.csv: 100%" in terminal.text
    assert "100M/100M" in terminal.text
    assert terminal.text.endswith("\n")


def test_a_bar_without_a_total_counts(clock: _Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _standard_error(monkeypatch, tty=True)
    _send(None, clock, seconds=10)
    assert "visits.csv: 100MB" in terminal.text
    assert "%" not in terminal.text


def test_a_long_write_ends_with_one_line_where_no_bar_can_be(clock: _Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _standard_error(monkeypatch, tty=False)
    _send(None, clock, seconds=10)
    assert terminal.text == "visits.csv: sent 100.0 MB in 10.0 s\n"


def test_rows_come_first_and_are_done_evenly_with_the_bytes(clock: _Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _standard_error(monkeypatch, tty=True)
    with show_progress(True, "visits.csv", clock) as report:
        assert report is not None
        report.all_rows = 4_000
        for sent in range(10_000_000, 90_000_000, 10_000_000):
            clock.now += 1
            report(sent, 80_000_000)
    drawn = terminal.text.split("\r")
    half, whole = (re.compile(rf"{each} rows \[\d\d:\d\d<\d\d:\d\d, ") for each in ("2,000/4,000", "4,000/4,000"))
    assert any("50%" in each and half.search(each) and "40.0 MB of 80.0 MB]" in each for each in drawn)
    assert whole.search(drawn[-1])
    assert "80.0 MB]" in drawn[-1]


def test_rows_that_are_counted_are_shown_as_they_are(clock: _Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _standard_error(monkeypatch, tty=False)
    with show_progress(True, "visits.csv", clock, unit=PERSONS) as report:
        assert report is not None
        report.all_rows, report.rows = 100, EndedRows()
        report.rows.done = 7
        clock.now += 5
        report(3, 4)
    assert terminal.text == "visits.csv: 7 of 100 rows (3 of 4 persons) done in 5.0 s\n"


@anywhere
def test_tqdm_disable_shows_nothing_anywhere(tty: bool, clock: _Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _standard_error(monkeypatch, tty=tty)
    monkeypatch.setenv("TQDM_DISABLE", "1")
    _send(True, clock, seconds=10)
    assert terminal.text == ""


def test_tqdm_disable_does_not_silence_a_callable(clock: _Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TQDM_DISABLE", "1")
    calls: list[int] = []
    _send(lambda sent, _: calls.append(sent), clock, seconds=2)
    assert calls


def test_without_a_standard_error_nothing_is_shown(
    clock: _Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    _send(True, clock, seconds=10)
    assert caplog.records == []


@anywhere
def test_true_shows_short_writes_too(tty: bool, clock: _Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _standard_error(monkeypatch, tty=tty)
    _send(True, clock, seconds=0.5)
    assert "visits.csv: " in terminal.text
    assert terminal.text.endswith("\n")


def test_no_line_claims_that_a_failed_write_was_sent(clock: _Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _standard_error(monkeypatch, tty=False)

    def send() -> None:
        with show_progress(True, "visits.csv", clock) as report:
            assert report is not None
            clock.now += 5
            report(1, None)
            raise OSError("reset")

    with pytest.raises(OSError, match="reset"):
        send()
    assert terminal.text == ""


def test_a_callable_is_called_ten_times_a_second_at_most_and_once_at_the_end(clock: _Clock) -> None:
    calls: list[tuple[int, int | None]] = []
    _send(lambda *call: calls.append(call), clock, seconds=2, total=7, pieces=1000)
    assert 2 <= len(calls) <= 2 * 10 + 2
    assert calls == sorted(calls)
    assert calls[-1] == (1_000_000_000, 7)


def test_another_attempt_counts_from_its_own_beginning(clock: _Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _standard_error(monkeypatch, tty=True)
    with show_progress(True, "visits.csv", clock) as report:
        assert report is not None
        for sent in (80_000_000, 20_000_000, 100_000_000):
            clock.now += 1
            report(sent, 100_000_000)
    assert "20.0M/100M" in terminal.text
    assert "100M/100M" in terminal.text
    assert "120M" not in terminal.text
    assert "180M" not in terminal.text
    assert "attempt 2" in terminal.text


def test_a_callable_that_raises_is_reported_once_and_left_alone(
    clock: _Clock, caplog: pytest.LogCaptureFixture
) -> None:
    calls = 0

    def show(sent: int, total: int | None) -> None:
        nonlocal calls
        calls += 1
        raise ZeroDivisionError

    _send(show, clock, seconds=5)
    assert calls == 1
    (record,) = caplog.records
    assert record.name == "digime_pandas"
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


def test_an_interrupt_in_a_callable_ends_the_write(clock: _Clock) -> None:
    def show(sent: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _send(show, clock, seconds=5)


@pytest.mark.parametrize("progress", ["bar", 1, [], {}])
def test_anything_else_is_an_error_that_names_the_argument(progress: object) -> None:
    with pytest.raises(InputError, match="progress is a"):
        show_progress(progress, "visits.csv")


@pytest.mark.slow
def test_the_bar_is_loaded_only_when_it_is_shown() -> None:
    code = """if True:
        import sys
        from digime_pandas._client.progress.show import show_progress
        with show_progress(None, "visits.csv") as report:
            report(1, None)
        assert not [name for name in sys.modules if name.startswith("tqdm")]
    """
    subprocess.run([sys.executable, "-c", code], check=True)
