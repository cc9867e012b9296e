from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import pandas as pd
import pyarrow.parquet as pq
import pytest

from digime_pandas._tabular.codecs import parquet
from digime_pandas._tabular.codecs.codec import EncodeJob
from digime_pandas._tabular.codecs.parquet import ParquetCodec, ParquetReader
from digime_pandas._tabular.formats import PARQUET, check_options
from digime_pandas._tabular.frames.source import column_source_of

T = TypeVar("T")
FRAME = pd.DataFrame({"n": range(20_000), "t": [f"text {i % 7}" for i in range(20_000)]})


def _encoded(frame: pd.DataFrame) -> tuple[bytes, int]:
    """Encode a frame; count the tasks that were run."""
    count = 0

    def run(tasks: Iterable[Callable[[], T]], /, *, workers: int = 1) -> Iterator[T]:
        nonlocal count
        del workers
        for task in tasks:
            count += 1
            yield task()

    source = column_source_of(frame)
    file_types = [None] * len(source.columns)
    job = EncodeJob(source=source, options=check_options(PARQUET, {}), file_types=file_types)
    return b"".join(map(bytes, ParquetCodec().encode(job, run))), count


def test_row_groups_are_encoded_by_tasks_of_their_own_and_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "ROW_GROUP_BYTES", 50_000)
    content, tasks = _encoded(FRAME)
    assert tasks == pq.read_metadata(io.BytesIO(content)).num_row_groups > 2
    pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(content)), FRAME)


def test_where_joining_does_not_give_the_file_of_pyarrow_one_writer_makes_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parquet, "ROW_GROUP_BYTES", 50_000)
    joined, _ = _encoded(FRAME)
    monkeypatch.setattr(parquet, "joins_as_written", lambda *_: False)
    written, tasks = _encoded(FRAME)
    assert tasks == 0
    assert written == joined


def test_a_frame_of_one_row_group_needs_no_task_and_no_joining(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "joins_as_written", lambda *_: pytest.fail("nothing to join"))
    content, tasks = _encoded(FRAME)
    assert tasks == 0
    assert pq.read_metadata(io.BytesIO(content)).num_row_groups == 1


def test_the_reader_tells_what_the_file_has() -> None:
    buffer = io.BytesIO()
    FRAME.head(5).to_parquet(buffer)
    reader = ParquetReader(buffer)
    assert reader.names == ["n", "t"]
    assert reader.stored_schema is None
    assert [list(piece) for piece in reader.columns({"t": FRAME}, 2)] == [["t"]] * 3
    frames = reader.pandas_frames(["n"], None)
    assert frames is not None
    pd.testing.assert_frame_equal(next(frames), FRAME[["n"]].head(5))
