"""How each column of a Parquet file is encoded, by its type and a sample of its rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from inspect import signature
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

SAMPLE_ROWS = 8_192
_DISTINCT = 0.9
_FEW_PLACES = 1_024
_LARGEST_BATCH, _SMALLEST_BATCH = 16_384, 1_024
_BATCH_BYTES = 1 << 20
_PAGE_ROWS = 32_768
_HAS_PAGE_ROWS = "max_rows_per_page" in signature(pq.ParquetWriter.__init__).parameters
_DIFFERENCES = "DELTA_BINARY_PACKED"

Settings = dict[str, Any]
"""Arguments of pyarrow's writer."""


def settings_of(fields: Iterable[pa.Field], repetitive: Iterable[bool], compression: str) -> Settings:
    """Return how a file of one row group is written.

    Args:
        fields: Its columns.
        repetitive: For each of them, whether its values come again.
        compression: The compression of all columns.
    """
    columns = list(zip(fields, repetitive, strict=True))
    counted = [field.name for field, again in columns if not again and _is_counted(field.type)]
    return {
        "use_dictionary": [field.name for field, again in columns if again] or False,
        "column_encoding": dict.fromkeys(counted, _DIFFERENCES) or None,
        "compression": compression,
    }


def settings_of_rows(batch: pa.RecordBatch, compression: str) -> Settings:
    """Return how a file of one row group is written, which is `batch`."""
    sample = batch.slice(0, SAMPLE_ROWS)
    return settings_of(sample.schema, [is_repetitive(column) for column in sample.columns], compression)


def settings_of_groups(batch: pa.RecordBatch, compression: str) -> Settings:
    """Return how a file of several row groups is written, whose first one is `batch`.

    Beyond what `settings_of_rows` says, these are worth looking at the values of a large file:

    - Of whole numbers and times that come again, differences may still be smaller than a dictionary: a sample is
      written in both ways.
    - The smallest and the largest text or float take a tenth of the time to find. Where they are in no order, these
      are much the same in each row group, so that readers skip none by them.
    - Pages have more rows than pyarrow gives them: the fewer there are, the sooner a file is read.

    ``BYTE_STREAM_SPLIT`` and ``DELTA_LENGTH_BYTE_ARRAY`` would make some floats and hashes smaller, but fastparquet
    cannot read them.
    """
    sample = batch.slice(0, SAMPLE_ROWS)
    repetitive = [not _differ_in_a_few_rows(column) and is_repetitive(column) for column in sample.columns]
    times = batch.num_rows / max(sample.num_rows, 1)
    counted = {
        name
        for name, again in zip(sample.schema.names, repetitive, strict=True)
        if again and _is_counted(sample.schema.field(name).type)
    }
    better = _better_as_differences(sample.select(sorted(counted)), times, compression)
    repetitive = [again and name not in better for name, again in zip(sample.schema.names, repetitive, strict=True)]
    columns = zip(sample.schema.names, sample.columns, strict=True)
    ordered = [name for name, column in columns if not _is_slow_to_compare(column.type) or _is_in_order(column)]
    return {
        **settings_of(sample.schema, repetitive, compression),
        "write_statistics": True if len(ordered) == batch.num_columns else ordered,
        "write_batch_size": _batch_rows(sample),
        **({"max_rows_per_page": _PAGE_ROWS} if _HAS_PAGE_ROWS else {}),
    }


def _better_as_differences(sample: pa.RecordBatch, times: float, compression: str) -> set[str]:
    """Return the names of the columns that are smaller as differences than with a dictionary.

    Args:
        sample: Columns of whole numbers and times.
        times: How many times the rows of the sample a row group has. Its dictionary may be as large as the sample's.
        compression: The compression.
    """
    names = sample.schema.names
    if not names:
        return set()
    with_dictionary = _trial(sample, use_dictionary=True, compression=compression)
    of_differences = _trial(
        sample,
        use_dictionary=False,
        column_encoding=dict.fromkeys(names, _DIFFERENCES),
        compression=compression,
    )
    better = set()
    for place, name in enumerate(names):
        chunk = with_dictionary.column(place)
        size = chunk.total_compressed_size
        dictionary = chunk.data_page_offset - (chunk.dictionary_page_offset or chunk.data_page_offset)
        if times * of_differences.column(place).total_compressed_size < times * (size - dictionary) + dictionary:
            better.add(name)
    return better


