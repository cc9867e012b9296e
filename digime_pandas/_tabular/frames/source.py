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
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pandas as pd
import pyarrow as pa

from digime_pandas._tabular.columns import Column, Finding, bits_of, first_line_of, is_of_a_library
from digime_pandas._tabular.frames.arrow_input.arrow_columns import (
    ArrowColumn,
    checked_batches,
    describe_arrow,
    describe_stream,
)
from digime_pandas._tabular.frames.arrow_input.polars_columns import describe_polars
from digime_pandas._tabular.frames.conversion.pandas_rows import RowsOfColumns, SlicesOfColumns
from digime_pandas._tabular.frames.frequencies import frequencies_of
from digime_pandas._tabular.frames.labels import label_columns, level_columns, used_labels
from digime_pandas._tabular.frames.pandas_columns import describe_columns
from digime_pandas._tabular.frames.streamed.batch_source import BatchSource, SingleStream, readable
from digime_pandas._tabular.frames.streamed.kinds import batches_of
from digime_pandas._tabular.frames.streamed.readings import Inspect, Readings, columns_of
from digime_pandas.errors import InputError

# Returns the next rows, at most so many and at least one, or None at the end.
BatchReader = Callable[[int], "pa.RecordBatch | RowsOfColumns | None"]

_PROBE_ROWS = 256
_STREAM_ROWS = 1_024
_NAMED = "Give a table of it: pa.table({'name': values})."


