"""CSV: RFC 4180 with CRLF line ends, in UTF-8 without a byte-order mark.

A missing value is an empty field, an empty text is ``""``. A field is quoted when it has to be. On reading, fields are
text until a schema or a rule of inference says otherwise.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from io import TextIOWrapper
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from digime_pandas._tabular.arrow import as_array, as_columns
from digime_pandas._tabular.codecs.codec import Columns, EncodeJob, Piece, Run
from digime_pandas._tabular.codecs.json import parse_json_texts, to_json_texts
from digime_pandas._tabular.codecs.text_slices import encode_slices
from digime_pandas._tabular.engines import arrow_text, polars_text

_LINE_END = "\r\n"
_FORMULA = "^'*[=+\\-@\t\r]"
_ESCAPED = "^'+[=+\\-@\t\r]"
_BLOCK_BYTES = 16 << 20  # also the longest row of a CSV file that can be read
_AHEAD_BYTES = 2 << 20  # the reader keeps up to 32 such blocks of a file that is read in pieces
_PARSING = pacsv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False)


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
            yield encode_csv(pa.RecordBatch.from_arrays([pa.nulls(0, pa.string())] * len(names), names), header=True)

    def open(self, stream: BinaryIO, *, escaped: bool = False, typed: bool = False) -> CsvReader:
        """Start to read a file; see `Codec.open`."""
        del typed
        return CsvReader(stream, escaped=escaped)


class CsvReader:
    """Reads one CSV file; see `FileReader`.

    Args:
        stream: The file, from its present position.
        escaped: Whether its names and texts were escaped; see `escape`.

    Raises:
        ValueError: The first record is not CSV.
    """

    stored_schema = None

    def __init__(self, stream: BinaryIO, *, escaped: bool) -> None:
        self._stream = stream
        self._escaped = escaped
        start = stream.tell()
        self._is_empty = not stream.read(1)
        stream.seek(start)
        self._header = [] if self._is_empty else _first_record(stream)
        stream.seek(start)
        names = unescape(pa.array(self._header, pa.string())).to_pylist() if escaped else self._header
        self.names = _unique(names)

    def columns(self, types: Mapping[str, pa.DataType] | None, rows: int | None) -> Iterator[Columns]:
        """Yield the rows in pieces; see `FileReader.columns`. Without types all fields are text."""
        if self._is_empty:
            return
        wanted = dict.fromkeys(self.names, pa.string()) if types is None else types
        as_read = {name: _type_as_read(wanted_type) for name, wanted_type in wanted.items()}
        converting = pacsv.ConvertOptions(
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            column_types=as_read,
            include_columns=list(as_read),
        )
        reading = pacsv.ReadOptions(block_size=_BLOCK_BYTES if rows is None else _AHEAD_BYTES)
        if self.names != self._header:
            reading.column_names = self.names
            reading.skip_rows_after_names = 1 + sum(name.count("\n") for name in self._header)
        reader = pacsv.open_csv(pa.PythonFile(_UnclosedStream(self._stream)), reading, _PARSING, converting)
        for table in _resized(reader, rows):
            yield {name: self._decoded(values, wanted[name]) for name, values in as_columns(table).items()}

    def pandas_frames(self, wanted: Sequence[str] | None, rows: int | None) -> None:
        """Return None: a CSV file has no metadata."""
        del wanted, rows

    def _decoded(self, values: pa.ChunkedArray, type: pa.DataType) -> pa.Array | pa.ChunkedArray:
        # A decimal never begins with an apostrophe, so that it does not matter that it is text here.
        unescaped = unescape(as_array(values)) if self._escaped else values
        return parse_json_texts(as_array(unescaped), type) if pa.types.is_nested(type) else unescaped


def encode_csv(batch: pa.RecordBatch, *, header: bool) -> bytes:
    """Return the lines of a batch of integers, floats, booleans and text.

    Args:
        batch: What is written.
        header: Whether the names come first. A batch without columns has no lines at all.
    """
    if not batch.num_columns:
        return b""
    make_lines = polars_text.csv_lines if polars_text.polars_is_usable() else arrow_text.csv_lines
    return make_lines(batch, header=header, line_end=_LINE_END)


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


def _encode_slice(batch: pa.RecordBatch, first: bool, *, names: list[str], escaped: frozenset[int]) -> bytes:
    arrays = [_field_values(array, escaped=i in escaped) for i, array in enumerate(batch.columns)]
    return encode_csv(pa.RecordBatch.from_arrays(arrays, names=names), header=first)


def _field_values(array: pa.Array, *, escaped: bool) -> pa.Array:
    values = to_json_texts(array) if pa.types.is_nested(array.type) else array
    return escape(values) if escaped else values


def _type_as_read(type: pa.DataType) -> pa.DataType:
    """Return the type in which Arrow reads a column: JSON texts and decimals are converted later."""
    return pa.string() if pa.types.is_nested(type) or pa.types.is_decimal(type) else type


def _is_text(type: pa.DataType) -> bool:
    return bool(pa.types.is_string(type) or pa.types.is_large_string(type))


def _first_record(stream: BinaryIO) -> list[str]:
    text = TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    try:
        return next(csv.reader(text, strict=True), [])
    except csv.Error as error:
        raise ValueError(f"the first record is not CSV: {error}") from None
    finally:
        text.detach()


class _UnclosedStream:
    """A stream that stays open when its reader closes it."""

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
    """Make the names of columns differ as pandas does: ``a``, ``a.1``, ``a.2``."""
    if len(set(names)) == len(names):
        return names
    counts: Counter[str] = Counter()
    unique = []
    for name in names:
        unique.append(f"{name}.{counts[name]}" if counts[name] else name)
        counts[name] += 1
    return unique


def _resized(reader: pa.RecordBatchReader, rows: int | None) -> Iterator[pa.Table]:
    """Yield the batches as tables of `rows` rows, or as one table when it is None."""
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
