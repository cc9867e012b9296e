"""Settings change how large a file is and how fast it is written; never what is in it."""

from __future__ import annotations

import io
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from digime_pandas._tabular.codecs import parquet
from digime_pandas._tabular.codecs.codec import EncodeJob, run_one_by_one
from digime_pandas._tabular.codecs.parquet import ParquetCodec
from digime_pandas._tabular.codecs.writing.parquet_settings import (
    SAMPLE_ROWS,
    settings_of_groups,
    settings_of_rows,
)
from digime_pandas._tabular.formats import PARQUET, check_options
from digime_pandas._tabular.frames.source import column_source_of

ROWS = 20_000
RANDOM = np.random.default_rng(5)
WORDS = np.array(["", "a", "\u00e9", "\u6771\u4eac", "x" * 300, "nan", "\0"], dtype=object)
CLOCK = np.datetime64("2026-01-01", "us")


def batch_of(**columns: Any) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(columns)


def clustered(rows: int) -> Any:
    """Times in order, a few of which are the same."""
    return CLOCK + np.sort(RANDOM.integers(0, rows * 3, rows)).astype("timedelta64[s]")


def written(batch: pa.RecordBatch, settings: dict[str, Any]) -> pq.FileMetaData:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_batches([batch]), sink, **settings)
    return pq.read_metadata(sink)


@pytest.mark.parametrize(
    ("values", "has_dictionary"),
    [
        (clustered(ROWS), False),
        (RANDOM.integers(0, 2, ROWS), True),
        (RANDOM.integers(0, 2**40, 50)[RANDOM.integers(0, 50, ROWS)], True),
        (np.arange(ROWS), False),
        (np.repeat(np.arange(ROWS // 4), 4), False),
    ],
    ids=["times in order", "two numbers", "fifty large numbers", "counted", "counted in fours"],
)
def test_whole_numbers_have_the_smaller_of_dictionary_and_differences(values: Any, has_dictionary: bool) -> None:
    batch = batch_of(a=values)
    settings = settings_of_groups(batch, "snappy")
    assert settings["use_dictionary"] == (["a"] if has_dictionary else False)
    found = written(batch, settings).row_group(0).column(0)
    assert ("DELTA_BINARY_PACKED" in found.encodings) is not has_dictionary
    other = {"use_dictionary": not has_dictionary, "compression": "snappy"}
    if has_dictionary:
        other["column_encoding"] = {"a": "DELTA_BINARY_PACKED"}
    assert found.total_compressed_size <= written(batch, other).row_group(0).column(0).total_compressed_size


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.binary(), pa.dictionary(pa.int32(), pa.string())])
def test_texts_have_statistics_where_they_are_in_order(kind: pa.DataType) -> None:
    texts = sorted(f"text {number:05d}" for number in range(ROWS))
    in_order, backwards = (pa.array(each).cast(kind) for each in (texts, texts[::-1]))
    batch = batch_of(n=range(ROWS), up=in_order, down=backwards)
    assert settings_of_groups(batch, "snappy")["write_statistics"] == ["n", "up"]
    missing = batch_of(up=pa.array([None, *texts[1:-1], None]).cast(kind))
    assert settings_of_groups(missing, "snappy")["write_statistics"] is True


def test_floats_have_statistics_where_they_are_in_order() -> None:
    batch = batch_of(up=np.arange(ROWS) / 7, random=RANDOM.random(ROWS), n=RANDOM.integers(0, 9, ROWS))
    assert settings_of_groups(batch, "snappy")["write_statistics"] == ["up", "n"]
    found = written(batch, settings_of_groups(batch, "snappy")).row_group(0)
    assert [found.column(place).is_stats_set for place in range(3)] == [True, False, True]


def test_a_column_without_values_is_in_order() -> None:
    assert settings_of_groups(batch_of(t=pa.nulls(ROWS, pa.string())), "snappy")["write_statistics"] is True


def test_long_texts_are_encoded_few_at_a_time() -> None:
    short, long = (
        settings_of_groups(batch_of(t=[text] * SAMPLE_ROWS), "snappy")["write_batch_size"] for text in ("a", "a" * 500)
    )
    assert 1_024 <= long < 3_000 < short


def test_only_encodings_that_fastparquet_has_are_used() -> None:
    hashes = [RANDOM.bytes(16).hex() for _ in range(ROWS)]
    batch = batch_of(f=RANDOM.normal(40, 0.1, ROWS), h=hashes, n=RANDOM.integers(0, 2**60, ROWS))
    group = written(batch, settings_of_groups(batch, "snappy")).row_group(0)
    used = {encoding for place in range(3) for encoding in group.column(place).encodings}
    assert used <= {"PLAIN", "RLE", "RLE_DICTIONARY", "DELTA_BINARY_PACKED"}


def test_a_file_of_one_row_group_is_not_tried_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pq, "write_table", lambda *_, **__: pytest.fail("a sample was written"))
    assert settings_of_rows(batch_of(a=[1, 1]), "zstd") == {
        "use_dictionary": ["a"],
        "column_encoding": None,
        "compression": "zstd",
    }


