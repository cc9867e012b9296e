"""Parquet: record batches as row groups, with dictionaries and differences where they pay."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, lru_cache, partial
from io import BytesIO
from itertools import count, islice, pairwise
from typing import Any, BinaryIO, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from digime_pandas._tabular.codecs.codec import EncodeJob, Piece, Run
from digime_pandas._tabular.codecs.parquet_footer import RowGroupJoiner, joins_as_written
from digime_pandas._tabular.codecs.parquet_metadata import file_schema, storable_type
from digime_pandas._tabular.codecs.parquet_reader import ParquetReader
from digime_pandas._tabular.codecs.writing.file_memory import FileMemory
from digime_pandas._tabular.codecs.writing.parquet_settings import (
    settings_of,
    settings_of_groups,
    settings_of_rows,
    where_repetitive,
)
from digime_pandas._tabular.columns import bits_of, first_line_of, raise_about_column
from digime_pandas._tabular.frames.batches import SizedBatches, converted, few_rows_of
from digime_pandas._tabular.frames.conversion.pandas_rows import RowsOfColumns
from digime_pandas._tabular.reading.limits import DEFAULT_LIMITS, Limits

ROW_GROUP_BYTES = 8 << 20
_PROBE_ROWS = 256  # by which the rows of a row group are measured, as `ColumnSource.first_rows` does
_TRIAL_ROWS = 64
_LARGE_BYTES = 1 << 20
_MOST_FILE_BYTES = 2 * ROW_GROUP_BYTES  # of a row group; a larger file takes more time, and more memory
_LEAST_FILE_BYTES = 2 << 20  # that most of them have; as large pages mostly are
_ENCODERS = 2  # also on two cores: encoding dictionaries and texts takes more time than encryption, sending or hashing
_RELEASED = 4  # row groups, after half of which memory is given back: to take it again costs a tenth of encoding

_Rows: TypeAlias = pa.RecordBatch | RowsOfColumns


class ParquetCodec:
    """Writes and reads Parquet files."""

    def encode(self, job: EncodeJob, run: Run) -> Iterator[Piece]:
        """Yield the file, one row group each; see `Codec.encode`.

        Times keep their types, and `run` decides how many row groups are encoded at the same time.

        Dictionary encoding costs most of the time of a Parquet file and pays only where values come again: a column
        gets it when a sample of 8,192 rows holds fewer than 90 % distinct values. Other whole numbers and times are
        written as differences, which is faster and smaller than as they are. In a file of several row groups, a sample
        decides on more: see `settings_of_groups`.
        """
        schema = file_schema(job.source, job.schema)
        compression = job.options["compression"]
        few_rows = few_rows_of(job.source, most_bytes=ROW_GROUP_BYTES)
        if few_rows is not None:
            batch = _storable(few_rows, schema)
            yield _file([batch], schema, settings_of_rows(batch, compression))
            return
        batches = SizedBatches(job.source, size=ROW_GROUP_BYTES, first_bytes=ROW_GROUP_BYTES, of_arrow=True)
        groups = batches.unconverted()
        few = list(islice(groups, 2))
        first = [_row_group(rows, schema) for rows in few[:1]]
        if len(few) < 2:  # noqa: PLR2004 - one row group, or none: nothing to join
            file = _file(
                first, schema, settings_of_rows(first[0], compression) if first else settings_of((), (), compression)
            )
            _release_after(len(file))
            yield file
            return
        settings = settings_of_groups(first[0], compression)
        can_join = _can_join(first[0], settings)
        every = _in_turn([first.pop(), few.pop()], groups)
        few.clear()
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
    def settings_by(repetitive: tuple[bool, ...]) -> dict[str, Any]:
        return settings_of(batch.schema, repetitive, job.options["compression"])

    batch = _storable(columns, schema_of(bounds[-1]))
    table = pa.Table.from_batches([batch])
    is_small = batch.nbytes <= ROW_GROUP_BYTES
    repetitive = zip(
        *[where_repetitive(column, bounds, most_bytes=ROW_GROUP_BYTES) for column in batch.columns], strict=True
    )
    for (start, stop), of_file in zip(pairwise(bounds), repetitive, strict=True):
        rows = stop - start
        if not (is_small and rows <= _PROBE_ROWS) and _may_be_split(batch.slice(start, rows)):
            yield None
            continue
        sink = pa.BufferOutputStream()  # which costs less per write than a file of Python
        _write_file(sink, [table.slice(start, rows)], schema_of(rows), settings_by(of_file))
        _release_after(sink.tell())
        yield sink.getvalue().to_pybytes()


def _in_turn(few: list[_Rows], groups: Iterator[_Rows]) -> Iterator[_Rows]:
    """Yield the first rows, of which nothing is kept as `itertools.chain` would until the end, and then the others."""
    while few:
        yield few.pop(0)
    yield from groups


def _row_group(rows: _Rows, schema: pa.Schema) -> pa.RecordBatch:
    return _storable(converted(rows).columns, schema)


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


def _joined(groups: Iterator[_Rows], schema: pa.Schema, settings: Mapping[str, Any], run: Run) -> Iterator[Piece]:
    """Yield the file of row groups that are encoded as files of their own, possibly several at the same time."""
    joiner = RowGroupJoiner()
    encoder = _GroupEncoder(schema, settings)
    files = run((partial(encoder.encode, [rows]) for rows in groups), workers=encoder.workers)
    yield joiner.add(next(files))
    _release_after(ROW_GROUP_BYTES)  # the first one, by which settings were made, was converted in this thread
    for part in map(joiner.add, files):
        yield part
        del part  # or its memory could not be used for the next one
    yield joiner.finish()


class _GroupEncoder:
    """Encodes row groups as files of their own.

    Args:
        schema: Of the files.
        settings: Of pyarrow's writer.

    Attributes:
        workers: How many it should encode at the same time.
    """

    def __init__(self, schema: pa.Schema, settings: Mapping[str, Any]) -> None:
        self._schema = schema
        self._settings = settings
        self._numbers = count()
        # Values of a fixed size that are written as they are take less time than to encrypt them, and as many bytes.
        is_plain = not settings["use_dictionary"] and all(bits_of(field.type) is not None for field in schema)
        self.workers = 1 if is_plain else _ENCODERS
        self._memory = FileMemory(_MOST_FILE_BYTES, ROW_GROUP_BYTES if is_plain else _LEAST_FILE_BYTES)

    def encode(self, rows: list[_Rows]) -> memoryview:
        """Return the file of a row group. May be called in several threads at the same time.

        Args:
            rows: Its rows, which are taken out: what holds the task may hold it for long.
        """
        file = self._file(_as_table(_row_group(rows.pop(), self._schema)))
        # Dictionaries grow, and leave memory in pieces that the next row group does not fit into.
        if self._settings["use_dictionary"] and next(self._numbers) % _RELEASED >= _RELEASED // 2:
            _release_after(len(file))  # now that the rows are gone
        return file

    def _file(self, table: pa.Table) -> memoryview:
        write = partial(_write_file, tables=[table], schema=self._schema, settings=self._settings)
        file = self._memory.write(write)
        return _grown_file(write) if file is None else file


def _written_serially(
    groups: Iterator[_Rows], schema: pa.Schema, settings: Mapping[str, Any], run: Run
) -> Iterator[Piece]:
    """Yield the file of row groups that one writer encodes one after the other."""
    del run
    buffer = _DrainedBuffer()
    with pq.ParquetWriter(buffer, schema, version="2.6", **settings) as writer:
        for rows in groups:
            batch = _row_group(rows, schema)
            writer.write_table(_as_table(batch), row_group_size=batch.num_rows)
            piece = buffer.drain()
            _release_after(len(piece))
            yield piece
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


def _can_join(batch: pa.RecordBatch, settings: Mapping[str, Any]) -> bool:
    """Return whether joining gives the file that pyarrow writes: a version to come may have another layout.

    Of columns that have a type and settings in common, one stands for all.
    """
    kinds = {
        (field.type, *_settings_of_column(field.name, settings)): place for place, field in enumerate(batch.schema)
    }
    tried = batch.select(sorted(kinds.values()))
    rows = min(batch.num_rows, _TRIAL_ROWS)
    half = max(1, rows // 2)  # of a batch with one row, both halves are that row
    halves = [tried.slice(0, half), tried.slice(rows - half, half)]
    parts = [_file([half], tried.schema, settings) for half in halves]
    return joins_as_written(parts, _file(halves, tried.schema, settings))


def _settings_of_column(name: str, settings: Mapping[str, Any]) -> tuple[bool, ...]:
    return tuple(name in named for named in settings.values() if isinstance(named, list | dict))


def _file(batches: Sequence[pa.RecordBatch], schema: pa.Schema, settings: Mapping[str, Any]) -> memoryview:
    tables = [_as_table(batch) for batch in batches]
    return _grown_file(partial(_write_file, tables=tables, schema=schema, settings=settings))


def _grown_file(write: Callable[[Any], None]) -> memoryview:
    buffer = BytesIO()
    write(buffer)
    # Not its `getbuffer()`: where both are garbage, the file may be closed first, which is an error from Python 3.13.
    return memoryview(buffer.getvalue())


def _write_file(sink: Any, tables: Sequence[pa.Table], schema: pa.Schema, settings: Mapping[str, Any]) -> None:
    """Write a file of which each table is a row group."""
    with pq.ParquetWriter(sink, schema, version="2.6", **settings) as writer:
        for table in tables:
            writer.write_table(table, row_group_size=table.num_rows)


def _release_after(size: int) -> None:
    if size > _LARGE_BYTES:
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
