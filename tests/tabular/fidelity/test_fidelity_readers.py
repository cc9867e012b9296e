# The stubs of pandas and numpy know fewer inputs than the libraries take.
# mypy: disable-error-code="arg-type, assignment, attr-defined, call-overload, comparison-overlap, list-item, operator"
"""Files are read by programs that know nothing of this package, and compared value by value."""

from __future__ import annotations

import base64
import csv
import datetime as dt
import io
import json
import math
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from digime_pandas._tabular.formats import CSV, JSON, NDJSON, PARQUET, Format
from digime_pandas._tabular.serialize import inspect_frame

TEXTS = [
    'say "hi"',
    "two\nlines",
    "a\rb",
    "a\r\nb",
    "a,b",
    "nul\x00",
    "",
    None,
    " lead",
    "=1+1",
    "007",
    "🦆é",
    "\\",
    "\t",
    "\u2028",
]
FLOATS = [
    0.1,
    -0.0,
    5e-324,
    1.7976931348623157e308,
    1e16,
    123456789.123456789,
    1 / 3,
    2.0,
    1e-7,
    1e22,
    None,
    9007199254740993.0,
    -1.5,
    0.0,
    1e100,
]
INTEGERS = [2**63 - 1, -(2**63), 2**53 + 1, 0, -1, 7, 42, 1, 2, 3, 4, 5, 6, 8, 9]
MOMENTS = pd.date_range("2024-10-27T00:00:00.000000001", periods=15, freq="30min", tz="UTC").tz_convert("Europe/Berlin")
FRAME = pd.DataFrame(
    {
        "text": TEXTS,
        "float": FLOATS,
        "int": INTEGERS,
        "nullable": pd.array([2**53 + 1, None, *range(13)], dtype="Int64"),
        "flag": [True, False] * 7 + [True],
        "moment": MOMENTS,
        "local": MOMENTS.tz_localize(None).as_unit("us"),
        "day": pd.date_range("2024-02-28", periods=15).as_unit("s"),
        "kind": pd.Categorical(["b", "a", None] * 5),
        "span": pd.to_timedelta([*range(-7, 8)], unit="h") + pd.Timedelta(1, "us"),
    }
)
ROWS = len(FRAME)


def content(frame: object, format: Format, **options: object) -> bytes:
    return b"".join(inspect_frame(frame, format, options=options).checked().chunks())


def records(format: Format) -> list[dict[str, Any]]:
    """Read a file of `FRAME` by the standard library; values of CSV are made what their column says, by Python."""
    frame = FRAME.assign(float=FRAME["float"].astype("Float64"))
    data = content(frame, format)
    if format is JSON:
        return list(json.loads(data))
    if format is NDJSON:
        return [json.loads(line) for line in data.split(b"\n")[:-1]]
    rows = list(csv.DictReader(io.StringIO(data.decode(), newline="")))
    kinds = {"float": float, "int": int, "nullable": int, "flag": {"true": True, "false": False}.get}
    return [
        {name: kinds.get(name, str)(text) if text or name == "text" else None for name, text in row.items()}
        for row in rows
    ]


@pytest.mark.parametrize("format", [CSV, JSON, NDJSON], ids=lambda each: each.name)
def test_the_standard_library_reads_every_value(format: Format) -> None:
    found = records(format)
    assert len(found) == ROWS
    assert [row["text"] or None for row in found] == [text or None for text in TEXTS]
    if format is not CSV:  # the csv module cannot tell a missing value from an empty text
        assert [row["text"] for row in found] == TEXTS
    for mine, theirs in zip(FLOATS, [row["float"] for row in found], strict=True):
        assert mine == theirs
        assert mine is None or math.copysign(1, mine) == math.copysign(1, theirs)
    assert [row["int"] for row in found] == INTEGERS
    assert [row["nullable"] for row in found] == [2**53 + 1, None, *range(13)]
    assert [row["flag"] for row in found] == FRAME["flag"].tolist()
    assert [pd.Timestamp(row["moment"]) for row in found] == list(MOMENTS)
    assert {row["moment"][-6:] for row in found} == {"+02:00", "+01:00"}
    assert [np.datetime64(row["local"]) for row in found] == list(FRAME["local"].to_numpy())
    assert [dt.date.fromisoformat(row["day"]) for row in found] == FRAME["day"].dt.date.tolist()
    assert [row["kind"] for row in found] == ["b", "a", None] * 5
    assert [pd.Timedelta(row["span"]) for row in found] == FRAME["span"].tolist()


def test_csv_tells_null_from_empty_text() -> None:
    lines = content(pd.DataFrame({"a": [1, 2], "t": [None, ""]}), CSV).split(b"\r\n")
    assert lines == [b"a,t", b"1,", b'2,""', b""]


def test_csv_lines_end_in_crlf_and_fields_are_quoted_when_they_must_be() -> None:
    data = content(pd.DataFrame({"t": ["a", "b,c", 'd"e', "f\ng"], "n": range(4)}), CSV)
    assert data == b't,n\r\na,0\r\n"b,c",1\r\n"d""e",2\r\n"f\ng",3\r\n'


