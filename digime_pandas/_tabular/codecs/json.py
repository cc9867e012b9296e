"""JSON (RFC 8259, UTF-8): the rows as the objects of one array, or as one object a line (NDJSON).

On reading, values are what they are in JSON until a schema says otherwise: a string that looks like a date is a string.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, islice
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pajson

from digime_pandas._tabular.arrow import as_array, as_columns
from digime_pandas._tabular.codecs.codec import Columns, EncodeJob, Piece, Run
from digime_pandas._tabular.codecs.json_array import array_lines, commas_to_newlines, iter_objects
from digime_pandas._tabular.codecs.reading.json_rows import first_fault, ndjson_lines, parse_object
from digime_pandas._tabular.codecs.text_slices import encode_slices
from digime_pandas._tabular.engines import arrow_text, polars_text
from digime_pandas._tabular.engines.json_depth import check_json_depth
from digime_pandas.errors import ReadError

_FIRST_ROUNDED = float(2**53)
_LARGEST_BLOCK = (1 << 31) - 1
_FIRST_OBJECT = re.compile(rb"[ \t\r\n]*\{")


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

    def open(self, stream: BinaryIO, *, escaped: bool = False, typed: bool = False) -> TypedJsonReader | JsonReader:
        """Start to read a file; see `Codec.open`."""
        del escaped
        return TypedJsonReader(stream, array=self._array) if typed else JsonReader(stream, array=self._array)


class TypedJsonReader:
    """Reads one file of JSON objects by the types of a schema; see `FileReader`.

    Args:
        stream: The file, from its present position.
        array: Whether the objects are the elements of an array.

    Raises:
        ValueError: It is no such file.
    """

    stored_schema = None
    labels = None
    names: list[str] | None

    def __init__(self, stream: BinaryIO, *, array: bool) -> None:
        self._stream = stream
        self._array = array
        self._start = stream.tell()
        lines = array_lines(stream) if array else ndjson_lines(stream)
        first = next(lines, None)
        self.names = None if first is None else list(parse_object(first))
        self._lines = lines if first is None else chain([first], lines)

    def find_names(self) -> list[str]:
        """Return the names of the first row: the schema has those of the others."""
        return self.names or []

    def columns(self, types: Mapping[str, pa.DataType | None] | None, rows: int | None) -> Iterator[Columns]:
        """Yield the rows in pieces; see `FileReader.columns`."""
        start = 0
        for group in _groups(self._lines, rows):
            try:
                columns = _typed_columns(group, types)
            except ValueError as error:
                raise ValueError(self._explained(f"rows {start + 1:,} to {start + len(group):,}: {error}")) from error
            start += len(group)
            yield columns

    def pandas_frames(self, wanted: Sequence[str] | None, rows: int | None) -> None:
        """Return None: a JSON file has no metadata."""
        del wanted, rows

    def _explained(self, reason: str) -> str:
        """Say where the first error is, or `reason` where the file is JSON as it should be."""
        self._stream.seek(self._start)
        if not self._array:
            return first_fault(self._stream) or reason
        try:
            deque(iter_objects(self._stream), maxlen=0)
        except ValueError as error:
            return str(error)
        return reason


class JsonReader:
    """Reads one file of JSON objects as the values that they hold; see `FileReader`.

    Args:
        stream: The file, from its present position.
        array: Whether the objects are the elements of an array.
    """

    stored_schema = None
    labels = None
    names = None

    def __init__(self, stream: BinaryIO, *, array: bool) -> None:
        self._stream = stream
        self._array = array
        self._start = stream.tell()

    def find_names(self) -> list[str]:
        """Go through the whole file and return the names in all its rows; the place in the file stays where it is."""
        position = self._stream.tell()
        self._stream.seek(self._start)
        objects = iter_objects(self._stream) if self._array else map(parse_object, ndjson_lines(self._stream))
        names = dict.fromkeys(chain.from_iterable(objects))
        self._stream.seek(position)
        return list(names)

    def columns(self, types: Mapping[str, pa.DataType | None] | None, rows: int | None) -> Iterator[Columns]:
        """Yield the rows in pieces; see `FileReader.columns`. Types are not applied."""
        del types
        if self._array:
            yield from map(_from_objects, _groups(iter_objects(self._stream), rows))
            return
        for group in _groups(ndjson_lines(self._stream), rows):
            try:
                columns = _from_lines(group)
            except ValueError as error:
                self._stream.seek(self._start)
                raise ValueError(first_fault(self._stream) or str(error)) from error
            yield columns

    def pandas_frames(self, wanted: Sequence[str] | None, rows: int | None) -> None:
        """Return None: a JSON file has no metadata."""
        del wanted, rows


def encode_ndjson(batch: pa.RecordBatch, *, number_columns: Collection[str] = ()) -> Piece:
    """Return one object a row, each followed by a line feed.

    Args:
        batch: Rows, at least one, of types that text formats have. NaN and the infinities become null.
        number_columns: Names of the columns whose texts are written as numbers, without quotes.
    """
    if number_columns or not polars_text.polars_is_usable():
        return "".join(f"{each}\n" for each in _objects(batch, number_columns)).encode()
    array = polars_text.json_array(batch)
    if commas_to_newlines(array[1:-1], batch.num_rows):
        array[-1] = ord("\n")
        return array[1:]
    return polars_text.json_lines(batch)


def encode_array_part(batch: pa.RecordBatch, *, first: bool, number_columns: Collection[str] = ()) -> Piece:
    """Return one object a row as the next elements of an array, all on one line, without its line end.

    Args:
        batch: As for `encode_ndjson`.
        first: Whether these are the first rows of the file.
        number_columns: As for `encode_ndjson`.
    """
    if number_columns or not polars_text.polars_is_usable():
        return (("[" if first else ",\n") + ",".join(_objects(batch, number_columns))).encode()
    if first:
        return polars_text.json_array(batch)[:-1]
    array = polars_text.json_array(batch, after=b",")
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


def _encode_slice(batch: pa.RecordBatch, first: bool, *, array: bool, number_columns: Collection[str]) -> Piece:
    if array:
        return encode_array_part(batch, first=first, number_columns=number_columns)
    return encode_ndjson(batch, number_columns=number_columns)


def _objects(batch: pa.RecordBatch, number_columns: Collection[str]) -> list[str]:
    parts: list[Any] = []
    for name, values in zip(batch.schema.names, batch.columns, strict=True):
        texts = values.cast(pa.large_string()) if name in number_columns else to_json_texts(values)
        parts += [("{" if not parts else ",") + json.dumps(name, ensure_ascii=False) + ":", texts.fill_null("null")]
    objects = pc.binary_join_element_wise(*(_large(part) for part in parts), _large("}"), _large(""))
    return list(objects.to_pylist())


def _large(part: Any) -> Any:
    return pa.scalar(part, pa.large_string()) if isinstance(part, str) else part.cast(pa.large_string())


def _groups(items: Iterable[Any], size: int | None) -> Iterator[list[Any]]:
    """Yield the items in lists of `size`, or in one list when it is None; no empty one."""
    iterator = iter(items)
    while group := list(islice(iterator, size)):
        yield group


def _checked_block(lines: list[bytes]) -> bytes:
    """Return lines as one block that Arrow can read without ending the process."""
    block = b"".join(lines)
    if len(block) > _LARGEST_BLOCK:
        raise ReadError("More than 2 GiB of JSON are too much for one frame. Read it in pieces, with read_batches.")
    if not _FIRST_OBJECT.match(block):
        raise ValueError("an element is not an object")  # at null in the first place, Arrow ends the process
    check_json_depth(block)
    return block


def _read_block(block: bytes, schema: pa.Schema | None) -> pa.Table:
    unexpected = "infer" if schema is None else "ignore"
    parsing = pajson.ParseOptions(explicit_schema=schema, unexpected_field_behavior=unexpected)
    table = pajson.read_json(pa.BufferReader(block), pajson.ReadOptions(block_size=len(block)), parsing)
    table.validate(full=True)  # that all text is UTF-8
    return table


def _columns_of(table: pa.Table) -> Columns:
    return Columns(as_columns(table), rows=table.num_rows)


def _typed_columns(lines: list[bytes], types: Mapping[str, pa.DataType | None] | None) -> Columns:
    """Read lines by the types of their columns; those without a type as JSON has them."""
    typed = {} if types is None else {name: each for name, each in types.items() if each is not None}
    untyped = [] if types is None else [name for name in types if name not in typed]
    columns = Columns({}, rows=len(lines))
    if typed or not untyped:
        schema = None if types is None else pa.schema(list(typed.items()))
        table = _read_block(_checked_block(lines), schema)
        if _has_other_lines(lines, table):
            raise ValueError("a line is not one object")
        columns.update(as_columns(table))
    if untyped:
        found = _from_lines(lines)
        columns.update({name: found.get(name, pa.nulls(len(lines))) for name in untyped})
    return columns


def _from_lines(lines: list[bytes]) -> Columns:
    """Read lines with Arrow where it keeps every value as JSON has it, and with the json module where it does not."""
    try:
        block = _checked_block(lines)
        table = _read_block(block, None)
        dates = {field.name: pa.string() for field in table.schema if pa.types.is_temporal(field.type)}
        if dates:
            schema = pa.schema([(each.name, dates.get(each.name, each.type)) for each in table.schema])
            table = _read_block(block, schema)
    except ValueError:
        return _from_objects(list(map(parse_object, lines)))
    if _has_other_lines(lines, table) or any(map(_may_differ, table.columns)):
        return _from_objects(list(map(parse_object, lines)))
    return _columns_of(table)


def _has_other_lines(lines: list[bytes], table: pa.Table) -> bool:
    """Return whether lines may be something else than one object each: Arrow reads ``null``, and any layout, too."""
    if table.num_rows != len(lines):
        return True
    if any(not column.null_count for column in table.columns):
        return False  # where a line is null, every column has a null
    return not all(line.lstrip().startswith(b"{") for line in lines)


def _may_differ(column: pa.ChunkedArray) -> bool:
    """Return whether values may have been read in another form: whole numbers as floats that cannot hold them."""
    if not pa.types.is_floating(column.type):
        return bool(pa.types.is_nested(column.type))
    largest = pc.max(pc.abs(column)).as_py()
    return bool(largest is not None and largest >= _FIRST_ROUNDED)


def _from_objects(objects: list[dict[str, Any]]) -> Columns:
    names = dict.fromkeys(chain.from_iterable(objects))
    return Columns({name: _array_or_list([each.get(name) for each in objects]) for name in names}, rows=len(objects))


def _array_or_list(values: list[Any]) -> Any:
    """Return the values as an Arrow array where one type holds them exactly, or else as they are."""
    kinds = {type(each) for each in values} - {type(None)}
    if kinds == {int, float}:
        # Arrow would cut off the fractions of some, and round others.
        fits = all(abs(each) <= _FIRST_ROUNDED for each in values if type(each) is int)
        return pa.array(values, pa.float64()) if fits else values
    if len(kinds) > 1 or kinds & {list, dict}:
        return values
    for type_ in (None, pa.uint64()):
        try:
            return pa.array(values, type_)
        except (pa.ArrowException, OverflowError, UnicodeEncodeError):  # lone surrogates are JSON, and no UTF-8
            continue
    return values
