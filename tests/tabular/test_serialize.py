# The stubs of pandas and numpy know fewer inputs than the libraries take.
# mypy: disable-error-code="arg-type, assignment, attr-defined, call-overload, comparison-overlap, list-item, operator"
"""What a frame becomes as a whole: index, labels, attrs, options, slices, streams."""

from __future__ import annotations

import csv
import io
import json
import warnings
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from digime_pandas._tabular.codecs import parquet, text_slices
from digime_pandas._tabular.codecs.text_slices import SLICE_BYTES
from digime_pandas._tabular.formats import CSV, FORMATS, JSON, NDJSON, PARQUET, Format
from digime_pandas._tabular.frames import pandas_columns
from digime_pandas._tabular.parse import parse
from digime_pandas._tabular.serialize import inspect_frame
from digime_pandas.errors import FidelityError, FidelityWarning, InputError

EVERY = pytest.mark.parametrize("format", FORMATS.values(), ids=lambda each: each.name)
TEXTUAL = pytest.mark.parametrize("format", [CSV, JSON, NDJSON], ids=lambda each: each.name)
BASE = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})


def content(frame: object, format: Format, *, index: bool | None = None, **options: object) -> bytes:
    return b"".join(inspect_frame(frame, format, index=index, options=options).checked().chunks())


def back(frame: object, format: Format, *, index: bool | None = None, **options: object) -> pd.DataFrame:
    prepared = inspect_frame(frame, format, index=index, options=options).checked()
    return parse(b"".join(prepared.chunks()), format, prepared.schema)


def names(data: bytes, format: Format) -> list[str]:
    """Read the names of the columns without the code under test."""
    match format.name:
        case "csv":
            return next(csv.reader(io.StringIO(data.decode(), newline="")))
        case "json":
            return list(json.loads(data)[0])
        case "ndjson":
            return list(json.loads(data.splitlines()[0]))
        case _:
            return list(pq.read_schema(io.BytesIO(data)).names)


INDEXES: dict[str, pd.Index[Any]] = {
    "unnamed": pd.Index([4, 5]),
    "named": pd.Index(["p", "q"], name="person"),
    "range": pd.RangeIndex(5, 9, 2),
    "named range": pd.RangeIndex(2, name="n"),
    "duplicates": pd.Index([1, 1]),
    "missing": pd.Index(["p", None], name="person"),
    "datetime with frequency": pd.date_range("2024-01-01", periods=2, freq="h", tz="Europe/Berlin"),
    "datetime": pd.to_datetime(["2024-01-05", "2024-01-01"]),
    "timedelta with frequency": pd.timedelta_range("1h", periods=2, freq="h"),
    "period": pd.period_range("2024-01", periods=2, freq="M", name="month"),
    "interval": pd.interval_range(0, 2),
    "category": pd.CategoricalIndex(["b", "a"], categories=["b", "a"], ordered=True),
    "int name": pd.Index([4, 5], name=7),
    "multi": pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["x", "y"]),
    "unnamed multi": pd.MultiIndex.from_tuples([("a", 1), ("b", 2)]),
    "multi with missing": pd.MultiIndex.from_arrays([[1, None], pd.to_datetime(["2024-01-01", None], utc=True)]),
    "multi of one level": pd.MultiIndex.from_arrays([["a", "b"]], names=["only"]),
    "multi with unused levels": pd.MultiIndex.from_product([["a", "b"], [1, 2, 3]])[[0, 5]],
}


@EVERY
@pytest.mark.parametrize("index", INDEXES.values(), ids=INDEXES)
def test_every_index_but_the_default_is_kept(format: Format, index: pd.Index[Any]) -> None:
    frame = BASE.set_axis(index)
    pd.testing.assert_frame_equal(back(frame, format), frame)


@EVERY
def test_the_default_index_is_left_out_and_index_true_keeps_it(format: Format) -> None:
    assert names(content(BASE, format), format) == ["a", "b"]
    assert names(content(BASE, format, index=True), format) == ["index", "a", "b"]
    pd.testing.assert_frame_equal(back(BASE, format, index=True), BASE)


