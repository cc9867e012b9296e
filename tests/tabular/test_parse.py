# The stubs of pandas and numpy know fewer inputs than the libraries take.
# mypy: disable-error-code="arg-type, assignment, attr-defined, call-overload, comparison-overlap, list-item, operator"
from __future__ import annotations

import base64
import io
import json
import zlib
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from digime_pandas._tabular.formats import CSV, FORMATS, JSON, NDJSON, PARQUET, Format
from digime_pandas._tabular.parse import parse, parse_batches
from digime_pandas._tabular.serialize import inspect_frame
from digime_pandas.errors import FidelityWarning, InputError, ReadError

EVERY = pytest.mark.parametrize("format", FORMATS.values(), ids=lambda each: each.name)
TEXTUAL = pytest.mark.parametrize("format", [CSV, JSON, NDJSON], ids=lambda each: each.name)
FRAME = pd.DataFrame(
    {
        "n": pd.array(range(10), dtype="Int16"),
        "t": pd.Series(["a", "", None, "d\r\ne", '"', "f,g", "007", "h", "i", "j"]),
        "k": pd.Categorical(list("abcabcabca"), categories=list("cba"), ordered=True),
        "when": pd.date_range("2024-01-01", periods=10, freq="D", tz="Europe/Berlin"),
    },
    index=pd.MultiIndex.from_product([["x", "y"], range(5)], names=["side", "step"]),
)
TEXT_DTYPE = pd.Series(["a"]).dtype


def written(frame: object, format: Format, **options: object) -> tuple[bytes, str | None]:
    prepared = inspect_frame(frame, format, options=options).checked()
    return b"".join(prepared.chunks()), prepared.schema


@EVERY
def test_bytes_views_and_streams_are_read_alike(format: Format) -> None:
    data, schema = written(FRAME, format)
    for source in (data, bytearray(data), memoryview(data), io.BytesIO(data)):
        pd.testing.assert_frame_equal(parse(source, format, schema), FRAME)


@EVERY
def test_columns_selects_and_orders_and_the_index_comes_in_any_case(format: Format) -> None:
    data, schema = written(FRAME, format)
    pd.testing.assert_frame_equal(parse(data, format, schema, columns=["when", "n"]), FRAME[["when", "n"]])
    pd.testing.assert_frame_equal(parse(data, format, schema, columns=[]), FRAME[[]])


@EVERY
def test_a_column_that_is_not_there_is_an_error_that_lists_those_that_are(format: Format) -> None:
    data, schema = written(FRAME, format)
    with pytest.raises(InputError, match=r"\['nope'\].*'n', 't'"):
        parse(data, format, schema, columns=["n", "nope"])


@TEXTUAL
def test_columns_works_without_a_schema(format: Format) -> None:
    data, _ = written(FRAME, format)
    assert list(parse(data, format, columns=["t", "n"]).columns) == ["t", "n"]
    with pytest.raises(InputError, match="nope"):
        parse(data, format, columns=["nope"])


@EVERY
@pytest.mark.parametrize("limit", [0, 1, 5, 10, 50])
def test_limit_gives_the_first_rows(format: Format, limit: int) -> None:
    data, schema = written(FRAME.reset_index(), format)
    found = parse(data, format, schema, limit=limit)
    pd.testing.assert_frame_equal(found, FRAME.reset_index().head(limit))


@EVERY
def test_a_negative_limit_and_batches_of_no_rows_are_errors(format: Format) -> None:
    with pytest.raises(InputError, match="limit=-1"):
        parse(b"", format, limit=-1)
    with pytest.raises(InputError, match="batch_rows=0"):
        next(parse_batches(b"", format, batch_rows=0))


@EVERY
@pytest.mark.parametrize("batch_rows", [1, 3, 10, 100])
def test_batches_put_together_are_the_frame(format: Format, batch_rows: int) -> None:
    data, schema = written(FRAME, format)
    pieces = list(parse_batches(io.BytesIO(data), format, schema, batch_rows=batch_rows))
    assert [len(each) for each in pieces[:-1]] == [batch_rows] * (len(pieces) - 1)
    pd.testing.assert_frame_equal(pd.concat(pieces), FRAME, check_freq=False)


@EVERY
def test_batches_of_a_range_index_go_on_where_the_last_ended(format: Format) -> None:
    frame = pd.DataFrame({"v": range(10)}, index=pd.RangeIndex(5, 35, 3))
    data, schema = written(frame, format)
    starts = [each.index[0] for each in parse_batches(data, format, schema, batch_rows=4)]
    assert starts == [5, 17, 29]


