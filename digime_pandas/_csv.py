"""Slices of rows as CSV: RFC 4180 with CRLF line ends, in UTF-8 without a byte-order mark.

A missing value is an empty field, an empty text is ``""``. A field is quoted when it has to be.
"""

from __future__ import annotations

from io import BytesIO

import pyarrow as pa
import pyarrow.compute as pc

LINE_END = "\r\n"
_FORMULA = "^[=+\\-@\t\r]"


def header(names: list[str]) -> bytes:
    """Return the first line."""
    return _write(pa.table({name: pa.array([], pa.string()) for name in names}), include_header=True)


def rows(batch: pa.RecordBatch, *, escape_formulas: bool = False) -> bytes:
    """Return the lines of a batch of integers, floats, booleans and text.

    Args:
        batch: What to write; see `plain`.
        escape_formulas: Put an apostrophe before texts that a spreadsheet would take for a formula.
    """
    table = pa.Table.from_batches([batch])
    if escape_formulas:
        table = pa.table([_escaped(column) for column in table.columns], names=table.column_names)
    return _write(table, include_header=False)


def _write(table: pa.Table, *, include_header: bool) -> bytes:
    import polars as pl

    buffer = BytesIO()
    frame = pl.DataFrame(pl.from_arrow(table))
    frame.write_csv(buffer, include_header=include_header, line_terminator=LINE_END, quote_style="necessary")
    return buffer.getvalue()


def _escaped(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return column
    risky = pc.match_substring_regex(column, _FORMULA)
    return pc.if_else(risky, pc.binary_replace_slice(column, 0, 0, "'"), column)
