from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pytest

from digime_pandas._tabular.engines.iso_text import parse_times
from digime_pandas._tabular.text_values import from_text, to_text

FIRST, LAST = pd.Timestamp.min.value, pd.Timestamp.max.value


@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York", "Asia/Tokyo", "+05:30"])
def test_all_times_of_64_bits_come_back_from_text(zone: str | None) -> None:
    ticks = pa.array([FIRST, FIRST + 1, -1, 0, None, 1, LAST - 1, LAST], pa.int64())
    times = ticks.cast(pa.timestamp("ns", zone))
    assert from_text(to_text(times), times.type).equals(times)


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "2024-13-01T00:00:00",
        "1677-09-21T00:12:43.145224191",
        "1677-09-21T00:12:42",
        "2262-04-11T23:47:17",
        "1677-09-21T00:12:43.145224193+00:00",
    ],
)
def test_what_is_no_time_or_beyond_64_bits_is_invalid(text: str) -> None:
    with pytest.raises(pa.ArrowInvalid):
        parse_times(pa.array([text]), pa.timestamp("ns"))