@dataclass(frozen=True, slots=True)
class PandasLabels:
    """What a pandas frame has beside its columns.

    Attributes:
        index: One column per kept index level, first in the file; a RangeIndex has a spec of the family ``range``.
        index_names: Names of these levels as they were, None included.
        index_freqs: The frequency of each level of the index, as pandas has it, or None.
        columns: The labels of the columns, as they were but for unused categories.
        levels: The levels of these labels as columns; none where the labels are just the names in the file.
        level_freqs: The frequency of each of these levels, or None.
        attrs: The frame's `attrs`.
        is_multi: Whether the index is a MultiIndex, which may have a single level.
        findings: What was found in the labels of the columns.
    """

    index: tuple[Column, ...]
    index_names: tuple[Any, ...]
    index_freqs: tuple[Any, ...]
    columns: pd.Index[Any]
    levels: tuple[Column, ...]
    level_freqs: tuple[Any, ...]
    attrs: dict[Any, Any]
    is_multi: bool
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class ColumnSource:
    """The columns of a frame, and their rows batch by batch.

    Attributes:
        columns: All columns of the file in their order, index levels first.
        rows: How many rows, or None for a stream that has not been read, and for what has a `survey`.
        single_pass: Whether `open` works only once.
        open: Starts at the first row, and returns the reader of the batches.
        labels: What only pandas frames have, or None.
        close: Gives up what a stream holds, such as the result of a query; nothing can be read then. None where
            nothing is held.
        survey: Reads the rows of a source that is not in memory for the first time, hands them to a function that
            inspects them, and returns the source with what is known then. To be called before anything else; None
            where the columns are known.
        row_bytes: Bytes of a row in Arrow on average, where the columns cannot tell.
        head: Returns the first rows of a source that is not in memory, at most so many; None for others.
    """

    columns: tuple[Column, ...]
    rows: int | None
    single_pass: bool
    open: Callable[[], BatchReader]
    labels: PandasLabels | None
    close: Callable[[], None] | None = None
    survey: Callable[[Inspect], ColumnSource] | None = None
    row_bytes: float | None = None
    head: Callable[[int], pa.Table] | None = None

    def first_rows(self, size: int) -> int:
        """Return about how many of the first rows make `size` bytes in Arrow.

        Args:
            size: Bytes.
        """
        if self.row_bytes:
            return max(1, int(size / self.row_bytes))
        if self.rows is None or self.head is not None or not self.columns:
            return _STREAM_ROWS
        probed = min(self.rows, _PROBE_ROWS)
        probe = sum(_size(each, probed) for each in self.columns)
        return max(1, size * probed // max(probe, 1))


def _size(column: Column, rows: int) -> int:
    """Return how many bytes the first rows have in Arrow, of categories without the dictionary."""
    bits = bits_of(column.type)
    return int(column.read(0, rows).nbytes) if bits is None else bits * rows // 8


def column_source_of(frame: object, *, index: bool | None = None, keep_unused: bool = False) -> ColumnSource:
    """Return the columns of a frame.

    Args:
        frame: A pandas DataFrame or Series, an object with ``__arrow_c_stream__`` (polars, pyarrow), or what
            `batches_of` takes. It is not changed, and must not change while it is being written.
        index: Whether the index of a pandas frame is kept; see the rule above. Other frames have none.
        keep_unused: Whether categories and dictionary values that no row has stay.

    Raises:
        InputError: It is none of these.
    """
    source = _source_of(frame, index, keep_unused=keep_unused)
    columns = _with_findings_of_names(source.columns, source.labels)
    return source if columns is source.columns else replace(source, columns=columns)


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
    if isinstance(frame, pa.RecordBatch):
        frame = pa.Table.from_batches([frame])
    if isinstance(frame, pa.Table):
        return _table(frame, keep_unused=keep_unused)
    # Other exporters may run a query at each export, so only what is known to hold its rows is read more than once.
    if _is_of_polars(frame, "Series"):
        frame = frame.to_frame()
    if _is_of_polars(frame, "DataFrame"):
        return _of_arrow(describe_polars(frame, keep_unused=keep_unused), frame.height)
    found = batches_of(frame) or _exported_stream(frame)
    if isinstance(found, BatchSource):
        return _repeated(found, keep_unused=keep_unused)
    return _stream(found, keep_unused=keep_unused)


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
    label_levels = label_columns(labels)
    return PandasLabels(
        index=levels,
        index_names=tuple(index.names),
        index_freqs=frequencies_of(index) if levels else (),
        columns=labels,
        levels=label_levels,
        level_freqs=frequencies_of(labels) if label_levels else (),
        attrs=frame.attrs,
        is_multi=isinstance(index, pd.MultiIndex),
        findings=(*findings, *_findings_of_label_dtypes(label_levels)),
    )


def _findings_of_label_dtypes(levels: Iterable[Column]) -> Iterator[Finding]:
    for column in levels:
        for finding in column.findings:
            if finding.rule in {"byte order", "zone of another kind", "frequency without a name"}:
                yield finding
            elif finding.rule == "zone without a name":  # which labels, unlike rows, can do without
                yield Finding("zone of another kind", seen=column.dtype)


def _with_findings_of_names(columns: tuple[Column, ...], labels: PandasLabels | None) -> tuple[Column, ...]:
    counts = Counter(each.name for each in columns)
    not_text: set[str] = set()
    if labels is not None:
        of_columns = labels.columns if labels.levels else ()  # without levels of their own, they are text
        names = [*(name for name in labels.index_names if name is not None), *of_columns]
        not_text = {str(name) for name in names if not isinstance(name, str)}
    if len(counts) == len(columns) and not not_text and all(map(str.isascii, counts)):
        return columns
    found = [(each, _findings_of(each.name, counts, not_text)) for each in columns]
    return tuple(replace(each, findings=(*each.findings, *of_name)) if of_name else each for each, of_name in found)


def _findings_of(name: str, counts: Counter[str], not_text: set[str]) -> tuple[Finding, ...]:
    findings = []
    if counts[name] > 1:
        findings.append(Finding("duplicate name"))
    if name in not_text:
        findings.append(Finding("name that is not text"))
    if not name.isascii() and any("\ud800" <= letter <= "\udfff" for letter in name):
        findings.append(Finding("name with a lone surrogate"))
    return tuple(findings)


def _is_of_polars(frame: object, kind: str) -> bool:
    polars = sys.modules.get("polars")
    return polars is not None and isinstance(frame, getattr(polars, kind))


def _table(table: pa.Table, *, keep_unused: bool) -> ColumnSource:
    names = [_name_of(table.schema, i) for i in range(table.num_columns)]
    described = [
        describe_arrow(name, values, keep_unused=keep_unused) for name, values in zip(names, table.columns, strict=True)
    ]
    return _of_arrow(described, table.num_rows)


def _of_arrow(described: Sequence[ArrowColumn], rows: int) -> ColumnSource:
    columns = tuple(each.column for each in described)

    def open_batches() -> BatchReader:
        schema = pa.schema([(each.name, each.type) for each in columns])
        return _SlicesOfBatches(pa.Table.from_arrays([each.chunks for each in described], schema=schema).to_batches())

    return ColumnSource(columns, rows, single_pass=False, open=open_batches, labels=None)


def _name_of(schema: pa.Schema, position: int) -> str:
    try:
        return str(schema.field(position).name)
    except UnicodeDecodeError as error:
        raise InputError(f"The name of column {position}, counted from 0, is no UTF-8 text. Rename it.") from error


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


def arrow_reader(frame: Any) -> pa.RecordBatchReader:
    """Return the reader of the rows of what is not in memory.

    Raises:
        InputError: The frame gives no stream, or none of a table. Also when it fails while it is read.
    """
    found = batches_of(frame) or _exported_stream(frame)
    if isinstance(found, BatchSource):
        return found.reader()
    return pa.RecordBatchReader.from_batches(found.schema, readable(found.batches, found.what, found.schema))


def _exported_stream(frame: Any) -> SingleStream:
    reader = _exported_reader(frame)
    return SingleStream(f"The {type(frame).__name__}", reader.schema, reader, reader.close)


def _exported_reader(frame: Any) -> pa.RecordBatchReader:
    if isinstance(frame, pa.RecordBatchReader):
        return frame  # and not a reader of it, so that it is the one that is closed
    kind = type(frame).__name__
    if not hasattr(frame, "__arrow_c_stream__"):
        raise InputError(f"frame is a {kind}. {_advice(frame)}")
    try:
        return pa.RecordBatchReader.from_stream(frame)
    except BaseException as error:
        if not is_of_a_library(error):
            raise
        if "non-struct type" in str(error):
            raise InputError(f"frame is a {kind}, which is one column without a name. {_NAMED}") from error
        raise InputError(f"frame is a {kind}, and its Arrow stream cannot be read ({first_line_of(error)}).") from error


def _advice(frame: object) -> str:
    if hasattr(frame, "__arrow_c_array__"):
        return _NAMED
    return (
        "Give a pandas DataFrame or Series, an object that exports Arrow streams (__arrow_c_stream__), such as one of "
        "polars or pyarrow, the path of a Parquet file, a DuckDB relation, or an iterable of record batches."
    )


def _repeated(found: BatchSource, *, keep_unused: bool) -> ColumnSource:
    names = [_name_of(found.schema, place) for place in range(len(found.schema))]
    bare = columns_of(found, names)
    readings = Readings(found, bare, keep_unused=keep_unused)

    def survey(inspect: Inspect) -> ColumnSource:
        known = readings.survey(inspect)
        columns = _with_findings_of_names(known.columns, None)
        return replace(source, columns=columns, rows=known.rows, row_bytes=known.row_bytes, survey=None)

    source = ColumnSource(
        bare, None, single_pass=False, open=readings.open, labels=None, survey=survey, head=readings.head
    )
    return source


def _stream(found: SingleStream, *, keep_unused: bool) -> ColumnSource:
    schema = found.schema
    try:
        columns = tuple(
            describe_stream(_name_of(schema, i), each, keep_unused=keep_unused) for i, each in enumerate(schema.types)
        )
    except BaseException:
        found.close()
        raise

    def open_once() -> BatchReader:
        batches = readable(found.batches, found.what, schema)
        return _SlicesOfBatches(checked_batches(batches, columns, keep_unused=keep_unused))

    return ColumnSource(columns, None, single_pass=True, open=open_once, labels=None, close=found.close)