@EVERY
def test_index_false_drops_any_index(format: Format) -> None:
    frame = BASE.set_axis(["p", "q"])
    assert names(content(frame, format, index=False), format) == ["a", "b"]
    pd.testing.assert_frame_equal(back(frame, format, index=False), BASE)


@EVERY
def test_unnamed_levels_are_called_as_reset_index_calls_them(format: Format) -> None:
    single = BASE.set_axis([4, 5])
    double = BASE.set_axis(INDEXES["unnamed multi"])
    assert names(content(single, format), format) == list(single.reset_index().columns)
    assert names(content(double, format), format) == list(double.reset_index().columns)


LABELS: dict[str, pd.Index[Any]] = {
    "default": pd.RangeIndex(2),
    "int": pd.Index([7, 5]),
    "float": pd.Index([0.5, 1.5]),
    "bool": pd.Index([True, False]),
    "missing": pd.Index(["a", None], dtype=object),
    "times": pd.to_datetime(["2024-01-01", "2025-01-01"]),
    "named": pd.Index(["a", "b"], name="what"),
    "empty": pd.Index(["", "a"]),
    "odd text": pd.Index(['say "hi", x\n', "🦆 =1+1\x00"]),
    "category": pd.CategoricalIndex(["a", "b"]),
    "multi": pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["x", None]),
    "multi of one level": pd.MultiIndex.from_arrays([["a", "b"]]),
    "mixed with text": pd.Index(["a", "1"], dtype=object),
}


@EVERY
@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_column_labels_of_any_type_come_back(format: Format, labels: pd.Index[Any]) -> None:
    frame = BASE.set_axis(labels, axis=1)
    pd.testing.assert_frame_equal(back(frame, format), frame)


@EVERY
@pytest.mark.parametrize(
    ("frame", "column"),
    [
        (BASE.set_axis(["a", "a"], axis=1), "a"),
        (BASE.set_axis(["1", 1], axis=1), "1"),
        (BASE.rename_axis("a"), "a"),
        (pd.DataFrame({"index": [1]}, index=[9]), "index"),
        (BASE.set_axis(pd.Index(["a", "\ud800"], dtype=object), axis=1), "\ud800"),
    ],
    ids=["duplicate", "same as text", "level and column", "unnamed level and column", "surrogate"],
)
def test_names_that_cannot_be_told_apart_or_written_are_refused(
    format: Format, frame: pd.DataFrame, column: str
) -> None:
    with pytest.raises(FidelityError, match="name") as caught:
        inspect_frame(frame, format).checked()
    assert caught.value.column == column
    assert any(each.verdict == "impossible" for each in inspect_frame(frame, format).columns)


