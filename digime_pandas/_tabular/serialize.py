"""A frame as the bytes of a file, in slices.

`inspect_frame` finds out everything that can be found out before the first byte is sent, and refuses what the format
cannot hold; `Prepared.chunks` then serializes slice by slice in bounded memory, anew at each call.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from digime_pandas._service.messages import Buffer
from digime_pandas._service.streams import Run, one_by_one
from digime_pandas._tabular.codecs import csv as _csv
from digime_pandas._tabular.codecs import json as _json
from digime_pandas._tabular.codecs import parquet as _parquet
from digime_pandas._tabular.columns import Column
from digime_pandas._tabular.fidelity import ColumnVerdict, FidelityWarning, Reason, judge_labels, verdict_for
from digime_pandas._tabular.fidelity_rules import Verdict
from digime_pandas._tabular.formats import Format, check_options
from digime_pandas._tabular.frames.source import ColumnSource, column_source_of
from digime_pandas._tabular.inspection import ColumnInspection
from digime_pandas._tabular.schema import schema_of, sidecar_schema
from digime_pandas._tabular.text_values import plain
from digime_pandas.errors import FidelityError

SLICE_BYTES = 4 << 20  # of those that are serialized at the same time together
FIRST_SLICE_BYTES = 1 << 20  # what is smaller is serialized as a whole before anything is sent
ROW_GROUP_BYTES = 8 << 20
_TEXT_GROWTH = 2  # text is about so much larger than the same values in Arrow
_GROWTH = 8
_LONGER = 2

_WARNINGS: Mapping[Verdict, str] = MappingProxyType(
    {"lost": "Not everything is in the file", "changed": "Written in another form"}
)
_NO_OPTIONS: Mapping[str, object] = MappingProxyType({})


@dataclass(slots=True, kw_only=True)
class SerializableFrame:
    """A frame that can be serialized.

    Attributes:
        format: The format of the file.
        rows: How many rows it has; None for a one-shot stream until it has been exhausted.
        one_shot: Whether `chunks` works only once.
        columns: What becomes of each column, index levels first. For a one-shot stream it is what its types say: its
            values are looked at while they go out.
        schema: ASCII text of at most 3,000 characters by which `parse` makes the same frame again; None where plain
            reading rules make it anyway, where the file itself carries it (Parquet), and with ``typed=False``.
    """

    format: Format
    rows: int | None
    single_pass: bool
    columns: tuple[ColumnVerdict, ...]
    schema: str | None
    _frame: ColumnSource = field(repr=False)
    _options: Mapping[str, Any] = field(repr=False)
    _examinations: tuple[ColumnInspection, ...] = field(repr=False)
    _warned: frozenset[Reason] = field(repr=False)

    def chunks(self, run: Run = one_by_one, *, workers: int = 1) -> Iterator[Buffer]:
        """Serialize from the first row.

        Args:
            run: Runs the tasks that serialize a slice or a row group each, possibly several at a time.
            workers: How many slices of a text format at a time; the more, the smaller they are.

        Yields:
            Pieces of the file: about 4 MiB each for text formats with one worker, one row group each for Parquet. The
            first and the last may be small.

        Raises:
            FidelityError: Only from a one-shot stream: a value that the format cannot hold has come.
        """
        if self.format.name == "parquet":
            own = schema_of(self._frame, attrs=self._options["attrs"])
            schema = _parquet.file_schema(self._frame, own.to_json(), own.attrs)
            groups = self._row_groups(schema)
            yield from _parquet.chunks(groups, schema, compression=self._options["compression"], run=run)
        else:
            yield from self._text(run, workers)
        if self.single_pass:
            _warn([each for each in self._judge()[1] if each not in self._warned])

    def _text(self, run: Run, workers: int) -> Iterator[Buffer]:
        nothing = True
        for piece in run(self._slices(SLICE_BYTES // workers), workers=workers):
            yield piece
            nothing = False
        if self._is("json"):
            yield b"[]\n" if nothing else b"]\n"
        elif self._is("csv") and nothing:
            empty = [pa.nulls(0, column.type) for column in self._frame.columns]
            yield self._piece(pa.RecordBatch.from_arrays(empty, names=self._names()), first=True)

    def _slices(self, size: int) -> Iterator[Callable[[], Buffer]]:
        pace = _BatchSizer(size, self._frame.first_rows(FIRST_SLICE_BYTES // _TEXT_GROWTH))

        def serialize(batch: pa.RecordBatch, *, first: bool) -> Buffer:
            piece = self._piece(batch, first=first)
            pace.adapt(batch.num_rows, len(piece))
            if len(piece) > FIRST_SLICE_BYTES:
                # Each thread's allocator would keep what a slice took, and several slices are under way.
                pa.default_memory_pool().release_unused()
            return piece

        first = True
        for batch in self._batches(pace):
            if not first:
                # What other threads are done with goes back to this one's allocator.
                pa.default_memory_pool().release_unused()
            yield partial(serialize, batch, first=first)
            first = False

    def _row_groups(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        pace = _BatchSizer(ROW_GROUP_BYTES, self._frame.first_rows(ROW_GROUP_BYTES))
        for batch in self._batches(pace):
            pace.adapt(batch.num_rows, batch.nbytes)
            yield _parquet.storable(batch, schema)

    def _batches(self, pace: _BatchSizer) -> Iterator[pa.RecordBatch]:
        take = self._frame.open()
        position = 0
        while (batch := take(pace.rows)) is not None:
            if self.single_pass:
                self._inspect_batch(position, batch)
            position += batch.num_rows
            yield from _split_oversized(batch, pace.wanted)
        self.rows = position

    def _inspect_batch(self, position: int, batch: pa.RecordBatch) -> None:
        for examination, array in zip(self._examinations, batch.columns, strict=True):
            if examination.needed:
                examination.look(position, array)
        _refuse(self._judge()[0])

    def _judge(self) -> tuple[tuple[ColumnVerdict, ...], list[Reason]]:
        return _judge(self._frame.columns, self._examinations, self.format, self._options)

    def _piece(self, batch: pa.RecordBatch, *, first: bool) -> Buffer:
        arrays = [
            self._stored(array, None if self.single_pass else examination.file_type)
            for array, examination in zip(batch.columns, self._examinations, strict=True)
        ]
        ready = pa.RecordBatch.from_arrays(arrays, names=self._names())
        if self._is("csv"):
            return _csv.lines(ready, header=first)
        digits = self._decimal_columns() if self._options["decimals"] == "number" else ()
        if self._is("json"):
            return _json.elements(ready, first=first, digits=digits)
        return _json.lines(ready, digits=digits)

    def _stored(self, array: pa.Array, file_type: pa.DataType | None) -> pa.Array:
        values = plain(array if file_type is None else array.cast(file_type))
        if not self._is("csv"):
            return values
        if pa.types.is_nested(values.type):
            values = _json.as_text(values)
        escaping = self._options["escape_formulas"] and not pa.types.is_decimal(array.type)
        return _csv.escape(values) if escaping else values

    def _names(self) -> list[str]:
        names = [each.name for each in self._frame.columns]
        return _csv.escape(pa.array(names, pa.string())).to_pylist() if self._options.get("escape_formulas") else names

    def _decimal_columns(self) -> list[str]:
        return [each.name for each in self._frame.columns if pa.types.is_decimal(each.type)]

    def _is(self, name: str) -> bool:
        return self.format.name == name


class _BatchSizer:
    """How many rows to take next, so that what comes out has about the wanted size."""

    def __init__(self, wanted: int, rows: int) -> None:
        self.wanted = wanted
        self.rows = rows

    def adapt(self, rows: int, size: int) -> None:
        self.rows = max(1, min(rows * _GROWTH, self.wanted * rows // max(size, 1)))


def _split_oversized(batch: pa.RecordBatch, size: int) -> Iterator[pa.RecordBatch]:
    """Yield a batch as it is, or in parts where its rows are much longer than those the pace was made for."""
    taken = sum((each.indices if isinstance(each, pa.DictionaryArray) else each).nbytes for each in batch.columns)
    if taken <= _LONGER * size or batch.num_rows == 1:
        yield batch
        return
    half = batch.num_rows // 2
    yield from _split_oversized(batch.slice(0, half), size)
    yield from _split_oversized(batch.slice(half), size)


def examine(
    frame: object, format: Format, *, index: bool | None = None, options: Mapping[str, object] = _NO_OPTIONS
) -> tuple[ColumnVerdict, ...]:
    """Return what would become of each column, the impossible included, without warnings or errors about them.

    Args:
        frame: As for `inspect_frame`, and so are the others. A one-shot stream is not read.
        format: The format.
        index: Whether the index is kept.
        options: Options of the format.

    Raises:
        InputError: The frame is none, or the format has no such option.
    """
    checked = check_options(format, options)
    known = column_source_of(frame, index=index, keep_unused=bool(checked["keep_unused_categories"]))
    return _judge(known.columns, _examined(known, format), format, checked)[0]


def inspect_frame(
    frame: object,
    format: Format,
    *,
    index: bool | None = None,
    options: Mapping[str, object] = _NO_OPTIONS,
    warn_of_cut: bool = True,
) -> SerializableFrame:
    """Look at a frame and refuse what the format cannot hold.

    The file holds only what its rows use. A categorical column, index, or label of columns comes back with the
    categories that rows (or columns) have, in their order; a sparse column whose fill value no row has comes back with
    NaN, 0 or False as fill value. Arrow dictionaries hold the values that rows have, those of a stream batch by batch.

    Args:
        frame: A pandas DataFrame or Series, or an object that exports Arrow streams (polars, pyarrow, DuckDB). It is
            never changed.
        format: The format to write.
        index: Whether the index is kept; None keeps every index but a default RangeIndex.
        options: Options of the format. All formats: `attrs` (False) sends the frame's `attrs`, which are left out
            otherwise; `keep_unused_categories` (False) sends categories and dictionary values that no row has. Text
            formats: `typed` (True) makes the schema. CSV: `escape_formulas` (False) puts an apostrophe before text
            that a spreadsheet would take for a formula, `nested` (``"refuse"``) as ``"json"`` writes lists and dicts
            as JSON text. JSON and NDJSON: `strict` (False) refuses NaN and the infinities, `decimals` (``"string"``)
            may be ``"number"``. Parquet: `compression` (``"snappy"``) may be ``"zstd"``, ``"gzip"``, ``"brotli"``,
            ``"lz4"`` or ``"none"``.
        warn_of_cut: Whether to warn of unused categories, dictionary values and fill values that are left out. False
            suits a part of a larger frame, which has them by design; the verdicts say it all the same.

    Raises:
        FidelityError: The format cannot hold a column; the error names it and its first offending row.
        InputError: The frame is none, or the format has no such option.

    Warns:
        FidelityWarning: Something of the frame will not be in the file, or be there in another form.
    """
    checked = check_options(format, options)
    known = column_source_of(frame, index=index, keep_unused=bool(checked["keep_unused_categories"]))
    examinations = _examined(known, format)
    verdicts, warned = _judge(known.columns, examinations, format, checked, warn_of_cut=warn_of_cut)
    _refuse(verdicts)
    if known.rows and not known.columns:
        raise FidelityError(f"The frame has {known.rows} rows and no column. Give index=True to write its index.")
    schema, lost = sidecar_schema(known, format, checked)
    if known.labels is not None:
        about_labels = judge_labels(known.labels.facts, format, checked, warn_of_cut=warn_of_cut)
        warned += [(verdict, f"column labels: {note}") for verdict, note in about_labels]
    _warn([*warned, *(("lost", each) for each in lost)])
    return SerializableFrame(
        format=format,
        rows=known.rows,
        single_pass=known.single_pass,
        columns=verdicts,
        schema=schema,
        _frame=known,
        _options=checked,
        _examinations=examinations,
        _warned=frozenset(warned),
    )


def _examined(frame: ColumnSource, format: Format) -> tuple[ColumnInspection, ...]:
    alone = len(frame.columns) == 1
    examinations = tuple(ColumnInspection(column, format, alone=alone) for column in frame.columns)
    if frame.rows is not None:
        for column, examination in zip(frame.columns, examinations, strict=True):
            if examination.needed and column.readable:
                for start, array in column.blocks(frame.rows):
                    examination.look(start, array)
    return examinations


def _judge(
    columns: Sequence[Column],
    examinations: Iterable[ColumnInspection],
    format: Format,
    options: Mapping[str, Any],
    *,
    warn_of_cut: bool = True,
) -> tuple[tuple[ColumnVerdict, ...], list[Reason]]:
    pairs = [
        verdict_for(column, examination.facts, format, options, warn_of_cut=warn_of_cut)
        for column, examination in zip(columns, examinations, strict=True)
    ]
    warned = [(kind, f"column {verdict.name!r}: {note}") for verdict, notes in pairs for kind, note in notes]
    return tuple(verdict for verdict, _ in pairs), warned


def _refuse(verdicts: Iterable[ColumnVerdict]) -> None:
    for each in verdicts:
        if each.verdict == "impossible":
            where = "" if each.row is None else f" (first in row {each.row})"
            raise FidelityError(f"Column {each.name!r}{where}: {each.note}.", column=each.name, row=each.row)


def _warn(warned: Sequence[Reason]) -> None:
    by_verdict = {verdict: [text for each, text in warned if each == verdict] for verdict in _WARNINGS}
    sentences = [f"{_WARNINGS[verdict]}: {'; '.join(texts)}." for verdict, texts in by_verdict.items() if texts]
    if sentences:
        warnings.warn(" ".join(sentences), FidelityWarning, stacklevel=3)
