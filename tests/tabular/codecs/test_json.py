from __future__ import annotations

import io
import json

import pyarrow as pa
import pytest

from digime_pandas._tabular.codecs.codec import Columns
from digime_pandas._tabular.codecs.json import (
    JsonCodec,
    encode_array_part,
    encode_ndjson,
    parse_json_texts,
    to_json_texts,
)
from digime_pandas._tabular.engines.few_rows import TextRows

ROWS = TextRows(["n", "t"], [pa.array(["1.50", None]), pa.array(["},{", "x"])])


def test_rows_are_lines_or_parts_of_one_array() -> None:
    assert bytes(encode_ndjson(ROWS)) == b'{"n":"1.50","t":"},{"}\n{"n":null,"t":"x"}\n'
    array = bytes(encode_array_part(ROWS, first=True)) + bytes(encode_array_part(ROWS, first=False)) + b"]"
    assert json.loads(array) == ROWS.batch().to_pylist() * 2
    assert array.count(b"\n") == 1


def test_texts_of_number_columns_are_written_as_numbers() -> None:
    assert b'{"n":1.50,' in bytes(encode_ndjson(ROWS, number_columns=["n"]))
    assert b'{"n":1.50,' in bytes(encode_array_part(ROWS, first=True, number_columns=["n"]))


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


def columns_of(data: bytes, *, array: bool, rows: int | None = None) -> list[Columns]:
    return list(JsonCodec(array=array).open(io.BytesIO(data)).columns(None, rows))


def values_of(columns: Columns) -> dict[str, list[object]]:
    return {name: values if isinstance(values, list) else values.to_pylist() for name, values in columns.items()}


LARGE = 2**53 + 1
CELLS = {
    "whole numbers and fractions": (["1", "2.5"], [1.0, 2.5]),
    "large whole numbers beside fractions": ([str(LARGE), "2.5"], [LARGE, 2.5]),
    "far too large ones": ([str(2**70), "0.5"], [2**70, 0.5]),
    "unsigned": ([str(2**64 - 1), "1"], [2**64 - 1, 1]),
    "truth and numbers": (["true", "1"], [True, 1]),
    "a lone surrogate": (['"\\ud800"', '"x"'], ["\ud800", "x"]),
    "NUL": (['"\\u0000"', '"x"'], ["\0", "x"]),
    "past the largest float": (["1e999999999", "0"], [float("inf"), 0.0]),
    "dates": (['"2024-01-01"', '"x"'], ["2024-01-01", "x"]),
    "nested": (['[1,"a"]', '{"b":null}'], [[1, "a"], {"b": None}]),
}


@pytest.mark.parametrize("array", [True, False])
@pytest.mark.parametrize(("cells", "values"), CELLS.values(), ids=list(CELLS))
def test_values_are_what_they_are_in_json(cells: list[str], values: list[object], array: bool) -> None:
    objects = [f'{{"a":{cell}}}' for cell in cells]
    data = f"[{','.join(objects)}]" if array else "\n".join(objects)
    (found,) = columns_of(data.encode(), array=array)
    assert values_of(found) == {"a": values}
    assert [type(each) for each in values_of(found)["a"]] == [type(each) for each in values]


@pytest.mark.parametrize(("data", "array"), [(b"[{}, {}]", True), (b"{}\n{}\n", False)])
def test_rows_without_columns_are_counted(data: bytes, array: bool) -> None:
    (found,) = columns_of(data, array=array)
    assert (dict(found), found.rows) == ({}, 2)


@pytest.mark.parametrize(
    "line", [b"null", b'{"a":1}{"a":2}', b'{"a":', b"[1]", b"5", b'{"a":"x\0y"}', b'{"a":"\xff"}', b'{"\xff":1}']
)
def test_a_line_that_is_not_one_object_is_named(line: bytes) -> None:
    for data in (b'{"a":1}\n\n' + line + b"\n", b'{"a":1}\n\n' + line + b'\n{"a":3}\n'):
        with pytest.raises(ValueError, match=r"^line 3 \(row 2\): "):
            columns_of(data, array=False)


@pytest.mark.parametrize("array", [True, False])
def test_a_typed_reader_says_where_a_later_piece_is_wrong(array: bool) -> None:
    rows = [b'{"a":1}'] * 5 + [b'{"a":}']
    data = b"[" + b",\n".join(rows) + b"]" if array else b"\n".join(rows)
    pieces = JsonCodec(array=array).open(io.BytesIO(data), typed=True).columns({"a": pa.int64()}, 2)
    assert [next(pieces).rows, next(pieces).rows] == [2, 2]
    with pytest.raises(
        ValueError, match="^byte 51: Expecting value" if array else r"^line 6 \(row 6\): Expecting value"
    ):
        next(pieces)


def test_a_typed_reader_says_in_which_rows_a_type_does_not_fit() -> None:
    data = b'{"a":1}\n{"a":2}\n{"a":"x"}\n'
    pieces = JsonCodec(array=False).open(io.BytesIO(data), typed=True).columns({"a": pa.int64()}, 2)
    next(pieces)
    with pytest.raises(ValueError, match=r"^rows 3 to 3: "):
        next(pieces)


@pytest.mark.parametrize("data", [b'[{"a":1}', b'[{"a":1},\n', b'[{"a":1}]\n{"a":2}', b'{"a":1}'])
def test_a_typed_array_begins_and_ends_as_arrays_do(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"begin|closing"):
        list(JsonCodec(array=True).open(io.BytesIO(data), typed=True).columns({"a": pa.int64()}, None))


@pytest.mark.parametrize("array", [True, False])
def test_the_names_of_all_rows_are_found_without_losing_the_place(array: bool) -> None:
    objects = [b'{"a":1}', b'{"a":2,"b":3}', b'{"c":4}']
    data = b"[" + b",".join(objects) + b"]" if array else b"\n".join(objects)
    found = JsonCodec(array=array).open(io.BytesIO(data))
    pieces = found.columns(None, 1)
    first = next(pieces)
    assert list(found.find_names()) == ["a", "b", "c"]
    assert [values_of(each) for each in [first, *pieces]] == [{"a": [1]}, {"a": [2], "b": [3]}, {"c": [4]}]


def test_a_field_with_several_values_is_no_json_text() -> None:
    for text in ('1}\n{"v":2', "1,", "[" * 10_000):
        with pytest.raises(ValueError, match=r"."):
            parse_json_texts(pa.array([text, "[1]"]), pa.list_(pa.int64()))


@pytest.mark.parametrize("typed", [True, False])
def test_null_in_place_of_an_object_is_an_error_wherever_a_piece_begins(typed: bool) -> None:
    pieces = JsonCodec(array=False).open(io.BytesIO(b'{"a":1}\nnull\n'), typed=typed).columns({"a": pa.int64()}, 1)
    assert next(pieces).rows == 1
    with pytest.raises(ValueError, match=r"line 2 \(row 2\): an element is not an object"):
        next(pieces)
