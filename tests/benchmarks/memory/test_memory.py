from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks.frames import Case
from tests.benchmarks.sink import running_sink

from .sources import SOURCES, cost_of, make_source
from .writes import extra_memory

# Each of them is a process of its own that makes its frame first.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

_MOST_MIB = {"csv": 64, "ndjson": 64, "json": 80, "parquet": 64}
_ROWS = 5_000_000
_SOURCE_ROWS = 6_000_000
_MOST_SOURCE_MIB = 450


@pytest.fixture(scope="module")
def sink() -> Iterator[str]:
    with running_sink() as base_url:
        yield base_url


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "sales.parquet"
    make_source(path, _SOURCE_ROWS)
    return path


@pytest.mark.parametrize("format", _MOST_MIB)
def test_five_million_rows_take_no_more_memory_than_a_few_slices(format: str, sink: str) -> None:
    assert extra_memory(sink, "ours", Case("sales", _ROWS, format, "postbox")) <= _MOST_MIB[format]


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_a_stream_of_five_million_rows_is_never_there_as_a_whole(format: str, sink: str) -> None:
    assert extra_memory(sink, "ours", Case("stream", _ROWS, format, "import")) <= _MOST_MIB[format]


def test_the_measure_sees_a_file_that_is_made_in_memory(sink: str) -> None:
    assert extra_memory(sink, "httpx", Case("sales", 300_000, "csv", "postbox")) > _MOST_MIB["csv"]


@pytest.mark.parametrize("kind", [kind for kind in SOURCES if kind not in {"Scanner", "LazyFrame", "table in memory"}])
def test_a_source_that_can_be_opened_again_is_never_there_as_a_whole(kind: str, sink: str, source: Path) -> None:
    cost = cost_of(sink, kind, source, "parquet", "postbox")
    is_stream = kind in {"generator", "RecordBatchReader"}
    assert (cost.rows, cost.passes, cost.disk > 1) == (_SOURCE_ROWS, 1 if is_stream else 2, is_stream)
    assert cost.peak <= _MOST_SOURCE_MIB


def test_the_measure_sees_a_source_that_is_read_into_memory(sink: str, source: Path) -> None:
    assert cost_of(sink, "table in memory", source, "parquet", "postbox").peak > _MOST_SOURCE_MIB
