"""Slices of rows as CSV: RFC 4180 with CRLF line ends, in UTF-8 without a byte-order mark.

A missing value is an empty field, an empty text is ``""``. A field is quoted when it has to be.
"""

from __future__ import annotations

from io import BytesIO

import pyarrow as pa
import pyarrow.compute as pc

from digime_pandas._polars import to_polars

LINE_END = "\r\n"
_FORMULA = "^'*[=+\\-@\t\r]"
_ESCAPED = "^'+[=+\\-@\t\r]"


def header(names: list[str], *, escape_formulas: bool) -> bytes:
    """Return the first line; nothing for a file without columns."""
    if not names:
        return b""
    if escape_formulas:
        names = escape(pa.array(names, pa.string())).to_pylist()
    nothing = pa.RecordBatch.from_arrays([pa.array([], pa.string())] * len(names), names=names)
    return _write(nothing, include_header=True)


def rows(batch: pa.RecordBatch) -> bytes:
    """Return the lines of a batch of integers, floats, booleans and text.

    Args:
        batch: What to write; see `plain`.
    """
    return _write(batch, include_header=False)


def _write(batch: pa.RecordBatch, *, include_header: bool) -> bytes:
    buffer = BytesIO()
    to_polars(batch).write_csv(buffer, include_header=include_header, line_terminator=LINE_END, quote_style="necessary")
    return buffer.getvalue()


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
