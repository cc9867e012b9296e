"""Datasets and scanners of pyarrow, and relations of DuckDB: what runs anew each time it is read."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import partial
from itertools import chain
from typing import Any

import pyarrow as pa

from digime_pandas._tabular.columns import BLOCK_ROWS
from digime_pandas._tabular.frames.streamed.batch_source import BatchSource, SingleStream, raise_unreadable

_BATCH_ROWS = 16_384  # of which Arrow has several at a time
_BUFFER_BYTES = 1 << 16


def dataset(frame: Any) -> BatchSource:
    """Return the rows of a pyarrow Dataset or Fragment.

    Arrow reads up to 1 GiB ahead where its batches are taken slowly. So a Parquet file is read row group by row group.

    Args:
        frame: The dataset, or a fragment of one.
    """
    schema = getattr(frame, "schema", None) or frame.physical_schema

    def batches() -> Iterator[pa.RecordBatch]:
        for part in _parts(frame, schema):
            yield from _batches(partial(_scanned, part, schema))

    return BatchSource(f"The {type(frame).__name__}", schema, batches)


def scanner(frame: Any) -> BatchSource | SingleStream:
    """Return the rows of a pyarrow Scanner; one of batches that are there once is a stream.

    Args:
        frame: The scanner. What it reads ahead, up to 1 GiB of what is taken slowly, is its own matter.
    """
    what = f"The {type(frame).__name__}"
    first = frame.to_reader()
    begun = list(_first(first))
    try:
        # Only a second reader tells the two apart. The first one was read from by then, and so goes on.
        with closing(frame.to_reader()) as second:
            list(_first(second))
    except pa.ArrowInvalid:
        return SingleStream(what, first.schema, chain(begun, first), first.close)
    first.close()
    return BatchSource(what, frame.projected_schema, lambda: _batches(frame.to_reader))


def relation(frame: Any) -> BatchSource:
    """Return the rows of a DuckDB relation, whose query is run for each reading."""
    what = f"The {type(frame).__name__}"

    def reader(of: Any) -> pa.RecordBatchReader:
        # Which versions before 1.4 do not have, and later ones deprecate the other of.
        make = getattr(of, "to_arrow_reader", None) or of.fetch_record_batch
        return make(BLOCK_ROWS)

    try:
        with closing(reader(frame.limit(0))) as empty:
            schema = empty.schema
    except BaseException as error:  # noqa: BLE001 - raised again
        raise_unreadable(error, f"frame is a {type(frame).__name__}, and its Arrow stream cannot be read", "Repair it.")
    return BatchSource(
        what,
        schema,
        lambda: _batches(lambda: reader(frame)),
        "A query that gives other rows each time is read once if you give its reader: relation.to_arrow_reader().",
        is_query=True,
    )


def _batches(open_reader: Callable[[], pa.RecordBatchReader]) -> Iterator[pa.RecordBatch]:
    with closing(open_reader()) as reader:
        yield from reader


def _first(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    with suppress(StopIteration):
        yield reader.read_next_batch()


def _parts(frame: Any, schema: pa.Schema) -> Iterator[Any]:
    """Yield parts of a dataset in their order, as small as they can be had."""
    try:
        fragments = list(frame.get_fragments()) if hasattr(frame, "get_fragments") else [frame]
    except ValueError:  # of a dataset with a filter or a selection, whose fragments would have neither
        fragments = [frame]
    for each in fragments:
        if hasattr(each, "split_by_row_group"):
            yield from each.split_by_row_group(schema=schema)
        else:
            yield each


def _scanned(part: Any, schema: pa.Schema) -> pa.RecordBatchReader:
    options: dict[str, Any] = {"batch_size": _BATCH_ROWS, "batch_readahead": 1}
    if (parquet := _parquet_options(part)) is not None:
        options["fragment_scan_options"] = parquet
    if hasattr(part, "get_fragments"):
        return part.scanner(fragment_readahead=1, **options).to_reader()
    return part.scanner(schema=schema, **options).to_reader()


def _parquet_options(frame: Any) -> Any:
    """Return options by which not all that was read is kept; None where there is no Parquet, or other options."""
    datasets: Any = sys.modules["pyarrow.dataset"]
    parts = getattr(frame, "children", [frame])
    formats: list[Any] = [getattr(each, "format", None) for each in parts]
    if not formats or not all(isinstance(each, datasets.ParquetFileFormat) for each in formats):
        return None
    if any(each.default_fragment_scan_options != datasets.ParquetFragmentScanOptions() for each in formats):
        return None  # such as the keys of encrypted files
    return datasets.ParquetFragmentScanOptions(pre_buffer=False, use_buffered_stream=True, buffer_size=_BUFFER_BYTES)
