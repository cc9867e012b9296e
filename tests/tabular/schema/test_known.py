"""What is kept by schema: bounded, by value, for any thread, and without a frame."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from digime_pandas._tabular import serialize
from digime_pandas._tabular.formats import FORMATS
from digime_pandas._tabular.frames.source import column_source_of
from digime_pandas._tabular.schema.known import KnownBySchema, key_of

FRAME: Any = pd.DataFrame({"a": [1, 2], "b": ["x", None]})


def test_it_is_made_once_and_kept_of_the_newest() -> None:
    known: KnownBySchema[int] = KnownBySchema(most=2)
    made: list[int] = []

    def make(number: int) -> Callable[[], int]:
        return lambda: (made.append(number), number)[1]  # type: ignore[func-returns-value]

    assert [known.get(number, make(number)) for number in (1, 1, 2, 3, 3, 2, 1)] == [1, 1, 2, 3, 3, 2, 1]
    assert made == [1, 2, 3, 1]


def test_without_a_key_it_is_made_each_time() -> None:
    known: KnownBySchema[object] = KnownBySchema()
    assert known.get(None, object) is not known.get(None, object)


def test_threads_get_what_is_theirs() -> None:
    known: KnownBySchema[int] = KnownBySchema(most=3)

    def ask(number: int) -> bool:
        return known.get(number % 7, lambda: number % 7) == number % 7

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(ask, range(2_000)))


def test_frames_of_other_rows_have_one_key() -> None:
    other = pd.DataFrame({"a": [7, 8, 9], "b": [None, "y", "z"]})
    assert key_of(column_source_of(FRAME)) is not None
    assert key_of(column_source_of(FRAME)) == key_of(column_source_of(other))


@pytest.mark.parametrize(
    "other",
    [
        FRAME.rename(columns={"a": "c"}),
        FRAME[["b", "a"]],
        FRAME.astype({"a": "Int64"}),
        FRAME.astype({"a": "float64"}),
        FRAME.astype({"a": "int64[pyarrow]"}),
        FRAME.astype({"b": "string"}),
        FRAME.astype({"b": "category"}),
        FRAME.rename_axis(columns="labels"),
        pa.table(FRAME),
    ],
    ids=str,
)
def test_other_schemas_have_other_keys(other: Any) -> None:
    keys = key_of(column_source_of(FRAME)), key_of(column_source_of(other))
    assert keys[1] is not None
    assert keys[0] != keys[1]


@pytest.mark.parametrize(
    "other",
    [
        FRAME.set_index("a"),
        FRAME.head(0),
        FRAME.rename(columns={"a": 1}),
        FRAME.rename_axis(columns=1),
        FRAME.assign(a=pd.arrays.SparseArray([0.0, 1.0])),
        FRAME.assign(a=[[1], [2]]),
        FRAME.assign(a=pd.Categorical(["x", "y"], categories=["y", "x"])),
        FRAME.assign(a=pd.period_range("2026", periods=2, freq="Y")),
        pd.DataFrame(np.zeros((1, 129)), columns=list(map(str, range(129)))),
    ],
    ids=lambda each: str(each.dtypes.iloc[0]),
)
def test_what_is_not_known_by_value_has_no_key(other: pd.DataFrame) -> None:
    assert key_of(column_source_of(other)) is None


def test_attrs_have_no_key() -> None:
    frame = FRAME.copy()
    frame.attrs["made"] = "today"
    assert key_of(column_source_of(frame)) is None


@pytest.mark.parametrize("format", FORMATS.values(), ids=lambda each: each.name)
@pytest.mark.slow
def test_no_frame_is_kept(format: Any) -> None:
    values = np.arange(3, dtype=np.int64)
    frame = pd.DataFrame({"only here": values, "kind": pd.Categorical(["a", "b", "a"])}, copy=False)
    kept = len(serialize._KNOWN._kept)
    written = serialize.inspect_frame(frame, format)
    b"".join(written.chunks())
    assert len(serialize._KNOWN._kept) == kept + 1 or kept == serialize._KNOWN._most
    gone = [weakref.ref(each) for each in (values, frame, written.source.columns[1].read)]
    del values, frame, written
    gc.collect()
    assert [each() for each in gone] == [None, None, None]
