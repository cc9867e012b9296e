"""A file that is read as a whole is what it is when it is read value by value."""

from __future__ import annotations

from io import BytesIO
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from digime_pandas._tabular.codecs.reading import json_columns, json_reader
from digime_pandas._tabular.codecs.reading.json_block import read_block
from digime_pandas._tabular.codecs.reading.json_reader import JsonReader, TypedJsonReader
from digime_pandas._tabular.reading.limits import DEFAULT_LIMITS

_VALUES = (
    *("1", "1.5", "2", "3.25", "null", "true", "false", '"x"', '""', '"2020-01-01"', '"\\ud800"', '"\xe9"', "01"),
    *('"},{"', '"},\n{"', '"}\\n{"', '"\\"},{\\""', '"},\\u007b"', '"a', "1]", "1e400", "NaN", "-1e-5"),
    *("9007199254740993", "18446744073709551615", "1" * 30),
    *("{}", "[]", "[{},{}]", '[{"z":1},\n{"z":2}]', '{"b":1}'),
)
_ONE_KIND = (("1", "null", "2"), ("1.5", "3.25", "null", "1"), ("true", "null"), ('"x"', '"},{"', '"2020-01-01"'))
_SEPARATORS = (",", ",", ",\n", ", ", " , ", "\n", ",,", "", ",\r\n")


def _object(random: Random) -> str:
    names = random.sample(["a", "b", "c", "},{"], random.randint(0, 3))
    pool = _VALUES if random.random() < 0.15 else random.choice(_ONE_KIND)
    return "{" + ",".join(f'"{name}":{random.choice(pool)}' for name in names) + "}"


def _array(random: Random) -> bytes:
    separator = random.choice(_SEPARATORS)
    objects = [_object(random) for _ in range(random.choice([0, 1, 2, 3, 30]))]
    text = "".join(
        each
        + ("" if place == len(objects) - 1 else separator if random.random() < 0.95 else random.choice(_SEPARATORS))
        for place, each in enumerate(objects)
    )
    start = random.choice(["[", "[", "[\n", " [", "", "\ufeff["])
    return f"{start}{text}{random.choice([']', ']', chr(10) + ']' + chr(10), ']]', '', '],'])}".encode()


def _lines(random: Random) -> bytes:
    ends = ["\n"] * random.randint(1, 30) + ["\r\n", "\n\n", " ", "", "\r", "\rnull\n", "\nnull\n"]
    return "".join(_object(random) + random.choice(ends) for _ in range(random.choice([0, 1, 2, 20]))).encode()


def _found(reader: JsonReader | TypedJsonReader, types: Any, rows: int | None) -> Any:
    try:
        return [
            [(name, str(getattr(each, "type", "")), list(map(str, each))) for name, each in columns.items()]
            for columns in reader.columns(types, rows)
        ]
    except ValueError:
        return "no such file"


@pytest.mark.parametrize("array", [True, False])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.slow
def test_a_whole_file_is_read_as_value_by_value(seed: int, array: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random(seed)
    whole = 0
    monkeypatch.setattr(json_columns, "_ARROW_BLOCK_BYTES", 64)
    for _ in range(300):
        text = _array(random) if array else _lines(random)
        expected = _found(JsonReader(BytesIO(text), DEFAULT_LIMITS, array=array), None, 1_000)
        found = _found(JsonReader(BytesIO(text), DEFAULT_LIMITS, array=array), None, None)
        assert found == expected, text
        whole += found != "no such file" and read_block(BytesIO(text), array=array) is not None
    assert whole > 10


@pytest.mark.parametrize("array", [True, False])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.slow
def test_a_whole_file_is_read_by_types_as_it_is_in_pieces(
    seed: int, array: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = Random(seed)
    read = 0
    monkeypatch.setattr(json_columns, "_ARROW_BLOCK_BYTES", 64)
    for _ in range(300):
        text = _array(random) if array else _lines(random)
        types = {"a": random.choice([pa.int64(), pa.float64(), pa.string(), pa.bool_()]), "},{": pa.string()}
        try:
            readers = [TypedJsonReader(BytesIO(text), DEFAULT_LIMITS, array=array) for _ in range(2)]
        except ValueError:
            continue
        found, expected = (_found(each, types, rows) for each, rows in zip(readers, (None, 1_000), strict=True))
        assert found == expected, text
        read += found != "no such file"
    assert read > 20


def test_elements_are_not_parsed_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(1).standard_normal(3_000)
    text = "[" + ",".join(f'{{"a":{each!r},"b":{place}}}' for place, each in enumerate(values.tolist())) + "]"
    monkeypatch.setattr(json_reader, "columns_of_objects", None)

    (columns,) = JsonReader(BytesIO(text.encode()), DEFAULT_LIMITS, array=True).columns(None, None)

    assert columns["a"].to_pylist() == values.tolist()
    assert columns["b"].to_pylist() == list(range(3_000))


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (b'[{"a":1},{"a":2}]', [b'{"a":1}', b'{"a":2}']),
        (b'[{"a":1},\n{"a":2}\n]\n', [b'{"a":1} ', b'{"a":2}']),
        (b'[{"a":1}, {"a":2}]', [b'{"a":1} ', b'{"a":2}']),
        (b"[{}]", [b"{}"]),
        (b"[{}\n{}]", None),
        (b'[{"a":"},\n{"},\n{}]', [b'{"a":"} ', b'{"} ', b"{}"]),
        (b"[]", None),
        (b"[", None),
        (b"]", None),
        (b"", None),
        (b"[1,2]", None),
        (b"[\n{}]", None),
    ],
)
def test_elements_become_lines_where_they_are_separated_in_one_way(text: bytes, lines: list[bytes] | None) -> None:
    block = read_block(BytesIO(text), array=True)

    assert (None if block is None else list(block)) == lines