@EVERY
def test_a_file_without_rows_gives_one_empty_batch(format: Format) -> None:
    frame = FRAME.reset_index().iloc[:0]
    frame["k"] = frame["k"].cat.remove_unused_categories()
    data, schema = written(frame, format)
    (only,) = parse_batches(data, format, schema)
    pd.testing.assert_frame_equal(only, frame, check_freq=False)


@EVERY
@pytest.mark.slow
def test_batches_are_read_in_bounded_memory(format: Format) -> None:
    rows = 400_000
    data, schema = written(pd.DataFrame({"n": range(rows), "t": ["some text of some length"] * rows}), format)
    stream = _Counting(data)
    before = pa.total_allocated_bytes()
    peak = 0
    for _ in parse_batches(stream, format, schema, batch_rows=10_000):
        peak = max(peak, pa.total_allocated_bytes() - before)
    assert peak < 80 << 20


class _Counting(io.BytesIO):
    """A stream that must not be read in one go."""

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        assert 0 <= size <= 32 << 20
        return super().read(size)


# Files that were written by others


def test_plain_rules_of_csv() -> None:
    data = (
        b"\xef\xbb\xbfwhole,big,huge,point,truth,code,day,text,nothing,some,maybe\n"
        b"1,18446744073709551615,123456789012345678901,1.5,true,007,2024-01-01,,,1,True\n"
        b'-2,1,1,1e3,false,008,2024-01-02,"",,,\n'
    )
    found = parse(data, CSV)
    assert found["whole"].dtype == "int64"
    assert found["big"].tolist() == [18446744073709551615, 1]
    assert found["big"].dtype == "uint64"
    assert found["huge"].tolist() == ["123456789012345678901", "1"]
    assert found["point"].tolist() == [1.5, 1000.0]
    assert found["truth"].dtype == "bool"
    assert found["code"].tolist() == ["007", "008"]
    assert found["day"].tolist() == ["2024-01-01", "2024-01-02"]
    assert pd.isna(found["text"].iloc[0])
    assert found["text"].iloc[1] == ""
    assert found["nothing"].isna().all()
    assert found["nothing"].dtype == "float64"
    assert (found["some"].dtype, found["maybe"].dtype) == ("Int64", "boolean")
    assert found["code"].dtype == TEXT_DTYPE