@EVERY
@pytest.mark.parametrize(
    "frame",
    [
        BASE.iloc[:0],
        BASE.set_index("b").iloc[:0],
        BASE.set_index(["a", "b"]),
        pd.DataFrame(),
        pd.DataFrame(index=[5, 6]),
        BASE.iloc[:0].astype({"a": "datetime64[ns, UTC]", "b": "category"}),
    ],
    ids=["no rows", "no rows, index", "only index", "nothing", "no columns", "no rows, odd types"],
)
def test_empty_frames_come_back(format: Format, frame: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(back(frame, format), frame)


@EVERY
def test_rows_without_any_column_are_refused(format: Format) -> None:
    with pytest.raises(FidelityError, match="index=True"):
        inspect_frame(pd.DataFrame(index=range(3)), format).checked()
    assert len(back(pd.DataFrame(index=range(3)), format, index=True)) == 3


@pytest.mark.parametrize("format", [JSON, NDJSON], ids=lambda each: each.name)
def test_an_untyped_json_file_without_rows_warns_that_its_columns_are_lost(format: Format) -> None:
    with pytest.warns(FidelityWarning, match="does not name its columns"):
        assert list(back(BASE.iloc[:0], format, typed=False).columns) == []


@EVERY
def test_attrs_that_json_can_hold_come_back_and_others_are_warned_of(format: Format) -> None:
    frame = BASE.copy()
    frame.attrs = {"unit": "kg", "deep": [1, {"x": None}]}
    assert back(frame, format, attrs=True).attrs == frame.attrs
    frame.attrs = {"set": {1, 2}}
    with pytest.warns(FidelityWarning, match="attrs: JSON cannot hold them"):
        assert back(frame, format, attrs=True).attrs == {}
    frame.attrs = {1: "a key that is no text"}
    with pytest.warns(FidelityWarning, match="attrs: JSON cannot hold them"):
        assert back(frame, format, attrs=True).attrs == {}


@EVERY
def test_a_series_is_a_frame_of_one_column(format: Format) -> None:
    named, unnamed = pd.Series([1, 2], name="n"), pd.Series([1, 2])
    pd.testing.assert_frame_equal(back(named, format), named.to_frame())
    pd.testing.assert_frame_equal(back(unnamed, format), unnamed.to_frame())


@EVERY
def test_the_frame_is_not_changed(format: Format) -> None:
    key = pd.Index([3, 4, 5], name="key")
    frame = pd.DataFrame({"f": [0.5, np.nan, 1.0], "c": pd.Categorical(["x", None, "y"])}, index=key)
    frame["o"] = pd.Series(["a", None, "b"], key, dtype=object)
    frame.attrs["unit"] = "kg"
    frame.flags.allows_duplicate_labels = False
    view, before = frame.iloc[1:], frame.copy(deep=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FidelityWarning)
        content(frame, format)
        content(view, format)
    pd.testing.assert_frame_equal(frame, before, check_flags=True)
    assert (frame.attrs, frame.index.name) == ({"unit": "kg"}, "key")
    assert frame["o"].iloc[1] is None
    assert np.shares_memory(frame["f"].to_numpy(), view["f"].to_numpy())


@EVERY
def test_chunks_start_anew_at_each_call(format: Format) -> None:
    prepared = inspect_frame(BASE, format).checked()
    assert b"".join(prepared.chunks()) == b"".join(prepared.chunks())
    assert (prepared.rows, prepared.single_pass) == (2, False)


@EVERY
@pytest.mark.slow
def test_slices_have_about_four_mebibytes_whatever_the_rows_look_like(format: Format) -> None:
    rng = np.random.default_rng(1)
    rows = 120_000
    frame = pd.DataFrame({f"f{i}": rng.random(rows) for i in range(8)})
    sizes = [len(chunk) for chunk in inspect_frame(frame, format).checked().chunks()]
    limit = 17 << 20 if format is PARQUET else 6 << 20
    assert max(sizes) < limit
    assert sum(sizes) / len(sizes) > 1 << 20 if format is not PARQUET else len(sizes) >= 1
    pd.testing.assert_frame_equal(back(frame, format), frame)


@TEXTUAL
def test_slices_stay_bounded_when_rows_grow_a_hundredfold(format: Format) -> None:
    frame = pd.DataFrame({"t": ["x"] * 20_000 + ["y" * 2_000] * 20_000})
    sizes = [len(chunk) for chunk in inspect_frame(frame, format).checked().chunks()]
    assert max(sizes) < 3 * SLICE_BYTES


@TEXTUAL
def test_slices_stay_bounded_when_the_first_rows_are_the_shortest(format: Format) -> None:
    frame = pd.DataFrame({"t": ["x"] * 1_000 + ["y" * 100_000] * 400})
    sizes = [len(chunk) for chunk in inspect_frame(frame, format).checked().chunks()]
    assert max(sizes) < 3 * SLICE_BYTES


@EVERY
def test_arrow_values_are_cut_anywhere(format: Format, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_slices, "SLICE_BYTES", 1_000)
    monkeypatch.setattr(parquet, "ROW_GROUP_BYTES", 1_000)
    rows: list[dict[str, Any]] = [
        {
            "b": [None, True, False][i % 3],
            "i": i if i % 7 else None,
            "t": f"t{i}" * (i % 5) if i % 11 else None,
            "l": json.dumps([i]) if format is CSV else [i, None],
            "s": json.dumps(i) if format is CSV else {"x": i if i % 2 else None, "y": "z" * (i % 3)},
        }
        for i in range(1_013)
    ]
    table = pa.Table.from_pylist([{}, {}, {}, *rows], schema=pa.Table.from_pylist(rows).schema).slice(3)
    assert len(list(inspect_frame(table, format).checked().chunks())) > 10
    read = pa.Table.from_pandas(back(table, format), preserve_index=False)
    assert read.cast(table.schema).to_pylist() == rows


@EVERY
@pytest.mark.parametrize("rows", [1, 511, 512, 513, 5_000])
def test_the_joints_between_slices_lose_nothing(format: Format, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_slices, "SLICE_BYTES", 4_096)
    monkeypatch.setattr(parquet, "ROW_GROUP_BYTES", 4_096)
    frame = pd.DataFrame({"n": range(rows), "t": [f"text\r\n{i}" for i in range(rows)]})
    pd.testing.assert_frame_equal(back(frame, format), frame)


def streams() -> dict[str, Any]:
    table = pa.table({"a": [1, None, 3], "b": ["x", "", None]})
    return {
        "pyarrow table": table,
        "pyarrow batch": table.to_batches()[0],
        "pyarrow reader": table.to_reader(max_chunksize=2),
        "polars": pl.DataFrame({"a": [1, None, 3], "b": ["x", "", None]}),
        "capsule": _Capsule(table),
    }


class _Capsule:
    """Nothing but the Arrow PyCapsule interface."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


@EVERY
@pytest.mark.parametrize("kind", streams())
def test_whatever_exports_arrow_is_written_by_the_same_rules(format: Format, kind: str) -> None:
    found = back(streams()[kind], format)
    assert found["a"].tolist() == [1, pd.NA, 3]
    assert found["b"].tolist() == ["x", "", pd.NA]


@EVERY
def test_a_duckdb_relation_is_written_by_the_same_rules(format: Format) -> None:
    duckdb = pytest.importorskip("duckdb")
    relation = duckdb.connect().sql("select range as n, 'text ' || range as t, date '2024-01-01' as d from range(5)")
    found = back(relation, format)
    assert found["n"].tolist() == [0, 1, 2, 3, 4]
    assert found["t"].tolist() == [f"text {i}" for i in range(5)]
    assert str(found["d"].iloc[0]) == "2024-01-01"


@EVERY
def test_a_stream_works_once_and_counts_its_rows(format: Format) -> None:
    prepared = inspect_frame(pa.table({"a": range(3_000)}).to_reader(max_chunksize=700), format).checked()
    assert (prepared.single_pass, prepared.rows) == (True, None)
    assert len(parse(b"".join(prepared.chunks()), format, prepared.schema)) == 3_000
    assert prepared.rows == 3_000


@EVERY
def test_an_empty_stream_has_its_columns(format: Format) -> None:
    table = pa.table({"a": pa.array([], pa.int64()), "b": pa.array([], pa.string())})
    assert list(back(table.to_reader(), format).columns) == ["a", "b"]


def test_a_stream_is_refused_when_a_value_comes_that_the_format_cannot_hold() -> None:
    times = pa.array([0] * 2_000 + [400_000_000_000], pa.timestamp("s"))
    prepared = inspect_frame(pa.table({"t": times}).to_reader(max_chunksize=500), CSV).checked()
    with pytest.raises(FidelityError) as caught:
        list(prepared.chunks())
    assert (caught.value.column, caught.value.row) == ("t", 2_000)


def test_a_stream_warns_at_its_end_of_what_was_lost() -> None:
    values = pa.array([0.5, float("inf"), float("inf")])
    prepared = inspect_frame(pa.table({"f": values}).to_reader(), JSON).checked()
    with pytest.warns(FidelityWarning, match="2 infinite values"):
        assert json.loads(b"".join(prepared.chunks())) == [{"f": 0.5}, {"f": None}, {"f": None}]


def test_something_that_is_no_frame_is_an_error_that_says_what_is() -> None:
    with pytest.raises(InputError, match=r"list.*DataFrame"):
        inspect_frame([1, 2], CSV).checked()
    with pytest.raises(InputError, match="index=True"):
        inspect_frame(pa.table({"a": [1]}), CSV, index=True).checked()


@pytest.mark.parametrize("format", [JSON, NDJSON], ids=lambda each: each.name)
def test_nan_and_infinity_become_null_with_a_warning_that_counts_them_or_are_refused(format: Format) -> None:
    frame = pd.DataFrame({"f": [0.5, np.nan, np.inf, -np.inf, np.nan]})
    with pytest.warns(FidelityWarning, match=r"2 infinite values.*2 NaN"):
        data = content(frame, format)
    rows = json.loads(data) if format is JSON else [json.loads(line) for line in data.splitlines()]
    assert [row["f"] for row in rows] == [0.5, None, None, None, None]
    with pytest.raises(FidelityError) as caught:
        inspect_frame(frame, format, options={"strict": True}).checked()
    assert (caught.value.column, caught.value.row) == ("f", 1)
    assert content(frame.iloc[:1], format, strict=True)


@pytest.mark.parametrize("format", [JSON, NDJSON], ids=lambda each: each.name)
def test_decimals_are_strings_or_exact_numbers(format: Format) -> None:
    digits = ["1.20", "-0.05", "123456789012345678901234.5"]
    frame = pd.DataFrame({"a": [1, 2, 3], "d": [*map(Decimal, digits)], "t": ['x"y', "", "ü"]})
    for decimals, kind in (("string", str), ("number", Decimal)):
        data = content(frame, format, decimals=decimals)
        text = data if format is JSON else b"[" + data.rstrip().replace(b"\n", b",") + b"]"
        rows = json.loads(text, parse_float=Decimal)
        assert [Decimal(row["d"]) for row in rows] == [*map(Decimal, digits)]
        assert all(isinstance(row["d"], kind) for row in rows)
        assert [(row["a"], row["t"]) for row in rows] == [(1, 'x"y'), (2, ""), (3, "ü")]
        assert inspect_frame(frame, format, options={"decimals": decimals}).columns[1].verdict == (
            "changed" if decimals == "string" else "kept"
        )
        pd.testing.assert_frame_equal(back(frame, format, decimals=decimals), frame)


def test_nested_values_are_refused_in_csv_or_written_as_json_text() -> None:
    frame = pd.DataFrame({"a": [1, 2], "n": [{"x": [1, 2], "t": "a,b"}, None]})
    with pytest.raises(FidelityError, match="nested") as caught:
        inspect_frame(frame, CSV).checked()
    assert caught.value.column == "n"
    rows = list(csv.DictReader(io.StringIO(content(frame, CSV, nested="json").decode(), newline="")))
    assert json.loads(rows[0]["n"]) == {"x": [1, 2], "t": "a,b"}
    assert rows[1]["n"] == ""


RISKY = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "'=1+1", "''=1", "'plain", "plain", "", "a=b"]


def test_formulas_are_escaped_on_request_and_come_back() -> None:
    frame = pd.DataFrame({"=name": RISKY, "n": range(len(RISKY)), "d": pd.to_timedelta(range(-1, 11), unit="h")})
    frame["dec"] = [Decimal(-1)] * len(RISKY)
    data = content(frame, CSV, escape_formulas=True)
    rows = list(csv.reader(io.StringIO(data.decode(), newline="")))
    assert rows[0][0] == "'=name"
    assert not [cell for row in rows for cell in (row[0], row[2]) if cell.startswith(tuple("=+-@\t\r"))]
    assert rows[1][3] == "-1"
    pd.testing.assert_frame_equal(back(frame, CSV, escape_formulas=True), frame)
    assert content(frame, CSV) != data


def test_without_types_a_text_file_comes_back_by_plain_rules() -> None:
    frame = pd.DataFrame({"t": pd.to_datetime(["2024-01-01"]), "n": pd.array([1], "Int8")}, index=[3])
    for each in (CSV, JSON, NDJSON):
        assert inspect_frame(frame, each, options={"typed": False}).checked().schema is None
        found = back(frame, each, typed=False)
        assert list(found.columns) == ["index", "t", "n"]
        assert (found["t"].iloc[0], found["n"].dtype) == ("2024-01-01", "int64")


@TEXTUAL
def test_the_schema_is_left_out_where_plain_rules_restore_the_frame(format: Format) -> None:
    plain = pd.DataFrame({"i": [1, 2], "f": [0.5, 1.0], "b": [True, False], "t": ["x", "y"]})
    assert inspect_frame(plain, format).checked().schema is None
    pd.testing.assert_frame_equal(back(plain, format), plain)
    for other in (plain.astype({"i": "int8"}), plain.set_axis([3, 4]), plain.iloc[:0], plain.rename_axis(columns="x")):
        assert inspect_frame(other, format).checked().schema is not None
    digits = pd.DataFrame({"code": ["1", "2"]})
    assert (inspect_frame(digits, format).checked().schema is None) == (format is not CSV)
    pd.testing.assert_frame_equal(back(digits, format), digits)


@TEXTUAL
def test_a_schema_that_does_not_fit_in_a_header_is_left_out_with_a_warning(format: Format) -> None:
    rng = np.random.default_rng(5)
    categories = ["".join(map(chr, rng.integers(97, 122, 12))) for _ in range(600)]
    frame = pd.DataFrame({"c": pd.Categorical(categories, categories=categories)})
    with pytest.warns(FidelityWarning, match="3,000 characters"):
        assert inspect_frame(frame, format).checked().schema is None


def test_the_schema_is_short_printable_ascii() -> None:
    frame = pd.DataFrame({f"column {i}": pd.array([1], "Int8") for i in range(200)})
    schema = inspect_frame(frame, CSV).checked().schema
    assert schema is not None
    assert len(schema) <= 3_000
    assert schema.isascii()
    assert schema.isprintable()
    assert not set(schema) & set(' ",;')


@pytest.mark.parametrize(
    ("format", "options", "said"),
    [
        (CSV, {"strict": True}, "csv has no option 'strict'.*escape_formulas"),
        (PARQUET, {"typed": False}, "parquet has no option 'typed'.*compression"),
        (JSON, {"escape_formulas": True}, "json has no option"),
        (CSV, {"nested": "yaml"}, "nested='yaml'.*'refuse', 'json'"),
        (NDJSON, {"decimals": 1}, "decimals=1"),
        (JSON, {"strict": 1}, "strict=1"),
        (PARQUET, {"compression": "zip"}, "compression='zip'"),
    ],
)
def test_an_unknown_option_is_an_error_that_lists_the_known_ones(
    format: Format, options: dict[str, object], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        inspect_frame(BASE, format, options=options).checked()


@pytest.mark.parametrize("compression", ["snappy", "zstd", "gzip", "brotli", "lz4", "none"])
def test_parquet_is_compressed_as_asked(compression: str) -> None:
    data = content(BASE, PARQUET, compression=compression)
    found = pq.read_metadata(io.BytesIO(data)).row_group(0).column(0).compression
    assert found == {"none": "UNCOMPRESSED"}.get(compression, compression.upper())


@EVERY
def test_inspecting_neither_refuses_nor_warns_and_says_what_checking_would(format: Format) -> None:
    frame = pd.DataFrame({"c": [1j, 2j], "k": pd.Categorical(["a", "a"], ["a", "b"])})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        inspected = inspect_frame(frame, format)
    assert [each.verdict for each in inspected.columns] == ["impossible", "changed"]
    assert inspected.refusal is not None
    assert inspected.refusal.column == "c"
    assert inspected.schema is None
    with pytest.raises(FidelityError):
        next(inspected.chunks())
    inspected = inspect_frame(frame[["k"]], format)
    assert inspected.refusal is None
    assert inspected.warnings
    with pytest.warns(FidelityWarning) as caught:
        assert inspected.checked() is inspected
    assert [str(each.message) for each in caught] == [" ".join(inspected.warnings)]
    assert caught[0].filename == __file__


def connection() -> Any:
    return pytest.importorskip("duckdb").connect()


def is_usable(connection: Any) -> bool:
    """Whether no result of an earlier query is open: a new query would be refused."""
    return bool(connection.sql("select 1").fetchall() == [(1,)])


QUERIES = pytest.mark.parametrize(
    "give", [lambda relation: relation, lambda relation: relation.to_arrow_reader()], ids=["relation", "reader"]
)


@QUERIES
def test_a_refused_query_is_closed_even_while_its_error_is_held(give: Callable[[Any], Any]) -> None:
    database = connection()
    with pytest.raises(FidelityError, match="'a'") as caught:
        inspect_frame(give(database.sql("select interval 3 months a")), PARQUET).checked()
    assert caught.value.__traceback__ is not None
    assert is_usable(database)


@QUERIES
def test_a_query_is_closed_when_a_warning_is_an_error(give: Callable[[Any], Any]) -> None:
    database = connection()
    options = {"keep_unused_categories": True}
    prepared = inspect_frame(give(database.sql("select 'a'::enum('b', 'a') as k")), PARQUET, options=options)
    with pytest.raises(FidelityWarning) as caught:
        prepared.checked()
    assert caught.value.__traceback__ is not None
    assert is_usable(database)


@EVERY
@QUERIES
def test_a_query_is_closed_when_its_serialization_ends_early(give: Callable[[Any], Any], format: Format) -> None:
    database = connection()
    prepared = inspect_frame(give(database.sql("select range as n, range / 3 as f from range(1000000)")), format)
    chunks = prepared.checked().chunks()
    next(chunks)
    chunks.close()
    assert is_usable(database)


@EVERY
@QUERIES
def test_a_query_is_closed_when_a_later_value_is_refused(give: Callable[[Any], Any], format: Format) -> None:
    database = connection()
    query = "select case when range = 900000 then error('no more') else range end as n from range(1000000)"
    with pytest.raises(InputError, match="no more") as caught:
        list(inspect_frame(give(database.sql(query)), format).checked().chunks())
    assert caught.value.__traceback__ is not None
    assert is_usable(database)


@EVERY
def test_a_query_that_fails_at_once_is_no_frame(format: Format) -> None:
    database = connection()
    with pytest.raises(InputError, match=r"cannot be read|failed while it was read"):
        list(inspect_frame(database.sql("select error('never') as n"), format).checked().chunks())
    assert is_usable(database)


@EVERY
def test_an_error_of_a_library_while_text_is_made_names_its_column(
    format: Format, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = inspect_frame(pd.DataFrame({"a": [1], "b": ["x"]}), format)

    def fail(*_: object, **__: object) -> None:
        raise pa.ArrowNotImplementedError("not yet")

    monkeypatch.setattr(text_slices, "to_text", fail)
    monkeypatch.setattr(parquet, "_write_file", fail)
    with pytest.raises(FidelityError, match=r"ArrowNotImplementedError: not yet") as caught:
        list(prepared.chunks())
    assert caught.value.column == (None if format.stores_types else "a")
    assert isinstance(caught.value.__cause__, pa.ArrowNotImplementedError)


@EVERY
def test_an_error_of_a_library_about_the_frame_is_a_refusal(format: Format) -> None:
    class Label:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    with pytest.raises(FidelityError, match=r"frame cannot be read \(RuntimeError: no text\)"):
        inspect_frame(pd.DataFrame([[1]], columns=pd.Index([Label()], dtype=object)), format)


def test_the_refusal_of_a_column_has_the_error_that_it_is_due_to(monkeypatch: pytest.MonkeyPatch) -> None:
    error = RuntimeError("lost")

    def fail(*_: object) -> None:
        raise error

    pandas_columns._type_of_numpy.cache_clear()
    monkeypatch.setattr(pa, "from_numpy_dtype", fail)
    prepared = inspect_frame(pd.DataFrame({"a": [1]}), CSV)
    assert [each.verdict for each in prepared.columns] == ["impossible"]
    assert prepared.refusal is not None
    assert prepared.refusal.__cause__ is error
