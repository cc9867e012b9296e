"""Arrow values handed to polars. It is imported at the first use, so that importing the package stays light.

A forked child has the locks of polars but not its threads: whatever asks these for anything waits for ever. Where
polars was loaded before the fork, the child does without it.
"""

from __future__ import annotations

import os
import sys
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    import polars as pl


_inherited = False


def is_usable() -> bool:
    """Tell whether polars can be used in this process: it was not forked from one that had loaded it."""
    return not _inherited


def to_polars(batch: pa.RecordBatch) -> pl.DataFrame:
    """Return a batch as a polars frame, without copying numbers.

    Args:
        batch: Columns of the types that `plain` gives: polars panics at some others.
    """
    import polars as pl

    # On their way, an empty name would be replaced and a name would end at its first NUL.
    frame = pl.DataFrame(batch.rename_columns([str(i) for i in range(batch.num_columns)]))
    frame.columns = batch.schema.names
    return frame


class ChunkBuffer(BytesIO):
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


def _note_fork() -> None:
    global _inherited  # noqa: PLW0603 - a fact about the process, which only a fork changes
    _inherited = _inherited or "polars" in sys.modules


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_note_fork)
