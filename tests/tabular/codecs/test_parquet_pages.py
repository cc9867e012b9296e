"""The heads of pages tell how much memory a Parquet file takes, whoever wrote it."""

from __future__ import annotations

import io
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from digime_pandas._tabular.codecs import parquet_reader
from digime_pandas._tabular.codecs.parquet_pages import PageHeads, leaves_of
from digime_pandas._tabular.codecs.parquet_reader import ParquetReader
from digime_pandas._tabular.reading.limits import Limits
from digime_pandas.errors import ReadError

ROWS = 3_000
TABLE = pa.table(
    {
        "n": pa.array(range(ROWS), pa.int64()),
        "t": pa.array([f"text {number}" for number in range(ROWS)]),
        "k": pa.array(["long" * 50, "b", None] * (ROWS // 3)),
        "l": pa.array([[1, 2, 3]] * ROWS, pa.list_(pa.int32())),
        "s": pa.array([{"a": 1, "b": "x"}] * ROWS),
    }
)
WAYS: list[dict[str, Any]] = [
    {},
    {"data_page_version": "2.0"},
    {"use_dictionary": False},
    {"compression": "none", "data_page_size": 100},
    {"compression": "zstd", "row_group_size": 700},
    {"use_dictionary": False, "column_encoding": {"t": "DELTA_BYTE_ARRAY", "k": "DELTA_LENGTH_BYTE_ARRAY"}},
]


def file_of(table: pa.Table, **options: Any) -> io.BytesIO:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer


def plain_bytes(column: pa.ChunkedArray) -> int:
    """The bytes of the values alone."""
    joined = pa.concat_arrays(column.cast(pa.string()).chunks) if pa.types.is_string(column.type) else column
    return sum(map(len, joined.drop_null().to_pylist())) if pa.types.is_string(column.type) else joined.nbytes


@pytest.mark.parametrize("options", WAYS, ids=range(len(WAYS)))
@pytest.mark.parametrize("name", ["n", "t", "k"])
def test_a_size_is_never_less_than_what_the_values_take(options: dict[str, Any], name: str) -> None:
    stream = file_of(TABLE, **options)
    file = pq.ParquetFile(stream)
    (leaf,) = leaves_of(file, [name])
    heads = PageHeads(file, stream)
    for make in (heads.size_of, heads.exact_size_of):
        sizes = [make(leaf, group) for group in range(file.metadata.num_row_groups)]
        assert sum(size.bytes for size in sizes) >= plain_bytes(TABLE.column(name))
        assert sum(size.least_bytes for size in sizes) == ROWS * 8


@pytest.mark.parametrize("options", WAYS, ids=range(len(WAYS)))
def test_a_file_within_its_limits_is_read_whole_and_in_pieces(options: dict[str, Any]) -> None:
    limits = Limits(bytes=TABLE.nbytes * 4 + ROWS * 112 * 2, rows=ROWS)
    for rows in (None, 500):
        pieces = list(ParquetReader(file_of(TABLE, **options), limits).columns(None, rows))
        assert sum(piece.rows for piece in pieces) == ROWS


@pytest.mark.parametrize("encoding", ["RLE_DICTIONARY", "DELTA_BYTE_ARRAY"])
def test_a_long_text_that_is_there_once_counts_once_per_row(encoding: str) -> None:
    table = pa.table({"a": ["x" * 10_000] * 500})
    options: dict[str, Any] = (
        {} if encoding == "RLE_DICTIONARY" else {"use_dictionary": False, "column_encoding": {"a": encoding}}
    )
    data = file_of(table, **options)
    assert len(data.getvalue()) < 40_000
    for rows in (None, 400):
        with pytest.raises(ReadError, match="max_bytes"):
            list(ParquetReader(data, Limits(bytes=1_000_000)).columns(None, rows))
        assert next(ParquetReader(data, Limits(bytes=20_000_000)).columns(None, rows)).rows == (rows or 500)
    assert sum(each.rows for each in ParquetReader(data, Limits(bytes=1_000_000)).columns(None, 10)) == 500


@pytest.mark.parametrize(
    "values",
    [
        pa.array([[0] * 200_000], pa.list_(pa.int64())),
        pa.nulls(20_000, pa.list_(pa.int8())),
        pa.nulls(20_000, pa.decimal128(5)),
        pa.array([0] * 200_000, pa.int64()),
        pa.array(["\0" * 2_000_000]),
    ],
    ids=["list", "missing lists", "decimals", "numbers", "text"],
)
def test_what_a_few_bytes_stand_for_is_found_before_it_is_decoded(values: pa.Array) -> None:
    data = file_of(pa.table({"a": values}), compression="zstd", write_statistics=False)
    assert len(data.getvalue()) < 4_000
    with pytest.raises(ReadError, match="max_bytes"):
        list(ParquetReader(data, Limits(bytes=1_000_000)).columns(None, None))


TEXTS = pa.table(
    {
        "n": pa.array(range(ROWS), pa.int32()),
        "long": pa.array([f"{number % 40:090d}" for number in range(ROWS - 1)] + [None]),
        "t": pa.array(["a", "b", "c"] * (ROWS // 3), pa.large_string()),
        "bytes": pa.array([b"%060d" % (number % 90) for number in range(ROWS)]),
        "k": pa.array(["x", None] * (ROWS // 2)).dictionary_encode(),
    },
    metadata={"of": "the file"},
)
BOUND = Limits(bytes=3_000_000)  # texts take 500,000, and their dictionaries say that they may take 30 million


def read_apart(monkeypatch: pytest.MonkeyPatch, **attributes: Any) -> list[str]:
    """Let few rows be read at a time; return the names of the columns for which it is done, when it is."""
    names: list[str] = []

    class _Noted(ParquetReader):
        def _texts(self, *arguments: Any) -> Any:
            names.extend(arguments[0])
            return super()._texts(*arguments)

    for name, value in {"_LEAST_ROWS": 10, "ParquetReader": _Noted, **attributes}.items():
        monkeypatch.setattr(parquet_reader, name, value)
    return names


@pytest.mark.parametrize("names", [None, ["k", "bytes", "long"]], ids=["all", "some"])
@pytest.mark.parametrize("options", [{"row_group_size": 700}, {"compression": "none"}], ids=["groups", "one"])
def test_texts_with_dictionaries_are_read_apart(
    options: dict[str, Any], names: list[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise AssertionError

    apart = read_apart(monkeypatch)
    monkeypatch.setattr(PageHeads, "exact_size_of", refused)
    reader = parquet_reader.ParquetReader(file_of(TEXTS, **options), BOUND)
    wanted: Any = names and dict.fromkeys(names)
    [found] = reader.columns(wanted, None)
    assert sorted(apart) == ["bytes", "long"]
    for name, values in found.items():
        assert values.equals(pa.chunked_array(TEXTS.column(name).chunks, values.type)), name
    assert set(found) == set(names or TEXTS.column_names)
    assert found.rows == ROWS


def test_texts_are_not_read_apart_where_that_is_not_needed_or_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    apart = read_apart(monkeypatch)
    for table, limits in (
        (TEXTS, Limits(bytes=1 << 30)),
        (TEXTS.rename_columns(["n", "long", "n", "b", "k"]), BOUND),
        (TEXTS.rename_columns(["n", "a.long", "t", "b", "k"]), BOUND),
    ):
        [found] = parquet_reader.ParquetReader(file_of(table), limits).columns(None, None)
        assert (found.rows, apart) == (ROWS, [])


@pytest.mark.parametrize(("size", "fits"), [(600_000, True), (300_000, False)])
def test_texts_that_take_too_much_are_found_while_they_are_read_apart(
    size: int, *, fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    apart = read_apart(monkeypatch)
    reader = parquet_reader.ParquetReader(file_of(TEXTS.select(["long", "bytes"])), Limits(bytes=size))
    if fits:
        assert next(reader.columns(None, None)).rows == ROWS
    else:
        with pytest.raises(ReadError, match="max_bytes"):
            list(reader.columns(None, None))
    assert sorted(apart) == ["bytes", "long"]


def test_metadata_of_pandas_makes_the_same_frame_of_what_is_read_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = TEXTS.to_pandas().set_index("n")
    data = file_of(pa.Table.from_pandas(frame))
    apart = read_apart(monkeypatch)
    frames = parquet_reader.ParquetReader(data, BOUND).pandas_frames(None, None)
    assert frames is not None
    pd.testing.assert_frame_equal(next(frames), pd.read_parquet(data))
    assert apart


def test_rows_are_counted_before_and_while_they_are_read() -> None:
    data = file_of(TABLE)
    with pytest.raises(ReadError, match=r"has 3,000 rows, and max_rows is 2,999"):
        list(ParquetReader(data, Limits(rows=2_999)).columns(None, None))
    with pytest.raises(ReadError, match="max_rows is 2,999"):
        list(ParquetReader(data, Limits(rows=2_999)).columns(None, 1_000))
