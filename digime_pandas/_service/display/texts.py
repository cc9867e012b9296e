"""Numbers and times as texts for people."""

from __future__ import annotations

from datetime import UTC, datetime

_UNITS = ("kB", "MB", "GB", "TB", "PB")
_STEP = 1000
_EXACT_BELOW = 10_000  # bytes
_LATEST = 253_402_300_799  # the last second of the year 9999, which is the last that `datetime` knows


def count_text(count: int, one: str, many: str | None = None) -> str:
    """Return a number with what is counted, such as "1 row" and "1,234 rows".

    Args:
        count: How many.
        one: What one of them is called.
        many: What several are called. Default: with an "s".
    """
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def size_text(size: int) -> str:
    """Return a size in bytes: exact below 10,000, else in kB, MB and so on, of 1,000 each."""
    if size < _EXACT_BELOW:
        return count_text(size, "byte")
    shown, unit = float(size), ""
    for unit in _UNITS:  # noqa: B007 - the last one is used
        shown /= _STEP
        if round(shown, 1) < _STEP:
            break
    return f"{shown:,.1f} {unit}"


def time_text(time: datetime | None) -> str:
    """Return a time in UTC, to the second."""
    return "not known" if time is None else f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def day_text(time: float) -> str:
    """Return the day of a time, such as "24 May 2027".

    Args:
        time: Unix seconds; what is past the year 9999 is taken for milliseconds.
    """
    day = datetime.fromtimestamp(time if time <= _LATEST else time / 1000, UTC)
    # A directive for days without a zero before them is not there on every system.
    return f"{day.day} {day:%B} {day.year}"