def test_json_is_an_array_and_ndjson_one_object_a_line() -> None:
    frame = pd.DataFrame({"a": [1, 2], "t": ["ü\n", None]})
    assert content(frame, JSON) == '[{"a":1,"t":"ü\\n"},{"a":2,"t":null}]\n'.encode()
    assert content(frame, NDJSON) == '{"a":1,"t":"ü\\n"}\n{"a":2,"t":null}\n'.encode()
    assert content(frame.iloc[:0], JSON) == b"[]\n"
    assert content(frame.iloc[:0], NDJSON) == b""


@pytest.mark.parametrize("format", [JSON, NDJSON], ids=lambda each: each.name)
def test_bytes_are_base64(format: Format) -> None:
    values = [b"", b"\x00\xff", bytes(range(256))]
    frame = pd.DataFrame({"b": pd.Series(values, dtype=object)})
    text = content(frame, NDJSON)
    assert [base64.b64decode(json.loads(line)["b"], validate=True) for line in text.splitlines()] == values


@pytest.mark.parametrize("format", [CSV, JSON, NDJSON], ids=lambda each: each.name)
@pytest.mark.slow
def test_every_double_survives_to_the_last_bit(format: Format) -> None:
    bits = np.random.default_rng(7).integers(0, 2**64, 100_000, dtype="uint64")
    values = bits.view("float64")
    values = values[np.isfinite(values)]
    data = content(pd.DataFrame({"x": values, "n": 1}), format)
    if format is CSV:
        found = [float(row[0]) for row in csv.reader(io.StringIO(data.decode())) if row[0] != "x"]
    else:
        found = [row["x"] for row in (json.loads(data) if format is JSON else map(json.loads, data.splitlines()))]
    assert np.array_equal(np.array(found).view("uint64"), values.view("uint64"))


@pytest.mark.parametrize("format", [CSV, NDJSON], ids=lambda each: each.name)
def test_every_float32_survives_to_the_last_bit(format: Format) -> None:
    bits = np.random.default_rng(8).integers(0, 2**32, 50_000, dtype="uint32")
    values = bits.view("float32")
    values = values[np.isfinite(values)]
    data = content(pd.DataFrame({"x": values, "n": 1}), format)
    texts = (line.partition(b",")[0].removeprefix(b'{"x":') for line in data.splitlines())
    found = np.array([np.float32(float(text)) for text in texts if text != b"x"])
    assert np.array_equal(found.view("uint32"), values.view("uint32"))


def test_pandas_reads_csv() -> None:
    texts = [(text or "").replace("\x00", "") for text in TEXTS]  # pandas 2 cuts a text at its NUL
    found = pd.read_csv(
        io.BytesIO(content(FRAME.assign(text=texts), CSV)),
        keep_default_na=False,
        na_values={name: [""] for name in FRAME.columns if name != "text"},
        dtype={"text": "object", "nullable": "Int64"},
        parse_dates=["local", "day"],
        **({"float_precision": "round_trip"} if int(pd.__version__.split(".")[0]) < 3 else {}),
    )
    assert found["text"].tolist() == texts
    pd.testing.assert_series_equal(found["float"], FRAME["float"])
    pd.testing.assert_series_equal(found["int"], FRAME["int"])
    pd.testing.assert_series_equal(found["nullable"], FRAME["nullable"])
    pd.testing.assert_series_equal(found["flag"], FRAME["flag"])
    assert (found["local"] == FRAME["local"]).all()
    assert (pd.to_datetime(found["moment"], utc=True) == FRAME["moment"]).all()


def test_polars_reads_csv_and_ndjson() -> None:
    for found in (
        pl.read_csv(content(FRAME, CSV)),
        pl.read_ndjson(content(FRAME.assign(float=FRAME["float"].astype("Float64")), NDJSON)),
    ):
        assert found["text"].to_list() == TEXTS
        assert found["float"].to_list() == FLOATS
        assert found["int"].to_list() == INTEGERS
        assert found["nullable"].to_list() == [2**53 + 1, None, *range(13)]
        assert found["flag"].to_list() == FRAME["flag"].tolist()


def test_arrow_reads_csv() -> None:
    options = pacsv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=False, null_values=[""])
    parsing = pacsv.ParseOptions(newlines_in_values=True)
    found = pacsv.read_csv(io.BytesIO(content(FRAME, CSV)), parse_options=parsing, convert_options=options)
    assert found["text"].to_pylist() == TEXTS
    assert found["float"].to_pylist() == FLOATS
    assert found["int"].to_pylist() == INTEGERS
    assert found["local"].type in {pa.timestamp("s"), pa.timestamp("ns")}


