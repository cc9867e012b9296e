"""Whatever a file, or the schema beside it, holds: a frame comes of it, or a DigimeError, in bounded memory."""

# The stubs of pandas know fewer inputs than the library takes.
# mypy: disable-error-code="arg-type, call-overload"
from __future__ import annotations

import base64
import io
import json
import warnings
import zlib
from collections.abc import Callable
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digime_pandas._tabular.formats import CSV, FORMATS, JSON, NDJSON, PARQUET, Format
from digime_pandas._tabular.parse import parse, parse_batches
from digime_pandas._tabular.reading.limits import Limits
from digime_pandas._tabular.schema.stored import PREFIX
from digime_pandas._tabular.serialize import inspect_frame
from digime_pandas.errors import DigimeError, FidelityWarning
from tests.faults.fuzz.inputs import TEXTS, json_values, like, many

pytestmark = pytest.mark.slow

EVERY = pytest.mark.parametrize("format", FORMATS.values(), ids=lambda each: each.name)
FRAME = pd.DataFrame(
    {"n": pd.array([1, None], "Int64"), "t": ["a", "b"], "w": pd.date_range("2024-01-01", periods=2, tz="UTC")},
    index=pd.Index(["x", "y"], name="i"),
)
LIMITS = Limits(bytes=1 << 20, rows=1_000)
TOKENS = st.sampled_from(
    [
        *'[]{},:"\n\r\\',
        "null",
        "true",
        "NaN",
        "1e999",
        "-0",
        '"a":',
        "{}",
        "[,,{}]",
        "\ufeff",
        '"\\ud800"',
        "9" * 40,
        " ",
    ]
)
JSON_LIKE = st.lists(TOKENS | st.text(max_size=3), max_size=30).map("".join)
CONTENTS = st.one_of(
    st.binary(max_size=200),
    JSON_LIKE.map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.text(st.sampled_from('a1,"\n\r;\t \x00'), max_size=60).map(str.encode),
    st.binary(max_size=100).map(lambda data: b"PAR1" + data + len(data).to_bytes(4, "little") + b"PAR1"),
    st.sampled_from([b"null", b"[" * 100_000, b'{"a":' * 20_000, b"\x00" * 5_000, b"[" + b"[" * 200 + b"]" * 201]),
)


def outcome_of(data: bytes, format: Format, schema: str | None) -> list[pd.DataFrame | DigimeError]:
    """What becomes of a file that is read whole, in part, and in pieces."""
    found: list[pd.DataFrame | DigimeError] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FidelityWarning)
        reads: list[Callable[[], pd.DataFrame]] = [
            lambda: parse(data, format, schema, limits=LIMITS),
            lambda: parse(data, format, schema, limit=1, limits=LIMITS),
            lambda: pd.concat(parse_batches(data, format, schema, batch_rows=1, limits=LIMITS)),
        ]
        for read in reads:
            try:
                found.append(read())
            except DigimeError as error:
                str(error).encode()
                found.append(error)
    return found


def written(format: Format) -> tuple[bytes, str | None]:
    prepared = inspect_frame(FRAME, format, options={}).checked()
    return b"".join(map(bytes, prepared.chunks())), prepared.schema


GOOD = {each: written(each) for each in FORMATS.values()}


def document_of(schema: str) -> Any:
    """The JSON of a schema that was made for a file."""
    packed = schema.removeprefix(PREFIX)
    return json.loads(zlib.decompress(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))))


def schema_of(document: object) -> str:
    compressed = zlib.compress(json.dumps(document).encode())
    return PREFIX + base64.urlsafe_b64encode(compressed).rstrip(b"=").decode()


@EVERY
@many
@given(data=CONTENTS)
def test_any_content_is_read_or_is_an_error_of_ours(format: Format, data: bytes) -> None:
    outcome_of(data, format, None)


@pytest.mark.parametrize("format", [CSV, JSON, NDJSON], ids=lambda each: each.name)
@many
@given(data=CONTENTS)
def test_any_content_is_read_by_a_schema_or_is_an_error_of_ours(format: Format, data: bytes) -> None:
    outcome_of(data, format, GOOD[format][1])


@pytest.mark.parametrize("format", [CSV, JSON, NDJSON], ids=lambda each: each.name)
@many
@given(drawn=st.data())
def test_any_schema_is_used_or_left_out(format: Format, drawn: st.DataObject) -> None:
    data, schema = GOOD[format]
    assert schema is not None
    document = document_of(schema)
    names = sorted({name for each in _dicts(document) for name in each})
    text = drawn.draw(like(document, names).map(schema_of) | TEXTS)
    assert all(isinstance(each, pd.DataFrame) for each in outcome_of(data, format, text))


def _dicts(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        return [value, *(each for inner in value.values() for each in _dicts(inner))]
    return [each for inner in value for each in _dicts(inner)] if isinstance(value, list) else []


PANDAS = json.loads(pa.Table.from_pandas(FRAME).schema.metadata[b"pandas"])
PANDAS_NAMES = [
    "index_columns",
    "columns",
    "column_indexes",
    "name",
    "field_name",
    "pandas_type",
    "numpy_type",
    "metadata",
]


@many
@given(document=like(PANDAS, PANDAS_NAMES), attrs=json_values(["a"]))
def test_any_metadata_of_pandas_is_used_or_left_out(document: Any, attrs: Any) -> None:
    table = pa.Table.from_pandas(FRAME).replace_schema_metadata(
        {b"pandas": json.dumps(document).encode(), b"PANDAS_ATTRS": json.dumps(attrs).encode()}
    )
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    outcome_of(buffer.getvalue(), PARQUET, None)


@many
@given(text=st.binary(max_size=80) | JSON_LIKE.map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_metadata_of_ours_is_used_or_left_out(text: bytes) -> None:
    table = pa.Table.from_pandas(FRAME).replace_schema_metadata({b"digime_pandas": text, b"pandas": text})
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    outcome_of(buffer.getvalue(), PARQUET, None)
