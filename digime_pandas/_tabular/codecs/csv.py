"""CSV: RFC 4180 with CRLF line ends, in UTF-8 without a byte-order mark.

A missing value is an empty field, an empty text is ``""``. A field is quoted when it has to be. On reading, fields are
text until a schema or a rule of inference says otherwise.
"""

from __future__ import annotations

import os
from codecs import BOM_UTF8
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from digime_pandas._tabular.arrow import as_array, as_columns
from digime_pandas._tabular.codecs.codec import Columns, EncodeJob, Piece, Run
from digime_pandas._tabular.codecs.json import parse_json_texts, to_json_texts
from digime_pandas._tabular.codecs.reading.column_names import unique_names
from digime_pandas._tabular.codecs.reading.csv_rows import (
    CsvRows,
    describe_invalid,
    line_of_byte,
    line_of_record,
    read_header,
)
from digime_pandas._tabular.codecs.reading.large.csv_parts import CsvParts
from digime_pandas._tabular.codecs.reading.row_pieces import in_pieces
from digime_pandas._tabular.codecs.text_slices import encode_slices
from digime_pandas._tabular.engines import arrow_text, few_rows, polars_text
from digime_pandas._tabular.engines.few_rows import TextRows
from digime_pandas._tabular.frames.inference import typed_text
from digime_pandas._tabular.reading.limits import DEFAULT_LIMITS, Limits
from digime_pandas._tabular.reading.whole_file import content_of

_LINE_END = "\r\n"
_FORMULA = "^'*[=+\\-@\t\r]"
_ESCAPED = "^'+[=+\\-@\t\r]"
_BLOCK_BYTES = 4 << 20
_SAMPLE_BYTES = 1 << 18
_AHEAD_BYTES = 2 << 20  # the reader keeps up to 32 such blocks of a file that is read in pieces
_LARGEST_BLOCK = (1 << 31) - 1  # also the longest row that can be read
_GROWTH = 4
_LONG_ROW = "straddling object"  # what Arrow says of a row that is longer than a block


class CsvCodec:
    """Writes and reads CSV files."""

    def encode(self, job: EncodeJob, run: Run) -> Iterator[Piece]:
        """Yield the file; see `Codec.encode`."""
        columns = job.source.columns
        names = [each.name for each in columns]
        escaped: frozenset[int] = frozenset()
        if job.options["escape_formulas"]:
            names = escape(pa.array(names, pa.string())).to_pylist()
            escaped = frozenset(i for i, each in enumerate(columns) if not pa.types.is_decimal(each.type))
        encode = partial(_encode_slice, names=names, escaped=escaped)
        empty = True
        for piece in encode_slices(job, encode, run):
            yield piece
            empty = False
        if empty:
            yield encode_csv(TextRows(names, [pa.nulls(0, pa.string())] * len(names)), header=True)

    def failure_of(self, type: pa.DataType) -> None:
        """Return None: there is text for every type."""
        del type

    def open(
        self, stream: BinaryIO, *, escaped: bool = False, typed: bool = False, limits: Limits = DEFAULT_LIMITS
    ) -> CsvReader:
        """Start to read a file; see `Codec.open`."""
        return CsvReader(stream, limits, escaped=escaped, typed=typed)


