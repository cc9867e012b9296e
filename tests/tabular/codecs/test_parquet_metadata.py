from __future__ import annotations

import json

import pandas as pd
import pyarrow as pa

from digime_pandas._tabular.codecs.parquet_metadata import ATTRS_KEY, SCHEMA_KEY, file_schema
from digime_pandas._tabular.frames.source import column_source_of
from digime_pandas._tabular.schema import schema_from_json


def test_the_metadata_of_pandas_and_the_schema_are_both_there() -> None:
    frame = pd.DataFrame({"a": [1.5]}, index=pd.Index(["x"], name="key"))
    frame.attrs = {"unit": "kg"}
    metadata = file_schema(column_source_of(frame), attrs=True).metadata
    by_pandas = json.loads(metadata[b"pandas"])
    assert by_pandas["index_columns"] == ["key"]
    assert [each["name"] for each in by_pandas["columns"]] == ["key", "a"]
    assert schema_from_json(metadata[SCHEMA_KEY]).index_names == ("key",)
    assert json.loads(metadata[ATTRS_KEY]) == {"unit": "kg"}


def test_attrs_are_there_only_when_asked_for_and_arrow_tables_have_nothing_of_pandas() -> None:
    frame = pd.DataFrame({"a": [1.5]})
    frame.attrs = {"unit": "kg"}
    assert ATTRS_KEY not in file_schema(column_source_of(frame), attrs=False).metadata
    assert set(file_schema(column_source_of(pa.table({"a": [1]})), attrs=True).metadata) == {SCHEMA_KEY}
