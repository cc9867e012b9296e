from __future__ import annotations

from collections.abc import Iterator

import pytest

from .frames import Case
from .memory import extra_memory
from .sink import running_sink

# Each of them is a process of its own that makes its frame first.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

_MOST_MIB = {"csv": 64, "ndjson": 64, "json": 80, "parquet": 64}
_ROWS = 5_000_000


@pytest.fixture(scope="module")
def sink() -> Iterator[str]:
    with running_sink() as base_url:
        yield base_url


@pytest.mark.parametrize("format", _MOST_MIB)
def test_five_million_rows_take_no_more_memory_than_a_few_slices(format: str, sink: str) -> None:
    assert extra_memory(sink, "ours", Case("sales", _ROWS, format, "postbox")) <= _MOST_MIB[format]


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_a_stream_of_five_million_rows_is_never_there_as_a_whole(format: str, sink: str) -> None:
    assert extra_memory(sink, "ours", Case("stream", _ROWS, format, "import")) <= _MOST_MIB[format]


def test_the_measure_sees_a_file_that_is_made_in_memory(sink: str) -> None:
    assert extra_memory(sink, "httpx", Case("sales", 300_000, "csv", "postbox")) > _MOST_MIB["csv"]
