"""Any frame as columns that can be read slice by slice: pandas, or what exports the Arrow PyCapsule interface.

The rule for the index is the same in every format. ``index=None``: a default RangeIndex (from 0 in steps of 1, without
a name) is left out, any other index goes first, one column per level. ``index=True`` keeps it always, ``index=False``
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

from digime_pandas._tabular.arrow import as_array, rule_of_type
from digime_pandas._tabular.columns import Column, ColumnSpec, Finding, SliceReader
from digime_pandas._tabular.engines.polars_text import polars_is_usable
from digime_pandas._tabular.frames.labels import level_columns, used_labels
from digime_pandas._tabular.frames.pandas_columns import SlicesOfColumns, describe_columns, dictionary_findings
from digime_pandas._tabular.frames.used_values import dictionaries_in, has_dictionary, with_used_values, writable_type
from digime_pandas.errors import InputError

# Returns the next rows, at most so many and at least one, or None at the end.
BatchReader = Callable[[int], "pa.RecordBatch | None"]

_PROBE_ROWS = 256
_STREAM_ROWS = 1_024


@dataclass(frozen=True, slots=True)
class PandasLabels:
    """What a pandas frame has beside its columns.

    Attributes:
        index: One column per kept index level, first in the file; a RangeIndex has a spec of the family ``range``.
        index_names: Names of these levels as they were, None included.
        index_freq: Frequency of a kept datetime or timedelta index, or None.
        columns: The labels of the columns, as they were but for unused categories.
        attrs: The frame's `attrs`.
        is_multi: Whether the index is a MultiIndex, which may have a single level.
        findings: What was found in the labels of the columns.
    """

    index: tuple[Column, ...]
    index_names: tuple[Any, ...]
    index_freq: str | None
    columns: pd.Index[Any]
    attrs: dict[Any, Any]
    is_multi: bool
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class ColumnSource:
    """The columns of a frame, and their rows batch by batch.

    Attributes:
        columns: All columns of the file in their order, index levels first.
        rows: How many rows, or None for a stream that has not been read.
        single_pass: Whether `open` works only once.
        open: Starts at the first row, and returns the reader of the batches.
        labels: What only pandas frames have, or None.
    """

    columns: tuple[Column, ...]
    rows: int | None
    single_pass: bool
    open: Callable[[], BatchReader]
    labels: PandasLabels | None

    def first_rows(self, size: int) -> int:
        """Return about how many of the first rows make `size` bytes in Arrow.

        Args:
            size: Bytes.
        """
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
    source = _source_of(frame, index, keep_unused=keep_unused)
    return replace(source, columns=_with_findings_of_names(source.columns, source.labels))


def is_default_index(index: pd.Index[Any]) -> bool:
    """Return whether an index holds no information: it counts from 0 in steps of 1 and has no name."""
    return isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1 and index.name is None


def _source_of(frame: Any, index: bool | None, *, keep_unused: bool) -> ColumnSource:
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
        return _table(frame.to_arrow() if polars_is_usable() else _by_series(frame), keep_unused=keep_unused)
    return _stream(_reader(frame), keep_unused=keep_unused)


def _pandas(frame: pd.DataFrame, index: bool | None, *, keep_unused: bool) -> ColumnSource:
    kept = index or (index is None and not is_default_index(frame.index))
    levels = level_columns(frame.index, keep_unused=keep_unused) if kept else ()
    columns = levels + describe_columns(frame, keep_unused=keep_unused)
    return ColumnSource(
        columns,
        len(frame),
        single_pass=False,
        open=partial(SlicesOfColumns, columns, len(frame)),
        labels=_labels(frame, levels, keep_unused=keep_unused),
    )


def _labels(frame: pd.DataFrame, levels: tuple[Column, ...], *, keep_unused: bool) -> PandasLabels:
    index = frame.index
    labels, findings = used_labels(frame.columns, keep_unused=keep_unused)
    return PandasLabels(
        index=levels,
        index_names=tuple(index.names),
        index_freq=None if isinstance(index, pd.PeriodIndex) else getattr(index, "freqstr", None),
        columns=labels,
        attrs=frame.attrs,
        is_multi=isinstance(index, pd.MultiIndex),
        findings=findings,
    )


def _with_findings_of_names(columns: tuple[Column, ...], labels: PandasLabels | None) -> tuple[Column, ...]:
    counts = Counter(each.name for each in columns)
    not_text: set[str] = set()
    if labels is not None:
        names = [*(name for name in labels.index_names if name is not None), *labels.columns]
        not_text = {str(name) for name in names if not isinstance(name, str)}
    found = [_findings_of(each.name, counts, not_text) for each in columns]
    return tuple(
        replace(column, findings=(*column.findings, *findings)) if findings else column
        for column, findings in zip(columns, found, strict=True)
    )


def _findings_of(name: str, counts: Counter[str], not_text: set[str]) -> tuple[Finding, ...]:
    findings = []
    if counts[name] > 1:
        findings.append(Finding("duplicate name"))
    if name in not_text:
        findings.append(Finding("name that is not text"))
    if not name.isascii() and any("\ud800" <= letter <= "\udfff" for letter in name):
        findings.append(Finding("name with a lone surrogate"))
    return tuple(findings)


def _is_of_polars(frame: object) -> bool:
    # Other exporters may run a query at each export, so only what is known to hold its rows is read more than once.
    polars = sys.modules.get("polars")
    return polars is not None and isinstance(frame, polars.DataFrame)


def _by_series(frame: Any) -> pa.Table:
    # Converting a whole frame takes the threads of polars.
    return pa.Table.from_arrays([each.to_arrow() for each in frame.get_columns()], names=frame.columns)


def _table(table: pa.Table, *, keep_unused: bool) -> ColumnSource:
    columns, arrays = [], []
    for field, values in zip(table.schema, table.columns, strict=True):
        findings: tuple[Finding, ...] = ()
        array = values
        if has_dictionary(field.type):
            array, unused = with_used_values(values, keep_unused=keep_unused)
            findings = dictionary_findings(unused, keep_unused=keep_unused)
        arrays.append(array)
        columns.append(_arrow_column(field.name, array.type, partial(_slice, array), findings))
    ready = pa.Table.from_arrays(arrays, schema=pa.schema([(each.name, each.type) for each in columns]))
    return ColumnSource(
        tuple(columns),
        table.num_rows,
        single_pass=False,
        open=lambda: _SlicesOfBatches(ready.to_batches()),
        labels=None,
    )


def _slice(values: pa.ChunkedArray, start: int, stop: int) -> pa.Array:
    return as_array(values.slice(start, stop - start))


def _arrow_column(name: str, type: pa.DataType, read: SliceReader, findings: tuple[Finding, ...]) -> Column:
    return Column(name, rule_of_type(type), str(type), type, ColumnSpec("arrow", type), read, findings)


class _SlicesOfBatches:
    """Batch reader of the batches of Arrow, which are cut where they are too long and left out where they are empty."""

    def __init__(self, batches: Iterable[pa.RecordBatch]) -> None:
        self._batches = iter(batches)
        self._rest: pa.RecordBatch | None = None

    def __call__(self, count: int) -> pa.RecordBatch | None:
        while self._rest is None or not self._rest.num_rows:
            self._rest = next(self._batches, None)
            if self._rest is None:
                return None
        batch, self._rest = self._rest.slice(0, count), self._rest.slice(count)
        return batch


def _reader(frame: Any) -> pa.RecordBatchReader:
    if hasattr(frame, "__arrow_c_stream__"):
        return pa.RecordBatchReader.from_stream(frame)
    if hasattr(frame, "to_reader"):
        return frame.to_reader()
    raise InputError(
        f"frame is a {type(frame).__name__}. Give a pandas DataFrame or Series, or an object that exports Arrow "
        "streams (__arrow_c_stream__): polars, pyarrow, a DuckDB relation."
    )


def _stream(reader: pa.RecordBatchReader, *, keep_unused: bool) -> ColumnSource:
    columns = tuple(
        _arrow_column(field.name, writable_type(field.type), _no_slices, _findings_of_stream(field.type, keep_unused))
        for field in reader.schema
    )

    def open_once() -> BatchReader:
        batches = _SlicesOfBatches(reader)
        if any(map(has_dictionary, reader.schema.types)):
            return partial(_with_used_values, batches, keep_unused)
        return batches

    return ColumnSource(columns, None, single_pass=True, open=open_once, labels=None)


def _no_slices(start: int, stop: int) -> pa.Array:
    """Stand for `Column.read` of a stream, whose rows can be read only once, by the reader that `open` returns."""
    raise NotImplementedError(f"rows {start} to {stop} of an Arrow stream are only there once")


def _findings_of_stream(type: pa.DataType, keep_unused: bool) -> tuple[Finding, ...]:
    if not has_dictionary(type):
        return ()
    if keep_unused:
        return dictionary_findings(None, keep_unused=True)
    return (Finding("ordered dictionary of a stream"),) if any(each.ordered for each in dictionaries_in(type)) else ()


def _with_used_values(read: BatchReader, keep_unused: bool, count: int) -> pa.RecordBatch | None:
    batch = read(count)
    if batch is None:
        return None
    arrays = [
        as_array(with_used_values(pa.chunked_array([each]), keep_unused=keep_unused)[0])
        if has_dictionary(each.type)
        else each
        for each in batch.columns
    ]
    return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)
