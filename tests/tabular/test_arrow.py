from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest

from digime_pandas._tabular.arrow import (
    DEEPEST,
    bytes_of_a_null,
    file_form,
    nesting_of,
    readable_type,
    type_from_json,
    type_to_json,
)

TYPES = [
    *(pa.null(), pa.bool_(), pa.string(), pa.large_string(), pa.binary(), pa.large_binary(), pa.binary(7)),
    *(pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
    *(pa.float16(), pa.float32(), pa.float64(), pa.decimal128(5, 2), pa.decimal256(70, 3)),
    *(pa.date32(), pa.date64(), pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns")),
    *(pa.timestamp("s"), pa.timestamp("ns", "Europe/Berlin"), pa.timestamp("us", "+05:30"), pa.duration("ms")),
    *(pa.list_(pa.int8()), pa.large_list(pa.string()), pa.list_(pa.float32(), 3), pa.map_(pa.string(), pa.int8())),
    *(pa.decimal32(5, 2), pa.decimal64(12, 2), pa.uuid(), pa.bool8(), pa.json_(), pa.json_(pa.large_string())),
    *(pa.list_(pa.uuid()), pa.list_(pa.null()), pa.string_view()),
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
        ["bytes", 2**20 + 1],
        ["list", "int8", 2**20 + 1],
        ["list"],
        ["list", "int8", -1],
        ["struct", ["a"]],
        ["struct", 7],
        ["map", "int8"],
        ["dictionary", "double", "int8", False],
        ["dictionary", "int8", "int8", "yes"],
        ["union", "int8"],
        ["extension", "arrow.uuid", "int8"],
        ["extension", "arrow.uuid"],
        ["extension", 7, "int8"],
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


def test_an_extension_type_that_is_not_known_comes_back_as_its_storage() -> None:
    assert type_from_json(["extension", "arrow.of_a_later_version", "int8"]) == pa.int8()


def nested(depth: int) -> pa.DataType:
    type_ = pa.int8()
    for _ in range(depth):
        type_ = pa.list_(type_)
    return type_


@pytest.mark.parametrize(
    ("type", "depth"),
    [
        (pa.int8(), 0),
        (pa.dictionary(pa.int8(), pa.string()), 0),
        (pa.struct([]), 1),
        (pa.map_(pa.string(), pa.list_(pa.int8())), 3),
        (nested(3_000), 3_000),
    ],
    ids=["number", "dictionary", "struct", "map", "deep"],
)
def test_nesting_is_that_of_json(type: pa.DataType, depth: int) -> None:
    assert nesting_of(type) == depth


def test_the_deepest_type_that_is_written_comes_back() -> None:
    assert type_from_json(type_to_json(nested(DEEPEST))) == nested(DEEPEST)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pa.string(), pa.large_string()),
        (pa.string(), pa.dictionary(pa.int8(), pa.string_view())),
        (pa.timestamp("s", "UTC"), pa.timestamp("ms", "UTC")),
        (pa.date64(), pa.date32()),
        (pa.time32("s"), pa.time32("ms")),
        (pa.decimal32(5, 2), pa.decimal128(5, 2)),
        (pa.uuid(), pa.binary(16)),
        (pa.large_list(pa.date64()), pa.list_(pa.field("element", pa.date32()))),
        (pa.map_(pa.string(), pa.large_binary()), pa.map_(pa.string(), pa.binary())),
    ],
    ids=str,
)
def test_types_with_the_same_values_in_a_parquet_file_have_one_form(one: pa.DataType, other: pa.DataType) -> None:
    assert file_form(one) == file_form(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pa.int8(), pa.int16()),
        (pa.int64(), pa.timestamp("us")),
        (pa.timestamp("us"), pa.timestamp("us", "UTC")),
        (pa.timestamp("us"), pa.timestamp("ns")),
        (pa.string(), pa.binary()),
        (pa.decimal128(5, 2), pa.decimal128(6, 2)),
        (pa.list_(pa.int8()), pa.list_(pa.int8(), 2)),
        (pa.struct([("a", pa.int8())]), pa.struct([("b", pa.int8())])),
    ],
    ids=str,
)
def test_types_of_other_values_have_other_forms(one: pa.DataType, other: pa.DataType) -> None:
    assert file_form(one) != file_form(other)


def test_lists_of_nothing_but_nulls_are_read_as_lists_of_truth_values() -> None:
    assert readable_type(pa.null()) == pa.null()
    assert readable_type(pa.list_(pa.struct([("a", pa.null())]))) == pa.list_(pa.struct([("a", pa.bool_())]))


def test_a_null_takes_what_each_value_takes() -> None:
    assert bytes_of_a_null(pa.binary(100)) == 100
    assert bytes_of_a_null(pa.list_(pa.list_(pa.binary(5), 3), 2)) == 30
    assert bytes_of_a_null(pa.struct([("a", pa.binary(100)), ("b", pa.string())])) == 108
