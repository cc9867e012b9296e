"""Batches of any size as pieces of one size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa

from digime_pandas._tabular.reading.limits import DEFAULT_LIMITS, Limits

_JOINED_BYTES = 64 << 20


def in_pieces(
    batches: Iterable[pa.RecordBatch], rows: int, *, ahead: int = 0, limits: Limits = DEFAULT_LIMITS
) -> Iterator[pa.Table]:
    """Yield the rows of batches as tables of `rows` rows; the last one may have fewer, and none is empty.

    Args:
        batches: The rows, with one schema.
        rows: Rows of each table.
        ahead: How many rows beyond those of a table are read before it is yielded, if there are so many.
        limits: How many bytes the rows that are held may take.

    Raises:
        ReadError: They take more.
    """
    waiting: list[pa.Table] = []
    count = size = 0
    for batch in batches:
        waiting.append(pa.Table.from_batches([batch]))
        count += batch.num_rows
        size += batch.nbytes
        limits.check_bytes(size)
        while count >= rows + ahead and count:
            table = pa.concat_tables(waiting)
            yield table.slice(0, rows)
            waiting = [table.slice(rows)]
            count -= rows
            size = waiting[0].nbytes
    if count:
        yield pa.concat_tables(waiting)


def joined(arrays: Iterable[pa.Array]) -> Iterator[pa.Array]:
    """Yield the values of small arrays in larger ones, of about 64 MiB each."""
    waiting: list[pa.Array] = []
    size = 0
    for array in arrays:
        waiting.append(array)
        size += array.nbytes
        if size >= _JOINED_BYTES:
            yield pa.concat_arrays(waiting)
            waiting, size = [], 0
    if waiting:
        yield pa.concat_arrays(waiting)
