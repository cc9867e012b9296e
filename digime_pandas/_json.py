"""Slices of rows as JSON objects, one a line, and as the elements of a JSON array (RFC 8259, UTF-8)."""

from __future__ import annotations

from io import BytesIO

import pyarrow as pa


def lines(batch: pa.RecordBatch) -> bytes:
    """Return one object a row, each followed by a line feed.

    Args:
        batch: What to write; see `plain`. NaN and the infinities become null.
    """
    import polars as pl

    if not batch.num_columns:
        return b"{}\n" * batch.num_rows
    buffer = BytesIO()
    pl.DataFrame(pl.from_arrow(pa.Table.from_batches([batch]))).write_ndjson(buffer)
    return buffer.getvalue()


def elements(batch: pa.RecordBatch, *, first: bool) -> bytes:
    """Return the rows as elements of an array, one a line, without the line end of the last one.

    Args:
        batch: As for `lines`.
        first: Whether these are the first rows of the file.
    """
    text = lines(batch)
    # A line feed inside a text is written as \n, so every one in `text` ends a row.
    return (b"[" if first else b",\n") + text[:-1].replace(b"\n", b",\n")