@pytest.mark.parametrize("format", [CSV, NDJSON, PARQUET], ids=lambda each: each.name)
def test_duckdb_reads_values_and_types(format: Format, tmp_path: Any) -> None:
    frame = FRAME.assign(
        text=[(text or "").replace("\x00", "") for text in TEXTS], float=[each or 1.5 for each in FLOATS]
    )
    path = tmp_path / f"frame{format.suffixes[0]}"
    path.write_bytes(content(frame, format))
    reader = {
        "csv": "read_csv(?, sample_size=-1)",
        "ndjson": "read_json(?, format='newline_delimited')",
        "parquet": "read_parquet(?)",
    }
    relation = duckdb.connect().sql(f"select * from {reader[format.name]}", params=[str(path)])
    types = dict(zip(relation.columns, map(str, relation.types), strict=True))
    told = relation.project("* exclude (moment)")  # DuckDB's Python needs one more package for zoned times
    rows = [dict(zip(told.columns, row, strict=True)) for row in told.fetchall()]
    assert [row["float"] for row in rows] == frame["float"].tolist()
    assert [row["int"] for row in rows] == INTEGERS
    assert [row["nullable"] for row in rows] == [2**53 + 1, None, *range(13)]
    assert [row["flag"] for row in rows] == frame["flag"].tolist()
    assert [row["text"] or "" for row in rows] == frame["text"].tolist()
    assert [row["kind"] for row in rows] == ["b", "a", None] * 5
    if format is PARQUET:
        assert types["moment"] in {"TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS", "TIMESTAMP_NS"}
        assert types["local"] == "TIMESTAMP"
        assert types["day"] == "TIMESTAMP_MS" or types["day"] == "TIMESTAMP"
        assert [row["local"] for row in rows] == frame["local"].tolist()


def test_polars_reads_parquet_as_standard_types() -> None:
    frame = FRAME.assign(money=[Decimal("1.20")] * ROWS, date=[dt.date(2024, 1, 1)] * ROWS, tags=[["a", "b"]] * ROWS)
    found = pl.read_parquet(io.BytesIO(content(frame, PARQUET)))
    assert found["text"].to_list() == TEXTS
    assert found["float"].to_list() == FLOATS
    assert found["int"].to_list() == INTEGERS
    assert found["nullable"].to_list() == [2**53 + 1, None, *range(13)]
    assert found["kind"].cast(pl.String).to_list() == ["b", "a", None] * 5
    assert found.schema["moment"] == pl.Datetime("ns", "Europe/Berlin")
    assert found.schema["money"] == pl.Decimal(3, 2)
    assert found.schema["date"] == pl.Date
    assert found.schema["tags"] == pl.List(pl.String)
    assert found["tags"].to_list() == [["a", "b"]] * ROWS


@pytest.mark.parametrize(
    "frame",
    [
        FRAME.drop(columns="day"),
        FRAME[["int"]].set_index(MOMENTS.rename("at")),
        FRAME[["int", "float"]].set_index([FRAME["kind"], FRAME["flag"]]),
        FRAME[["int"]].set_axis(pd.RangeIndex(5, 35, 2)),
        FRAME[["int", "flag"]].set_axis(pd.MultiIndex.from_tuples([("a", "b"), ("a", "c")], names=["x", None]), axis=1),
        pd.DataFrame({"p": pd.period_range("2024", periods=3, freq="M"), "i": pd.interval_range(0, 3)}),
        pd.DataFrame({"s": pd.array(["a", None], dtype="string"), "b": pd.array([True, None], dtype="boolean")}),
        pd.DataFrame({"o": pd.Categorical(["lo", "hi", "mid"], ["lo", "mid", "hi"], ordered=True)}),
        pd.DataFrame({"a": [1, 2]}).iloc[:0],
        pd.DataFrame({"small": np.array([1, 2], "int8"), "half": np.array([0.5, 1], "float16")}),
    ],
    ids=["types", "zoned index", "multi", "range", "labels", "period", "nullable", "ordered", "empty", "small"],
)
def test_pandas_reads_parquet_as_its_own(frame: pd.DataFrame) -> None:
    if getattr(frame.index, "freq", None) is not None:
        frame.index.freq = None
    frame.attrs = {"unit": "kg"}
    found = pd.read_parquet(io.BytesIO(content(frame, PARQUET, attrs=True)))
    pd.testing.assert_frame_equal(found, frame)
    assert found.attrs == {"unit": "kg"}


def test_parquet_is_no_larger_than_what_pandas_writes() -> None:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "id": np.arange(100_000),
            "when": pd.to_datetime(rng.integers(1.6e9, 1.7e9, 100_000), unit="s"),
            "kind": pd.Categorical.from_codes(rng.integers(0, 5, 100_000), list("abcde")),
            "price": rng.random(100_000),
        }
    )
    assert len(content(frame, PARQUET)) <= len(frame.to_parquet())


def test_parquet_row_groups_and_encodings_suit_the_values() -> None:
    frame = pd.DataFrame({"id": range(50_000), "same": [7] * 50_000, "x": np.random.default_rng(1).random(50_000)})
    group = pq.read_metadata(io.BytesIO(content(frame, PARQUET))).row_group(0)
    encodings = {group.column(i).path_in_schema: set(group.column(i).encodings) for i in range(3)}
    assert "DELTA_BINARY_PACKED" in encodings["id"]
    assert "RLE_DICTIONARY" in encodings["same"]
    assert "PLAIN" in encodings["x"]
    assert "RLE_DICTIONARY" not in encodings["x"]
