"""Any frame as columns that can be read slice by slice: pandas, or whatever speaks the Arrow PyCapsule interface.

The rule for the index is the same in every format. ``index=None``: a default RangeIndex (from 0 in steps of 1, without
a name) is left out, any other index goes first, one column a level. ``index=True`` keeps it always, ``index=False``
drops it. Levels without a name are called ``index``, or ``level_0``, ``level_1``, … as `reset_index` calls them.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from digime_pandas._columns import TEXT_DTYPE, Column, Fact, Spec, as_array, kind_of, raw_values
from digime_pandas._describe import describe
from digime_pandas.errors import InputError

Take = Callable[[int], "pa.RecordBatch | None"]

_PROBE_ROWS = 256
_STREAM_ROWS = 1_024


@dataclass(frozen=True, slots=True)
class Labels:
    """What a pandas frame has beside its columns.

    Attributes:
        index: One column a kept index level, first in the file; a RangeIndex has the spec ``range``.
        index_names: Names of these levels as they were, None included.
        index_freq: Frequency of a kept datetime or timedelta index, or None.
        columns: The labels of the columns, as they were.
        attrs: The frame's `attrs`.
        is_multi: Whether the index is a MultiIndex, which may have a single level.
    """

    index: tuple[Column, ...]
    index_names: tuple[Any, ...]
    index_freq: str | None
    columns: pd.Index[Any]
    attrs: dict[Any, Any]
    is_multi: bool


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame about to be written.

    Attributes:
        columns: All columns of the file in their order, index levels first.
        rows: How many rows, or None for a stream that has not been read.
        one_shot: Whether `open` works only once.
        open: Starts at the first row. What it returns gives the next at most so many rows at each call, and None
            at the end.
        labels: What only pandas frames have, or None.
    """

    columns: tuple[Column, ...]
    rows: int | None
    one_shot: bool
    open: Callable[[], Take]
    labels: Labels | None

    def first_rows(self, size: int) -> int:
        """Return about how many of the first rows make `size` bytes in Arrow."""
        if self.rows is None or not self.columns:
            return _STREAM_ROWS
        probed = min(self.rows, _PROBE_ROWS)
        probe = sum(_size(each, probed) for each in self.columns)
        return max(1, size * probed // max(probe, 1))


def _size(column: Column, rows: int) -> int:
    """Return how many bytes the first rows have in Arrow, of categories without the dictionary."""
    try:
        return int(column.type.bit_width) * rows // 8
    except ValueError:  # they differ in their size
        return int(column.read(0, rows).nbytes)


def look_at(frame: object, *, index: bool | None = None) -> Frame:
    """Return the columns of a frame.

    Args:
        frame: A pandas DataFrame or Series, or an object with ``__arrow_c_stream__`` (polars, pyarrow, DuckDB) or
            ``to_reader`` (a pyarrow scanner). It is not changed, and must not change while it is being written.
        index: Whether the index of a pandas frame is kept; see the rule above. Other frames have none.

    Raises:
        InputError: It is none of these.
    """
    known = _look_at(frame, index)
    return replace(known, columns=_with_facts_of_names(known.columns, known.labels))


def _look_at(frame: Any, index: bool | None) -> Frame:
    if isinstance(frame, pd.Series):
        frame = frame.to_frame()
    if isinstance(frame, pd.DataFrame):
        return _pandas(frame, index)
    if index:
        raise InputError(f"index=True needs a pandas frame; a {type(frame).__name__} has no index. Leave it out.")
    if isinstance(frame, pa.Table):
        return _table(frame)
    if isinstance(frame, pa.RecordBatch):
        return _table(pa.Table.from_batches([frame]))
    if _is_of_polars(frame):
        return _table(frame.to_arrow())
    return _stream(_reader(frame))


def _is_of_polars(frame: object) -> bool:
    # Other exporters may run a query at each export, so only what is known to hold its rows is read more than once.
    polars = sys.modules.get("polars")
    return polars is not None and isinstance(frame, polars.DataFrame)


def _reader(frame: Any) -> pa.RecordBatchReader:
    if hasattr(frame, "__arrow_c_stream__"):
        return pa.RecordBatchReader.from_stream(frame)
    if hasattr(frame, "to_reader"):
        return frame.to_reader()
    raise InputError(
        f"frame is a {type(frame).__name__}. Give a pandas DataFrame or Series, or an object that exports Arrow "
        "streams (__arrow_c_stream__): polars, pyarrow, a DuckDB relation."
    )


def _pandas(frame: pd.DataFrame, index: bool | None) -> Frame:
    rows = len(frame)
    levels = _level_columns(frame.index) if index or (index is None and not is_default_index(frame.index)) else ()
    columns = levels + tuple(_column(str(label), series, rows) for label, series in frame.items())
    freq = getattr(frame.index, "freqstr", None) if not isinstance(frame.index, pd.PeriodIndex) else None
    multi = isinstance(frame.index, pd.MultiIndex)
    labels = Labels(levels, tuple(frame.index.names), freq, frame.columns, frame.attrs, multi)

    def open_at_first_row() -> Take:
        schema = pa.schema([(column.name, column.type) for column in columns])
        position = 0

        def take(count: int) -> pa.RecordBatch | None:
            nonlocal position
            start, position = position, min(position + count, rows)
            if start == position:
                return None
            return pa.RecordBatch.from_arrays([each.read(start, position) for each in columns], schema=schema)

        return take

    return Frame(columns, rows, one_shot=False, open=open_at_first_row, labels=labels)


def _column(name: str, values: pd.Series[Any] | pd.Index[Any], rows: int) -> Column:
    array = raw_values(values)
    return describe(name, values.dtype, lambda start, stop: array[start:stop], rows)


def is_default_index(index: pd.Index[Any]) -> bool:
    """Say whether an index says nothing: it counts from 0 in steps of 1 and has no name."""
    return isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1 and index.name is None


def _with_facts_of_names(columns: tuple[Column, ...], labels: Labels | None) -> tuple[Column, ...]:
    counts = Counter(each.name for each in columns)
    odd: set[str] = set()
    if labels is not None:
        names = [*(name for name in labels.index_names if name is not None), *labels.columns]
        odd = {str(name) for name in names if not isinstance(name, str)}
    return tuple(
        replace(each, facts=(*each.facts, *facts)) if (facts := _facts_of(each.name, counts, odd)) else each
        for each in columns
    )


def _facts_of(name: str, counts: Counter[str], odd: set[str]) -> tuple[Fact, ...]:
    facts = []
    if counts[name] > 1:
        facts.append(Fact("duplicate name"))
    if name in odd:
        facts.append(Fact("name that is not text"))
    if not name.isascii() and any("\ud800" <= letter <= "\udfff" for letter in name):
        facts.append(Fact("name with a lone surrogate"))
    return tuple(facts)


def _level_columns(index: pd.Index[Any]) -> tuple[Column, ...]:
    if isinstance(index, pd.MultiIndex):
        return tuple(_level(index, level) for level in range(index.nlevels))
    name = "index" if index.name is None else str(index.name)
    if not isinstance(index, pd.RangeIndex):
        return (_column(name, index, len(index)),)
    column = describe(name, index.dtype, lambda start, stop: index[start:stop].to_numpy(), len(index))
    spec = Spec("range", column.type, [index.start, index.stop, index.step])
    return (replace(column, dtype="RangeIndex", spec=spec),)


def _level(index: pd.MultiIndex, level: int) -> Column:
    """Describe a level by its distinct values and codes: a missing value would turn whole numbers into floats."""
    name = f"level_{level}" if index.names[level] is None else str(index.names[level])
    distinct, codes = index.levels[level], index.codes[level]
    column = _column(name, distinct, len(distinct))
    if not column.readable:
        return column
    values = column.read(0, len(distinct))

    def read(start: int, stop: int) -> pa.Array:
        piece = np.asarray(codes[start:stop])
        return values.take(pa.array(piece, mask=piece < 0))

    return replace(column, read=read)


def label_columns(labels: pd.Index[Any]) -> tuple[Column, ...]:
    """Return the column labels themselves as columns, one a level; none when they are just the names in the file."""
    if labels.dtype == TEXT_DTYPE and labels.inferred_type == "string" and not labels.hasnans:
        return ()
    return _level_columns(labels)


def _table(table: pa.Table) -> Frame:
    columns = tuple(
        _arrow_column(field, partial(_slice, values)) for field, values in zip(table.schema, table.columns, strict=True)
    )
    return Frame(columns, table.num_rows, one_shot=False, open=lambda: _from_batches(table.to_batches()), labels=None)


def _slice(values: pa.ChunkedArray, start: int, stop: int) -> pa.Array:
    return as_array(values.slice(start, stop - start))


def _stream(reader: pa.RecordBatchReader) -> Frame:
    columns = tuple(_arrow_column(field, _no_slices) for field in reader.schema)
    return Frame(columns, None, one_shot=True, open=lambda: _from_batches(reader), labels=None)


def _arrow_column(field: pa.Field, read: Callable[[int, int], pa.Array]) -> Column:
    return Column(field.name, kind_of(field.type), str(field.type), field.type, Spec("arrow", field.type), read)


def _from_batches(source: Iterable[pa.RecordBatch]) -> Take:
    batches = iter(source)
    rest: pa.RecordBatch | None = None

    def take(count: int) -> pa.RecordBatch | None:
        nonlocal rest
        while rest is None or not rest.num_rows:
            rest = next(batches, None)
            if rest is None:
                return None
        piece, rest = rest.slice(0, count), rest.slice(count)
        return piece

    return take


def _no_slices(start: int, stop: int) -> pa.Array:
    """Take the place of `Column.read`, which nothing calls for a stream: its rows come through `open`, once."""
    raise NotImplementedError(f"rows {start} to {stop} of an Arrow stream are only there once")
