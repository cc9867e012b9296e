from __future__ import annotations

import pytest

from tests.benchmarks.sink import running_sink

from .each import large_run

# A process of its own, which makes its frame first.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_large_frame_is_split_in_less_than_half_of_its_memory() -> None:
    with running_sink() as base_url:
        found = large_run(base_url, 10_000, 500, "csv")
    assert found.frame_mib > 200
    assert found.extra_mib <= found.frame_mib / 2
