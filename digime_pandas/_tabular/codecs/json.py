"""JSON (RFC 8259, UTF-8): the rows as the objects of one array, or as one object a line (NDJSON).

On reading, values are what they are in JSON until a schema says otherwise: a string that looks like a date is a string.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from functools import partial
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pajson

from digime_pandas._tabular.arrow import as_array
from digime_pandas._tabular.codecs.codec import EncodeJob, Piece, Run
from digime_pandas._tabular.codecs.json_array import commas_to_newlines
from digime_pandas._tabular.codecs.reading.json_reader import JsonReader, TypedJsonReader
from digime_pandas._tabular.codecs.text_slices import encode_slices
from digime_pandas._tabular.engines import arrow_text, few_rows, polars_text
from digime_pandas._tabular.engines.few_rows import TextRows
from digime_pandas._tabular.engines.json_depth import check_json_depth
from digime_pandas._tabular.reading.limits import DEFAULT_LIMITS, Limits


class JsonCodec:
    """Writes and reads JSON and NDJSON files.

    Args:
        array: Whether the objects are the elements of one array, or else one a line.
    """

    def __init__(self, *, array: bool) -> None:
        self._array = array

    def encode(self, job: EncodeJob, run: Run) -> Iterator[Piece]:
        """Yield the file; see `Codec.encode`."""
        as_numbers = job.options["decimals"] == "number"
        decimals = [each.name for each in job.source.columns if as_numbers and pa.types.is_decimal(each.type)]
        encode = partial(_encode_slice, array=self._array, number_columns=decimals)
        empty = True
        for piece in encode_slices(job, encode, run):
            yield piece
            empty = False
        if self._array:
            yield b"[]\n" if empty else b"]\n"

    def failure_of(self, type: pa.DataType) -> None:
        """Return None: there is text for every type."""
        del type

    def open(
        self, stream: BinaryIO, *, escaped: bool = False, typed: bool = False, limits: Limits = DEFAULT_LIMITS
    ) -> TypedJsonReader | JsonReader:
        """Start to read a file; see `Codec.open`."""
        del escaped
        return (TypedJsonReader if typed else JsonReader)(stream, limits, array=self._array)


def encode_ndjson(rows: TextRows, *, number_columns: Collection[str] = ()) -> Piece:
    """Return one object a row, each followed by a line feed.

    Args:
        rows: Rows, at least one, with columns. NaN and the infinities become null.
        number_columns: Names of the columns whose texts are written as numbers, without quotes.
    """
    objects = _objects(rows, number_columns)
    if objects is not None:
        return "".join(f"{each}\n" for each in objects).encode()
    batch = rows.batch()
    array = polars_text.json_array(batch)
    if commas_to_newlines(array[1:-1], batch.num_rows):
        array[-1] = ord("\n")
        return array[1:]
    return polars_text.json_lines(batch)


def encode_array_part(rows: TextRows, *, first: bool, number_columns: Collection[str] = ()) -> Piece:
    """Return one object a row as the next elements of an array, all on one line, without its line end.

    Args:
        rows: As for `encode_ndjson`.
        first: Whether these are the first rows of the file.
        number_columns: As for `encode_ndjson`.
    """
    objects = _objects(rows, number_columns)
    if objects is not None:
        return (("[" if first else ",\n") + ",".join(objects)).encode()
    if first:
        return polars_text.json_array(rows.batch())[:-1]
    array = polars_text.json_array(rows.batch(), after=b",")
    array[1] = ord("\n")  # instead of the bracket
    return array[:-1]


def to_json_texts(array: pa.Array) -> pa.Array:
    """Return each value as its own JSON text; nulls stay null.

    Args:
        array: Values of a type that text formats have.
    """
    make_texts = polars_text.json_texts if polars_text.polars_is_usable() else arrow_text.json_texts
    return make_texts(array)


def parse_json_texts(array: pa.Array, type: pa.DataType) -> pa.Array:
    """Return the values of the texts that `to_json_texts` made.

    Args:
        array: The texts; nulls stay null.
        type: The type of the values.

    Raises:
        ValueError: They are not JSON texts of such values (`pyarrow.ArrowInvalid` is one).
    """
    block = b"".join(b'{"v":%b}\n' % text.encode() for text in array.fill_null("null").to_pylist())
    if not block:
        return pa.nulls(0, type)
    check_json_depth(block)
    options = pajson.ParseOptions(explicit_schema=pa.schema([("v", type)]), unexpected_field_behavior="error")
    table = pajson.read_json(pa.BufferReader(block), pajson.ReadOptions(block_size=len(block)), options)
    if table.num_rows != len(array):
        raise ValueError("a field is not one JSON value")
    return as_array(table.column(0))


def _encode_slice(rows: TextRows, first: bool, *, array: bool, number_columns: Collection[str]) -> Piece:
    if array:
        return encode_array_part(rows, first=first, number_columns=number_columns)
    return encode_ndjson(rows, number_columns=number_columns)


def _objects(rows: TextRows, number_columns: Collection[str]) -> list[str] | None:
    """Return each row as an object; None where polars is to write them all at once."""
    if not number_columns and few_rows.is_few(rows):
        return few_rows.json_objects(rows)
    if not number_columns and polars_text.polars_is_usable():
        return None
    parts: list[Any] = []
    for name, values in zip(rows.names, rows.arrays, strict=True):
        texts = values.cast(pa.large_string()) if name in number_columns else to_json_texts(values)
        parts += [("{" if not parts else ",") + json.dumps(name, ensure_ascii=False) + ":", texts.fill_null("null")]
    objects = pc.binary_join_element_wise(*(_large(part) for part in parts), _large("}"), _large(""))
    return list(objects.to_pylist())


def _large(part: Any) -> Any:
    return pa.scalar(part, pa.large_string()) if isinstance(part, str) else part.cast(pa.large_string())
