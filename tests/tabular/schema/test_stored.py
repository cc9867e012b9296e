from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest

from digime_pandas._tabular.columns import ColumnSpec, StringParameters
from digime_pandas._tabular.schema.stored import LONGEST, Schema, schema_from_json, schema_from_text


def test_a_schema_comes_back_through_its_text() -> None:
    schema = Schema(
        columns=(
            ColumnSpec("numpy", pa.int8()),
            ColumnSpec("string", pa.string(), StringParameters("pyarrow", "nan")),
            ColumnSpec("period", pa.int64(), "M"),
            None,
        ),
        index_names=(None, "x", 7, ("a", 1)),
        index_freqs=(None, "h", None, None),
        label_names=("what",),
        attrs={"unit": "kg"},
        names=("ü", "", "x", "y"),
        label_freqs=("D",),
        escaped=True,
        index_is_multi=True,
    )
    assert schema_from_text(schema.to_text()) == schema


def test_plain_columns_take_few_characters() -> None:
    schema = Schema(tuple(ColumnSpec("numpy", pa.float64()) for _ in range(1_000)))
    assert len(schema.to_text()) < 100
    assert json.loads(schema.to_json())["c"][0] == "double"


def test_a_bomb_is_not_unpacked() -> None:
    bomb = Schema((ColumnSpec("numpy", pa.int64()),), attrs={"a": "x" * 5_000_000}).to_text()
    with pytest.raises(ValueError):  # noqa: PT011 - which one does not matter
        schema_from_text(bomb[:LONGEST])
    with pytest.raises(ValueError, match="not a schema of this version"):
        schema_from_text("d2." + bomb[3:100])


@pytest.mark.parametrize("text", ["", "[]", "7", "{}", '{"c":7}', '{"c":{}}', "[" * 100_000])
def test_what_is_no_schema_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - which one does not matter
        schema_from_json(text)


@pytest.mark.parametrize(
    ("members", "part"),
    [
        ({"c": ["int64", ["numpy"]]}, "type of column 2"),
        ({"c": ["int64"], "i": 7}, "index"),
        ({"c": ["int64"], "i": ["a", "b"]}, "index"),
        ({"c": ["int64"], "i": [{"date": "x"}]}, "index"),
        ({"c": ["int64"], "f": ["h"]}, "frequency of the index"),
        ({"c": ["int64"], "p": "h"}, "frequencies of the index"),
        ({"c": ["int64"], "l": [1]}, "column labels"),
        ({"c": ["int64"], "l": [["int64", ["1", "2"]]]}, "column labels"),
        ({"c": ["int64"], "n": [{"x": 1}]}, "names of the column labels"),
        ({"c": ["int64"], "a": [1]}, "attrs"),
        ({"c": ["int64"], "h": 7}, "names"),
        ({"c": ["int64"], "g": [7]}, "frequencies of the column labels"),
    ],
    ids=str,
)
def test_a_part_that_cannot_be_read_is_left_out_and_named(members: dict[str, Any], part: str) -> None:
    schema = schema_from_json(json.dumps(members))
    assert schema == Schema((ColumnSpec("numpy", pa.int64()), *[None] * (len(members["c"]) - 1)))
    [unsaid] = schema.unsaid
    assert unsaid.startswith(f"{part}: ")


def test_a_column_that_plain_reading_rules_make_has_no_spec() -> None:
    assert schema_from_json('{"c":["int64",null]}').unsaid == ()


def test_a_schema_without_some_columns_says_so() -> None:
    spec = ColumnSpec("numpy", pa.int64())
    left = Schema((spec, spec)).without({1: "column 'b': gone"})
    assert left.columns == (spec, None)
    assert left.unsaid == ("column 'b': gone",)
