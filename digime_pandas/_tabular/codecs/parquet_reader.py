"""The reading of Parquet files, within bounds that the heads of their pages are held against."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, BinaryIO

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from digime_pandas._tabular.arrow import as_columns
from digime_pandas._tabular.codecs.codec import Columns
from digime_pandas._tabular.codecs.parquet_metadata import ATTRS_KEY, SCHEMA_KEY
from digime_pandas._tabular.codecs.parquet_pages import Leaf, LeafSize, PageHeads, leaves_of
from digime_pandas._tabular.codecs.reading.column_names import unique_names
from digime_pandas._tabular.codecs.reading.row_pieces import in_pieces, joined
from digime_pandas._tabular.engines.json_depth import check_json_depth
from digime_pandas._tabular.reading.limits import DEFAULT_LIMITS, Limits
from digime_pandas._tabular.reading.threads import at_once
from digime_pandas._tabular.reading.whole_file import content_of, held_by_arrow
from digime_pandas.errors import ReadError

_LARGEST_WHOLE_FLOAT = 2**53
_NULLABLE: Mapping[str, Any] = MappingProxyType({"int64": pd.Int64Dtype(), "uint64": pd.UInt64Dtype()})
_BATCH_BYTES = 64 << 20
_OBJECT_BYTES = 112  # of a list, mapping or decimal in a frame, empty ones included
_SMALL_OBJECT_BYTES = 40  # of a date or time
_MOST_GROUPS = 16  # of columns that are read at the same time
_LEAST_ROWS = 512  # decoded at a time: of fewer, each call takes longer than the values

_Sizes = dict[tuple[Leaf, int], LeafSize]


class ParquetReader:
    """Reads one Parquet file; see `FileReader`.

    Args:
        stream: The file.
        limits: How much may be read.

    Raises:
        pyarrow.ArrowException: It is no Parquet file.
        ReadError: It has too many columns.
    """

    names: list[str]

    def __init__(self, stream: BinaryIO, limits: Limits = DEFAULT_LIMITS) -> None:
        self._stream = stream
        self._limits = limits
        content = content_of(stream)
        self._content = None if content is None else held_by_arrow(content)
        # A buffer is read without copies.
        self._source = None if self._content is None else pa.BufferReader(self._content)
        # Buffering ahead would keep all that was read.
        self._file = pq.ParquetFile(stream if self._source is None else self._source, pre_buffer=False)
        limits.check_columns(self._file.metadata.num_columns)
        schema = self._file.schema_arrow
        self.names = unique_names(schema.names)
        renamed = {name: label for name, label in zip(self.names, schema.names, strict=True) if name != label}
        self.labels: Mapping[str, str] | None = renamed or None
        self._metadata: Mapping[bytes, bytes] = schema.metadata or {}
        self.stored_schema = self._metadata.get(SCHEMA_KEY)
        self._heads = PageHeads(self._file, stream, self._source)

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
        if rows is None:
            self._check_memory(count)
            self._limits.check_rows(max(count, self._rows_in_groups()), are_all=True)
        # With metadata of pandas, the index is read too.
        names = None if use_pandas_metadata else wanted
        sizes = self._sizes(names)
        table = self._read_apart(names, sizes) if rows is None and names == wanted else None
        if table is None:
            batch_rows = self._batch_rows(names, rows, sizes)
            if batch_rows is not None:
                # Of dictionaries, Arrow gives batches that are smaller.
                batches = self._file.iter_batches(batch_rows, columns=wanted, use_pandas_metadata=use_pandas_metadata)
                yield from self._counted(in_pieces(batches, rows or count, limits=self._limits))
                return
            table = self._file.read(wanted, use_pandas_metadata=use_pandas_metadata)
        _check_rows(table.num_rows, count)
        yield table

    def _counted(self, tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """Yield the pieces of all rows, which are to be as many as the file says."""
        found = 0
        for table in tables:
            found += table.num_rows
            self._limits.check_rows(found)
            yield table
        _check_rows(found, self._file.metadata.num_rows)

    def _read_apart(self, wanted: Sequence[str] | None, sizes: _Sizes) -> pa.Table | None:
        """Return all rows where texts with dictionaries may take too much memory, and do not; None in other cases.

        These texts are decoded few rows at a time, so that it is known in time what they take. That is faster than to
        look into their dictionaries before.
        """
        schema = self._file.schema_arrow
        if self._content is None or self.labels or any("." in name for name in schema.names):
            return None
        names = schema.names if wanted is None else wanted
        left = self._limits.bytes - self._object_bytes(wanted) - _bytes_of(sizes.values())
        longest: dict[str, int] = {}
        for leaf, groups in sorted(_by_leaf(sizes).items(), key=lambda item: -_bytes_of(item[1])):
            if left >= self._limits.bytes // 2:
                break
            if leaf.path in names and leaf.is_text and all(size.has_dictionary for size in groups):
                left += _bytes_of(groups)
                longest[leaf.path] = max(size.value_bytes for size in groups)
        rows = left * 3 // 4 // sum(longest.values()) if longest else 0
        if rows < _LEAST_ROWS:
            return None
        others = [name for name in names if name not in longest]
        tasks: list[Callable[[], dict[str, pa.ChunkedArray] | None]] = [
            partial(self._texts, list(longest), rows, left // 4)
        ]
        tasks += [partial(self._read, others[start::_MOST_GROUPS]) for start in range(min(len(others), _MOST_GROUPS))]
        found = at_once(tasks)
        columns = {name: values for each in found if each is not None for name, values in each.items()}
        if len(columns) < len(longest) + len(others):
            return None
        fields = [field for field in schema if field.name in columns]
        arrays = [columns[field.name] for field in fields]
        return pa.Table.from_arrays(arrays, schema=pa.schema(fields, schema.metadata))

    def _again(self) -> pq.ParquetFile:
        """The file once more, for another thread."""
        return pq.ParquetFile(pa.BufferReader(self._content), metadata=self._file.metadata, pre_buffer=False)

    def _read(self, names: list[str]) -> dict[str, pa.ChunkedArray]:
        return as_columns(self._again().read(names, use_threads=False))

    def _texts(self, names: list[str], rows: int, most: int) -> dict[str, pa.ChunkedArray] | None:
        """Return columns that are decoded `rows` rows at a time, or None where they take more than `most` bytes.

        What follows in the next rows, too, is within limits then.
        """
        found: list[pa.RecordBatch] = []
        size = 0
        for batch in self._again().iter_batches(rows, columns=names, use_threads=False):
            size += batch.nbytes
            if size > most:
                return None
            found.append(batch)
        columns = as_columns(pa.Table.from_batches(found)) if found else {}
        return {name: pa.chunked_array(joined(values.chunks), values.type) for name, values in columns.items()}

    def _object_bytes(self, wanted: Sequence[str] | None) -> int:
        """Return how many bytes the objects take that values become in a frame."""
        types = [each.type for each in self._file.schema_arrow if wanted is None or each.name in wanted]
        return int(self._file.metadata.num_rows) * sum(map(_object_bytes, types))

    def _batch_rows(self, wanted: Sequence[str] | None, rows: int | None, sizes: _Sizes) -> int | None:
        """Return how many rows are read at a time, or None for all at once, so that memory stays bounded.

        Args:
            wanted: Names of the columns that are read, or None for all.
            rows: Rows of each piece that is asked for, or None for all in one.
            sizes: How large these columns are. Where that is too much, it is found out better.

        Raises:
            ReadError: The values take more memory than they may.
        """
        count = self._file.metadata.num_rows
        most = self._limits.bytes
        self._refine(sizes)
        objects = self._object_bytes(wanted) if rows is None else 0
        if rows is None:
            self._limits.check_bytes(objects + sum(size.least_bytes for size in sizes.values()))
        if objects + _bytes_of(sizes.values()) <= most:
            return None if rows is None or not count else min(rows, count)
        for group in {group for _, group in sizes}:
            self._limits.check_bytes(
                sum(size.bytes for (leaf, in_group), size in sizes.items() if in_group == group and leaf.is_repeated)
            )
        longest: dict[Leaf, int] = {}
        for (leaf, _), size in sizes.items():
            longest[leaf] = max(longest.get(leaf, 0), 0 if leaf.is_repeated else size.value_bytes)
        return min(max(1, _BATCH_BYTES // max(1, sum(longest.values()))), rows or count)

    def _sizes(self, wanted: Sequence[str] | None) -> _Sizes:
        """Return how large leaves are, by row group.

        Raises:
            ReadError: The largest pages take more memory than they may.
        """
        leaves = leaves_of(self._file, wanted)
        groups = range(self._file.metadata.num_row_groups)
        sizes = {(leaf, group): self._heads.size_of(leaf, group) for group in groups for leaf in leaves}
        for group in groups:
            self._limits.check_bytes(sum(sizes[leaf, group].page_bytes for leaf in leaves))
        return sizes

    def _refine(self, sizes: _Sizes) -> None:
        """Look into dictionaries until what their texts may take is not too much, or known."""
        total = _bytes_of(sizes.values())
        for leaf, group in sorted(sizes, key=lambda place: -sizes[place].bytes):
            if total <= self._limits.bytes:
                break
            if sizes[leaf, group].has_dictionary and leaf.is_text:
                total -= sizes[leaf, group].bytes
                sizes[leaf, group] = self._heads.exact_size_of(leaf, group)
                total += sizes[leaf, group].bytes

    def _rows_in_groups(self) -> int:
        metadata = self._file.metadata
        return sum(metadata.row_group(group).num_rows for group in range(metadata.num_row_groups))

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


def _by_leaf(sizes: _Sizes) -> dict[Leaf, list[LeafSize]]:
    found: dict[Leaf, list[LeafSize]] = {}
    for (leaf, _), size in sizes.items():
        found.setdefault(leaf, []).append(size)
    return found


def _bytes_of(sizes: Iterable[LeafSize]) -> int:
    return sum(size.bytes for size in sizes)


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


def _object_bytes(type: pa.DataType) -> int:
    """Return how many bytes an object takes that a value becomes in a frame; 0 where it becomes none."""
    if pa.types.is_nested(type) or pa.types.is_decimal(type):
        return _OBJECT_BYTES
    return _SMALL_OBJECT_BYTES if pa.types.is_date(type) or pa.types.is_time(type) else 0


def _memory_bytes() -> int | None:
    """Return how much memory this computer has, or None where Python does not say it."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
