"""Batches of any size as pieces of one size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa


def in_pieces(batches: Iterable[pa.RecordBatch], rows: int, *, ahead: int = 0) -> Iterator[pa.Table]:
    """Yield the rows of batches as tables of `rows` rows; the last one may have fewer, and none is empty.

    Args:
        batches: The rows, with one schema.
        rows: Rows of each table.
        ahead: How many rows beyond those of a table are read before it is yielded, if there are so many.
    """
    waiting: list[pa.Table] = []
    count = 0
    for batch in batches:
        waiting.append(pa.Table.from_batches([batch]))
        count += batch.num_rows
        while count >= rows + ahead and count:
            table = pa.concat_tables(waiting)
            yield table.slice(0, rows)
            waiting = [table.slice(rows)]
            count -= rows
    if count:
        yield pa.concat_tables(waiting)
