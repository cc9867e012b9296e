"""Any frame as columns that can be read slice by slice: pandas, or whatever speaks the Arrow PyCapsule interface.

The rule for the index is the same in every format. ``index=None``: a default RangeIndex (from 0 in steps of 1, without
a name) is left out, any other index goes first, one column a level. ``index=True`` keeps it always, ``index=False``
drops it. Levels without a name are called ``index``, or ``level_0``, ``level_1``, … as `reset_index` calls them.

Columns hold only what their rows use: categories, levels and dictionary values that no row has are left out, once for
all slices where all rows are at hand, and batch by batch of a stream.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pandas as pd
import pyarrow as pa

from digime_pandas._tabular.codecs.polars_writer import is_usable
from digime_pandas._tabular.columns import Column, ColumnSpec, Finding, as_array, rule_of_type
from digime_pandas._tabular.frames.labels import level_columns, used_labels
from digime_pandas._tabular.frames.pandas_columns import describe_values, dictionary_facts
from digime_pandas._tabular.frames.used_values import dictionaries_in, has_dictionary, with_used_values, writable_type
from digime_pandas.errors import InputError

Take = Callable[[int], "pa.RecordBatch | None"]

_PROBE_ROWS = 256
_STREAM_ROWS = 1_024


@dataclass(frozen=True, slots=True)
class PandasLabels:
    """What a pandas frame has beside its columns.

    Attributes:
        index: One column a kept index level, first in the file; a RangeIndex has the spec ``range``.
        index_names: Names of these levels as they were, None included.
        index_freq: Frequency of a kept datetime or timedelta index, or None.
        columns: The labels of the columns, as they were but for unused categories.
        attrs: The frame's `attrs`.
        is_multi: Whether the index is a MultiIndex, which may have a single level.
        facts: What was found while looking at the labels of the columns.
    """

    index: tuple[Column, ...]
    index_names: tuple[Any, ...]
    index_freq: str | None
    columns: pd.Index[Any]
    attrs: dict[Any, Any]
    is_multi: bool
    facts: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class ColumnSource:
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
    single_pass: bool
    open: Callable[[], Take]
    labels: PandasLabels | None

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


def column_source_of(frame: object, *, index: bool | None = None, keep_unused: bool = False) -> ColumnSource:
    """Return the columns of a frame.

    Args:
        frame: A pandas DataFrame or Series, or an object with ``__arrow_c_stream__`` (polars, pyarrow, DuckDB) or
            ``to_reader`` (a pyarrow scanner). It is not changed, and must not change while it is being written.
        index: Whether the index of a pandas frame is kept; see the rule above. Other frames have none.
        keep_unused: Whether categories and dictionary values that no row has stay.

    Raises:
        InputError: It is none of these.
    """
    known = _look_at(frame, index, keep_unused=keep_unused)
    return replace(known, columns=_with_facts_of_names(known.columns, known.labels))


def _look_at(frame: Any, index: bool | None, *, keep_unused: bool) -> ColumnSource:
    if isinstance(frame, pd.Series):
        frame = frame.to_frame()
    if isinstance(frame, pd.DataFrame):
        return _pandas(frame, index, keep_unused=keep_unused)
    if index:
        raise InputError(f"index=True needs a pandas frame; a {type(frame).__name__} has no index. Leave it out.")
    if isinstance(frame, pa.Table):
        return _table(frame, keep_unused=keep_unused)
    if isinstance(frame, pa.RecordBatch):
        return _table(pa.Table.from_batches([frame]), keep_unused=keep_unused)
    if _is_of_polars(frame):
        return _table(frame.to_arrow() if is_usable() else _by_series(frame), keep_unused=keep_unused)
    return _stream(_reader(frame), keep_unused=keep_unused)


def _is_of_polars(frame: object) -> bool:
    # Other exporters may run a query at each export, so only what is known to hold its rows is read more than once.
    polars = sys.modules.get("polars")
    return polars is not None and isinstance(frame, polars.DataFrame)


def _by_series(frame: Any) -> pa.Table:
    # Converting a whole frame takes the threads of polars.
    return pa.Table.from_arrays([each.to_arrow() for each in frame.get_columns()], names=frame.columns)


def _reader(frame: Any) -> pa.RecordBatchReader:
    if hasattr(frame, "__arrow_c_stream__"):
        return pa.RecordBatchReader.from_stream(frame)
    if hasattr(frame, "to_reader"):
        return frame.to_reader()
    raise InputError(
        f"frame is a {type(frame).__name__}. Give a pandas DataFrame or Series, or an object that exports Arrow "
        "streams (__arrow_c_stream__): polars, pyarrow, a DuckDB relation."
    )


def _pandas(frame: pd.DataFrame, index: bool | None, *, keep_unused: bool) -> ColumnSource:
    rows = len(frame)
    kept = index or (index is None and not is_default_index(frame.index))
    levels = level_columns(frame.index, keep_unused=keep_unused) if kept else ()
    columns = levels + tuple(
        describe_values(str(label), series, rows, keep_unused=keep_unused) for label, series in frame.items()
    )
    freq = getattr(frame.index, "freqstr", None) if not isinstance(frame.index, pd.PeriodIndex) else None
    multi = isinstance(frame.index, pd.MultiIndex)
    names, facts = used_labels(frame.columns, keep_unused=keep_unused)
    labels = PandasLabels(levels, tuple(frame.index.names), freq, names, frame.attrs, multi, facts)

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

    return ColumnSource(columns, rows, single_pass=False, open=open_at_first_row, labels=labels)


def is_default_index(index: pd.Index[Any]) -> bool:
    """Say whether an index says nothing: it counts from 0 in steps of 1 and has no name."""
    return isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1 and index.name is None


def _with_facts_of_names(columns: tuple[Column, ...], labels: PandasLabels | None) -> tuple[Column, ...]:
    counts = Counter(each.name for each in columns)
    odd: set[str] = set()
    if labels is not None:
        names = [*(name for name in labels.index_names if name is not None), *labels.columns]
        odd = {str(name) for name in names if not isinstance(name, str)}
    return tuple(
        replace(each, facts=(*each.facts, *facts)) if (facts := _facts_of(each.name, counts, odd)) else each
        for each in columns
    )


def _facts_of(name: str, counts: Counter[str], odd: set[str]) -> tuple[Finding, ...]:
    facts = []
    if counts[name] > 1:
        facts.append(Finding("duplicate name"))
    if name in odd:
        facts.append(Finding("name that is not text"))
    if not name.isascii() and any("\ud800" <= letter <= "\udfff" for letter in name):
        facts.append(Finding("name with a lone surrogate"))
    return tuple(facts)


def _table(table: pa.Table, *, keep_unused: bool) -> ColumnSource:
    columns, arrays = [], []
    for field, values in zip(table.schema, table.columns, strict=True):
        facts: tuple[Finding, ...] = ()
        array = values
        if has_dictionary(field.type):
            array, unused = with_used_values(values, keep_unused=keep_unused)
            facts = dictionary_facts(unused, keep_unused=keep_unused)
        arrays.append(array)
        columns.append(_arrow_column(field.name, array.type, partial(_slice, array), facts))
    ready = pa.Table.from_arrays(arrays, schema=pa.schema([(each.name, each.type) for each in columns]))
    return ColumnSource(
        tuple(columns), table.num_rows, single_pass=False, open=lambda: _from_batches(ready.to_batches()), labels=None
    )


def _slice(values: pa.ChunkedArray, start: int, stop: int) -> pa.Array:
    return as_array(values.slice(start, stop - start))


def _stream(reader: pa.RecordBatchReader, *, keep_unused: bool) -> ColumnSource:
    columns = tuple(
        _arrow_column(field.name, writable_type(field.type), _no_slices, _facts_of_stream(field.type, keep_unused))
        for field in reader.schema
    )

    def open_once() -> Take:
        take = _from_batches(reader)
        return partial(_with_used_values, take, keep_unused) if any(map(has_dictionary, reader.schema.types)) else take

    return ColumnSource(columns, None, single_pass=True, open=open_once, labels=None)


def _facts_of_stream(type: pa.DataType, keep_unused: bool) -> tuple[Finding, ...]:
    if not has_dictionary(type):
        return ()
    if keep_unused:
        return dictionary_facts(None, keep_unused=True)
    return (Finding("ordered dictionary of a stream"),) if any(each.ordered for each in dictionaries_in(type)) else ()


def _with_used_values(take: Take, keep_unused: bool, count: int) -> pa.RecordBatch | None:
    batch = take(count)
    if batch is None:
        return None
    arrays = [
        as_array(with_used_values(pa.chunked_array([each]), keep_unused=keep_unused)[0])
        if has_dictionary(each.type)
        else each
        for each in batch.columns
    ]
    return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)


def _arrow_column(
    name: str, type: pa.DataType, read: Callable[[int, int], pa.Array], facts: tuple[Finding, ...]
) -> Column:
    return Column(name, rule_of_type(type), str(type), type, ColumnSpec("arrow", type), read, facts)


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
