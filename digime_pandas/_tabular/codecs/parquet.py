"""Parquet: record batches as row groups, with dictionaries and differences where they pay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from io import BytesIO
from itertools import chain, islice
from typing import Any, BinaryIO

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
        settings = _settings(few[0] if few else None, job)
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


class SmallFiles:
    """Makes many files of few rows: what follows from their columns is found out once, and not for each of them.

    Args:
        job: What the files have in common; its rows are not read.
        size: Bytes of all of them together in Arrow.
    """

    def __init__(self, job: EncodeJob, size: int) -> None:
        self._job = job
        self._is_small = size <= ROW_GROUP_BYTES
        self._schemas: dict[int, pa.Schema] = {}

    def encode(self, arrays: Sequence[pa.Array], rows: int) -> bytes | None:
        """Return the file that `ParquetCodec.encode` gives, or None where that may have several row groups.

        Args:
            arrays: The columns.
            rows: How many rows they have.
        """
        if not (self._is_small and rows <= _PROBE_ROWS) and _may_be_split(arrays, rows):
            return None
        batch = _storable(arrays, self._schema(rows))
        return bytes(_file([batch], batch.schema, _settings(batch, self._job)))

    def _schema(self, rows: int) -> pa.Schema:
        if rows not in self._schemas:  # which says what the default index is
            self._schemas[rows] = file_schema(replace(self._job.source, rows=rows), self._job.schema)
        return self._schemas[rows]


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
            _write_row_group(writer, batch)
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
    with pq.ParquetWriter(buffer, schema, version="2.6", **settings) as writer:
        for batch in batches:
            _write_row_group(writer, batch)
    if buffer.tell() > _LARGE_BYTES:
        # The allocator of each thread would keep what a row group took.
        pa.default_memory_pool().release_unused()
    return buffer.getbuffer()


def _write_row_group(writer: pq.ParquetWriter, batch: pa.RecordBatch) -> None:
    # As a table: its columns are encoded one after the other, those of a batch wait for each other.
    writer.write_table(pa.Table.from_batches([batch]), row_group_size=batch.num_rows)


def _may_be_split(arrays: Sequence[pa.Array], rows: int) -> bool:
    """Return whether rows may be too large for one row group, by all of them or by those that are measured first."""
    probed = min(rows, _PROBE_ROWS)
    probe = sum(int(each.slice(0, probed).nbytes) for each in arrays)
    whole = sum(int(each.nbytes) for each in arrays)
    return rows * probe > ROW_GROUP_BYTES * probed or whole > ROW_GROUP_BYTES


def _settings(batch: pa.RecordBatch | None, job: EncodeJob) -> dict[str, Any]:
    """Return how a file is written whose first row group is `batch`."""
    sample = None if batch is None else batch.slice(0, _SAMPLE_ROWS)
    return _encodings(sample) | {"compression": job.options["compression"]}


def _encodings(sample: pa.RecordBatch | None) -> dict[str, Any]:
    columns = [] if sample is None else list(zip(sample.schema, sample.columns, strict=True))
    repetitive = [field.name for field, column in columns if _is_repetitive(column)]
    counted = [field.name for field, _ in columns if _is_counted(field.type) and field.name not in repetitive]
    return {
        "use_dictionary": repetitive or False,
        "column_encoding": dict.fromkeys(counted, "DELTA_BINARY_PACKED") or None,
    }


def _is_repetitive(column: pa.Array) -> bool:
    if pa.types.is_dictionary(column.type):
        return True
    if pa.types.is_boolean(column.type) or pa.types.is_nested(column.type):
        return False
    try:
        return bool(len(column.unique()) < _DISTINCT * (len(column) - column.null_count))
    except pa.ArrowNotImplementedError:  # Arrow counts no distinct values of extension types, such as periods
        return False


def _is_counted(type: pa.DataType) -> bool:
    return bool(pa.types.is_integer(type) or pa.types.is_timestamp(type) or pa.types.is_duration(type))
