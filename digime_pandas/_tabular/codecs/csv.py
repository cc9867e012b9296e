"""Slices of rows as CSV: RFC 4180 with CRLF line ends, in UTF-8 without a byte-order mark.

A missing value is an empty field, an empty text is ``""``. A field is quoted when it has to be.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from digime_pandas._tabular.codecs.polars_writer import ChunkBuffer, is_usable, to_polars
from digime_pandas._tabular.codecs.without_polars import csv_lines

LINE_END = "\r\n"
_FORMULA = "^'*[=+\\-@\t\r]"
_ESCAPED = "^'+[=+\\-@\t\r]"


def lines(batch: pa.RecordBatch, *, header: bool) -> bytes:
    """Return the lines of a batch of integers, floats, booleans and text.

    Args:
        batch: What to write; see `plain`.
        header: Whether the names come first. A batch without columns has no lines at all.
    """
    if not batch.num_columns:
        return b""
    if not is_usable():
        return csv_lines(batch, header=header, line_end=LINE_END)
    file = ChunkBuffer()
    to_polars(batch).write_csv(file, include_header=header, line_terminator=LINE_END, quote_style="necessary")
    return file.getvalue()


def escape(array: pa.Array) -> pa.Array:
    """Return the texts with an apostrophe before what a spreadsheet would take for a formula.

    Texts that begin with apostrophes and then like a formula get one more, so that `unescape` knows what to take away.
    Arrays of other types are returned as they are.
    """
    if not _is_text(array.type):
        return array
    return pc.if_else(pc.match_substring_regex(array, _FORMULA), pc.binary_replace_slice(array, 0, 0, "'"), array)


def unescape(array: pa.Array) -> pa.Array:
    """Take back what `escape` did."""
    if not _is_text(array.type):
        return array
    return pc.if_else(pc.match_substring_regex(array, _ESCAPED), pc.binary_replace_slice(array, 0, 1, ""), array)


def _is_text(type: pa.DataType) -> bool:
    return bool(pa.types.is_string(type) or pa.types.is_large_string(type))
