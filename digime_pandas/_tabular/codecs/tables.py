"""The bytes of a file as named columns of Arrow values, before pandas makes something of them.

What a text format leaves open is left open here too: fields of CSV are text until something says otherwise, and a JSON
string that looks like a date is a string.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import TextIOWrapper
from itertools import islice
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.json as pajson
import pyarrow.parquet as pq

from digime_pandas._tabular.codecs.csv import unescape
from digime_pandas._tabular.codecs.json_array import array_lines, elements

Columns = dict[str, Any]  # Arrow arrays; lists of Python values where Arrow has no type for them
Types = Callable[[Sequence[str]], dict[str, pa.DataType]]

_BLOCK_BYTES = 16 << 20  # also the longest row of a CSV file that can be read
_AHEAD_BYTES = 2 << 20  # the reader keeps up to 32 such blocks of a file that is read in pieces
_FIRST_ROUNDED = float(2**53)
_CSV = pacsv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False)


def csv_columns(stream: BinaryIO, types: Types, rows: int | None, *, escaped: bool) -> Iterator[Columns]:
    """Yield a CSV file in pieces of `rows` rows, or in one piece.

    Args:
        stream: The file.
        types: Gives the types of the wanted columns when it is told the names of all.
        rows: Rows a piece, or None for the whole file.
        escaped: Whether its names were escaped; see `escape`.

    Raises:
        ValueError: It is no CSV file of such columns (`pyarrow.ArrowInvalid` is one).
    """
    start = stream.tell()
    if not stream.read(1):
        types([])
        return
    stream.seek(start)
    found = _first_record(stream)
    stream.seek(start)
    names = _unique(unescape(pa.array(found, pa.string())).to_pylist() if escaped else found)
    wanted = types(names)
    convert = pacsv.ConvertOptions(
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
        column_types=wanted,
        include_columns=list(wanted),
    )
    options = pacsv.ReadOptions(block_size=_BLOCK_BYTES if rows is None else _AHEAD_BYTES)
    if names != found:
        options.column_names = names
        options.skip_rows_after_names = 1 + sum(name.count("\n") for name in found)
    reader = pacsv.open_csv(pa.PythonFile(_Borrowed(stream)), options, _CSV, convert)
    for table in _resized(reader, rows):
        yield as_columns(table)


def _first_record(stream: BinaryIO) -> list[str]:
    text = TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    try:
        return next(csv.reader(text, strict=True), [])
    except csv.Error as error:
        raise ValueError(f"the first record is not CSV: {error}") from None
    finally:
        text.detach()


class _Borrowed:
    """A stream that its reader cannot close."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        return self._stream.read(size)

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        self.closed = True


def _unique(names: list[str]) -> list[str]:
    """Tell columns of the same name apart as pandas does: ``a``, ``a.1``, ``a.2``."""
    if len(set(names)) == len(names):
        return names
    counts: Counter[str] = Counter()
    unique = []
    for name in names:
        unique.append(f"{name}.{counts[name]}" if counts[name] else name)
        counts[name] += 1
    return unique


def _resized(reader: pa.RecordBatchReader, rows: int | None) -> Iterator[pa.Table]:
    if rows is None:
        yield reader.read_all()
        return
    waiting = pa.Table.from_batches([], reader.schema)
    for batch in reader:
        waiting = pa.concat_tables([waiting, pa.Table.from_batches([batch])])
        while waiting.num_rows >= rows:
            yield waiting.slice(0, rows)
            waiting = waiting.slice(rows)
    if waiting.num_rows:
        yield waiting


def parquet_columns(stream: BinaryIO, types: Types, rows: int | None) -> Iterator[Columns]:
    """Yield a Parquet file in pieces of `rows` rows, or in one piece.

    Args:
        stream: The file.
        types: Returns the wanted columns, as keys, when it is told the names of all.
        rows: Rows a piece, or None for the whole file.

    Raises:
        ValueError: It is no Parquet file.
    """
    file = pq.ParquetFile(stream, pre_buffer=False)  # which would keep all that was read
    for table in parquet_tables(file, list(types(file.schema_arrow.names)), rows):
        yield as_columns(table)


