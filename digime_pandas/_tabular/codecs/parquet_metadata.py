"""The metadata of a Parquet file: its Arrow schema, the schema that restores the frame, and what pandas documents."""

from __future__ import annotations

import json
from math import isfinite
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow.pandas_compat import get_extension_dtype_info, get_logical_type, get_logical_type_from_numpy

from digime_pandas._tabular.arrow import with_inner_types
from digime_pandas._tabular.columns import Column
from digime_pandas._tabular.frames.labels import without_names
from digime_pandas._tabular.frames.source import ColumnSource
from digime_pandas._tabular.schema.known import KnownBySchema, key_of
from digime_pandas._tabular.schema.stored import Schema

SCHEMA_KEY = b"digime_pandas"
ATTRS_KEY = b"PANDAS_ATTRS"
_FILE_SCHEMAS: KnownBySchema[tuple[pa.Schema, Schema | None]] = KnownBySchema()


def file_schema(source: ColumnSource, restoring: Schema | None) -> pa.Schema:
    """Return the Arrow schema of the file with its metadata.

    Args:
        source: What is written.
        restoring: The schema by which it comes back, or None to leave it out.
    """
    key = key_of(source)
    # The schema is kept as well, so that no other one gets its id.
    follows_from = None if key is None else (key, source.rows, id(restoring))
    return _FILE_SCHEMAS.get(follows_from, lambda: (_file_schema(source, restoring), restoring))[0]


def _file_schema(source: ColumnSource, restoring: Schema | None) -> pa.Schema:
    metadata = {} if restoring is None else {SCHEMA_KEY: restoring.to_json().encode()}
    if source.labels is not None:
        metadata[b"pandas"] = json.dumps(_pandas_metadata(source)).encode()
        if restoring is not None and restoring.attrs:
            metadata[ATTRS_KEY] = json.dumps(dict(restoring.attrs)).encode()
    fields = [pa.field(each.name, storable_type(each.type)) for each in source.columns]
    return pa.schema(fields, metadata=metadata)


def _pandas_metadata(source: ColumnSource) -> dict[str, Any]:
    """Describe the frame as pandas documents it ("Storing pandas DataFrame objects in Apache Parquet format")."""
    labels = source.labels
    assert labels is not None
    kept = len(labels.index)
    names = [*labels.index_names[:kept], *labels.columns]
    return {
        "index_columns": [each.name for each in labels.index] or [_default_index(source)],
        "column_indexes": [_label_entry(labels.columns, level) for level in range(labels.columns.nlevels)],
        "columns": [_column_entry(column, name) for column, name in zip(source.columns, names, strict=True)],
        "creator": {"library": "pyarrow", "version": pa.__version__},
        "pandas_version": pd.__version__,
    }


def _default_index(source: ColumnSource) -> dict[str, Any]:
    return {"kind": "range", "name": None, "start": 0, "stop": source.rows, "step": 1}


def _column_entry(column: Column, label: Any) -> dict[str, Any]:
    stored = storable_type(column.type)
    return {
        "name": None if label is None else str(label),
        "field_name": column.name,
        "pandas_type": get_logical_type(stored),
        "numpy_type": _numpy_type(column, stored),
        "metadata": _entry_metadata(stored),
    }


def _numpy_type(column: Column, type: pa.DataType) -> str:
    if pa.types.is_dictionary(type):
        return "int32"
    if column.rule == "category" and pa.types.is_null(type):
        return "object"  # pandas reads no file that says "null" here
    if column.rule == "category" or column.spec.dtype_family == "range":
        return str(type.to_pandas_dtype() if isinstance(type, pa.BaseExtensionType) else type)
    if column.rule == "sparse":
        # pandas reads no sparse columns, and the dtype would name the fill value.
        return str(np.dtype(type.to_pandas_dtype()))
    return column.dtype


def _entry_metadata(type: pa.DataType) -> dict[str, Any] | None:
    if pa.types.is_timestamp(type) and type.tz:
        return {"timezone": type.tz}
    return {"num_categories": None, "ordered": type.ordered} if pa.types.is_dictionary(type) else None


def _label_entry(labels: pd.Index[Any], level: int) -> dict[str, Any]:
    values = without_names(labels).get_level_values(level) if labels.nlevels > 1 else labels.get_level_values(0)
    numpy_type, metadata = get_extension_dtype_info(values)
    pandas_type = get_logical_type_from_numpy(values)
    name = labels.names[level]
    return {
        "name": name if _is_json(name) else str(name),
        "field_name": None if name is None else str(name),
        "pandas_type": pandas_type,
        "numpy_type": numpy_type,
        "metadata": {"encoding": "UTF-8"} if pandas_type == "unicode" else metadata,
    }


def _is_json(name: Any) -> bool:
    return name is None or type(name) in {bool, int, str} or (type(name) is float and isfinite(name))


def storable_type(type: pa.DataType) -> pa.DataType:
    """Return the type in the file of a column of `type`.

    Its fields have no metadata, which may list values that no row has (polars Enum does), and dictionaries are of text
    or bytes only: of other dictionaries the schema of Arrow in the file says what they would not be read as.
    """
    # Types that differ in metadata only are equal to pyarrow: what this returns must not be cached by type.
    if pa.types.is_dictionary(type):
        return type if _is_of_text(type) else storable_type(type.value_type)
    if isinstance(type, pa.BaseExtensionType) or not pa.types.is_nested(type):
        return type
    return with_inner_types(type, storable_type)


def _is_of_text(type: pa.DataType) -> bool:
    return type.value_type in {pa.string(), pa.large_string(), pa.binary(), pa.large_binary()}
