from __future__ import annotations

import io
import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from digime_pandas._tabular.codecs.parquet_metadata import ATTRS_KEY, SCHEMA_KEY, file_schema
from digime_pandas._tabular.frames.source import column_source_of
from digime_pandas._tabular.schema.making import schema_of
from digime_pandas._tabular.schema.stored import schema_from_json


def schema_in_file(frame: object, *, attrs: bool) -> pa.Schema:
    source = column_source_of(frame)
    return file_schema(source, schema_of(source, attrs=attrs, named=True))


def test_the_metadata_of_pandas_and_the_schema_are_both_there() -> None:
    frame = pd.DataFrame({"a": [1.5]}, index=pd.Index(["x"], name="key"))
    frame.attrs = {"unit": "kg"}
    metadata = schema_in_file(frame, attrs=True).metadata
    by_pandas = json.loads(metadata[b"pandas"])
    assert by_pandas["index_columns"] == ["key"]
    assert [each["name"] for each in by_pandas["columns"]] == ["key", "a"]
    assert schema_from_json(metadata[SCHEMA_KEY]).index_names == ("key",)
    assert json.loads(metadata[ATTRS_KEY]) == {"unit": "kg"}


def test_attrs_are_there_only_when_asked_for_and_arrow_tables_have_nothing_of_pandas() -> None:
    frame = pd.DataFrame({"a": [1.5]})
    frame.attrs = {"unit": "kg"}
    assert ATTRS_KEY not in schema_in_file(frame, attrs=False).metadata
    assert set(schema_in_file(pa.table({"a": [1]}), attrs=True).metadata) == {SCHEMA_KEY}


def test_pandas_reads_a_category_without_values_and_without_a_type() -> None:
    frame = pd.DataFrame({"a": pd.Categorical([], categories=pd.Index([], dtype="object"))})
    file = io.BytesIO()
    pq.write_table(pa.table({"a": pa.nulls(0)}).cast(schema := schema_in_file(frame, attrs=False)), file)
    assert schema.field("a").type == pa.null()
    assert pd.read_parquet(file)["a"].dtype == object