class CsvReader:
    """Reads one CSV file; see `FileReader`.

    Args:
        stream: The file, from its present position.
        escaped: Whether its names and texts were escaped; see `escape`.
        typed: Whether a schema came with it. Then an empty line in a file of one column is a missing value; else, as in
            files of others, blank lines are skipped.
        limits: How much may be read.

    Raises:
        ValueError: The first record is not CSV.
        ReadError: It is longer, or has more fields, than may be read.
    """

    stored_schema = None
    labels = None

    def __init__(self, stream: BinaryIO, limits: Limits, *, escaped: bool, typed: bool) -> None:
        self._stream = stream
        self._limits = limits
        self._escaped = escaped
        self._file_start = stream.tell()
        header = read_header(stream, limits, skips_blank=not typed)
        self._is_empty = header is None
        self._rows_start = stream.tell()
        names = unescape(pa.array(header or [], pa.string())).to_pylist() if escaped else header or []
        self.names = unique_names(names)
        self._skips_blank = not typed or len(self.names) > 1

    def find_names(self) -> list[str]:
        """Return the names, which the header has."""
        return self.names

    def columns(self, types: Mapping[str, pa.DataType | None] | None, rows: int | None) -> Iterator[Columns]:
        """Yield the rows in pieces; see `FileReader.columns`. Without types all fields are text."""
        if self._is_empty:
            return
        numbers = self._read_numbers(types) if rows is None and types is not None else None
        if numbers is not None:
            yield numbers
            return
        asked: Mapping[str, pa.DataType | None] = dict.fromkeys(self.names) if types is None else types
        wanted = {name: pa.string() if type_ is None else type_ for name, type_ in asked.items()}
        for table in self._tables(wanted, rows):
            columns = {name: self._decoded(table.column(name), each) for name, each in wanted.items()}
            yield Columns(columns, rows=table.num_rows)

    def _read_numbers(self, types: Mapping[str, pa.DataType | None]) -> Columns | None:
        """Return all rows of a file of nothing but numbers as the rules of inference make them, faster than by texts.

        Returns:
            None where the file has something else, or is read by a schema.
        """
        size = self._stream.seek(0, os.SEEK_END) - self._rows_start
        if size < _SAMPLE_BYTES or not types or any(each is not None for each in types.values()):
            return None
        with suppress(ValueError, StopIteration):
            found = self._sampled_types()
            if set(found.values()) <= {pa.int64(), pa.float64()}:
                tables = self._tables({name: found[name] for name in types}, None, only_numbers=True)
                return next((Columns(as_columns(each), rows=len(each)) for each in tables), None)
        return None

    def _sampled_types(self) -> dict[str, pa.DataType]:
        """Return the types that the rules of inference make of the first rows."""
        source = self._source()
        try:
            rows = next(iter(self._open(source, dict.fromkeys(self.names, pa.string()), _SAMPLE_BYTES)))
        finally:
            source.stop()
        return {name: typed_text(rows.column(name)).type for name in self.names}

    def pandas_frames(self, wanted: Sequence[str] | None, rows: int | None) -> None:
        """Return None: a CSV file has no metadata."""
        del wanted, rows

    def _batches(
        self, types: Mapping[str, pa.DataType], block_bytes: int, *, only_numbers: bool = False
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows, from the first one; again with larger blocks where a row is longer than one."""
        count = 0
        while True:
            source = self._source(only_numbers=only_numbers)
            skipped = count
            try:
                for batch in self._open(source, types, block_bytes, use_threads=True):
                    fresh = batch.slice(min(skipped, batch.num_rows))
                    skipped -= batch.num_rows - fresh.num_rows
                    count += fresh.num_rows
                    self._limits.check_rows(count)
                    if fresh.num_rows:
                        yield fresh
            except ValueError as error:
                source.stop()
                if _LONG_ROW not in str(error) or block_bytes >= _LARGEST_BLOCK:
                    raise ValueError(self._explained(source, error)) from error
                block_bytes = min(block_bytes * _GROWTH, _LARGEST_BLOCK)
                self._limits.check_text(block_bytes // _GROWTH)
                continue
            finally:
                source.stop()
            if source.ends_in_quotes:
                raise ValueError(f"the file ends within a quoted field{self._place(count)}")
            return

    def _tables(
        self, types: Mapping[str, pa.DataType], rows: int | None, *, only_numbers: bool = False
    ) -> Iterator[pa.Table]:
        as_read = {name: _type_as_read(each) for name, each in types.items()}
        if rows is not None:
            # The last row is not yielded before it is known that the file ends as it should.
            yield from in_pieces(self._batches(as_read, _AHEAD_BYTES), rows, ahead=1, limits=self._limits)
            return
        batches = self._batches_of_parts(types, only_numbers=only_numbers)
        if batches is None:
            batches = self._within_limits(self._batches(as_read, _BLOCK_BYTES, only_numbers=only_numbers))
        if (first := next(batches, None)) is not None:
            yield pa.Table.from_batches(chain([first], batches))

    def _batches_of_parts(
        self, types: Mapping[str, pa.DataType], *, only_numbers: bool
    ) -> Iterator[pa.RecordBatch] | None:
        """Return the rows of a large file in memory, or None where it is to be read from its start to its end."""
        content = content_of(self._stream)
        if content is None:
            return None
        parts = CsvParts(content[self._rows_start :], len(self.names), self._limits, only_numbers=only_numbers)
        as_read = {name: _type_as_parsed(each, escaped=self._escaped) for name, each in types.items()}
        with suppress(ValueError):  # what is wrong, and where, is found when all is read as text
            return parts.read(partial(self._open, types=as_read, block_bytes=_BLOCK_BYTES))
        return None

    def _within_limits(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        size = 0
        for batch in batches:
            size += batch.nbytes
            self._limits.check_bytes(size)
            yield batch

    def _source(self, *, only_numbers: bool = False) -> CsvRows:
        self._stream.seek(self._rows_start)
        return CsvRows(self._stream, len(self.names), only_numbers=only_numbers)

    def _open(
        self, source: CsvRows, types: Mapping[str, pa.DataType], block_bytes: int, *, use_threads: bool = False
    ) -> pacsv.CSVStreamingReader:
        return pacsv.open_csv(
            pa.PythonFile(source),
            pacsv.ReadOptions(block_size=block_bytes, column_names=self.names, use_threads=use_threads),
            pacsv.ParseOptions(
                newlines_in_values=True,
                ignore_empty_lines=self._skips_blank,
                invalid_row_handler=source.handle_invalid,
            ),
            pacsv.ConvertOptions(
                check_utf8=False,  # the source has done it
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                column_types=types,
                include_columns=list(types) or None,
            ),
        )

    def _explained(self, failed: CsvRows, error: Exception) -> str:
        """Say what is wrong with the file, and where: Arrow counts the rows when it parses them in one thread only."""
        if failed.not_text is not None:
            self._stream.seek(self._file_start)
            return f"{error}, on line {line_of_byte(self._stream, failed.not_text):,}"
        if failed.invalid is None:
            return str(error)
        source = self._source()
        types = dict.fromkeys(self.names, pa.string())
        with suppress(ValueError):
            deque(self._open(source, types, _BLOCK_BYTES, use_threads=False), maxlen=0)
        source.stop()
        invalid = source.invalid
        number = None if invalid is None else invalid.number
        place = "" if number is None else self._place(number)
        return f"{describe_invalid(invalid or failed.invalid)}{place}"

    def _place(self, number: int) -> str:
        """Say where a row is, counted from 1."""
        self._stream.seek(self._file_start)
        line = line_of_record(self._stream, number, skips_blank=self._skips_blank)
        return f" (row {number:,})" if line is None else f" (row {number:,}, from line {line:,})"

    def _decoded(self, values: pa.ChunkedArray, type: pa.DataType) -> pa.Array | pa.ChunkedArray:
        # A decimal never begins with an apostrophe, so that it does not matter that it is text here.
        unescaped = unescape(as_array(values)) if self._escaped else values
        return parse_json_texts(as_array(unescaped), type) if pa.types.is_nested(type) else unescaped


def encode_csv(rows: TextRows, *, header: bool) -> bytes:
    """Return the lines of rows of integers, floats, booleans and text.

    Args:
        rows: What is written.
        header: Whether the names come first. Rows without columns have no lines at all.
    """
    if not rows.arrays:
        return b""
    if few_rows.is_few(rows):
        lines = few_rows.csv_lines(rows, header=header, line_end=_LINE_END)
    else:
        make_lines = polars_text.csv_lines if polars_text.polars_is_usable() else arrow_text.csv_lines
        lines = make_lines(rows.batch(), header=header, line_end=_LINE_END)
    if header and lines.startswith(BOM_UTF8):  # unquoted, the first name would lose its first letter to readers
        name = rows.names[0].encode()
        return b'"%b"%b' % (name, lines[len(name) :])
    return lines


def escape(array: pa.Array) -> pa.Array:
    """Return the texts with an apostrophe before what a spreadsheet would take for a formula.

    A text that begins with apostrophes and then like a formula gets one more, so that `unescape` restores every text.
    Arrays of other types are returned as they are.
    """
    if not _is_text(array.type):
        return array
    return pc.if_else(pc.match_substring_regex(array, _FORMULA), pc.binary_replace_slice(array, 0, 0, "'"), array)


def unescape(array: pa.Array) -> pa.Array:
    """Return the texts that `escape` was given."""
    if not _is_text(array.type):
        return array
    return pc.if_else(pc.match_substring_regex(array, _ESCAPED), pc.binary_replace_slice(array, 0, 1, ""), array)


def _encode_slice(rows: TextRows, first: bool, *, names: list[str], escaped: frozenset[int]) -> bytes:
    arrays = [_field_values(array, escaped=i in escaped) for i, array in enumerate(rows.arrays)]
    return encode_csv(TextRows(names, arrays), header=first)


def _field_values(array: pa.Array, *, escaped: bool) -> pa.Array:
    values = to_json_texts(array) if pa.types.is_nested(array.type) else array
    return escape(values) if escaped else values


def _type_as_read(type: pa.DataType) -> pa.DataType:
    """Return the type in which Arrow reads a column of any file: JSON texts and decimals are converted later."""
    types = pa.types
    is_text = types.is_nested(type) or types.is_decimal(type) or types.is_timestamp(type) or types.is_dictionary(type)
    return pa.string() if is_text else type


def _type_as_parsed(type: pa.DataType, *, escaped: bool) -> pa.DataType:
    """Return the type in which Arrow reads a column of a file whose texts are all of their types, in less time."""
    if not escaped and pa.types.is_dictionary(type):
        return pa.dictionary(pa.int32(), pa.string())
    return type if not escaped and pa.types.is_timestamp(type) else _type_as_read(type)


def _is_text(type: pa.DataType) -> bool:
    return bool(pa.types.is_string(type) or pa.types.is_large_string(type))
