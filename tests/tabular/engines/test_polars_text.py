from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from digime_pandas._tabular.codecs import parquet
from digime_pandas._tabular.engines import polars_text

BATCH = pa.RecordBatch.from_arrays([pa.array([1, None]), pa.array(["x", ""])], names=["", "a\x00b"])


def test_names_are_written_as_they_are() -> None:
    assert polars_text.csv_lines(BATCH, header=True, line_end="\n") == b'"",a\x00b\n1,x\n,""\n'


def test_json_is_written_without_blanks_after_what_comes_before() -> None:
    batch = BATCH.rename_columns(["n", "t"])
    expected = b'[{"n":1,"t":"x"},{"n":null,"t":""}]'
    assert bytes(polars_text.json_array(batch)) == expected
    assert bytes(polars_text.json_array(batch, after=b",")) == b"," + expected
    assert polars_text.json_lines(batch) == b'{"n":1,"t":"x"}\n{"n":null,"t":""}\n'


@pytest.mark.parametrize("view_of", [polars_text.json_array, lambda batch: parquet._file([batch], batch.schema, {})])
def test_views_that_are_garbage_together_with_their_file_are_collected_without_an_error(
    monkeypatch: pytest.MonkeyPatch, view_of: Callable[[pa.RecordBatch], memoryview]
) -> None:
    errors: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", errors.append)
    views: list[Any] = [view_of(BATCH.rename_columns(["n", "t"])) for _ in range(3)]
    views.append(views)
    del views
    gc.collect()
    assert not errors


def test_each_value_has_its_own_json_text() -> None:
    assert polars_text.json_texts(pa.array([1.5, None, float("nan")])).to_pylist() == ["1.5", None, "null"]


def test_polars_is_not_usable_after_a_fork_that_follows_its_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    assert polars_text.polars_is_usable()
    monkeypatch.setattr(polars_text, "_loaded_before_fork", False)
    polars_text.csv_lines(BATCH, header=False, line_end="\n")
    polars_text._note_fork()
    assert not polars_text.polars_is_usable()
