# The stubs of pandas and numpy know fewer inputs than the libraries take.
# mypy: disable-error-code="arg-type, assignment, attr-defined, call-overload, comparison-overlap, list-item, operator"
from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
import warnings
import zlib
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from digime_pandas._tabular.formats import CSV, FORMATS, JSON, NDJSON, PARQUET, Format
from digime_pandas._tabular.parse import parse, parse_batches
from digime_pandas._tabular.reading.limits import Limits
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
@pytest.mark.parametrize("rows", [4, 12_000])
@pytest.mark.filterwarnings("ignore::digime_pandas.errors.FidelityWarning")
def test_what_was_read_can_be_assigned_to(format: Format, rows: int) -> None:
    frame = pd.DataFrame(
        {
            "n": np.arange(rows),
            "small": np.arange(rows).astype("int8"),
            "x": np.arange(rows) / 7,
            "missing": np.where(np.arange(rows) < 2, 1.5, np.nan),
            "truth": np.arange(rows) % 3 == 0,
            "nullable": pd.array([1, 2, None, 3] * (rows // 4), dtype="Int64"),
            "t": ["a", "b"] * (rows // 2),
            "k": pd.Categorical(["a", "b"] * (rows // 2)),
            "when": pd.date_range("2024-01-01", periods=rows, freq="s"),
            "local": pd.date_range("2024-01-01", periods=rows, freq="s", tz="Europe/Berlin"),
            "took": pd.to_timedelta(np.arange(rows), unit="s"),
        }
    )
    for part in (frame, frame[["n", "x", "truth"]]):
        data, schema = written(part, format)
        for given in (schema, None):
            found = parse(data, format, given, own=True)
            for name in part.columns:
                found.loc[0, name] = found[name][1]
                assert found[name][0] == found[name][1]
            assert list(found.loc[1:, "n"]) == list(range(1, rows))


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
    import digime_pandas._tabular.codecs.reading.json_elements as module

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
    "too many levels": packed({"c": ["int64"] * 3, "i": [None] * 7}),
    "bad labels": packed({"c": ["int64", "string", "double"], "l": [["int64", ["x", "y", "z"]]]}),
    "bad null": packed({"c": ["int64", ["object", "string", "zilch"], "double"]}),
    "bad detail": packed({"c": ["int64", ["string", "string", 7], "double"]}),
    "category without inner": packed({"c": ["int64", ["category", "string", [True, None]], "double"]}),
    "missing category": packed(
        {"c": ["int64", ["category", "string", [False, ["z"]], ["object", "string", "None"]], "double"]}
    ),
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


THREE_COLUMNS = pd.DataFrame({"n": [1, 2], "t": ["x", "y"], "f": [0.5, 1.5]})
TEXTS_AS_OBJECTS = ["int64", ["object", "string", "None"], "double"]
# What of it cannot be used; what the rest of it makes of the three columns.
PARTLY_DAMAGED: dict[str, tuple[dict[str, Any], str, pd.DataFrame]] = {
    "range of no steps": (
        {"c": [["range", "int64", [0, 1, 0]], *TEXTS_AS_OBJECTS[1:]], "i": ["n"]},
        "column 'n'",
        THREE_COLUMNS.astype({"t": object}).set_index("n"),
    ),
    "numbers that are no range": (
        {"c": [["range", "int64", [0, 10**12, 7]], *TEXTS_AS_OBJECTS[1:]], "i": ["n"]},
        "index 'n': its numbers",
        THREE_COLUMNS.astype({"t": object}).set_index("n"),
    ),
    "too few labels": (
        {"c": TEXTS_AS_OBJECTS, "l": [["int64", ["1"]]]},
        "column labels: there are not as many",
        THREE_COLUMNS.astype({"t": object}),
    ),
    "labels of no type": (
        {"c": TEXTS_AS_OBJECTS, "l": [["int64", ["1", "2", "three"]]]},
        "column labels: ArrowInvalid",
        THREE_COLUMNS.astype({"t": object}),
    ),
    "frequency of numbers": (
        {"c": TEXTS_AS_OBJECTS, "i": ["n"], "f": "h"},
        "index: its frequency is not 'h'",
        THREE_COLUMNS.astype({"t": object}).set_index("n"),
    ),
    "frequency of no name": ({"c": TEXTS_AS_OBJECTS, "f": 7}, "frequency", THREE_COLUMNS.astype({"t": object})),
    "attrs are no object": ({"c": TEXTS_AS_OBJECTS, "a": 7}, "attrs", THREE_COLUMNS.astype({"t": object})),
    "names are no list": ({"c": TEXTS_AS_OBJECTS, "i": 7}, "index", THREE_COLUMNS.astype({"t": object})),
    "one column of no type": (
        {"c": ["int8", ["object", "string", "None"], "int7"]},
        "type of column 3",
        THREE_COLUMNS.astype({"n": "int8", "t": object}),
    ),
    "one column of other values": (
        {"c": ["int8", "int64", "float"]},
        "column 't': it cannot be read as int64",
        THREE_COLUMNS.astype({"n": "int8", "f": "float32"}),
    ),
    "no time in a column": (
        {"c": ["int8", "timestamp[ns]", "float"]},
        "column 't'",
        THREE_COLUMNS.astype({"n": "int8", "f": "float32"}),
    ),
    "a category that is missing": (
        {
            "c": [
                ["category", ["dictionary", "int32", "int64", False], [False, ["1"]], "int64"],
                *TEXTS_AS_OBJECTS[1:],
            ]
        },
        "column 'n': ValueError: a value is none of the categories",
        THREE_COLUMNS.astype({"t": object}),
    ),
}


@TEXTUAL
@pytest.mark.parametrize("case", PARTLY_DAMAGED)
def test_what_can_be_used_of_a_damaged_schema_is_and_the_rest_is_named_once(format: Format, case: str) -> None:
    stored, named, expected = PARTLY_DAMAGED[case]
    data, _ = written(THREE_COLUMNS, format)
    with pytest.warns(FidelityWarning) as caught:
        found = parse(data, format, packed(stored))
    assert len(caught) == 1
    assert named in str(caught[0].message)
    assert "plain reading rules" in str(caught[0].message)
    pd.testing.assert_frame_equal(found, expected)


@TEXTUAL
def test_a_type_does_not_make_gigabytes_of_nulls(format: Format) -> None:
    frame = pd.DataFrame({"a": range(2_000), "b": [None] * 2_000})
    data, _ = written(frame, format)
    before = pa.total_allocated_bytes()
    with pytest.warns(FidelityWarning, match="column 'b': it would take 2,000 MiB"):
        parse(data, format, packed({"c": ["int64", ["arrow", ["bytes", 1 << 20]]]}))
    assert pa.total_allocated_bytes() - before < 1 << 24


@TEXTUAL
def test_a_part_that_does_not_fit_is_named_once_for_all_pieces(format: Format) -> None:
    data, _ = written(THREE_COLUMNS, format)
    with pytest.warns(FidelityWarning) as caught:
        pieces = list(parse_batches(data, format, packed({"c": ["int8", "timestamp[ns]", "float"]}), batch_rows=1))
    assert len(caught) == 1
    assert [piece.dtypes.astype(str).to_dict() for piece in pieces] == [
        {"n": "int8", "t": str(TEXT_DTYPE), "f": "float32"}
    ] * 2


def test_many_columns_that_cannot_be_read_take_a_bounded_number_of_tries() -> None:
    class Counting(io.BytesIO):
        starts = 0

        def seek(self, offset: int, whence: int = 0, /) -> int:
            self.starts += whence == 0 and offset == 0
            return super().seek(offset, whence)

    names = [f"c{i}" for i in range(200)]
    stream = Counting((",".join(names) + "\n" + ",".join(["x"] * 200) + "\n").encode())
    with pytest.warns(FidelityWarning, match=r"and \d+ more"):
        found = parse(stream, CSV, packed({"c": ["int64"] * 200}))
    assert found.iloc[0].tolist() == ["x"] * 200
    assert stream.starts < 100


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


# Arguments, and files of others that are read or refused


@EVERY
@pytest.mark.parametrize("limit", ["1", 1.5, True, np.float64(1), b"1", [1]])
def test_a_limit_that_is_no_whole_number_is_an_error(format: Format, limit: Any) -> None:
    with pytest.raises(InputError, match="limit="):
        parse(b"", format, limit=limit)


@EVERY
@pytest.mark.parametrize("rows", ["1", 1.5, True, None])
def test_batch_rows_that_are_no_whole_number_are_an_error(format: Format, rows: Any) -> None:
    with pytest.raises(InputError, match="batch_rows="):
        next(parse_batches(b"", format, batch_rows=rows))


@EVERY
@pytest.mark.parametrize("columns", ["ab", b"ab", 5, [1], [None], [["a"]]])
def test_columns_that_are_no_names_are_an_error(format: Format, columns: Any) -> None:
    with pytest.raises(InputError, match="columns"):
        parse(b"", format, columns=columns)


@EVERY
def test_numbers_of_numpy_and_any_list_of_names_are_taken(format: Format) -> None:
    data, schema = written(pd.DataFrame({"a": [1, 2, 3], "b": [4, 5, 6]}), format)
    for columns in (["b"], ("b",), np.array(["b"]), pd.Index(["b"])):
        assert parse(data, format, schema, columns=columns, limit=np.int64(2))["b"].tolist() == [4, 5]
    assert len(parse(data, format, schema, limit=10**30)) == 3
    assert [len(each) for each in parse_batches(data, format, schema, batch_rows=10**30)] == [3]


@pytest.mark.parametrize(
    ("data", "format"), [(b'{"a":1}\n{"a":2,"b":"x"}\n', NDJSON), (b'[{"a":1},{"a":2,"b":"x"}]', JSON)]
)
def test_a_column_may_come_in_later_rows_only(data: bytes, format: Format) -> None:
    assert parse(data, format, columns=["b"], limit=1)["b"].isna().tolist() == [True]
    pieces = list(parse_batches(data, format, columns=["b", "a"], batch_rows=1))
    assert [list(each.columns) for each in pieces] == [["b", "a"]] * 2
    assert pieces[1]["b"].tolist() == ["x"]
    with pytest.raises(InputError, match=r"\['c'\].*'a', 'b'"):
        parse(data, format, columns=["c"], limit=1)


def parquet(table: pa.Table, metadata: dict[bytes, bytes] | None = None) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(metadata), buffer)
    return buffer.getvalue()


def test_columns_of_one_name_in_parquet_are_all_there() -> None:
    data = parquet(pa.table([pa.array([1, 2]), pa.array([3, 4]), pa.array([5, 6])], names=["v", "v", "v.1"]))
    found = parse(data, PARQUET)
    assert list(found.columns) == ["v", "v", "v.1"]
    assert found.to_numpy().tolist() == [[1, 3, 5], [2, 4, 6]]
    assert parse(data, PARQUET, columns=["v.1", "v"]).to_numpy().tolist() == [[5, 1, 3], [6, 2, 4]]


EMPTY: dict[str, Any] = {"index_columns": [], "columns": [], "column_indexes": []}
ENTRY = {"name": "a", "field_name": "a", "pandas_type": "int64", "numpy_type": "int64", "metadata": None}
STALE: dict[str, Any] = {
    "no JSON": b"{",
    "no UTF-8": b"\xff",
    "too deep": b"[" * 100_000,
    "a list": [],
    "no members": {},
    "a number as index": {**EMPTY, "index_columns": 5},
    "an index that is gone": {**EMPTY, "index_columns": ["gone"]},
    "an index of an unknown kind": {**EMPTY, "index_columns": [{"kind": "other"}]},
    "a range without steps": {
        **EMPTY,
        "index_columns": [{"kind": "range", "name": None, "start": 0, "stop": 2, "step": 0}],
    },
    "columns that are none": {**EMPTY, "columns": [5]},
    "an unknown dtype": {**EMPTY, "columns": [{**ENTRY, "numpy_type": "nonsense[ns]"}]},
    "another dtype": {**EMPTY, "columns": [{**ENTRY, "numpy_type": "boolean"}]},
    "labels of another type": {
        **EMPTY,
        "column_indexes": [{"name": None, "pandas_type": "unicode", "numpy_type": "int64", "metadata": None}],
    },
}


@pytest.mark.parametrize("stored", STALE.values(), ids=list(STALE))
@pytest.mark.parametrize("limit", [None, 1])
def test_metadata_of_pandas_that_does_not_fit_is_left_out_with_a_warning(stored: Any, limit: int | None) -> None:
    text = stored if isinstance(stored, bytes) else json.dumps(stored).encode()
    data = parquet(pa.table({"a": [1, 2]}), {b"pandas": text})
    with pytest.warns(FidelityWarning, match="metadata of pandas") as caught:
        found = parse(data, PARQUET, limit=limit)
    assert len(caught) == 1
    pd.testing.assert_frame_equal(found, pd.DataFrame({"a": [1, 2]}).head(limit or 2))


@pytest.mark.parametrize("attrs", [b"{", b"[1]", b'{"a":' + b"[" * 900 + b"]" * 900 + b"}"])
def test_attrs_that_are_none_are_left_out_with_a_warning(attrs: bytes) -> None:
    data = parquet(pa.table({"a": [1]}), {b"pandas": json.dumps(EMPTY).encode(), b"PANDAS_ATTRS": attrs})
    with pytest.warns(FidelityWarning, match="metadata of pandas"):
        assert parse(data, PARQUET).attrs == {}


def test_a_damaged_file_is_no_matter_of_its_metadata() -> None:
    data = bytearray(parquet(pa.table({"a": ["x"] * 100}), {b"pandas": json.dumps(EMPTY).encode()}))
    data[4:40] = bytes(36)
    with pytest.raises(ReadError, match="parquet"):
        parse(bytes(data), PARQUET)


DAMAGED_FILES = {
    "footer of no length": (b"PAR1" + bytes(12) + b"PAR1", PARQUET),
    "encrypted": (b"PARE" + bytes(20) + b"PARE", PARQUET),
    "column of far times": (parquet(pa.table({"far": pa.array([[2**50]], pa.list_(pa.timestamp("ms")))})), PARQUET),
    "number of too many digits": (b'{"a":' + b"9" * 10_000 + b"}", NDJSON),
}


@pytest.mark.parametrize(("data", "format"), DAMAGED_FILES.values(), ids=list(DAMAGED_FILES))
def test_whatever_a_reader_raises_is_a_read_error_with_its_cause(data: bytes, format: Format) -> None:
    for read in (
        lambda: parse(data, format),
        lambda: parse(data, format, limit=1),
        lambda: [*parse_batches(data, format)],
    ):
        with pytest.raises(ReadError) as raised:
            read()
        assert raised.value.__cause__ is not None


@pytest.mark.parametrize(
    ("data", "format", "kind"),
    [
        (b'{"a":1}\n', JSON, "ndjson"),
        (b'[{"a":1}]', NDJSON, "json"),
        (b"a,b\n1,2\n", PARQUET, "csv"),
        ("a,b\n1,2\n".encode("utf-16"), CSV, "UTF-16"),
        (b"\x1f\x8b\x08\x00", CSV, "gzip"),
        (b'{"a":1}\n', CSV, "ndjson"),
        (b"<!DOCTYPE html><html></html>", PARQUET, "HTML"),
    ],
)
def test_a_read_error_says_what_the_file_looks_like(data: bytes, format: Format, kind: str) -> None:
    with pytest.raises(ReadError, match=f"looks like .*{kind}"):
        parse(data, format)


@pytest.mark.parametrize("values", [["a", None, ""], [1.5, None, 2.0], [None, None]])
def test_a_missing_value_in_the_only_column_of_csv_comes_back(values: list[Any]) -> None:
    frame = pd.DataFrame({"only": values})
    data, schema = written(frame, CSV)
    pd.testing.assert_frame_equal(parse(data, CSV, schema), frame)
    pieces = parse_batches(data, CSV, schema, batch_rows=1)
    assert sum(map(len, pieces)) == len(values)


@pytest.mark.slow
@TEXTUAL
def test_a_cell_may_be_longer_than_what_is_read_at_a_time(format: Format) -> None:
    frame = pd.DataFrame({"n": [1, 2, 3], "t": ["x" * (40 << 20), "y", "z"]})
    data, schema = written(frame, format)
    pd.testing.assert_frame_equal(parse(data, format, schema), frame)
    pd.testing.assert_frame_equal(parse(data, format, schema, limit=1), frame.head(1))
    pieces = parse_batches(io.BytesIO(data), format, schema, batch_rows=2)
    pd.testing.assert_frame_equal(pd.concat(pieces, ignore_index=True), frame)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("made", "format"),
    [
        ("b'{\"a\":' + b'[' * 10_000 + b']' * 10_000 + b'}\\n'", "NDJSON"),
        ("b'{\"a\":\\n' * 100_000", "NDJSON"),
        ("b'[{\"a\":' + b'[' * 100_000", "JSON"),
        ("b'[' * 1_000_000", "JSON"),
        ("b'null\\\\n'", "NDJSON"),
        ("b'{\"a\":[' * 1_000_000", "NDJSON"),
    ],
)
def test_no_text_ends_the_process(made: str, format: str) -> None:
    code = f"""
from digime_pandas import errors
from digime_pandas._tabular.formats import {format}
from digime_pandas._tabular.parse import parse
try:
    parse({made}, {format})
except errors.ReadError as error:
    print(type(error.__cause__).__name__)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=100, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "ValueError\n")


@pytest.mark.parametrize(("own", "rows"), [(True, 3), (False, 2)])
def test_an_empty_line_in_a_file_of_this_package_is_a_missing_value(own: bool, rows: int) -> None:
    assert len(parse(b"a\nx\n\ny\n", CSV, own=own)) == rows
    assert sum(map(len, parse_batches(b"a\nx\n\ny\n", CSV, own=own, batch_rows=1))) == rows


@pytest.mark.parametrize(
    "text",
    ["[,,{}]", "[{},]", "[,{}]", "[{},,{}]", "[{}\n{}]", "[{},\n,{}]", "[{}]]", '[{"n":1}', '[{"n":1},', "[{}][]"],
)
@pytest.mark.parametrize("typed", [False, True])
def test_an_array_with_other_commas_or_ends_is_an_error(text: str, typed: bool) -> None:
    schema = written(pd.DataFrame({"n": [1]}), JSON)[1] if typed else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FidelityWarning)
        with pytest.raises(ReadError):
            parse(text.encode(), JSON, schema)


@EVERY
@pytest.mark.parametrize(
    "failure", [MemoryError(), pa.ArrowMemoryError("malloc of size 5 failed")], ids=["own", "arrow"]
)
def test_a_lack_of_memory_is_an_error_that_says_what_to_do(format: Format, failure: BaseException) -> None:
    data, schema = written(FRAME, format)

    class Failing(io.BytesIO):
        def seek(self, *_: int) -> int:
            raise failure

    with pytest.raises(ReadError, match=r"not enough memory.*read_batches"):
        parse(Failing(data), format, schema)


@EVERY
def test_rows_and_bytes_are_bounded(format: Format) -> None:
    data, schema = written(pd.DataFrame({"t": ["x" * 50] * 1_000}), format)
    for text in (schema, None):
        assert len(parse(data, format, text, limits=Limits(rows=1_000))) == 1_000
        assert len(parse(data, format, text, limit=5, limits=Limits(rows=5))) == 5
        for limits in (Limits(rows=999), Limits(bytes=5_000)):
            with pytest.raises(ReadError, match=r"max_(rows|bytes)"):
                parse(data, format, text, limits=limits)
        with pytest.raises(ReadError, match="max_rows"):
            list(parse_batches(data, format, text, batch_rows=100, limits=Limits(rows=950)))


@pytest.mark.parametrize("format", [CSV, NDJSON, JSON], ids=lambda each: each.name)
def test_more_columns_than_can_be_held_are_refused_at_once(format: Format) -> None:
    names = [f"c{number}" for number in range(100_001)]
    row = "{" + ",".join(f'"{name}":1' for name in names) + "}"
    text = {"csv": ",".join(names), "ndjson": row, "json": f"[{row}]"}[format.name]
    with pytest.raises(ReadError, match="100,001 columns"):
        parse(text.encode(), format)


def test_what_a_reader_quotes_of_a_file_is_escaped() -> None:
    _, schema = written(pd.DataFrame({"n": pd.array([1], "Int16")}), CSV)
    with pytest.warns(FidelityWarning) as caught:
        parse(b"n\r\n\x1b[2J\r\n", CSV, schema)
    with pytest.raises(ReadError) as refused:
        parse(b"n,m\r\n\x1b]0;\x07\r\n", CSV)
    assert not any("\x1b" in str(each) for each in (*(each.message for each in caught), refused.value))
