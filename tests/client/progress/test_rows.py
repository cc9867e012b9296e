from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest

from digime_pandas._client.progress.rows import SentRows, counted_chunks
from digime_pandas._tabular.formats import FORMATS, resolve_format
from digime_pandas._tabular.serialize import inspect_frame

ROWS = 200_000


def test_rows_are_even_between_marks() -> None:
    rows = SentRows()
    assert rows.at(5) is None
    rows.mark(100, 10)
    rows.mark(300, 50)
    assert [rows.at(done) for done in (0, 50, 100, 200, 300, 999)] == [0, 5, 10, 30, 50, 50]


def test_another_attempt_begins_with_no_rows() -> None:
    rows = SentRows()
    for size in (100, 200, 300):
        rows.mark(size, size)
    assert rows.at(250) == 250
    assert rows.at(20) == 20  # what was sent before the file is serialized anew
    rows.begin()
    rows.mark(100, 7)
    assert rows.at(50) == 3


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("format", FORMATS)
def test_marks_say_how_many_rows_are_in_the_bytes(format: str, workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digime_pandas._tabular.codecs.parquet.ROW_GROUP_BYTES", 1 << 18)
    monkeypatch.setattr("digime_pandas._tabular.codecs.text_slices.SLICE_BYTES", 1 << 18)
    monkeypatch.setattr("digime_pandas._tabular.codecs.text_slices.FIRST_SLICE_BYTES", 1 << 18)
    values = np.random.default_rng(17).integers(1_000_000, 9_999_999, ROWS)
    frame = inspect_frame(pd.DataFrame({"value": values}), resolve_format("x", format))
    marks: list[Any] = []

    class Rows(SentRows):
        def mark(self, size: int, rows: int) -> None:
            marks.append((size, rows))
            super().mark(size, rows)

    rows = Rows()
    chunks = counted_chunks(frame, rows, workers)
    for _ in range(2):
        marks.clear()
        whole = b"".join(chunks())
        assert len(marks) > 2
        assert marks[-1] == (len(whole), ROWS)
        assert all(before[0] < after[0] and before[1] <= after[1] for before, after in pairwise(marks))
        for size, done in marks:
            assert abs(size / len(whole) - done / ROWS) < 0.2
        assert rows.at(len(whole)) == ROWS


@pytest.mark.parametrize("format", FORMATS)
def test_a_consumer_that_leaves_early_ends_the_source(format: str) -> None:
    frame = inspect_frame(pd.DataFrame({"value": range(ROWS)}), resolve_format("x", format))
    chunks = counted_chunks(frame, SentRows(), 2)()
    next(chunks)
    chunks.close()
    assert list(chunks) == []