def test_plain_rules_of_json() -> None:
    rows: list[dict[str, Any]] = [
        {
            "whole": 2**53 + 1,
            "big": 2**64 - 1,
            "mixed": 1,
            "point": 0.1,
            "day": "2024-01-01",
            "list": [1, "a"],
            "some": 1,
        },
        {
            "whole": -1,
            "big": 1,
            "mixed": "x",
            "point": None,
            "day": "2024-01-02T00:00:00Z",
            "list": {"b": None},
            "new": True,
        },
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    for data, kind in (
        (json.dumps(rows, indent=2).encode(), JSON),
        (json.dumps(rows).encode(), JSON),
        (lines, NDJSON),
    ):
        found = parse(data, kind)
        assert found["whole"].tolist() == [2**53 + 1, -1]
        assert found["big"].tolist() == [2**64 - 1, 1]
        assert found["mixed"].tolist() == [1, "x"]
        assert found["day"].tolist() == ["2024-01-01", "2024-01-02T00:00:00Z"]
        assert found["list"].tolist() == [[1, "a"], {"b": None}]
        assert found["some"].dtype == "Int64"
        assert found["new"].dtype == "boolean"
        assert found["point"].dtype == "float64"


def test_dates_in_ndjson_stay_text_on_the_fast_way_too() -> None:
    found = parse(b'{"d":"2024-01-01","n":1}\n{"d":"2024-01-02","n":2}\n', NDJSON)
    assert found["d"].tolist() == ["2024-01-01", "2024-01-02"]


def test_whole_numbers_past_64_bits_are_not_rounded() -> None:
    for data, kind in (
        (b'{"n":123456789012345678901234567890}\n', NDJSON),
        (b'[{"n":123456789012345678901234567890}]', JSON),
    ):
        assert parse(data, kind)["n"].tolist() == [123456789012345678901234567890]


@pytest.mark.parametrize("size", [1, 7, 64, 1 << 20])
def test_a_json_array_of_any_layout_is_read_element_by_element(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    import digime_pandas._tabular.codecs.json_array as module

    monkeypatch.setattr(module, "_READ_BYTES", size)
    rows = [{"a": i, "t": 'ü]},[{\\"' * i, "l": [{"x": i}]} for i in range(20)]
    for text in (
        json.dumps(rows),
        json.dumps(rows, indent=1),
        json.dumps(rows, ensure_ascii=False),
        f"\n [{json.dumps(rows[0])} , {json.dumps(rows[1])}]\n ",
    ):
        pieces = list(parse_batches(text.encode(), JSON, batch_rows=3))
        assert pd.concat(pieces)["a"].tolist() == [row["a"] for row in json.loads(text)]
        assert pd.concat(pieces)["t"].tolist() == [row["t"] for row in json.loads(text)]


def test_equal_names_in_csv_are_told_apart_as_pandas_does() -> None:
    data = b"a,b,a,a\n1,2,3,4\n"
    found = parse(data, CSV)
    pd.testing.assert_frame_equal(found, pd.read_csv(io.BytesIO(data)))


def test_parquet_by_pandas_is_read_as_pandas_reads_it() -> None:
    frame = pd.DataFrame({"n": pd.array([1, None], "Int64"), "t": ["a", None]}, index=pd.Index([3, 4], name="key"))
    frame.attrs = {"unit": "kg"}
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    found = parse(buffer.getvalue(), PARQUET)
    pd.testing.assert_frame_equal(found, frame)
    assert found.attrs == {"unit": "kg"}
    pd.testing.assert_frame_equal(parse(buffer.getvalue(), PARQUET, columns=["t"]), frame[["t"]])
    assert [len(each) for each in parse_batches(buffer.getvalue(), PARQUET, batch_rows=1)] == [1, 1]


def test_parquet_by_others_keeps_whole_numbers_whole() -> None:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"n": [2**53 + 1, None], "b": [True, None], "l": [[1], None]}), buffer)
    found = parse(buffer.getvalue(), PARQUET)
    assert (found["n"].dtype, found["b"].dtype) == ("Int64", "boolean")
    assert found["n"].iloc[0] == 2**53 + 1
    assert found["l"].tolist() == [[1], None]


@pytest.mark.parametrize(
    ("data", "format"),
    [
        (b"a,b\n1\n", CSV),
        (b"a\n1,2\n", CSV),
        (b"\xff\xfe\n\xff\n", CSV),
        (b'{"a":1}\n[1]\n', NDJSON),
        (b'{"a":1}\n{"a":\n', NDJSON),
        (b'{"a":"\xff"}\n', NDJSON),
        (b"nothing\n", NDJSON),
        (b'{"a":1}', JSON),
        (b"[1,2]", JSON),
        (b'[{"a":1}', JSON),
        (b'[{"a":1} {"a":2}]', JSON),
        (b'[{"a":1}] more', JSON),
        (b'[{"a":"\xff"}]', JSON),
        (b"[" * 100_000, JSON),
        (b'[{"a":' + b"[" * 100_000, JSON),
        (b'{"a":' + b"[" * 100_000 + b"\n", NDJSON),
        (b"", JSON),
        (b"", PARQUET),
        (b"PAR1 nothing PAR1", PARQUET),
    ],
)
def test_what_is_no_file_of_the_format_is_a_read_error(data: bytes, format: Format) -> None:
    with pytest.raises(ReadError, match=format.name):
        parse(data, format)
    with pytest.raises(ReadError, match=format.name):
        list(parse_batches(data, format))


def test_empty_files_are_empty_frames() -> None:
    for data, kind in ((b"", CSV), (b"", NDJSON), (b"[]", JSON), (b" [ ] ", JSON)):
        assert parse(data, kind).shape == (0, 0)
    assert list(parse(b"a,b\n", CSV).columns) == ["a", "b"]


# Schemas that are not to be trusted


