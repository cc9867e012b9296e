"""What every codec offers: the writing and the reading of one format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol, TypeVar

import pandas as pd
import pyarrow as pa

from digime_pandas._tabular.frames.source import ColumnSource
from digime_pandas._tabular.reading.limits import DEFAULT_LIMITS, Limits
from digime_pandas._tabular.schema.stored import Schema

T = TypeVar("T")
Piece = bytes | bytearray | memoryview


class Columns(dict[str, Any]):
    """Values by the names of their columns: Arrow arrays, or lists of Python values where Arrow has no type for them.

    Args:
        values: The values.
        rows: How many rows they are, which must be said where there is no column.
    """

    def __init__(self, values: Mapping[str, Any], *, rows: int) -> None:
        super().__init__(values)
        self.rows = rows


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
        schema: The schema that a format which stores types has in its file.
        workers: How many pieces are encoded at the same time.
    """

    source: ColumnSource
    options: Mapping[str, Any]
    file_types: Sequence[pa.DataType | None]
    schema: Schema | None = None
    workers: int = 1


class FileReader(Protocol):
    """Reads one file."""

    @property
    def stored_schema(self) -> bytes | None:
        """The schema inside the file, as JSON; None where there is none, as in every text format."""

    @property
    def names(self) -> Sequence[str] | None:
        """Names of all columns in their order, which differ; None where only the rows hold them."""

    @property
    def labels(self) -> Mapping[str, str] | None:
        """What columns are called in the file where their `names` had to be made different; None where none had."""

    def find_names(self) -> Sequence[str]:
        """Return the names of all columns, also where only the rows hold them: then the whole file is gone through."""
        ...

    def columns(self, types: Mapping[str, pa.DataType | None] | None, rows: int | None) -> Iterator[Columns]:
        """Yield the rows in pieces of `rows` rows, or all in one piece when it is None.

        Args:
            types: Types of the wanted columns, or None for all columns as the file has them. A column whose type is
                None is read as the file has it, too.
            rows: Rows of each piece.

        Raises:
            ValueError: The file does not have these columns, or not in its format.
            ReadError: There is more than may be read.
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

    def failure_of(self, type: pa.DataType) -> str | None:
        """Return why no column of a type can be written, as the error of the library says it; None where it can.

        Args:
            type: The type of a column that falls under no rule which refuses it.
        """
        ...

    def open(
        self, stream: BinaryIO, *, escaped: bool = False, typed: bool = False, limits: Limits = DEFAULT_LIMITS
    ) -> FileReader:
        """Start to read a file.

        Args:
            stream: The file, from its present position.
            escaped: Whether an apostrophe was put before texts that begin like a formula.
            typed: Whether `columns` is called with the types of a schema.
            limits: How much may be read.

        Raises:
            ValueError: It is no file of the format.
            ReadError: It has more than may be read.
        """
        ...
