"""Record batches as a Parquet file, with the metadata by which pandas makes its frame again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from io import BytesIO
from itertools import chain, islice
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.pandas_compat import get_extension_dtype_info, get_logical_type, get_logical_type_from_numpy

from digime_pandas._service.streams import Run, one_by_one
from digime_pandas._tabular.codecs.parquet_footer import RowGroupJoiner
from digime_pandas._tabular.columns import Column
from digime_pandas._tabular.frames.source import ColumnSource

SCHEMA_KEY = b"digime_pandas"
ATTRS_KEY = b"PANDAS_ATTRS"
_SAMPLE_ROWS = 8_192
_LARGE_BYTES = 1 << 20
_DISTINCT = 0.9


def file_schema(frame: ColumnSource, schema: str, attrs: Mapping[Any, Any]) -> pa.Schema:
    """Return the Arrow schema of the file with its metadata.

    Args:
        frame: What is written.
        schema: The read-back schema as JSON; it travels inside the file under the key ``digime_pandas``.
        attrs: The frame's `attrs`, as far as JSON can hold them.
    """
    fields = [pa.field(each.name, _storable_type(each.type)) for each in frame.columns]
    metadata = {SCHEMA_KEY: schema.encode()}
    if frame.labels is not None:
        metadata[b"pandas"] = json.dumps(_pandas_metadata(frame)).encode()
        if attrs:
            metadata[ATTRS_KEY] = json.dumps(attrs).encode()
    return pa.schema(fields, metadata=metadata)


def storable(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return a batch as `schema` has it: Parquet has no dictionaries of extension types, so their values are given."""
    arrays = [
        each if each.type == field.type else pa.ExtensionArray.from_storage(field.type, _taken(each))
        for each, field in zip(batch.columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _taken(array: pa.DictionaryArray) -> pa.Array:
    return array.dictionary.storage.take(array.indices)


def _storable_type(type: pa.DataType) -> pa.DataType:
    return type.value_type if _is_odd_dictionary(type) else _without_metadata(type)


def _without_metadata(type: pa.DataType) -> pa.DataType:
    """Return a type without the metadata of its fields, which may list values that no row has (polars Enum does)."""
    # Types that differ in metadata only are equal to pyarrow: what this returns must not be remembered by type.
    if not pa.types.is_nested(type) or isinstance(type, pa.BaseExtensionType):
        return type
    fields = [type.field(i) for i in range(type.num_fields)]
    bare = [pa.field(each.name, _without_metadata(each.type), nullable=each.nullable) for each in fields]
    if pa.types.is_struct(type):
        return pa.struct(bare)
    if pa.types.is_map(type):
        return pa.map_(*(_without_metadata(each) for each in (type.key_type, type.item_type)), type.keys_sorted)
    if pa.types.is_fixed_size_list(type):
        return pa.list_(bare[0], type.list_size)
    return pa.large_list(bare[0]) if pa.types.is_large_list(type) else pa.list_(bare[0])


def _is_odd_dictionary(type: pa.DataType) -> bool:
    return pa.types.is_dictionary(type) and isinstance(type.value_type, pa.BaseExtensionType)


def chunks(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, *, compression: str, run: Run = one_by_one
) -> Iterator[memoryview | bytes]:
    """Yield the file, one row group a batch.

    Dictionary encoding costs most of the time of a Parquet file and pays only where values come again: a column gets
    it when a sample of 8,192 rows holds fewer than 90 % distinct values. Other whole numbers and times are written as
    differences, which is faster and smaller than as they are.

    Args:
        batches: The row groups, of `schema`.
        schema: Schema of the file.
        compression: Codec of the pages, as pyarrow names it.
        run: Runs the tasks that encode a row group each, possibly several at a time.
    """
    left = iter(batches)
    few = list(islice(left, 2))
    options = _encodings(few[0].slice(0, _SAMPLE_ROWS) if few else None) | {"compression": compression}
    encode = partial(_file, schema=schema, options=options)
    if len(few) < 2:  # noqa: PLR2004 - one row group, or none: nothing to join
        yield encode(few)
        return
    rest = chain(few, left)
    del few  # or both would stay until the end
    joined = RowGroupJoiner()
    for file in run(partial(encode, [batch]) for batch in rest):
        yield joined.add(file)
    yield joined.finish()


def _file(batches: list[pa.RecordBatch], schema: pa.Schema, options: Mapping[str, Any]) -> memoryview:
    buffer = BytesIO()
    with pq.ParquetWriter(buffer, schema, version="2.6", **options) as writer:
        for batch in batches:
            # As a table: its columns are encoded one after the other, those of a batch wait for each other.
            writer.write_table(pa.Table.from_batches([batch]), row_group_size=batch.num_rows)
    if buffer.tell() > _LARGE_BYTES:
        # The allocator of each thread would keep what a row group took.
        pa.default_memory_pool().release_unused()
    return buffer.getbuffer()


def _encodings(sample: pa.RecordBatch | None) -> dict[str, Any]:
    columns = [] if sample is None else list(zip(sample.schema, sample.columns, strict=True))
    repetitive = [field.name for field, column in columns if _is_repetitive(column)]
    counted = [field.name for field, _ in columns if _is_counted(field.type) and field.name not in repetitive]
    return {
        "use_dictionary": repetitive or False,
        "column_encoding": dict.fromkeys(counted, "DELTA_BINARY_PACKED") or None,
    }


def _is_repetitive(column: pa.Array) -> bool:
    if pa.types.is_dictionary(column.type):
        return True
    if pa.types.is_boolean(column.type) or pa.types.is_nested(column.type):
        return False
    try:
        return bool(len(column.unique()) < _DISTINCT * (len(column) - column.null_count))
    except pa.ArrowNotImplementedError:  # Arrow counts no distinct values of extension types, such as periods
        return False


def _is_counted(type: pa.DataType) -> bool:
    return bool(pa.types.is_integer(type) or pa.types.is_timestamp(type) or pa.types.is_duration(type))


def _pandas_metadata(frame: ColumnSource) -> dict[str, Any]:
    """Describe the frame as pandas documents it ("Storing pandas DataFrame objects in Apache Parquet format")."""
    labels = frame.labels
    assert labels is not None
    kept = len(labels.index)
    names = [*labels.index_names[:kept], *labels.columns]
    return {
        "index_columns": [each.name for each in labels.index] or [_default_index(frame)],
        "column_indexes": [_label_entry(labels.columns, level) for level in range(labels.columns.nlevels)],
        "columns": [_column_entry(column, name) for column, name in zip(frame.columns, names, strict=True)],
        "creator": {"library": "pyarrow", "version": pa.__version__},
        "pandas_version": pd.__version__,
    }


def _default_index(frame: ColumnSource) -> dict[str, Any]:
    return {"kind": "range", "name": None, "start": 0, "stop": frame.rows, "step": 1}


def _column_entry(column: Column, label: Any) -> dict[str, Any]:
    stored = _storable_type(column.type)
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
    if column.rule == "category" or column.spec.dtype_family == "range":
        return str(type.to_pandas_dtype() if isinstance(type, pa.BaseExtensionType) else type)
    if column.rule == "sparse":
        return str(
            np.dtype(type.to_pandas_dtype())
        )  # pandas reads no sparse columns, and the dtype would tell the fill value
    return column.dtype


def _entry_metadata(type: pa.DataType) -> dict[str, Any] | None:
    if pa.types.is_timestamp(type) and type.tz:
        return {"timezone": type.tz}
    return {"num_categories": None, "ordered": type.ordered} if pa.types.is_dictionary(type) else None


def _label_entry(labels: pd.Index[Any], level: int) -> dict[str, Any]:
    values = labels.get_level_values(level)
    numpy_type, metadata = get_extension_dtype_info(values)
    pandas_type = get_logical_type_from_numpy(values)
    name = labels.names[level]
    return {
        "name": name,
        "field_name": None if name is None else str(name),
        "pandas_type": pandas_type,
        "numpy_type": numpy_type,
        "metadata": {"encoding": "UTF-8"} if pandas_type == "unicode" else metadata,
    }
