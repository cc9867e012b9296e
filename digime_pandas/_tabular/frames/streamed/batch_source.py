"""Record batches that come from outside of memory, and the errors about them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn

import pyarrow as pa

from digime_pandas._tabular.columns import Column, first_line_of, is_of_a_library
from digime_pandas.errors import InputError

NOT_SENT = "Nothing was sent."
NOT_DELIVERED = "Nothing was delivered."
ATTEMPT_FAILED = "This attempt delivered nothing."

_SHOWN_DIFFERENCES = 3


class SingleStream(NamedTuple):
    """Record batches that are there once.

    Attributes:
        what: What they come from, as an error calls it, such as ``"The generator"``.
        schema: The schema of all of them.
        batches: The batches.
        close: Gives up what is held for them.
    """

    what: str
    schema: pa.Schema
    batches: Iterable[pa.RecordBatch]
    close: Callable[[], None]


@dataclass(frozen=True, slots=True)
class BatchSource:
    """A source of record batches that can be opened any number of times.

    Attributes:
        what: What it is, as an error calls it, such as ``"The Parquet file 'visits.parquet'"``.
        schema: The schema of all batches.
        open: Returns the batches from the first one. To close what it returns gives up what is held for them.
        advice: What to give instead where it has other rows each time.
        refused: Columns that its library does not export, by their position; in the batches they hold nulls.
        is_query: Whether rows are computed for each reading. Sums of floats differ with the order of the threads.
    """

    what: str
    schema: pa.Schema
    open: Callable[[], Iterator[pa.RecordBatch]]
    advice: str = "Write it when nothing changes it, or give a copy."
    refused: Mapping[int, Column] = field(default_factory=dict)
    is_query: bool = False

    def reader(self) -> pa.RecordBatchReader:
        """Return a reader of all rows.

        Raises:
            InputError: It has a column that is not exported.
        """
        for column in self.refused.values():
            raise InputError(f"Column {column.name!r} is {column.dtype}, which Arrow does not have. Leave it out.")
        return pa.RecordBatchReader.from_batches(self.schema, readable(self.open(), self.what, self.schema, NOT_SENT))


def readable(
    batches: Iterable[pa.RecordBatch], what: str, schema: pa.Schema, known: str = NOT_DELIVERED
) -> Generator[pa.RecordBatch, None, None]:
    """Yield batches as they come, each with the columns of the schema.

    Args:
        batches: The batches. Closed at the end, if they have a `close`.
        what: What they come from.
        schema: Names and types that each batch should have.
        known: What is known of the file when one fails.

    Raises:
        InputError: They fail, or one has other columns; the message says after how many rows, or which.
    """
    rows = 0
    try:
        for number, batch in enumerate(batches):
            _check_columns(batch, number, what, schema, known)
            yield batch
            rows += batch.num_rows
    except BaseException as error:
        if not is_of_a_library(error):
            raise
        raise_unreadable(error, f"{what} failed while it was read, after {rows:,} row{'s' * (rows != 1)}", known)
    finally:
        close: Any = getattr(batches, "close", None)
        if close is not None:
            close()


def raise_unreadable(error: BaseException, what: str, advice: str, command: str = "") -> NoReturn:
    """Raise the error about a source that a library cannot read, and any other error as it is.

    Args:
        error: The error that is being handled.
        what: What failed, and when.
        advice: What is known of the file, or what to do.
        command: What to do on the command line, where that is something else.

    Raises:
        InputError: It was raised by a library.
    """
    if is_of_a_library(error):
        raise InputError(f"{what} ({first_line_of(error)}).", remedy=advice, command=command) from error
    raise error


def _check_columns(batch: pa.RecordBatch, number: int, what: str, schema: pa.Schema, known: str) -> None:
    found = batch.schema
    if found.names == schema.names and found.types == schema.types:
        return
    if found.names != schema.names:
        difference = f"columns {_names(found)} instead of {_names(schema)}"
    else:
        pairs = zip(schema.names, found.types, schema.types, strict=True)
        different = [f"{name!r} as {one} instead of {other}" for name, one, other in pairs if one != other]
        difference = f"column {', '.join(different[:_SHOWN_DIFFERENCES])}"
    raise InputError(f"{what}: batch {number}, counted from 0, has {difference}. All need the same columns. {known}")


def _names(schema: pa.Schema) -> str:
    shown = ", ".join(map(repr, schema.names[:_SHOWN_DIFFERENCES]))
    more = len(schema.names) - _SHOWN_DIFFERENCES
    return f"{shown} and {more} more" if more > 0 else shown or "none"