COLUMNS: dict[str, Callable[[np.random.Generator, int], Any]] = {
    "large": lambda random, rows: pa.array(random.integers(-(2**63), 2**63 - 1, rows)),
    "small": lambda random, rows: pa.array(random.integers(-5, 5, rows).astype("int8")),
    "unsigned": lambda random, rows: pa.array(random.integers(0, 2**64 - 1, rows, dtype="uint64")),
    "repeated": lambda random, rows: pa.array(np.repeat(random.integers(0, 2**62, rows // 8 + 1), 8)[:rows]),
    "float": lambda random, rows: pa.array(np.where(random.random(rows) < 0.1, -0.0, random.normal(0, 1e9, rows))),
    "special": lambda random, rows: pa.array(random.choice([np.nan, np.inf, -np.inf, 0.0, -0.0, 5e-324], rows)),
    "float32": lambda random, rows: pa.array(random.random(rows).astype("float32")),
    "text": lambda random, rows: pa.array([f"{word} {i}" for i, word in enumerate(random.choice(WORDS, rows))]),
    "word": lambda random, rows: pa.array(random.choice(WORDS, rows), pa.large_string()),
    "category": lambda random, rows: pa.DictionaryArray.from_arrays(
        random.integers(0, 3, rows).astype("int8"), pa.array(["z", "a", "m"]), ordered=True
    ),
    "bytes": lambda random, rows: pa.array([random.bytes(3) for _ in range(rows)]),
    "time": lambda random, rows: pa.array(CLOCK + random.integers(-(2**50), 2**50, rows).astype("timedelta64[us]")),
    "zone": lambda random, rows: pa.array(
        np.sort(random.integers(0, 2**40, rows)), pa.timestamp("ms", "America/New_York")
    ),
    "nanoseconds": lambda random, rows: pa.array(random.integers(-(2**62), 2**62, rows), pa.timestamp("ns")),
    "duration": lambda random, rows: pa.array(random.integers(-9, 9, rows), pa.duration("us")),
    "date": lambda random, rows: pa.array(random.integers(0, 30, rows).astype("int32"), pa.date32()),
    "decimal": lambda random, rows: pa.array(
        [Decimal(int(each)).scaleb(-2) for each in random.integers(-(2**60), 2**60, rows)], pa.decimal128(38, 2)
    ),
    "truth": lambda random, rows: pa.array(random.random(rows) < 0.5),
    "nested": lambda random, rows: pa.array(
        [[{"a": int(each), "b": None}] * (int(each) % 3) for each in random.integers(0, 9, rows)],
        pa.list_(pa.struct({"a": pa.int64(), "b": pa.string()})),
    ),
}


def with_nulls(values: pa.Array, random: np.random.Generator) -> pa.Array:
    part = random.choice([0.0, 0.2, 1.0], p=[0.5, 0.4, 0.1])
    return values.take(pa.array(np.arange(len(values)), mask=random.random(len(values)) < part))


@pytest.mark.parametrize("compression", ["snappy", "zstd"])
@pytest.mark.parametrize("seed", range(6))
def test_a_file_is_read_as_what_pyarrow_writes_by_itself(
    seed: int, compression: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(seed)
    names = [str(name) for name in random.permutation(list(COLUMNS))[:8]]
    rows = int(random.integers(900, 1_800))
    table = pa.table({name: with_nulls(COLUMNS[name](random, rows), random) for name in names})
    source = column_source_of(table)
    options = check_options(PARQUET, {"compression": compression})
    job = EncodeJob(source=source, options=options, file_types=[None] * len(names))
    monkeypatch.setattr(parquet, "ROW_GROUP_BYTES", table.nbytes // 4)
    data = io.BytesIO(b"".join(map(bytes, ParquetCodec().encode(job, run_one_by_one))))
    assert pq.read_metadata(data).num_row_groups > 2

    found = pq.read_table(data)
    by_itself = io.BytesIO()
    pq.write_table(pa.Table.from_batches([source.open()(rows)], found.schema), by_itself)
    expected = pq.read_table(by_itself)
    assert found.schema.equals(expected.schema, check_metadata=True)
    assert pq.read_schema(data).equals(pq.read_schema(by_itself), check_metadata=True)
    assert found.equals(expected) or str(found.to_pylist()) == str(expected.to_pylist())  # NaN is not equal to NaN


@pytest.mark.parametrize(
    ("values", "has_dictionary"),
    [
        (RANDOM.random(2 * SAMPLE_ROWS), False),
        (np.tile(RANDOM.random(5_000), 4), True),  # which the first 5,000 rows do not show
        (np.repeat(RANDOM.random(SAMPLE_ROWS), 2), True),
        (RANDOM.choice(RANDOM.random(20_000), 2 * SAMPLE_ROWS), True),
    ],
    ids=["distinct", "in steps", "in pairs", "at random"],
)
def test_a_few_rows_say_that_values_are_distinct_and_never_that_they_come_again(
    values: Any, has_dictionary: bool
) -> None:
    settings = settings_of_groups(batch_of(f=values), "snappy")
    assert settings["use_dictionary"] == (["f"] if has_dictionary else False)
