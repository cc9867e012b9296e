"""The reading of JSON files: Arrow where it keeps every value as JSON has it, the json module where it does not."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pajson

from digime_pandas._tabular.arrow import as_columns
from digime_pandas._tabular.codecs.codec import Columns
from digime_pandas._tabular.codecs.reading.json_elements import ValueCount, array_lines, iter_objects
from digime_pandas._tabular.codecs.reading.json_keys import check_names
from digime_pandas._tabular.codecs.reading.json_rows import (
    VALUE_BYTES,
    check_values,
    first_fault,
    ndjson_lines,
    parse_object,
)
from digime_pandas._tabular.engines.json_depth import check_json_depth
from digime_pandas._tabular.reading.limits import Limits
from digime_pandas.errors import ReadError

_FIRST_ROUNDED = float(2**53)
_LARGEST_BLOCK = (1 << 31) - 1
_FIRST_OBJECT = re.compile(rb"[ \t\r\n]*\{")
_CELL_BYTES = 8


class TypedJsonReader:
    """Reads one file of JSON objects by the types of a schema; see `FileReader`.

    Args:
        stream: The file, from its present position.
        limits: How much may be read.
        array: Whether the objects are the elements of an array.

    Raises:
        ValueError: It is no such file.
    """

    stored_schema = None
    labels = None
    names: list[str] | None

    def __init__(self, stream: BinaryIO, limits: Limits, *, array: bool) -> None:
        self._stream = stream
        self._limits = limits
        self._array = array
        self._start = stream.tell()
        lines = array_lines(stream, limits) if array else ndjson_lines(stream, limits)
        first = next(lines, None)
        self.names = None if first is None else self._names_in(first)
        self._lines = lines if first is None else chain([first], lines)

    def _names_in(self, line: bytes) -> list[str]:
        check_values([line], self._limits)
        names = list(parse_object(line))
        self._limits.check_columns(len(names))
        return names

    def find_names(self) -> list[str]:
        """Return the names of the first row: the schema has those of the others."""
        return self.names or []

    def columns(self, types: Mapping[str, pa.DataType | None] | None, rows: int | None) -> Iterator[Columns]:
        """Yield the rows in pieces; see `FileReader.columns`."""
        start = 0
        for group in _groups(self._lines, rows, self._limits):
            try:
                columns = _typed_columns(group, types, self._limits)
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
            return first_fault(self._stream, self._limits) or reason
        try:
            deque(iter_objects(self._stream, self._limits), maxlen=0)
        except ValueError as error:
            return str(error)
        return reason


class JsonReader:
    """Reads one file of JSON objects as the values that they hold; see `FileReader`.

    Args:
        stream: The file, from its present position.
        limits: How much may be read.
        array: Whether the objects are the elements of an array.
    """

    stored_schema = None
    labels = None
    names = None

    def __init__(self, stream: BinaryIO, limits: Limits, *, array: bool) -> None:
        self._stream = stream
        self._limits = limits
        self._array = array
        self._start = stream.tell()

    def find_names(self) -> list[str]:
        """Go through the whole file and return the names in all its rows; the place in the file stays where it is."""
        position = self._stream.tell()
        self._stream.seek(self._start)
        objects = (
            iter_objects(self._stream, self._limits)
            if self._array
            else map(parse_object, ndjson_lines(self._stream, self._limits))
        )
        names = dict.fromkeys(chain.from_iterable(objects))
        self._limits.check_columns(len(names))
        self._stream.seek(position)
        return list(names)

    def columns(self, types: Mapping[str, pa.DataType | None] | None, rows: int | None) -> Iterator[Columns]:
        """Yield the rows in pieces; see `FileReader.columns`. Types are not applied."""
        del types
        if self._array:
            values = ValueCount(self._limits)
            for objects in _groups(iter_objects(self._stream, self._limits, values), rows, self._limits):
                values.reset()
                yield _from_objects(objects, self._limits)
            return
        for group in _groups(ndjson_lines(self._stream, self._limits), rows, self._limits):
            try:
                columns = _from_lines(group, self._limits)
            except ValueError as error:
                self._stream.seek(self._start)
                raise ValueError(first_fault(self._stream, self._limits) or str(error)) from error
            yield columns

    def pandas_frames(self, wanted: Sequence[str] | None, rows: int | None) -> None:
        """Return None: a JSON file has no metadata."""
        del wanted, rows


def _groups(items: Iterable[Any], size: int | None, limits: Limits) -> Iterator[list[Any]]:
    """Yield the items in lists of `size`, or in one list when it is None; no empty one."""
    iterator, count = iter(items), 0
    most = min(limits.rows, limits.bytes // VALUE_BYTES) + 1
    while group := list(islice(iterator, most if size is None else min(size, most))):
        count += len(group)
        limits.check_rows(count)
        limits.check_bytes(len(group) * VALUE_BYTES)
        yield group


def _checked_block(lines: list[bytes], limits: Limits) -> bytes:
    """Return lines as one block that Arrow can read without ending the process."""
    block = b"".join(lines)
    limits.check_text(0 if len(block) <= limits.text_bytes else max(map(len, lines)))
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


def _typed_columns(lines: list[bytes], types: Mapping[str, pa.DataType | None] | None, limits: Limits) -> Columns:
    """Read lines by the types of their columns; those without a type as JSON has them."""
    typed = {} if types is None else {name: each for name, each in types.items() if each is not None}
    untyped = [] if types is None else [name for name in types if name not in typed]
    columns = Columns({}, rows=len(lines))
    if typed or not untyped:
        schema = None if types is None else pa.schema(list(typed.items()))
        block = _checked_block(lines, limits)
        if schema is None:
            check_names(lines, len(block), limits)
        table = _read_block(block, schema)
        if _has_other_lines(lines, table):
            raise ValueError("a line is not one object")
        columns.update(as_columns(table))
    if untyped:
        found = _from_lines(lines, limits)
        columns.update({name: found.get(name, pa.nulls(len(lines))) for name in untyped})
    return columns


def _from_lines(lines: list[bytes], limits: Limits) -> Columns:
    """Read lines with Arrow where it keeps every value as JSON has it, and with the json module where it does not."""
    try:
        block = _checked_block(lines, limits)
        check_names(lines, len(block), limits)
        table = _read_block(block, None)
        dates = {field.name: pa.string() for field in table.schema if pa.types.is_temporal(field.type)}
        if dates:
            schema = pa.schema([(each.name, dates.get(each.name, each.type)) for each in table.schema])
            table = _read_block(block, schema)
    except ValueError:
        return _parsed(lines, limits)
    if _has_other_lines(lines, table) or any(map(_may_differ, table.columns)):
        return _parsed(lines, limits)
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


def _parsed(lines: list[bytes], limits: Limits) -> Columns:
    """Read lines with the json module."""
    check_values(lines, limits)
    return _from_objects(list(map(parse_object, lines)), limits)


def _from_objects(objects: list[dict[str, Any]], limits: Limits) -> Columns:
    names = dict.fromkeys(chain.from_iterable(objects))
    limits.check_columns(len(names))
    limits.check_bytes(len(names) * len(objects) * _CELL_BYTES)
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
