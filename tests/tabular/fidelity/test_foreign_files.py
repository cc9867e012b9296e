"""Good files of each format, damaged in every way: read as others read them, or refused with a DigimeError."""

# The stubs of pandas know fewer inputs than the library takes.
# mypy: disable-error-code="arg-type, call-overload"
from __future__ import annotations

import base64
import csv
import io
import json
import os
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from digime_pandas._tabular.formats import CSV, FORMATS, JSON, NDJSON, PARQUET, Format
from digime_pandas._tabular.parse import parse, parse_batches
from digime_pandas._tabular.serialize import inspect_frame
from digime_pandas.errors import DigimeError, FidelityWarning

EXAMPLES = int(os.environ.get("DIGIME_TEST_EXAMPLES", "200"))
many = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
FRAME = pd.DataFrame(
    {
        "n": [1, 2, 3],
        "t": ['a "b"', "c,d\ne", "\u00fc"],
        "x": [0.5, -1.25, 1e300],
        "m": pd.array([1, None, 3], "Int64"),
        "k": pd.Categorical(["p", "q", "p"]),
        "w": pd.date_range("2024-01-01", periods=3, tz="Europe/Berlin"),
    }
)
ODD = [
    b"",
    b'"',
    b",",
    b"\n",
    b"\r",
    b"\\",
    b"{",
    b"[",
    b"]",
    b"}",
    b"\x00",
    b"\xff",
    b"\xef\xbb\xbf",
    b"null",
    b"9" * 30,
]


def own(format: Format) -> tuple[bytes, str | None]:
    prepared = inspect_frame(FRAME, format, options={}).checked()
    return b"".join(map(bytes, prepared.chunks())), prepared.schema


def foreign(format: Format) -> bytes:
    """The same rows as another program writes them."""
    plain = FRAME[["n", "t", "x", "m"]]
    if format == PARQUET:
        buffer = io.BytesIO()
        plain.to_parquet(buffer, compression="gzip")
        return buffer.getvalue()
    if format == CSV:
        return plain.to_csv(index=False).encode()
    return plain.to_json(orient="records", lines=format == NDJSON, force_ascii=False).encode()


GOOD = {each: [own(each), (foreign(each), None)] for each in FORMATS.values()}


def flip(data: bytes, at: int, size: int, odd: bytes) -> bytes:
    del size, odd
    return data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]


def delete(data: bytes, at: int, size: int, odd: bytes) -> bytes:
    del odd
    return data[:at] + data[at + size :]


def insert(data: bytes, at: int, size: int, odd: bytes) -> bytes:
    return data[:at] + odd * min(size, 200) + data[at:]


def truncate(data: bytes, at: int, size: int, odd: bytes) -> bytes:
    del size, odd
    return data[:at]


def duplicate(data: bytes, at: int, size: int, odd: bytes) -> bytes:
    del odd
    return data[: at + size] + data[at:]


def swap(data: bytes, at: int, size: int, odd: bytes) -> bytes:
    del odd
    end = at + size
    return data[:at] + data[end : end + size] + data[at:end] + data[end + size :]


def prepend(data: bytes, at: int, size: int, odd: bytes) -> bytes:
    del at, size
    return odd + data


CHANGES: list[Callable[[bytes, int, int, bytes], bytes]] = [flip, delete, insert, truncate, duplicate, swap, prepend]
_CHANGES = st.lists(
    st.tuples(st.sampled_from(CHANGES), st.floats(0, 1), st.sampled_from([1, 2, 5, 40, 400]), st.sampled_from(ODD)),
    min_size=1,
    max_size=3,
)


def changed(data: bytes, changes: list[tuple[Callable[..., bytes], float, int, bytes]]) -> bytes:
    for change, place, size, odd in changes:
        if data:
            data = change(data, min(int(place * len(data)), len(data) - 1), size, odd)
    return data


def found_in(data: bytes, format: Format, schema: str | None, **arguments: Any) -> pd.DataFrame | DigimeError:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FidelityWarning)
        try:
            return parse(data, format, schema, **arguments)
        except DigimeError as error:
            return error


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS.values(), ids=lambda each: each.name)
@many
@given(good=st.integers(0, 1), changes=_CHANGES)
def test_a_damaged_file_is_read_or_is_a_digime_error(
    format: Format, good: int, changes: list[tuple[Callable[..., bytes], float, int, bytes]]
) -> None:
    data, schema = GOOD[format][good]
    damaged = changed(data, changes)
    whole = found_in(damaged, format, schema)
    part = found_in(damaged, format, schema, limit=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FidelityWarning)
        try:
            rows: int | None = sum(map(len, parse_batches(io.BytesIO(damaged), format, schema, batch_rows=2)))
        except DigimeError:
            rows = None
    if isinstance(whole, pd.DataFrame):
        # A schema that fits the first piece and not a later one is an error, since rows have been given by it.
        assert rows == len(whole) or (rows is None and schema is not None)
        assert isinstance(part, pd.DataFrame)
        assert len(part) == min(1, len(whole))


def with_none(values: Iterable[Any]) -> list[Any]:
    """The values with None for every missing one."""
    return [None if each is pd.NA or each != each else each for each in values]  # noqa: PLR0124


