from __future__ import annotations

import io
import json

import pyarrow as pa
import pytest

from digime_pandas._tabular.codecs.json import (
    JsonCodec,
    encode_array_part,
    encode_ndjson,
    parse_json_texts,
    to_json_texts,
)

BATCH = pa.RecordBatch.from_pydict({"n": ["1.50", None], "t": ["},{", "x"]})


def test_rows_are_lines_or_parts_of_one_array() -> None:
    assert bytes(encode_ndjson(BATCH)) == b'{"n":"1.50","t":"},{"}\n{"n":null,"t":"x"}\n'
    array = bytes(encode_array_part(BATCH, first=True)) + bytes(encode_array_part(BATCH, first=False)) + b"]"
    assert json.loads(array) == BATCH.to_pylist() * 2
    assert array.count(b"\n") == 1


def test_texts_of_number_columns_are_written_as_numbers() -> None:
    assert b'{"n":1.50,' in bytes(encode_ndjson(BATCH, number_columns=["n"]))
    assert b'{"n":1.50,' in bytes(encode_array_part(BATCH, first=True, number_columns=["n"]))


def test_nested_values_come_back_through_their_texts() -> None:
    values = pa.array([[{"a": 1}], None, []], pa.list_(pa.struct([("a", pa.int64())])))
    texts = to_json_texts(values)
    assert texts.to_pylist() == ['[{"a":1}]', None, "[]"]
    assert parse_json_texts(texts.cast(pa.string()), values.type).equals(values)


@pytest.mark.parametrize("array", [True, False])
def test_a_typed_reader_names_the_columns_of_the_first_row_and_keeps_it(array: bool) -> None:
    content = b'[{"a":1,"b":"x"},{"a":2,"b":"y"}]\n' if array else b'{"a":1,"b":"x"}\n{"a":2,"b":"y"}\n'
    reader = JsonCodec(array=array).open(io.BytesIO(content), typed=True)
    assert reader.names == ["a", "b"]
    pieces = list(reader.columns({"a": pa.int8()}, 1))
    assert [piece["a"].to_pylist() for piece in pieces] == [[1], [2]]
    assert [list(piece) for piece in pieces] == [["a"], ["a"]]


@pytest.mark.parametrize("array", [True, False])
def test_without_rows_there_are_no_names_and_no_pieces(array: bool) -> None:
    reader = JsonCodec(array=array).open(io.BytesIO(b"[]\n" if array else b""), typed=True)
    assert reader.names is None
    assert list(reader.columns({}, None)) == []
