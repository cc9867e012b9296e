from __future__ import annotations

import pytest

from digime_pandas._client.consent.state import span_text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.5, "0.5 seconds"),
        (1, "1 second"),
        (20, "20 seconds"),
        (60, "1 minute"),
        (90.0, "90 seconds"),
        (120, "2 minutes"),
        (600.0, "10 minutes"),
        (1000, "17 minutes"),
    ],
)
def test_short_times_are_in_seconds(seconds: float, text: str) -> None:
    assert span_text(seconds) == text