def columns_of(frame: pd.DataFrame) -> list[list[Any]]:
    return [with_none(column.tolist()) for _, column in frame.items()]


def by_csv_module(data: bytes) -> list[list[str]]:
    """The records of a CSV file that are not blank. Errors are its own."""
    text = io.StringIO(str(data, "utf-8-sig"), newline="")
    return [
        record for record in csv.reader(text, strict=True) if any(field.strip() for field in record) or len(record) > 1
    ]


@pytest.mark.slow
@many
@given(changes=_CHANGES)
@example([(truncate, 0.99, 1, b"")])
@example([(insert, 0.5, 1, b"\n")])
@example([(insert, 0.0, 1, b"\n")])
@example([(prepend, 0.0, 1, b"\xef\xbb\xbf")])
@example([(insert, 0.3, 1, b"\r")])
def test_damaged_csv_has_the_records_that_the_csv_module_finds(changes: Any) -> None:
    data = changed(b'a,b\n1,x\n2,"y,\nz"\n3,"""q"""\n4,w\n', changes)
    found = found_in(data, CSV, None)
    try:
        header, *records = by_csv_module(data)
    except (ValueError, csv.Error):
        return
    if isinstance(found, DigimeError) or b'"' in data.replace(b'"""q"""', b"").replace(b'"y,\nz"', b""):
        return  # readers differ in quotes within fields
    assert found.shape == (len(records), len(header))
    for column, fields in zip(columns_of(found), zip(*records, strict=True), strict=False):
        assert column == [
            _plain(field) if isinstance(cell, int | float) else field or None
            for cell, field in zip(column, fields, strict=True)
        ]


def _plain(field: str) -> float | bool:
    return field.lower() == "true" if field.lower() in {"true", "false"} else float(field)


@pytest.mark.slow
@pytest.mark.parametrize("format", [JSON, NDJSON], ids=lambda each: each.name)
@many
@given(changes=_CHANGES)
@example([(truncate, 0.99, 1, b"")])
@example([(insert, 0.5, 2, b"9" * 30)])
@example([(prepend, 0.0, 1, b"null")])
@example([(insert, 0.0, 1, b"\xef\xbb\xbf"), (insert, 0.0, 1, b"\n")])
def test_damaged_json_has_the_values_that_the_json_module_finds(format: Format, changes: Any) -> None:
    data = changed(GOOD[format][1][0], changes)
    found = found_in(data, format, None)
    if isinstance(found, DigimeError):
        return
    text = str(data, "utf-8-sig")
    lines = [line for line in text.split("\n") if line.strip()]
    rows = json.loads(text) if format == JSON else [json.loads(line) for line in lines]
    assert len(found) == len(rows)
    assert {name for row in rows for name in row} == set(found.columns)
    assert columns_of(found) == [with_none(row.get(name) for row in rows) for name in found.columns]


def as_text(cell: Any) -> Any:
    return str(cell, "utf-8", "surrogateescape") if isinstance(cell, bytes) else cell


def labels_by_pyarrow(table: pa.Table) -> list[Any]:
    """The labels by the metadata of pandas, in which a changed byte may be of a label, or else the columns' names."""
    try:
        return list(table.to_pandas().columns)
    except Exception:  # noqa: BLE001 - whatever pandas raises at damaged metadata
        return list(table.column_names)


@pytest.mark.slow
@many
@given(changes=_CHANGES)
@example([(flip, 0.385544672105565, 1, b"")])
@example([(flip, 0.1764686751850915, 1, b"")])
def test_damaged_parquet_is_what_pyarrow_reads(changes: Any) -> None:
    data = changed(GOOD[PARQUET][1][0], changes)
    found = found_in(data, PARQUET, None)
    if isinstance(found, DigimeError):
        return
    table = pq.ParquetFile(io.BytesIO(data)).read()
    assert list(found.columns) == labels_by_pyarrow(table)
    cells = [with_none(column.to_pylist()) for column in table.columns]
    # Where a changed byte makes text to bytes, the metadata of pandas still says that it is text.
    assert [[as_text(cell) for cell in column] for column in columns_of(found)] == [
        [as_text(cell) for cell in column] for column in cells
    ]


def test_an_undamaged_file_is_read_whole_so_that_these_tests_test_something() -> None:
    for kind, ((data, schema), (other, _)) in GOOD.items():
        pd.testing.assert_frame_equal(parse(data, kind, schema), FRAME)
        assert parse(other, kind)["t"].tolist() == FRAME["t"].tolist()


def test_an_arrow_schema_that_is_not_of_the_file_is_refused_in_words_or_not_used() -> None:
    union = pa.schema([pa.field("u", pa.dense_union([pa.field("a", pa.int8())]))])
    table, buffer = pa.table({"u": [1]}), io.BytesIO()
    with pq.ParquetWriter(buffer, table.schema, store_schema=False) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({"ARROW:schema": base64.b64encode(union.serialize().to_pybytes()).decode()})
    assert b"ARROW:schema" in pq.read_metadata(buffer).metadata
    found = found_in(buffer.getvalue(), PARQUET, None)
    assert isinstance(found, DigimeError) or found["u"].tolist() == [1]
