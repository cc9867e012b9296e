"""Parquet: record batches as row groups, with dictionaries and differences where they pay."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache, partial
from io import BytesIO
from itertools import chain, islice
from types import MappingProxyType
from typing import Any, BinaryIO

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from digime_pandas._tabular.codecs.codec import Columns, EncodeJob, Piece, Run
from digime_pandas._tabular.codecs.parquet_footer import RowGroupJoiner, joins_as_written
from digime_pandas._tabular.codecs.parquet_metadata import ATTRS_KEY, SCHEMA_KEY, file_schema, storable_type
from digime_pandas._tabular.codecs.reading.column_names import unique_names
from digime_pandas._tabular.codecs.reading.row_pieces import in_pieces
from digime_pandas._tabular.columns import first_line_of, raise_about_column
from digime_pandas._tabular.engines.json_depth import check_json_depth
from digime_pandas._tabular.frames.batches import SizedBatches
from digime_pandas.errors import ReadError

ROW_GROUP_BYTES = 8 << 20
_SAMPLE_ROWS = 8_192
_TRIAL_ROWS = 64
_LARGE_BYTES = 1 << 20
_DISTINCT = 0.9
_LARGEST_WHOLE_FLOAT = 2**53
_NULLABLE: Mapping[str, Any] = MappingProxyType({"int64": pd.Int64Dtype(), "uint64": pd.UInt64Dtype()})


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
        batches = SizedBatches(job.source, size=ROW_GROUP_BYTES, first_bytes=ROW_GROUP_BYTES)
        groups = _row_groups(batches, schema)
        few = list(islice(groups, 2))
        settings = _encodings(few[0].slice(0, _SAMPLE_ROWS) if few else None) | {
            "compression": job.options["compression"]
        }
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

    def open(self, stream: BinaryIO, *, escaped: bool = False, typed: bool = False) -> ParquetReader:
        """Start to read a file; see `Codec.open`."""
        del escaped, typed
        return ParquetReader(stream)


class ParquetReader:
    """Reads one Parquet file; see `FileReader`.

    Args:
        stream: The file.

    Raises:
        pyarrow.ArrowException: It is no Parquet file.
    """

    names: list[str]

    def __init__(self, stream: BinaryIO) -> None:
        self._file = pq.ParquetFile(stream, pre_buffer=False)  # which would keep all that was read
        schema = self._file.schema_arrow
        self.names = unique_names(schema.names)
        renamed = {name: label for name, label in zip(self.names, schema.names, strict=True) if name != label}
        self.labels: Mapping[str, str] | None = renamed or None
        self._metadata: Mapping[bytes, bytes] = schema.metadata or {}
        self.stored_schema = self._metadata.get(SCHEMA_KEY)

    def find_names(self) -> list[str]:
        """Return the names, which the schema has."""
        return self.names

    def columns(self, types: Mapping[str, pa.DataType | None] | None, rows: int | None) -> Iterator[Columns]:
        """Yield the rows in pieces; see `FileReader.columns`. Of types, the names alone matter."""
        labels = self.labels or {}
        wanted = None if types is None else list(dict.fromkeys(labels.get(name, name) for name in types))
        for table in self._tables(wanted, rows):
            found = dict(zip(self._names_in(table), table.columns, strict=True))
            # Arrow puts columns with the same label beside each other.
            columns = {name: found[name] for name in self.names if name in found}
            yield Columns(columns, rows=table.num_rows)

    def pandas_frames(self, wanted: Sequence[str] | None, rows: int | None) -> Iterator[pd.DataFrame] | None:
        """Return the pieces as frames by the metadata that pandas writes; see `FileReader.pandas_frames`."""
        return self._pandas_frames(wanted, rows) if b"pandas" in self._metadata else None

    def _pandas_frames(self, wanted: Sequence[str] | None, rows: int | None) -> Iterator[pd.DataFrame]:
        attrs_text = self._metadata.get(ATTRS_KEY, b"{}")
        check_json_depth(attrs_text)
        attrs = json.loads(attrs_text)
        for table in self._tables(wanted, rows, use_pandas_metadata=True):
            frame = table.to_pandas(types_mapper=_nullable_types(table).get)
            frame.attrs.update(attrs)
            yield frame

    def _tables(
        self, wanted: Sequence[str] | None, rows: int | None, *, use_pandas_metadata: bool = False
    ) -> Iterator[pa.Table]:
        count = self._file.metadata.num_rows
        if rows is None or not count:
            self._check_memory(count)
            table = self._file.read(wanted, use_pandas_metadata=use_pandas_metadata)
            _check_rows(table.num_rows, count)
            yield table
            return
        # Of dictionaries, Arrow gives batches that are smaller.
        batches = self._file.iter_batches(min(rows, count), columns=wanted, use_pandas_metadata=use_pandas_metadata)
        found = 0
        for table in in_pieces(batches, rows):
            found += table.num_rows
            yield table
        _check_rows(found, count)

    def _names_in(self, table: pa.Table) -> list[str]:
        """Return the names of a table's columns; of those with the same label, all are there or none."""
        if self.labels is None:
            return list(table.column_names)
        names: dict[str, list[str]] = {}
        for name in reversed(self.names):
            names.setdefault(self.labels.get(name, name), []).append(name)
        return [names[label].pop() for label in table.column_names]

    def _check_memory(self, rows: int) -> None:
        """Refuse a file that says that it has more rows than can be held: the process would be ended."""
        present = _memory_bytes()
        needed = rows * sum(_least_bits(each.type) for each in self._file.schema_arrow) // 8
        if present is not None and needed > present:
            raise ReadError(
                f"The file says that it has {rows:,} rows, which take at least {needed >> 30:,} GiB, and this computer "
                f"has {present >> 30:,} GiB of memory. Read it in pieces, with read_batches."
            )


def _check_rows(found: int, said: int) -> None:
    if found != said:
        raise ValueError(f"it says that it has {said:,} rows, and it has {found:,}")


def _nullable_types(table: pa.Table) -> dict[pa.DataType, Any]:
    """Return dtypes for whole numbers that pandas would round, since it makes floats of those with missing values."""
    rounded = {each.type for each in table.columns if str(each.type) in _NULLABLE and _is_rounded(each)}
    return {each: _NULLABLE[str(each)] for each in rounded}


def _is_rounded(column: pa.ChunkedArray) -> bool:
    if not column.null_count:
        return False
    extremes = pc.min_max(column).as_py()
    return extremes["min"] is not None and max(abs(extremes["min"]), abs(extremes["max"])) > _LARGEST_WHOLE_FLOAT


def _least_bits(type: pa.DataType) -> int:
    """Return how many bits of memory a value takes at least."""
    try:
        return int(type.bit_width)
    except ValueError:  # the values of one column have no common width
        return 0 if pa.types.is_nested(type) else 32


def _memory_bytes() -> int | None:
    """Return how much memory this computer has, or None where Python does not say it."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def _row_groups(batches: SizedBatches, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        batches.adapt(batch.num_rows, batch.nbytes)
        yield _storable(batch, schema)


def _storable(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return a batch as `schema` has it: Parquet has no dictionaries of extension types, so their values are given."""
    arrays = []
    for array, field in zip(batch.columns, schema, strict=True):
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
