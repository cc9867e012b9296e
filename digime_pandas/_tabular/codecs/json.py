"""Slices of rows as JSON objects: one a line, or as the elements of an array (RFC 8259, UTF-8)."""

from __future__ import annotations

import json
from collections.abc import Collection
from io import SEEK_END, BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pajson

from digime_pandas._service.messages import Buffer
from digime_pandas._tabular.codecs.json_array import commas_to_newlines
from digime_pandas._tabular.codecs.polars_writer import ChunkBuffer, is_usable, to_polars
from digime_pandas._tabular.codecs.without_polars import json_texts
from digime_pandas._tabular.columns import as_array


def lines(batch: pa.RecordBatch, *, digits: Collection[str] = ()) -> Buffer:
    """Return one object a row, each followed by a line feed.

    Args:
        batch: What to write; see `plain`. NaN and the infinities become null. It has rows.
        digits: Names of the columns whose texts are numbers already.
    """
    if digits or not is_usable():
        return "".join(f"{each}\n" for each in _objects(batch, digits)).encode()
    array = _array(batch)
    if commas_to_newlines(array[1:-1], batch.num_rows):
        array[-1] = ord("\n")
        return array[1:]
    # Slower, since polars starts an engine for each file.
    file = ChunkBuffer()
    to_polars(batch).write_ndjson(file)
    return file.getvalue()


def elements(batch: pa.RecordBatch, *, first: bool, digits: Collection[str] = ()) -> Buffer:
    """Return one object a row as the next elements of an array, all on one line, without its line end.

    Args:
        batch: As for `lines`.
        first: Whether these are the first rows of the file.
        digits: As for `lines`.
    """
    if digits or not is_usable():
        return (("[" if first else ",\n") + ",".join(_objects(batch, digits))).encode()
    if first:
        return _array(batch)[:-1]
    array = _array(batch, after=b",")
    array[1] = ord("\n")  # instead of the bracket
    return array[:-1]


def _array(batch: pa.RecordBatch, after: bytes = b"") -> memoryview:
    buffer = BytesIO(after)
    buffer.seek(0, SEEK_END)
    to_polars(batch).write_json(buffer)
    return buffer.getbuffer()


def as_text(array: pa.Array) -> pa.Array:
    """Return each value as its own JSON text, for a column of CSV; nulls stay null.

    Args:
        array: Values as `plain` gives them.
    """
    if not is_usable():
        return json_texts(array)
    import polars as pl

    frame = to_polars(pa.RecordBatch.from_arrays([array], names=["v"]))
    wrapped = frame.select(pl.struct("v").struct.json_encode())
    inside = wrapped.to_series().str.slice(len('{"v":')).str.head(-1).to_arrow()
    return pc.if_else(array.is_valid(), inside, pa.scalar(None, inside.type))


def from_text(array: pa.Array, type: pa.DataType) -> pa.Array:
    """Return the values of the JSON texts that `as_text` made.

    Args:
        array: The texts; nulls stay null.
        type: The type of the values.

    Raises:
        pyarrow.ArrowInvalid: They are not JSON texts of such values.
    """
    block = b"".join(b'{"v":%b}\n' % text.encode() for text in array.fill_null("null").to_pylist())
    if not block:
        return pa.nulls(0, type)
    options = pajson.ParseOptions(explicit_schema=pa.schema([("v", type)]), unexpected_field_behavior="error")
    table = pajson.read_json(pa.BufferReader(block), pajson.ReadOptions(block_size=len(block)), options)
    return as_array(table.column(0))


def _objects(batch: pa.RecordBatch, digits: Collection[str]) -> list[str]:
    rest = batch.select([name for name in batch.schema.names if name not in digits])
    tokens = {name: as_text(batch.column(name)).fill_null("null") for name in rest.schema.names}
    tokens |= {name: batch.column(name).cast(pa.large_string()).fill_null("null") for name in digits}
    parts: list[Any] = []
    for name in batch.schema.names:
        parts += [("{" if not parts else ",") + json.dumps(name, ensure_ascii=False) + ":", tokens[name]]
    texts = pc.binary_join_element_wise(*(_large(part) for part in parts), _large("}"), _large(""))
    return list(texts.to_pylist())


def _large(part: Any) -> Any:
    return pa.scalar(part, pa.large_string()) if isinstance(part, str) else part.cast(pa.large_string())
