"""A frame as the bytes of a file.

`inspect_frame` finds out everything that can be found out before the first byte is sent: what becomes of each column,
and whether the format can hold them. `SerializableFrame.chunks` then serializes in bounded memory, anew at each call.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Any, Self

import pyarrow as pa

from digime_pandas._tabular.codecs.codec import EncodeJob, Piece, Run, run_one_by_one
from digime_pandas._tabular.codecs.registry import CODECS
from digime_pandas._tabular.columns import BLOCK_ROWS, Column, Finding, raise_about_column, raise_about_frame
from digime_pandas._tabular.fidelity import ColumnVerdict, Reason, judge_columns, judge_labels, warning_sentences
from digime_pandas._tabular.formats import Format, check_options
from digime_pandas._tabular.frames.batches import converted
from digime_pandas._tabular.frames.objects.advice import shown, type_name
from digime_pandas._tabular.frames.source import ColumnSource, column_source_of
from digime_pandas._tabular.frames.streamed.readings import Inspect
from digime_pandas._tabular.inspection import ColumnInspection, inspect_columns
from digime_pandas._tabular.rules.sentences import joined_to
from digime_pandas._tabular.schema.known import KnownBySchema, key_of
from digime_pandas._tabular.schema.making import WrittenSchema, is_implied, written_schema
from digime_pandas._tabular.schema.stored import Schema
from digime_pandas.errors import FidelityError, FidelityWarning, warn

_NO_OPTIONS: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Conclusions:
    """What follows from the columns of a frame and what was found in their values; see `SerializableFrame`."""

    columns: tuple[ColumnVerdict, ...]
    reasons: tuple[Reason, ...]
    warnings: tuple[str, ...]
    schema: WrittenSchema


_KNOWN: KnownBySchema[_Conclusions] = KnownBySchema()


@dataclass(slots=True, kw_only=True)
class SerializableFrame:
    """A frame, with what becomes of it in a format.

    Attributes:
        format: The format of the file.
        rows: How many rows it has; None for a single-pass stream until it has been read to its end.
        single_pass: Whether `chunks` works only once.
        columns: What becomes of each column, index levels first. For a single-pass stream it follows from the types
            alone: the values are inspected while they are serialized.
        warnings: What there is to warn of, as sentences: what will not be in the file, or be there in another form.
            Also what the values of a single-pass stream gave, once it was serialized.
        refusal: Why the frame cannot be written, or None when it can.
        schema: ASCII text of at most 3,000 characters by which `parse` makes the same frame again; None where the rules
            of inference make it anyway, where the file itself has it (Parquet), and with ``typed=False``.
        reasons: What `warnings` are made of: verdicts, and why.
        schema_inside: The schema that is in the file, of a format that stores types.
        source: The columns.
        options: Every option of the format.
        inspections: What was found in the values of each column.
        about: Which file it is, for what is warned of.
    """

    format: Format
    rows: int | None
    single_pass: bool
    columns: tuple[ColumnVerdict, ...]
    warnings: tuple[str, ...]
    refusal: FidelityError | None
    schema: str | None
    reasons: tuple[Reason, ...]
    schema_inside: Schema | None = field(repr=False)
    source: ColumnSource = field(repr=False)
    options: Mapping[str, Any] = field(repr=False)
    inspections: tuple[ColumnInspection, ...] = field(repr=False)
    about: str = ""

    def checked(self) -> Self:
        """Return this frame when it can be written.

        Raises:
            FidelityError: The format cannot hold a column; the error names it and its first offending row.

        Warns:
            FidelityWarning: Something of the frame will not be in the file, or be there in another form.
        """
        try:
            if self.refusal is not None:
                raise self.refusal
            self._warn(self.warnings)
        except BaseException:  # also a warning that a filter of the user makes an error
            self.close()
            raise
        return self

    def close(self) -> None:
        """Give up what the frame holds open, such as the result of a query; a single-pass stream ends with it."""
        if self.source.close is not None:
            self.source.close()

    def chunks(self, run: Run = run_one_by_one, *, workers: int = 1) -> Generator[Piece, None, None]:
        """Serialize from the first row.

        Args:
            run: Runs the tasks that encode a slice or a row group each, possibly several at the same time.
            workers: How many slices of a text format at the same time; the more, the smaller they are.

        Yields:
            Pieces of the file: about 3 MiB each for text formats with one worker, one row group each for Parquet. The
            first and the last may be small.

        Raises:
            FidelityError: The frame cannot be written. For a single-pass stream this may turn out at any piece.

        Warns:
            FidelityWarning: Only after a single-pass stream: its values gave reasons that `warnings` does not have.
        """
        if self.refusal is not None:
            raise self.refusal
        source = replace(self.source, open=self._open_inspected) if self.single_pass else self.source
        # The times of a stream are not known before they are written.
        file_types = [None if self.single_pass else each.file_type for each in self.inspections]
        job = EncodeJob(
            source=source, options=self.options, file_types=file_types, schema=self.schema_inside, workers=workers
        )
        try:
            yield from CODECS[self.format.name].encode(job, run)
        except BaseException as error:  # noqa: BLE001 - raised again
            raise_about_frame(error, f"written as {self.format.name}")
        finally:
            self.close()
        if self.single_pass:
            self._warn_of_values()

    def _open_inspected(self) -> Callable[[int], pa.RecordBatch | None]:
        """Start to read a single-pass stream: every batch is inspected when it is read."""
        read = self.source.open()
        position = 0

        def read_inspected(rows: int) -> pa.RecordBatch | None:
            nonlocal position
            found = read(rows)
            batch = None if found is None else converted(found)
            if batch is None:
                self.rows = position
                return None
            self._inspect_batch(position, batch)
            position += batch.num_rows
            return batch

        return read_inspected

    def _inspect_batch(self, position: int, batch: pa.RecordBatch) -> None:
        for column, inspection, array in zip(self.source.columns, self.inspections, batch.columns, strict=True):
            try:
                inspection.inspect(position, array)
            except BaseException as error:  # noqa: BLE001 - raised again
                raise_about_column(error, column.name)
        refusal = _refusal(self._judged()[0], self.inspections, self.source)
        if refusal is not None:
            raise refusal

    def _warn_of_values(self) -> None:
        sentences = warning_sentences(each for each in self._judged()[1] if each not in self.reasons)
        if sentences:
            self.warnings += sentences
            self._warn(sentences)

    def _warn(self, sentences: Sequence[str]) -> None:
        if sentences:
            warn(": ".join(filter(None, (self.about, " ".join(sentences)))), FidelityWarning)

    def _judged(self) -> tuple[tuple[ColumnVerdict, ...], list[Reason]]:
        findings = _findings(self.source.columns, self.inspections, self.format)
        return judge_columns(self.source.columns, findings, self.format, self.options)


def inspect_frame(
    frame: object,
    format: Format,
    *,
    index: bool | None = None,
    options: Mapping[str, object] = _NO_OPTIONS,
    warn_of_cut: bool = True,
) -> SerializableFrame:
    """Inspect a frame; neither refuse it nor warn of anything.

    The file holds only what its rows use. A categorical column, index, or label of columns comes back with the
    categories that rows (or columns) have, in their order; a sparse column whose fill value no row has comes back with
    NaN, 0 or False as fill value. Arrow dictionaries hold the values that rows have, those of a stream batch by batch.

    Args:
        frame: A pandas DataFrame or Series, an object that exports Arrow streams (polars, pyarrow), or what
            `batches_of` takes. It is never changed. A single-pass stream is not read; any other source that is not in
            memory is read once.
        format: The format to write.
        index: Whether the index is kept; None keeps every index but a default RangeIndex.
        options: Options of the format. All formats: `attrs` (False) sends the frame's `attrs`, which are left out
            otherwise; `keep_unused_categories` (False) sends categories and dictionary values that no row has. Text
            formats: `typed` (True) makes the schema. CSV: `escape_formulas` (False) puts an apostrophe before text
            that a spreadsheet would take for a formula, `nested` (``"refuse"``) as ``"json"`` writes lists and dicts
            as JSON text. JSON and NDJSON: `strict` (False) refuses NaN and the infinities, `decimals` (``"string"``)
            may be ``"number"``. Parquet: `compression` (``"snappy"``) may be ``"zstd"``, ``"gzip"``, ``"brotli"``,
            ``"lz4"`` or ``"none"``.
        warn_of_cut: Whether `warnings` names unused categories, dictionary values and fill values that are left out.
            False suits a part of a larger frame, which has them by design; the verdicts name them all the same.

    Returns:
        The frame with its verdicts, warnings and, where the format cannot hold it, the refusal.

    Raises:
        InputError: The frame is none, or the format has no such option.
    """
    checked = check_options(format, options)
    source: ColumnSource | None = None
    try:
        source = column_source_of(frame, index=index, keep_unused=bool(checked["keep_unused_categories"]))
        return inspect_source(source, format, checked, warn_of_cut=warn_of_cut)
    except BaseException as error:  # noqa: BLE001 - raised again
        if source is not None and source.close is not None:
            source.close()
        raise_about_frame(error, "read")


def inspect_source(
    source: ColumnSource, format: Format, options: Mapping[str, Any], *, warn_of_cut: bool
) -> SerializableFrame:
    """Inspect columns; `inspect_frame` for what is a source already.

    Args:
        source: The columns.
        format: The format to write.
        options: Every option of the format.
        warn_of_cut: As for `inspect_frame`.
    """
    inspections = inspect_columns(source.columns, source.rows, format)
    if source.survey is not None:
        source, inspections = _surveyed(source, source.survey, inspections, format)
    key = key_of(source)
    if key is not None:
        implied = not format.stores_types and options["typed"] and is_implied(source, format, options)
        key = key, format, *options.values(), warn_of_cut, implied, *(each.findings for each in inspections)
    known = _KNOWN.get(key, partial(_conclude, source, inspections, format, options, warn_of_cut=warn_of_cut))
    refusal = _refusal(known.columns, inspections, source)
    if refusal is None and source.rows and not source.columns:
        refusal = FidelityError(f"The frame has {source.rows} rows and no column. Give index=True to write its index.")
    return SerializableFrame(
        format=format,
        rows=source.rows,
        single_pass=source.single_pass,
        columns=known.columns,
        warnings=known.warnings,
        refusal=refusal,
        schema=known.schema.beside,
        reasons=known.reasons,
        schema_inside=known.schema.inside,
        source=source,
        options=options,
        inspections=inspections,
    )


def _conclude(
    source: ColumnSource,
    inspections: Sequence[ColumnInspection],
    format: Format,
    options: Mapping[str, Any],
    *,
    warn_of_cut: bool,
) -> _Conclusions:
    findings = _findings(source.columns, inspections, format)
    verdicts, reasons = judge_columns(source.columns, findings, format, options, warn_of_cut=warn_of_cut)
    schema = WrittenSchema()
    if all(each.verdict != "impossible" for each in verdicts) and (source.columns or not source.rows):
        schema = written_schema(source, format, options)
        if source.labels is not None and source.labels.findings:
            about_labels = judge_labels(source.labels.findings, format, options, warn_of_cut=warn_of_cut)
            reasons += [(verdict, f"column labels: {note}") for verdict, note in about_labels]
        reasons += [("lost", each) for each in schema.lost]
    return _Conclusions(verdicts, tuple(reasons), warning_sentences(reasons), schema)


def _surveyed(
    source: ColumnSource,
    survey: Callable[[Inspect], ColumnSource],
    inspections: tuple[ColumnInspection, ...],
    format: Format,
) -> tuple[ColumnSource, tuple[ColumnInspection, ...]]:
    """Read a source that is not in memory for the first time, while its values are inspected."""
    known = survey(lambda place, start, array: inspections[place].inspect_or_note(start, array))
    pairs = zip(source.columns, known.columns, inspections, strict=True)
    return known, tuple(
        # What was found in the values of a column before one of them was damaged says nothing.
        each if new.readable == old.readable else ColumnInspection(new, format, alone=len(inspections) == 1)
        for old, new, each in pairs
    )


def _findings(
    columns: Sequence[Column], inspections: Sequence[ColumnInspection], format: Format
) -> list[tuple[Finding, ...]]:
    """Return what was found in the values of each column, and by writing a file of its type that has no rows."""
    failures = [CODECS[format.name].failure_of(each.type) for each in columns]
    return [
        each.findings if failure is None else (*each.findings, Finding("type that Parquet lacks", seen=failure))
        for each, failure in zip(inspections, failures, strict=True)
    ]


def _refusal(
    verdicts: Iterable[ColumnVerdict], inspections: Sequence[ColumnInspection], source: ColumnSource
) -> FidelityError | None:
    """Return the error about the first column that the format cannot hold, or None."""
    for each, inspection, column in zip(verdicts, inspections, source.columns, strict=True):
        if each.verdict == "impossible":
            where = "" if each.row is None else f" (first in row {each.row})"
            example = "" if source.single_pass or not source.rows else _example(column, each, source.rows)
            refusal = FidelityError(
                f"Column {each.name!r}{where}{joined_to(each.problem)}{each.problem}{example}:",
                column=each.name,
                row=each.row,
                remedy=f"{each.advice}.",
            )
            refusal.__cause__ = inspection.cause
            return refusal
    return None


def _example(column: Column, verdict: ColumnVerdict, rows: int) -> str:
    """Return the first value that a column is refused for, in words, as far as it can be read."""
    if not column.readable or not verdict.problem.startswith("holds "):
        return ""
    start = verdict.row or 0
    with suppress(Exception):
        values = column.read(start, min(rows, start + (BLOCK_ROWS if verdict.row is None else 1)))
        place = values.is_valid().index(True).as_py()
        if place >= 0:
            value = values[place].as_py()
            return f" (row {start + place} has {shown(value)}, of type {type_name(type(value))})"
    return ""
