"""CSV and JSON text made by polars, which is imported at the first use, so that importing the package stays light.

A forked child has the locks of polars but not its threads: a call that needs one of these waits for ever. Where polars
was loaded before the fork, the child uses `arrow_text` instead.
"""

from __future__ import annotations

import os
import sys
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    import polars as pl

_loaded_before_fork = False


def polars_is_usable() -> bool:
    """Return whether polars can be used in this process: it was not forked from one that had loaded polars."""
    return not _loaded_before_fork


def csv_lines(batch: pa.RecordBatch, *, header: bool, line_end: str) -> bytes:
    """Return the lines of a batch of integers, floats, booleans and text.

    Args:
        batch: What is written.
        header: Whether the names come first.
        line_end: What ends each line.
    """
    file = _WrittenPieces()
    _to_polars(batch).write_csv(file, include_header=header, line_terminator=line_end, quote_style="necessary")
    return file.getvalue()


def json_array(batch: pa.RecordBatch, *, after: bytes = b"") -> memoryview:
    """Return the rows as the objects of a JSON array without blanks; NaN and the infinities become null.

    Args:
        batch: What is written.
        after: Bytes that come before the array.
    """
    file = _WrittenArray(after)
    _to_polars(batch).write_json(file)
    return memoryview(file.content)


def json_lines(batch: pa.RecordBatch) -> bytes:
    """Return the rows as JSON objects, each followed by a line feed.

    Slower than `json_array`, since polars starts an engine for each file.
    """
    file = _WrittenPieces()
    _to_polars(batch).write_ndjson(file)
    return file.getvalue()


def json_texts(array: pa.Array) -> pa.Array:
    """Return each value as its own JSON text; nulls stay null, NaN and the infinities become ``null``."""
    import polars as pl

    frame = _to_polars(pa.RecordBatch.from_arrays([array], names=["v"]))
    objects = frame.select(pl.struct("v").struct.json_encode())
    texts = objects.to_series().str.slice(len('{"v":')).str.head(-1).to_arrow()
    return pc.if_else(array.is_valid(), texts, pa.scalar(None, texts.type))


def _to_polars(batch: pa.RecordBatch) -> pl.DataFrame:
    """Return a batch as a polars frame, without copying numbers.

    Args:
        batch: Columns of the types that text formats have: polars panics at some others.
    """
    import polars as pl

    # polars would replace an empty name, and cut a name at its first NUL.
    frame = pl.DataFrame(batch.rename_columns([str(i) for i in range(batch.num_columns)]))
    frame.columns = batch.schema.names
    return frame


class _WrittenPieces(BytesIO):
    """A file that keeps what polars writes without copying it: a slice is one piece, after that of its header."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []

    def write(self, piece: Any) -> int:
        """Keep a piece."""
        self._pieces.append(piece)
        return len(piece)

    def getvalue(self) -> bytes:
        """Return everything that was written; a single piece is returned as it is."""
        return b"".join(self._pieces)


class _WrittenArray(BytesIO):
    """A file that collects what polars writes in an array that can be changed.

    A view of its own buffer would do, but for garbage: where file and view are collected together, the file may be
    first, which ends some releases of Python 3.12 and is an error from 3.13 on.

    Args:
        begin: What comes before.

    Attributes:
        content: All of it.
    """

    def __init__(self, begin: bytes) -> None:
        super().__init__()
        self.content = bytearray(begin)

    def write(self, piece: Any) -> int:
        """Add a piece."""
        self.content += piece
        return len(piece)


def _note_fork() -> None:
    global _loaded_before_fork  # noqa: PLW0603 - a fact about the process, which only a fork changes
    _loaded_before_fork = _loaded_before_fork or "polars" in sys.modules


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_note_fork)
