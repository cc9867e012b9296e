from __future__ import annotations

import json

import pandas as pd
import pyarrow as pa
import pytest

from digime_pandas._tabular.columns import ColumnSpec, StringParameters
from digime_pandas._tabular.formats import CSV, JSON, check_options
from digime_pandas._tabular.frames.source import column_source_of
from digime_pandas._tabular.schema import (
    LONGEST,
    Schema,
    schema_from_json,
    schema_from_text,
    schema_of,
    sidecar_schema,
)


def test_a_schema_comes_back_through_its_text() -> None:
    schema = Schema(
        columns=(
            ColumnSpec("numpy", pa.int8()),
            ColumnSpec("string", pa.string(), StringParameters("pyarrow", "nan")),
            ColumnSpec("period", pa.int64(), "M"),
        ),
        index_names=(None, "x", 7, ("a", 1)),
        index_freq="h",
        label_names=("what",),
        attrs={"unit": "kg"},
        names=("ü", ""),
        escaped=True,
        index_is_multi=True,
    )
    assert schema_from_text(schema.to_text()) == schema


def test_plain_columns_take_few_characters() -> None:
    schema = Schema(tuple(ColumnSpec("numpy", pa.float64()) for _ in range(1_000)))
    assert len(schema.to_text()) < 100
    assert json.loads(schema.to_json())["c"][0] == "double"


def test_the_same_frame_gives_the_same_schema() -> None:
    frame = pd.DataFrame({"k": pd.Categorical(["b", "a"]), "p": pd.period_range("2024", periods=2, freq="M")})
    assert schema_of(column_source_of(frame)).to_text() == schema_of(column_source_of(frame.copy())).to_text()


def test_categories_that_are_just_the_sorted_values_are_not_written_down() -> None:
    implied = pd.DataFrame({"k": pd.Categorical([f"value {i}" for i in range(900)])})
    text, lost = sidecar_schema(column_source_of(implied), CSV, check_options(CSV, {}))
    assert text is not None
    assert len(text) < 200
    assert not lost


def test_a_schema_past_the_limit_is_left_out_and_named() -> None:
    names = [f"{i * 7919 % 1000:03d}{chr(97 + i % 26)}" for i in range(2_500)]
    frame = pd.DataFrame({"k": pd.Categorical(names, categories=names)})
    text, lost = sidecar_schema(column_source_of(frame), JSON, check_options(JSON, {}))
    assert text is None
    assert f"{LONGEST:,}" in lost[0]


def test_a_bomb_is_not_unpacked() -> None:
    bomb = Schema((ColumnSpec("numpy", pa.int64()),), attrs={"a": "x" * 5_000_000}).to_text()
    with pytest.raises(ValueError):  # noqa: PT011 - which one does not matter
        schema_from_text(bomb[:LONGEST])
    with pytest.raises(ValueError, match="not a schema of this version"):
        schema_from_text("d2." + bomb[3:100])


def test_what_is_no_schema_is_a_value_error() -> None:
    for text in (
        "",
        "[]",
        "7",
        "{}",
        '{"c":7}',
        '{"c":[["numpy"]]}',
        '{"c":["int64"],"i":7}',
        '{"c":["int64"],"l":[1]}',
    ):
        with pytest.raises(ValueError):  # noqa: PT011 - which one does not matter
            schema_from_json(text)
