"""What every codec offers: the writing and the reading of one format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol, TypeVar

import pandas as pd
import pyarrow as pa

from digime_pandas._tabular.frames.source import ColumnSource

T = TypeVar("T")
Piece = bytes | bytearray | memoryview
Columns = dict[str, Any]
"""Values by the names of their columns: Arrow arrays, or lists of Python values where Arrow has no type for them."""


class Run(Protocol):
    """Runs tasks, at most `workers` of them at the same time, and yields what they return, in their order."""

    def __call__(self, tasks: Iterable[Callable[[], T]], /, *, workers: int = 1) -> Iterator[T]: ...


def run_one_by_one(tasks: Iterable[Callable[[], T]], /, *, workers: int = 1) -> Iterator[T]:
    """Yield what the tasks return, without threads, whatever `workers` is."""
    del workers
    return (task() for task in tasks)


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeJob:
    """What a codec writes, and how.

    Args:
        source: What is written.
        options: Every option of the format.
        file_types: For each column the coarser type that its times are written in, or None for their own.
        workers: How many pieces are encoded at the same time.
    """

    source: ColumnSource
    options: Mapping[str, Any]
    file_types: Sequence[pa.DataType | None]
    workers: int = 1


class FileReader(Protocol):
    """Reads one file."""

    @property
    def stored_schema(self) -> bytes | None:
        """The schema inside the file, as JSON; None where there is none, as in every text format."""

    @property
    def names(self) -> Sequence[str] | None:
        """Names of all columns in their order; None where only the rows hold them."""

    def columns(self, types: Mapping[str, pa.DataType] | None, rows: int | None) -> Iterator[Columns]:
        """Yield the rows in pieces of `rows` rows, or all in one piece when it is None.

        Args:
            types: Types of the wanted columns, or None for all columns as the file has them.
            rows: Rows of each piece.

        Raises:
            ValueError: The file does not have these columns, or not in its format.
        """
        ...

    def pandas_frames(self, wanted: Sequence[str] | None, rows: int | None) -> Iterator[pd.DataFrame] | None:
        """Return the pieces as frames made by metadata of pandas in the file, or None where it has none.

        Args:
            wanted: Names of the wanted columns, or None for all; the index comes in any case.
            rows: Rows of each piece, or None for all in one piece.
        """
        ...


class Codec(Protocol):
    """Writes and reads files of one format."""

    def encode(self, job: EncodeJob, run: Run) -> Iterator[Piece]:
        """Yield the file in pieces.

        Args:
            job: What is written, and how.
            run: Runs the tasks that encode one piece each.
        """
        ...

    def open(self, stream: BinaryIO, *, escaped: bool = False, typed: bool = False) -> FileReader:
        """Start to read a file.

        Args:
            stream: The file, from its present position.
            escaped: Whether an apostrophe was put before texts that begin like a formula.
            typed: Whether `columns` is called with the types of a schema.

        Raises:
            ValueError: It is no file of the format.
        """
        ...
