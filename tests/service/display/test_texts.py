from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from digime_pandas._service.display.texts import count_text, day_text, size_text, time_text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (9_999, "9,999 bytes"),
        (10_000, "10.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (2_500_000_000, "2.5 GB"),
        (10**19, "10,000.0 PB"),
    ],
)
def test_sizes(size: int, text: str) -> None:
    assert size_text(size) == text


def test_counts_and_times() -> None:
    assert [count_text(count, "row") for count in (0, 1, 1_234)] == ["0 rows", "1 row", "1,234 rows"]
    assert count_text(2, "entry", "entries") == "2 entries"
    assert time_text(None) == "not known"
    east = timezone(timedelta(hours=2))
    assert time_text(datetime(2026, 1, 5, 1, 2, 3, tzinfo=east)) == "2026-01-04 23:02:03 UTC"


@pytest.mark.parametrize(
    ("time", "text"),
    [(0, "1 January 1970"), (1_811_116_800, "24 May 2027"), (253_402_300_799_999, "31 December 9999")],
)
def test_days(time: float, text: str) -> None:
    assert day_text(time) == text


def test_the_last_second_that_is_no_millisecond() -> None:
    assert day_text(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()) == "31 December 9999"
