"""A source that is read several times: once to judge its columns, then once for each attempt to send them.

Nothing is copied to disk. Each further reading has to give the same rows as the first one, in any order. The result of
a query is kept in memory where it is small, and the query is run once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import NoReturn

import pyarrow as pa

from digime_pandas._tabular.arrow import as_array
from digime_pandas._tabular.columns import Column, Finding, is_of_a_library, unreadable, unsupported_column
from digime_pandas._tabular.frames.arrow_input.arrow_columns import (
    cast_values,
    checked_array,
    describe_type,
    dictionary_findings,
    first_invalid,
)
from digime_pandas._tabular.frames.streamed.batch_source import (
    ATTEMPT_FAILED,
    NOT_DELIVERED,
    NOT_SENT,
    BatchSource,
    readable,
)
from digime_pandas._tabular.frames.streamed.row_digest import RowDigest
from digime_pandas._tabular.frames.streamed.rows_ahead import RowsAhead
from digime_pandas._tabular.frames.streamed.shared_dictionaries import SharedDictionaries
from digime_pandas._tabular.frames.used_values import has_dictionary, with_used_values
from digime_pandas.errors import InputError

_KEPT_BYTES = 16 << 20

Inspect = Callable[[int, int, pa.Array], None]
"""Inspects values: the position of their column, the position of their first row, and the values."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What the first reading of a source found.

    Attributes:
        columns: The columns, with what was found in their values.
        rows: How many rows there are.
        row_bytes: Bytes of a row in Arrow, of dictionaries without the values, on average.
    """

    columns: tuple[Column, ...]
    rows: int
    row_bytes: float


class Readings:
    """The readings of a source.

    Args:
        source: The source.
        columns: Its columns, as far as their types say.
        keep_unused: Whether dictionary values that no row has stay.
    """

    def __init__(self, source: BatchSource, columns: tuple[Column, ...], *, keep_unused: bool) -> None:
        self._source = source
        self._columns = [
            _ColumnReading(column, source.schema.types[place], keep_unused=keep_unused)
            for place, column in enumerate(columns)
        ]
        self._digest = RowDigest()
        self._kept: list[pa.RecordBatch] | None = [] if source.is_query else None
        self._sendings = 0

    def survey(self, inspect: Inspect) -> Survey:
        """Read all rows once.

        Args:
            inspect: Called with the values of each column that can be read, batch by batch.

        Raises:
            InputError: The source fails. Nothing was sent.
        """
        digest = RowDigest()
        size = kept_bytes = 0
        for batch in readable(self._source.open(), self._source.what, self._source.schema, NOT_SENT):
            if self._kept is not None:
                kept_bytes += batch.get_total_buffer_size()
                self._kept.append(batch)
                if kept_bytes > _KEPT_BYTES:
                    self._kept = None
            for place, (each, array) in enumerate(zip(self._columns, batch.columns, strict=True)):
                size += each.take(digest.rows, array, partial(inspect, place))
            digest.add(self._readable_arrays(batch), batch.num_rows)
        self._digest = digest
        columns = tuple(each.finish() for each in self._columns)
        return Survey(columns, digest.rows, size / max(digest.rows, 1))

    def open(self) -> RowsAhead:
        """Start at the first row again; return the reader of the batches.

        Raises:
            InputError: The source fails, or its rows are not what they were. Also when the reader is called.
        """
        self._sendings += 1
        known = NOT_DELIVERED if self._sendings == 1 else ATTEMPT_FAILED
        return RowsAhead(self._batches(known), self._digest.rows, lambda: self._refuse(known))

    def head(self, count: int) -> pa.Table:
        """Return the first rows, as the source gives them."""
        source = self._source
        batches: list[pa.RecordBatch] = []
        with closing(readable(source.open(), source.what, source.schema, NOT_SENT)) as found:
            for batch in found:
                batches.append(batch)
                if sum(each.num_rows for each in batches) >= count:
                    break
        return pa.Table.from_batches(batches, source.schema).slice(0, count)

    def _batches(self, known: str) -> Iterator[pa.RecordBatch]:
        schema = pa.schema([(each.column.name, each.column.type) for each in self._columns])
        digest = RowDigest()
        source = self._source
        for batch in self._kept or readable(source.open(), source.what, source.schema, known):
            arrays = [each.values(array, digest.rows) for each, array in zip(self._columns, batch.columns, strict=True)]
            digest.add(self._readable_arrays(batch), batch.num_rows)
            if digest.rows > self._digest.rows:
                self._refuse(known)
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)
        if digest != self._digest:
            self._refuse(known)

    def _readable_arrays(self, batch: pa.RecordBatch) -> list[pa.Array]:
        return [array for each, array in zip(self._columns, batch.columns, strict=True) if each.column.readable]

    def _refuse(self, known: str) -> NoReturn:
        raise InputError(
            f"{self._source.what} gave other rows than the {self._digest.rows:,} that were judged, when it was read "
            f"again to be sent. {known} {self._source.advice}"
        )


class _ColumnReading:
    """One column in all readings.

    Args:
        column: The column, as far as its type says.
        type: Its type in the source.
        keep_unused: Whether dictionary values that no row has stay.

    Attributes:
        column: The column, with what was found so far.
    """

    def __init__(self, column: Column, type: pa.DataType, *, keep_unused: bool) -> None:
        self.column = column
        self._type = type
        self._keep_unused = keep_unused
        is_shared = column.readable and has_dictionary(column.type)
        self._dictionaries = SharedDictionaries(column.spec.type, keep_unused=keep_unused) if is_shared else None

    def take(self, start: int, array: pa.Array, inspect: Callable[[int, pa.Array], None]) -> int:
        """Judge the values of one batch in the first reading; return their size in bytes."""
        if not self.column.readable:
            return 0
        try:
            invalid = first_invalid(pa.chunked_array([array]))
            if invalid is not None:
                row = None if invalid.row is None else start + invalid.row
                self._give_up(replace(invalid, row=row), None)
                return 0
            values = cast_values(array, self.column.spec.type)
            size = int((values.indices if isinstance(values, pa.DictionaryArray) else values).nbytes)
            if self._dictionaries is not None:
                self._dictionaries.add(values)
                values = as_array(with_used_values(pa.chunked_array([values]), keep_unused=self._keep_unused)[0])
        except BaseException as error:
            if not is_of_a_library(error):
                raise
            self._give_up(unreadable(error), error)
            return 0
        inspect(start, values)
        return size

    def finish(self) -> Column:
        """Return the column with what the whole first reading says."""
        if self._dictionaries is not None and self.column.readable:
            found = dictionary_findings(self._dictionaries.finish(), keep_unused=self._keep_unused)
            self.column = replace(self.column, findings=(*self.column.findings, *found))
        return self.column

    def values(self, array: pa.Array, start: int) -> pa.Array:
        """Return the values of one batch as they are written."""
        return checked_array(self.column, array, start, self._written)

    def _written(self, values: pa.Array) -> pa.Array:
        return values if self._dictionaries is None else self._dictionaries.apply(values)

    def _give_up(self, finding: Finding, cause: BaseException | None) -> None:
        self.column = unsupported_column(self.column.name, self._type, finding, cause)


def columns_of(source: BatchSource, names: list[str]) -> tuple[Column, ...]:
    """Return the columns of a source, as far as their types say."""
    pairs = zip(names, source.schema.types, strict=True)
    return tuple(source.refused.get(place) or describe_type(name, of) for place, (name, of) in enumerate(pairs))
