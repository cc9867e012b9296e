"""Slices of rows as JSON objects, one a line, and as the elements of a JSON array (RFC 8259, UTF-8)."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pajson

from digime_pandas._columns import as_array
from digime_pandas._polars import to_polars


def lines(batch: pa.RecordBatch) -> bytes:
    """Return one object a row, each followed by a line feed.

    Args:
        batch: What to write; see `plain`. NaN and the infinities become null.
    """
    buffer = BytesIO()
    to_polars(batch).write_ndjson(buffer)
    return buffer.getvalue()


def elements(text: bytes, *, first: bool) -> bytes:
    """Return lines as elements of an array, one a line, without the line end of the last one.

    Args:
        text: What `lines` returned.
        first: Whether these are the first rows of the file.
    """
    # A line feed inside a text is written as \n, so every one in `text` ends a row.
    return (b"[" if first else b",\n") + text[:-1].replace(b"\n", b",\n")


def as_text(array: pa.Array) -> pa.Array:
    """Return each value as its own JSON text, for a column of CSV; nulls stay null.

    Args:
        array: Values as `plain` gives them.
    """
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


def with_numbers(batch: pa.RecordBatch, decimals: frozenset[str]) -> bytes:
    """Return the rows as `lines` does, with the digits of some columns as numbers.

    Args:
        batch: As for `lines`.
        decimals: Names of the columns whose texts are digits.
    """
    rest = batch.select([name for name in batch.schema.names if name not in decimals])
    tokens = {name: as_text(batch.column(name)).fill_null("null") for name in rest.schema.names}
    tokens |= {name: batch.column(name).cast(pa.large_string()).fill_null("null") for name in decimals}
    parts: list[Any] = []
    for name in batch.schema.names:
        parts += [("{" if not parts else ",") + json.dumps(name, ensure_ascii=False) + ":", tokens[name]]
    texts = pc.binary_join_element_wise(*(_large(part) for part in parts), _large("}\n"), _large(""))
    return "".join(texts.to_pylist()).encode()


def _large(part: Any) -> Any:
    return pa.scalar(part, pa.large_string()) if isinstance(part, str) else part.cast(pa.large_string())
