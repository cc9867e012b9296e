"""The rows of a source in batches, which follow the size of what is made of them."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from digime_pandas._tabular.frames.source import ColumnSource

_LARGEST_GROWTH = 8
_LARGEST_EXCESS = 2


class SizedBatches:
    """Iterates over the rows of a source in batches that give about a wanted number of bytes each.

    Args:
        source: Where the rows come from, from the first one.
        size: Bytes that a batch should give.
        first_bytes: Bytes that the first batch should have in Arrow.
        of_arrow: Whether the bytes in Arrow are what counts. Else `adapt` is to be called with what batches have given.
    """

    def __init__(self, source: ColumnSource, *, size: int, first_bytes: int, of_arrow: bool = False) -> None:
        self._source = source
        self._size = size
        self._of_arrow = of_arrow
        self._rows = source.first_rows(first_bytes)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        read, left = self._source.open(), self._source.rows
        while left != 0 and (batch := read(self._rows)) is not None:
            for part in _split_oversized(batch, self._size):
                yield part
                if self._of_arrow:
                    self.adapt(part.num_rows, part.nbytes)
            left = None if left is None else left - batch.num_rows

    def adapt(self, rows: int, size: int) -> None:
        """Set the rows of the next batches by what a batch has given.

        Args:
            rows: Rows of that batch.
            size: Bytes that it gave.
        """
        self._rows = max(1, min(rows * _LARGEST_GROWTH, self._size * rows // max(size, 1)))


def _split_oversized(batch: pa.RecordBatch, size: int) -> Iterator[pa.RecordBatch]:
    """Yield a batch as it is, or in parts where its rows are much longer than those before."""
    taken = sum((each.indices if isinstance(each, pa.DictionaryArray) else each).nbytes for each in batch.columns)
    if taken <= _LARGEST_EXCESS * size or batch.num_rows == 1:
        yield batch
        return
    half = batch.num_rows // 2
    yield from _split_oversized(batch.slice(0, half), size)
    yield from _split_oversized(batch.slice(half), size)