def packed(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return "d1." + base64.urlsafe_b64encode(zlib.compress(raw)).decode().rstrip("=")


DAMAGED = {
    "empty": "",
    "other version": "d9.abc",
    "not base64": "d1.!!!",
    "not deflated": "d1." + base64.urlsafe_b64encode(b"plain").decode(),
    "cut short": packed({"c": ["int64"] * 3})[:-6],
    "not json": packed(b"{"),
    "not an object": packed([1]),
    "no columns": packed({}),
    "columns of another file": packed({"c": ["int64"]}),
    "too many columns": packed({"c": ["int64"] * 9}),
    "unknown type": packed({"c": ["int64", "int7", "int64"]}),
    "unknown origin": packed({"c": [["evil", "int64"]] * 3}),
    "wrong types": packed({"c": [5, None, {}]}),
    "deep": packed({"c": [json.loads("[" * 900 + "]" * 900)] * 3}),
    "deep type": packed({"c": [["arrow", json.loads('["list",' * 200 + '"int8"' + "]" * 200)]] * 3}),
    "values do not fit": packed({"c": ["int64", "int64", "int64"]}),
    "bad zone": packed({"c": ["int64", ["numpy", ["timestamp", "ns", "No/Where"]], "int64"]}),
    "bad frequency": packed({"c": ["int64", ["period", "int64", "__import__('os')"], "int64"]}),
    "bad interval": packed({"c": ["int64", ["interval", "int64", "sideways", "int64"], "int64"]}),
    "bad range": packed({"c": [["range", "int64", [0, 10**12, 1]], "int64", "int64"], "i": [None]}),
    "range of no steps": packed({"c": [["range", "int64", [0, 1, 0]], "int64", "int64"], "i": [None]}),
    "too many levels": packed({"c": ["int64"] * 3, "i": [None] * 7}),
    "bad labels": packed({"c": ["int64", "string", "double"], "l": [["int64", ["x", "y", "z"]]]}),
    "too few labels": packed({"c": ["int64", ["object", "string", "None"], "double"], "l": [["int64", ["1"]]]}),
    "bad null": packed({"c": ["int64", ["object", "string", "zilch"], "double"]}),
    "bad detail": packed({"c": ["int64", ["string", "string", 7], "double"]}),
    "category without inner": packed({"c": ["int64", ["category", "string", [True, None]], "double"]}),
    "missing category": packed(
        {"c": ["int64", ["category", "string", [False, ["z"]], ["object", "string", "None"]], "double"]}
    ),
    "bad frequency of the index": packed(
        {"c": ["int64", ["object", "string", "None"], "double"], "i": [None], "f": "h"}
    ),
    "attrs are no object": packed({"c": ["int64", ["object", "string", "None"], "double"], "a": 7}),
    "bad decimal": packed({"c": ["int64", ["object", ["decimal", 128, 99, 2], "None"], "double"]}),
    "huge fixed size": packed({"c": ["int64", ["object", ["bytes", -5], "None"], "double"]}),
    "bomb": packed(b'{"c":["int64"' + b" " * 50_000_000 + b"]}"),
    "longer than allowed": "d1." + "A" * 4_000,
}


@TEXTUAL
@pytest.mark.parametrize("schema", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_or_foreign_schema_is_ignored_with_a_warning(format: Format, schema: str) -> None:
    frame = pd.DataFrame({"n": [1, 2], "t": ["x", "y"], "f": [0.5, 1.5]})
    data, own = written(frame, format)
    assert own is None
    with pytest.warns(FidelityWarning, match="plain reading rules"):
        found = parse(data, format, schema)
    pd.testing.assert_frame_equal(found, frame)


@pytest.mark.parametrize("damage", [b"{", b"[]", b'{"c":[]}', b'{"c":["int64","int64","int64"]}'])
def test_a_damaged_schema_inside_parquet_is_ignored_with_a_warning(damage: bytes) -> None:
    frame = pd.DataFrame({"n": [1, 2], "t": ["x", "y"]})
    data, _ = written(frame, PARQUET)
    table = pq.read_table(io.BytesIO(data))
    buffer = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({**table.schema.metadata, b"digime_pandas": damage}), buffer)
    with pytest.warns(FidelityWarning, match="plain reading rules"):
        found = parse(buffer.getvalue(), PARQUET)
    pd.testing.assert_frame_equal(found, frame)


def test_a_wrong_schema_shows_no_more_of_itself_than_its_reason() -> None:
    with pytest.warns(FidelityWarning) as caught:
        parse(b"a\n1\n", CSV, packed({"c": ["int64", "int64"]}))
    assert "d1." not in str(caught[0].message)


@EVERY
def test_reading_does_not_use_the_schema_of_the_other_index_when_none_was_kept(format: Format) -> None:
    frame = pd.DataFrame({"v": np.arange(3, dtype="int8")})
    data, schema = written(frame, format)
    assert isinstance(parse(data, format, schema).index, pd.RangeIndex)
