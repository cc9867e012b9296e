from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest

from digime_pandas._tabular.arrow import type_from_json, type_to_json

TYPES = [
    *(pa.null(), pa.bool_(), pa.string(), pa.large_string(), pa.binary(), pa.large_binary(), pa.binary(7)),
    *(pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
    *(pa.float16(), pa.float32(), pa.float64(), pa.decimal128(5, 2), pa.decimal256(70, 3)),
    *(pa.date32(), pa.date64(), pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns")),
    *(pa.timestamp("s"), pa.timestamp("ns", "Europe/Berlin"), pa.timestamp("us", "+05:30"), pa.duration("ms")),
    *(pa.list_(pa.int8()), pa.large_list(pa.string()), pa.list_(pa.float32(), 3), pa.map_(pa.string(), pa.int8())),
    *(
        pa.struct([("a", pa.int8()), ("", pa.list_(pa.struct([])))]),
        pa.dictionary(pa.int32(), pa.string(), ordered=True),
    ),
]


@pytest.mark.parametrize("type", TYPES, ids=str)
def test_types_come_back_through_json(type: pa.DataType) -> None:
    assert type_from_json(json.loads(json.dumps(type_to_json(type)))) == type


@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        "int7",
        [],
        {},
        ["timestamp"],
        ["timestamp", "parsecs", "UTC"],
        ["timestamp", 1, 2],
        ["decimal", 128, 99, 1],
        ["decimal", 128, "1", 1],
        ["bytes", -1],
        ["bytes", 10**30],
        ["list"],
        ["list", "int8", -1],
        ["struct", ["a"]],
        ["struct", 7],
        ["map", "int8"],
        ["dictionary", "double", "int8", False],
        ["dictionary", "int8", "int8", "yes"],
        ["union", "int8"],
        json.loads('["list",' * 100 + '"int8"' + "]" * 100),
    ],
    ids=repr,
)
def test_what_is_no_type_is_a_value_error(value: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - which one does not matter
        type_from_json(value)


def test_a_type_without_json_form_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="no JSON form"):
        type_to_json(pa.sparse_union([pa.field("a", pa.int8())]))
