"""Parquet: record batches as row groups, with dictionaries and differences where they pay."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, lru_cache, partial
from io import BytesIO
from itertools import chain, islice, pairwise
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from digime_pandas._tabular.codecs.codec import EncodeJob, Piece, Run
from digime_pandas._tabular.codecs.parquet_footer import RowGroupJoiner, joins_as_written
from digime_pandas._tabular.codecs.parquet_metadata import file_schema, storable_type
from digime_pandas._tabular.codecs.parquet_reader import ParquetReader
from digime_pandas._tabular.columns import first_line_of, raise_about_column
from digime_pandas._tabular.frames.batches import SizedBatches
from digime_pandas._tabular.reading.limits import DEFAULT_LIMITS, Limits

ROW_GROUP_BYTES = 8 << 20
_SAMPLE_ROWS = 8_192
_PROBE_ROWS = 256  # by which the rows of a row group are measured, as `ColumnSource.first_rows` does
_TRIAL_ROWS = 64
_LARGE_BYTES = 1 << 20
_DISTINCT = 0.9


class ParquetCodec:
    """Writes and reads Parquet files."""

    def encode(self, job: EncodeJob, run: Run) -> Iterator[Piece]:
        """Yield the file, one row group each; see `Codec.encode`.

        Times keep their types, and `run` decides how many row groups are encoded at the same time.

        Dictionary encoding costs most of the time of a Parquet file and pays only where values come again: a column
        gets it when a sample of 8,192 rows holds fewer than 90 % distinct values. Other whole numbers and times are
        written as differences, which is faster and smaller than as they are.
        """
        schema = file_schema(job.source, job.schema)
        batches = SizedBatches(job.source, size=ROW_GROUP_BYTES, first_bytes=ROW_GROUP_BYTES, of_arrow=True)
        groups = _row_groups(batches, schema)
        few = list(islice(groups, 2))
        settings = _settings_of_rows(few[0] if few else None, job)
        if len(few) < 2:  # noqa: PLR2004 - one row group, or none: nothing to join
            yield _file(few, schema, settings)
            return
        can_join = _can_join(few[0], schema, settings)
        every = chain(few, groups)
        del few  # or both would stay until the end
        yield from (_joined if can_join else _written_serially)(every, schema, settings, run)

    @staticmethod
    @lru_cache(maxsize=1024)
    def failure_of(type: pa.DataType) -> str | None:
        """Return why a file without rows cannot be written of a type; see `Codec.failure_of`."""
        try:
            _file([], pa.schema([("values", storable_type(type))]), {})
        except (pa.ArrowException, OSError) as error:
            return first_line_of(error)
        return None

    def open(
        self, stream: BinaryIO, *, escaped: bool = False, typed: bool = False, limits: Limits = DEFAULT_LIMITS
    ) -> ParquetReader:
        """Start to read a file; see `Codec.open`."""
        del escaped, typed
        return ParquetReader(stream, limits)


def small_files(job: EncodeJob, columns: Sequence[pa.Array], bounds: Sequence[int]) -> Iterator[bytes | None]:
    """Yield many files of few rows: what follows from their columns is found out once for all of them.

    Each is the file that `ParquetCodec.encode` gives, or None where that may have several row groups.

    Args:
        job: What the files have in common; its rows are not read.
        columns: The rows of all files. There is at least one column.
        bounds: Where the rows of each file begin, from 0, and where the last ones end. No file is without rows.
    """

    @cache
    def schema_of(rows: int) -> pa.Schema:  # which says what the default index is
        return file_schema(replace(job.source, rows=rows), job.schema)

    @cache
    def settings_of(repetitive: tuple[bool, ...]) -> dict[str, Any]:
        return _settings(batch.schema, repetitive, job)

    batch = _storable(columns, schema_of(bounds[-1]))
    table = pa.Table.from_batches([batch])
    is_small = batch.nbytes <= ROW_GROUP_BYTES
    repetitive = zip(*[_where_repetitive(column, bounds) for column in batch.columns], strict=True)
    for (start, stop), of_file in zip(pairwise(bounds), repetitive, strict=True):
        rows = stop - start
        if not (is_small and rows <= _PROBE_ROWS) and _may_be_split(batch.slice(start, rows)):
            yield None
            continue
        sink = pa.BufferOutputStream()  # which costs less per write than a file of Python
        _write_file(sink, [table.slice(start, rows)], schema_of(rows), settings_of(of_file))
        yield sink.getvalue().to_pybytes()


def _row_groups(batches: SizedBatches, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield _storable(batch.columns, schema)


def _storable(columns: Sequence[pa.Array], schema: pa.Schema) -> pa.RecordBatch:
    """Return rows as `schema` has them: Parquet has no dictionaries of extension types, so their values are given."""
    arrays = []
    for array, field in zip(columns, schema, strict=True):
        try:
            arrays.append(array if array.type == field.type else _as_stored(array, field.type))
        except BaseException as error:  # noqa: BLE001 - raised again
            raise_about_column(error, field.name)
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _as_stored(array: pa.Array, type: pa.DataType) -> pa.Array:
    if isinstance(type, pa.BaseExtensionType):  # which Arrow does not cast to
        return pa.ExtensionArray.from_storage(type, array.dictionary.storage.take(array.indices))
    return array.cast(type)


def _joined(
    batches: Iterator[pa.RecordBatch], schema: pa.Schema, settings: Mapping[str, Any], run: Run
) -> Iterator[Piece]:
    """Yield the file of row groups that are encoded as files of their own, possibly several at the same time."""
    joiner = RowGroupJoiner()
    for file in run(partial(_file, [batch], schema, settings) for batch in batches):
        yield joiner.add(file)
    yield joiner.finish()


def _written_serially(
    batches: Iterator[pa.RecordBatch], schema: pa.Schema, settings: Mapping[str, Any], run: Run
) -> Iterator[Piece]:
    """Yield the file of row groups that one writer encodes one after the other."""
    del run
    buffer = _DrainedBuffer()
    with pq.ParquetWriter(buffer, schema, version="2.6", **settings) as writer:
        for batch in batches:
            writer.write_table(_as_table(batch), row_group_size=batch.num_rows)
            yield buffer.drain()
    yield buffer.drain()


class _DrainedBuffer(BytesIO):
    """A file whose content is taken out piece by piece; positions stay those of the whole file."""

    def __init__(self) -> None:
        super().__init__()
        self._drained = 0

    def tell(self) -> int:
        """Return the position in the whole file."""
        return self._drained + super().tell()

    def drain(self) -> bytes:
        """Take out what was written since the last call."""
        content = self.getvalue()
        self._drained += len(content)
        self.seek(0)
        self.truncate()
        return content


def _can_join(batch: pa.RecordBatch, schema: pa.Schema, settings: Mapping[str, Any]) -> bool:
    """Return whether joining gives the file that pyarrow writes: a version to come may have another layout."""
    rows = min(batch.num_rows, _TRIAL_ROWS)
    half = max(1, rows // 2)  # of a batch with one row, both halves are that row
    halves = [batch.slice(0, half), batch.slice(rows - half, half)]
    parts = [_file([half], schema, settings) for half in halves]
    return joins_as_written(parts, _file(halves, schema, settings))


def _file(batches: Sequence[pa.RecordBatch], schema: pa.Schema, settings: Mapping[str, Any]) -> memoryview:
    buffer = BytesIO()
    _write_file(buffer, [_as_table(batch) for batch in batches], schema, settings)
    return buffer.getbuffer()


def _write_file(sink: Any, tables: Iterable[pa.Table], schema: pa.Schema, settings: Mapping[str, Any]) -> None:
    """Write a file of which each table is a row group."""
    with pq.ParquetWriter(sink, schema, version="2.6", **settings) as writer:
        for table in tables:
            writer.write_table(table, row_group_size=table.num_rows)
    if sink.tell() > _LARGE_BYTES:
        # The allocator of each thread would keep what a row group took.
        pa.default_memory_pool().release_unused()


def _as_table(batch: pa.RecordBatch) -> pa.Table:
    # The columns of a table are encoded one after the other, those of a batch wait for each other.
    return pa.Table.from_batches([batch])


def _may_be_split(batch: pa.RecordBatch) -> bool:
    """Return whether rows may be too large for one row group, by all of them or by those that are measured first."""
    probed = min(batch.num_rows, _PROBE_ROWS)
    probe, whole = int(batch.slice(0, probed).nbytes), int(batch.nbytes)
    return batch.num_rows * probe > ROW_GROUP_BYTES * probed or whole > ROW_GROUP_BYTES


def _settings_of_rows(batch: pa.RecordBatch | None, job: EncodeJob) -> dict[str, Any]:
    """Return how a file is written whose first row group is `batch`."""
    if batch is None:
        return _settings((), (), job)
    sample = batch.slice(0, _SAMPLE_ROWS)
    return _settings(sample.schema, [_is_repetitive(column) for column in sample.columns], job)


def _settings(fields: Iterable[pa.Field], repetitive: Iterable[bool], job: EncodeJob) -> dict[str, Any]:
    """Return how a file is written.

    Args:
        fields: Its columns.
        repetitive: For each of them, whether its values come again.
        job: What is written.
    """
    columns = list(zip(fields, repetitive, strict=True))
    counted = [field.name for field, again in columns if not again and _is_counted(field.type)]
    return {
        "use_dictionary": [field.name for field, again in columns if again] or False,
        "column_encoding": dict.fromkeys(counted, "DELTA_BINARY_PACKED") or None,
        "compression": job.options["compression"],
    }


def _is_repetitive(column: pa.Array) -> bool:
    if (known := _is_repetitive_type(column.type)) is not None:
        return known
    try:
        return bool(len(column.unique()) < _DISTINCT * (len(column) - column.null_count))
    except pa.ArrowNotImplementedError:  # Arrow counts no distinct values of extension types, such as periods
        return False


def _where_repetitive(column: pa.Array, bounds: Sequence[int]) -> list[bool]:
    """Return what `_is_repetitive` says of the first rows of each part of a column, found out for all parts together.

    Args:
        column: The rows of all parts.
        bounds: Where the rows of each part begin, from 0, and where the last ones end.
    """
    sizes = np.diff(bounds)
    if (known := _is_repetitive_type(column.type)) is not None:
        return [known] * len(sizes)
    codes = _codes(column) if sizes.max() <= _SAMPLE_ROWS else None
    if codes is None:
        samples = (column.slice(start, min(stop - start, _SAMPLE_ROWS)) for start, stop in pairwise(bounds))
        return [_is_repetitive(each) for each in samples]
    parts = np.repeat(np.arange(len(sizes)), sizes)
    pairs = np.sort(parts * (int(codes.max()) + 1) + codes)  # of the rows of one part in the places of that part
    distinct = np.bincount(parts, np.diff(pairs, prepend=-1) != 0)
    values = np.bincount(parts, column.is_valid().to_numpy(zero_copy_only=False))
    return list((distinct < _DISTINCT * values).tolist())


def _codes(column: pa.Array) -> Any:
    """Return a number per value, equal for equal ones; None where Arrow has none, or it would copy many bytes."""
    if column.nbytes > ROW_GROUP_BYTES:
        return None
    try:
        return column.dictionary_encode("encode").indices.to_numpy()
    except pa.ArrowNotImplementedError:
        return None


def _is_repetitive_type(type: pa.DataType) -> bool | None:
    """Return whether a column of a type has a dictionary; None where its values decide."""
    if pa.types.is_dictionary(type):
        return True
    return False if pa.types.is_boolean(type) or pa.types.is_nested(type) else None


def _is_counted(type: pa.DataType) -> bool:
    return bool(pa.types.is_integer(type) or pa.types.is_timestamp(type) or pa.types.is_duration(type))
