from __future__ import annotations

from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from digime_pandas._tabular.formats import FORMATS
from digime_pandas._tabular.frames.streamed import polars_query, readings
from digime_pandas._tabular.frames.streamed.polars_query import lazy_frame
from digime_pandas._tabular.serialize import SerializableFrame, inspect_frame
from digime_pandas.errors import InputError

CSV, PARQUET = FORMATS["csv"], FORMATS["parquet"]


def content(frame: SerializableFrame) -> list[bytes]:
    return b"".join(map(bytes, frame.chunks())).split()[1:]


def test_the_rows_of_a_query_come_in_batches() -> None:
    found = lazy_frame(pl.LazyFrame({"n": range(200_000)}))
    batches = list(found.open())
    assert len(batches) > 1
    assert pa.Table.from_batches(batches)["n"].to_pylist() == list(range(200_000))


def test_a_query_is_left_early() -> None:
    batches = lazy_frame(pl.LazyFrame({"n": range(200_000)})).open()
    assert next(batches).num_rows < 200_000
    batches.close()  # type: ignore[attr-defined] # it is a generator


class OldLazyFrame:
    """A lazy frame of polars before 1.34, which has no batches."""

    def __init__(self, frame: pl.LazyFrame) -> None:
        self._frame = frame
        self.collect_schema = frame.collect_schema

    def collect(self, *, engine: Any) -> pl.DataFrame:
        return self._frame.collect(engine=engine)


def test_versions_of_polars_without_batches_collect_the_query() -> None:
    found = lazy_frame(OldLazyFrame(pl.LazyFrame({"n": range(100_000)}).filter(pl.col("n") > 9)))
    assert sum(batch.num_rows for batch in found.open()) == 99_990


def test_a_query_without_an_order_is_the_same_in_any_order() -> None:
    rows = pl.LazyFrame({"n": range(100_000)}).group_by(pl.col("n") % 5_000).agg(pl.len().alias("c"))
    assert sorted(content(inspect_frame(rows, CSV))) == sorted(b"%d,20" % k for k in range(5_000))


def counting() -> pl.LazyFrame:
    """A query that gives another row each time."""
    given: list[int] = []

    def count(frame: pl.DataFrame) -> pl.DataFrame:
        given.append(1)
        return frame.with_columns(n=pl.lit(len(given), pl.Int64))

    return pl.LazyFrame({"n": [0]}).map_batches(count, schema={"n": pl.Int64})


def test_a_query_of_few_rows_runs_once_so_that_what_was_judged_is_sent() -> None:
    frame = inspect_frame(counting(), CSV)
    assert [content(frame), content(frame)] == [[b"1"]] * 2


def test_a_large_query_that_gives_other_rows_each_time_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readings, "_KEPT_BYTES", 0)
    frame = inspect_frame(counting(), CSV)
    with pytest.raises(InputError, match=r"The LazyFrame gave other rows than the 1 .*give frame\.collect\(\)"):
        content(frame)


def test_a_query_that_fails_is_told_of() -> None:
    def fail(frame: pl.DataFrame) -> pl.DataFrame:
        raise ValueError("no such rows")

    with pytest.raises(InputError, match=r"The LazyFrame failed while it was read, after 0 rows .*Nothing was sent"):
        inspect_frame(pl.LazyFrame({"n": [0]}).map_batches(fail, schema={"n": pl.Int64}), CSV)


@pytest.mark.parametrize("format", [CSV, PARQUET], ids=lambda each: each.name)
def test_types_that_polars_does_not_export_are_verdicts_as_in_memory(format: Any) -> None:
    rows = pl.DataFrame(
        {"big": pl.Series([1, 2], dtype=pl.Int128), "kind": pl.Series(["a", "b"], dtype=pl.Enum(["a", "b", "c"]))}
    )
    found, expected = inspect_frame(rows.lazy(), format), inspect_frame(rows, format)
    assert (found.columns, str(found.refusal)) == (expected.columns, str(expected.refusal))
    assert found.columns[0].verdict == "impossible"
    kinds, expected = (inspect_frame(each, format) for each in (rows.lazy().select("kind"), rows.select("kind")))
    assert (kinds.columns, kinds.warnings) == (expected.columns, expected.warnings)
    assert content(kinds) == content(expected)


def test_a_forked_process_has_no_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polars_query, "polars_is_usable", lambda: False)
    with pytest.raises(InputError, match="polars cannot run queries in a forked process"):
        lazy_frame(pl.LazyFrame({"n": [1]}))