def _trial(sample: pa.RecordBatch, **settings: Any) -> pq.RowGroupMetaData:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_batches([sample]), sink, write_statistics=False, store_schema=False, **settings)
    return pq.read_metadata(pa.BufferReader(sink.getvalue())).row_group(0)


def _is_text(type: pa.DataType) -> bool:
    if pa.types.is_dictionary(type):
        return _is_text(type.value_type)
    return type in {pa.string(), pa.large_string(), pa.binary(), pa.large_binary()}


def _is_slow_to_compare(type: pa.DataType) -> bool:
    return _is_text(type) or type in {pa.float32(), pa.float64()}


def _is_in_order(values: pa.Array) -> bool:
    if isinstance(values, pa.DictionaryArray):
        values = values.dictionary_decode()
    return bool(pc.all(pc.less_equal(values[:-1], values[1:]), min_count=0).as_py())


def _batch_rows(sample: pa.RecordBatch) -> int:
    """Return how many values are encoded at a time; the more, the faster, but a page has all of them."""
    widest = max((each.nbytes for each in sample.columns), default=0)
    rows = int(_BATCH_BYTES * sample.num_rows // max(widest, 1))
    return max(_SMALLEST_BATCH, min(_LARGEST_BATCH, rows))


def is_repetitive(column: pa.Array) -> bool:
    """Return whether values of a column come again, so that a dictionary pays."""
    if (known := _is_repetitive_type(column.type)) is not None:
        return known
    distinct = _distinct(column)
    return distinct is not None and distinct < _DISTINCT * (len(column) - column.null_count)


def _distinct(column: pa.Array, places: pa.Array | None = None) -> int | None:
    """Return how many values differ, of all rows or of those in some places.

    None where Arrow has no such count, as of extension types, of which periods are one.
    """
    try:
        return len((column if places is None else column.take(places)).unique())
    except pa.ArrowNotImplementedError:
        return None


def _differ_in_a_few_rows(column: pa.Array) -> bool:
    """Return whether some rows of a whole sample have no value twice, which says that few of its values come again.

    Of 8,192 values of which a tenth come again, some of 1,024 rows in random places are equal but for three times in a
    million. Rows in random places, since values may come again in steps.
    """
    if len(column) < SAMPLE_ROWS or _is_repetitive_type(column.type) is not None:
        return False
    return _distinct(column, _few_places()) == _FEW_PLACES


@cache
def _few_places() -> pa.Array:
    return pa.array(np.sort(np.random.default_rng(0).permutation(SAMPLE_ROWS)[:_FEW_PLACES]))


def where_repetitive(column: pa.Array, bounds: Sequence[int], *, most_bytes: int) -> list[bool]:
    """Return what `is_repetitive` says of the first rows of each part of a column, found out for all parts together.

    Args:
        column: The rows of all parts.
        bounds: Where the rows of each part begin, from 0, and where the last ones end.
        most_bytes: How large a column may be whose values are numbered for it.
    """
    sizes = np.diff(bounds)
    if (known := _is_repetitive_type(column.type)) is not None:
        return [known] * len(sizes)
    codes = _codes(column, most_bytes) if sizes.max() <= SAMPLE_ROWS else None
    if codes is None:
        samples = (column.slice(start, min(stop - start, SAMPLE_ROWS)) for start, stop in pairwise(bounds))
        return [is_repetitive(each) for each in samples]
    parts = np.repeat(np.arange(len(sizes)), sizes)
    pairs = np.sort(parts * (int(codes.max()) + 1) + codes)  # of the rows of one part in the places of that part
    distinct = np.bincount(parts, np.diff(pairs, prepend=-1) != 0)
    values = np.bincount(parts, column.is_valid().to_numpy(zero_copy_only=False))
    return list((distinct < _DISTINCT * values).tolist())


def _codes(column: pa.Array, most_bytes: int) -> Any:
    """Return a number per value, equal for equal ones; None where Arrow has none, or it would copy many bytes."""
    if column.nbytes > most_bytes:
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
