"""All bytes that a file of this package holds, unpacked, so that a test can search them."""

from __future__ import annotations

import base64
import io
import zlib
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

SCHEMA_PREFIX = "d1."


def inflated(schema: str) -> bytes:
    """Return the JSON of a schema that is sent beside a file."""
    body = schema.removeprefix(SCHEMA_PREFIX)
    return zlib.decompress(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def unpacked(data: bytes) -> Iterator[bytes]:
    """Yield what a Parquet file holds: metadata, statistics, every value of every dictionary, and its pages plain."""
    file = pq.ParquetFile(io.BytesIO(data))
    for key, value in (file.metadata.metadata or {}).items():
        yield key + value
        if key == b"ARROW:schema":
            yield base64.b64decode(value)
    for group in range(file.metadata.num_row_groups):
        for column in range(file.metadata.num_columns):
            statistics = file.metadata.row_group(group).column(column).statistics
            if statistics is not None and statistics.has_min_max:
                yield repr((statistics.min, statistics.max, statistics.min_raw, statistics.max_raw)).encode()
    table = pq.read_table(io.BytesIO(data), read_dictionary=file.schema_arrow.names)
    for column in table.columns:
        for chunk in column.chunks:
            yield from _values(chunk)
    plain = io.BytesIO()
    # Every page again, uncompressed, with dictionaries wherever there can be one.
    pq.write_table(table, plain, compression="none")
    yield plain.getvalue()


def _values(array: pa.Array) -> Iterator[bytes]:
    yield repr(array.to_pylist()).encode()
    if isinstance(array, pa.DictionaryArray):
        yield repr(array.dictionary.to_pylist()).encode()
    elif isinstance(array, pa.StructArray):
        for i in range(array.type.num_fields):
            yield from _values(array.field(i))
    elif hasattr(array, "values"):
        yield from _values(array.values)