def parquet_tables(
    file: pq.ParquetFile, columns: Sequence[str] | None, rows: int | None, *, use_pandas_metadata: bool = False
) -> Iterator[pa.Table]:
    """Yield a Parquet file in tables of `rows` rows, or in one table.

    Args:
        file: The file.
        columns: The wanted columns, or None for all.
        rows: Rows a table, or None for the whole file.
        use_pandas_metadata: Whether the columns of a pandas index are read in any case.
    """
    if rows is None or not file.metadata.num_rows:
        yield file.read(columns, use_pandas_metadata=use_pandas_metadata)
        return
    for batch in file.iter_batches(rows, columns=columns, use_pandas_metadata=use_pandas_metadata):
        yield pa.Table.from_batches([batch])


def json_columns(stream: BinaryIO, types: Types | None, rows: int | None, *, array: bool) -> Iterator[Columns]:
    """Yield a file of JSON objects, in an array or one a line, in pieces of `rows` rows, or in one piece.

    Args:
        stream: The file.
        types: Gives the types of the wanted columns when it is told the names of all, or None to take the values as
            they are.
        rows: Rows a piece, or None for the whole file.
        array: Whether the objects are the elements of an array.

    Raises:
        ValueError: It is no such file, or not of such columns.
    """
    if types is not None:
        lines = array_lines(stream) if array else _lines(stream)
        for block in _blocks(lines, rows):
            names = json.loads(block[: block.find(b"\n")]).keys()
            yield as_columns(_read(block, pa.schema(list(types(list(names)).items()))))
    elif array:
        for objects in _groups(elements(stream), rows):
            yield _from_objects(objects)
    else:
        for block in _blocks(_lines(stream), rows):
            yield _untyped(block)


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    for line in stream:
        if not line.isspace():
            yield line


def _groups(items: Iterable[Any], size: int | None) -> Iterator[list[Any]]:
    iterator = iter(items)
    while group := list(islice(iterator, size)):
        yield group


def _blocks(lines: Iterable[bytes], rows: int | None) -> Iterator[bytes]:
    return (b"".join(group) for group in _groups(lines, rows))


def _read(block: bytes, schema: pa.Schema | None) -> pa.Table:
    unexpected = "infer" if schema is None else "ignore"
    parsing = pajson.ParseOptions(explicit_schema=schema, unexpected_field_behavior=unexpected)
    table = pajson.read_json(pa.BufferReader(block), pajson.ReadOptions(block_size=len(block)), parsing)
    table.validate(full=True)  # that all text is UTF-8
    return table


def _untyped(block: bytes) -> Columns:
    """Read lines by the fast reader where it takes values for what they are, and by the json module where not."""
    try:
        table = _read(block, None)
        dates = {field.name: pa.string() for field in table.schema if pa.types.is_temporal(field.type)}
        if dates:
            table = _read(block, pa.schema([(each.name, dates.get(each.name, each.type)) for each in table.schema]))
    except pa.ArrowInvalid:
        return _from_objects([json.loads(line) for line in block.splitlines()])
    if any(pa.types.is_nested(column.type) or _may_be_rounded(column) for column in table.columns):
        return _from_objects([json.loads(line) for line in block.splitlines()])
    return as_columns(table)


def _may_be_rounded(column: pa.ChunkedArray) -> bool:
    """Say whether whole numbers may have been read as floats that cannot hold them."""
    if not pa.types.is_floating(column.type):
        return False
    largest = pc.max(pc.abs(column)).as_py()
    return largest is not None and largest >= _FIRST_ROUNDED


def _from_objects(objects: list[Any]) -> Columns:
    names = dict.fromkeys(name for each in objects for name in _members(each))
    return {name: _values([each.get(name) for each in objects]) for name in names}


def _members(value: Any) -> Any:
    if not isinstance(value, dict):
        raise ValueError("an element is not an object")
    return value


def _values(values: list[Any]) -> Any:
    kinds = {type(each) for each in values} - {type(None)}
    if len(kinds - {int, float}) + bool(kinds & {int, float}) > 1 or kinds & {list, dict}:
        return values
    for type_ in (None, pa.uint64()):
        try:
            return pa.array(values, type_)
        except (pa.ArrowException, OverflowError):
            continue
    return values


def as_columns(table: pa.Table) -> Columns:
    """Return the columns of a table by their names."""
    return dict(zip(table.column_names, table.columns, strict=True))
