from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pytest

from digime_pandas._tabular.codecs import text_slices
from digime_pandas._tabular.codecs.codec import EncodeJob, run_one_by_one
from digime_pandas._tabular.codecs.text_slices import encode_slices
from digime_pandas._tabular.engines.few_rows import TextRows
from digime_pandas._tabular.frames.source import column_source_of


def test_each_slice_has_text_values_and_only_the_first_one_is_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_slices, "SLICE_BYTES", 4_000)
    monkeypatch.setattr(text_slices, "FIRST_SLICE_BYTES", 2_000)
    times = pd.Series(pd.date_range("2024-01-01", periods=3_000, freq="D", unit="us"))
    seen: list[tuple[pa.RecordBatch, bool]] = []

    def encode(rows: TextRows, first: bool) -> bytes:
        seen.append((rows.batch(), first))
        return b"x" * (10 * len(rows.arrays[0]))

    source = column_source_of(times.to_frame("day"))
    job = EncodeJob(source=source, options={}, file_types=[pa.date32()])
    pieces = list(encode_slices(job, encode, run_one_by_one))
    assert [first for _, first in seen] == [True] + [False] * (len(pieces) - 1)
    assert len(pieces) > 2
    assert all(len(piece) <= 4_000 for piece in pieces[1:])
    texts = pa.Table.from_batches([batch for batch, _ in seen])["day"].to_pylist()
    assert texts == [str(each.date()) for each in times]


def test_a_source_without_rows_gives_no_slice() -> None:
    source = column_source_of(pd.DataFrame({"a": []}))
    job = EncodeJob(source=source, options={}, file_types=[None])
    assert list(encode_slices(job, lambda *_: b"", run_one_by_one)) == []
