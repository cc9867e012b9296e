"""The reading of JSON files, as a whole or in pieces."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain, islice
from typing import Any, BinaryIO

import pyarrow as pa

from digime_pandas._tabular.codecs.codec import Columns
from digime_pandas._tabular.codecs.reading.json_block import LineBlock, read_block
from digime_pandas._tabular.codecs.reading.json_columns import (
    columns_by_arrow,
    columns_of_lines,
    columns_of_objects,
    typed_columns,
)
from digime_pandas._tabular.codecs.reading.json_elements import ValueCount, array_lines, iter_objects
from digime_pandas._tabular.codecs.reading.json_rows import (
    VALUE_BYTES,
    check_values,
    first_fault,
    ndjson_lines,
    parse_object,
    skip_byte_order_mark,
)
from digime_pandas._tabular.reading.limits import Limits


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
        first = _first_object(stream, limits, array=array)
        self.names = None if first is None else list(first)
        limits.check_columns(len(self.names or ()))

    def find_names(self) -> list[str]:
        """Return the names of the first row: the schema has those of the others."""
        return self.names or []

    def columns(self, types: Mapping[str, pa.DataType | None] | None, rows: int | None) -> Iterator[Columns]:
        """Yield the rows in pieces; see `FileReader.columns`."""
        whole = self._read_whole(types) if rows is None else None
        if whole is not None:
            yield whole
            return
        self._stream.seek(self._start)
        lines = (array_lines if self._array else ndjson_lines)(self._stream, self._limits)
        start = 0
        for group in _groups(lines, rows, self._limits):
            yield self._typed(group, types, start)
            start += len(group)

    def _read_whole(self, types: Mapping[str, pa.DataType | None] | None) -> Columns | None:
        """Return all rows, or None where elements may be separated in other ways than those that were found."""
        block = _whole_block(self._stream, self._start, self._limits, array=self._array)
        if block is None:
            return None
        if not self._array:
            return self._typed(block, types, 0)
        with suppress(ValueError):
            return typed_columns(block, types, self._limits)
        return None

    def _typed(self, lines: Sequence[bytes], types: Mapping[str, pa.DataType | None] | None, start: int) -> Columns:
        try:
            return typed_columns(lines, types, self._limits)
        except ValueError as error:
            raise ValueError(self._explained(f"rows {start + 1:,} to {start + len(lines):,}: {error}")) from error

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
        whole = self._read_whole() if rows is None else None
        if whole is not None:
            yield whole
            return
        self._stream.seek(self._start)
        if self._array:
            values = ValueCount(self._limits)
            for objects in _groups(iter_objects(self._stream, self._limits, values), rows, self._limits):
                values.reset()
                yield columns_of_objects(objects, self._limits)
            return
        for group in _groups(ndjson_lines(self._stream, self._limits), rows, self._limits):
            try:
                columns = columns_of_lines(group, self._limits)
            except ValueError as error:
                self._stream.seek(self._start)
                raise ValueError(first_fault(self._stream, self._limits) or str(error)) from error
            yield columns

    def pandas_frames(self, wanted: Sequence[str] | None, rows: int | None) -> None:
        """Return None: a JSON file has no metadata."""
        del wanted, rows

    def _read_whole(self) -> Columns | None:
        """Return all rows as Arrow reads them, or None where it may not read them as JSON has them."""
        first = _first_object(self._stream, self._limits, array=self._array)
        if first is None or any(isinstance(each, dict | list) for each in first.values()):
            return None
        block = _whole_block(self._stream, self._start, self._limits, array=self._array)
        return None if block is None else columns_by_arrow(block, self._limits)


def _first_object(stream: BinaryIO, limits: Limits, *, array: bool) -> dict[str, Any] | None:
    """Return the first row of a file, or None where there is none."""
    if array:
        return next(iter_objects(stream, limits, ValueCount(limits)), None)
    line = next(ndjson_lines(stream, limits), None)
    if line is None:
        return None
    check_values([line], limits)
    return parse_object(line)


def _whole_block(stream: BinaryIO, start: int, limits: Limits, *, array: bool) -> LineBlock | None:
    """Return all lines of a file; see `read_block`."""
    stream.seek(start)
    skip_byte_order_mark(stream)
    block = read_block(stream, array=array)
    if block is not None:
        limits.check_rows(len(block))
        limits.check_bytes(len(block) * VALUE_BYTES)
    return block


def _groups(items: Iterable[Any], size: int | None, limits: Limits) -> Iterator[list[Any]]:
    """Yield the items in lists of `size`, or in one list when it is None; no empty one."""
    iterator, count = iter(items), 0
    most = min(limits.rows, limits.bytes // VALUE_BYTES) + 1
    while group := list(islice(iterator, most if size is None else min(size, most))):
        count += len(group)
        limits.check_rows(count)
        limits.check_bytes(len(group) * VALUE_BYTES)
        yield group
