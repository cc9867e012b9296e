"""The rows of a source in batches, which follow the size of what is made of them."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from digime_pandas._tabular.columns import bits_of, raise_about_column
from digime_pandas._tabular.frames.conversion.pandas_rows import RowsOfColumns
from digime_pandas._tabular.frames.source import ColumnSource

_LARGEST_GROWTH = 8
_LARGEST_EXCESS = 2
_FEW_ROWS = 256


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
        return map(converted, self.unconverted())

    def unconverted(self) -> Iterator[pa.RecordBatch | RowsOfColumns]:
        """Yield the batches; those whose rows may be converted in other threads, before they are."""
        read, left = self._source.open(), self._source.rows
        while left != 0 and (rows := read(self._rows)) is not None:
            for part in _split_oversized(rows, self._size):
                count, size = part.num_rows, part.nbytes
                yield part
                if self._of_arrow:
                    self.adapt(count, size)
            left = None if left is None else left - rows.num_rows

    def adapt(self, rows: int, size: int) -> None:
        """Set the rows of the next batches by what a batch has given.

        Args:
            rows: Rows of that batch.
            size: Bytes that it gave.
        """
        self._rows = max(1, min(rows * _LARGEST_GROWTH, self._size * rows // max(size, 1)))


def few_rows_of(source: ColumnSource, *, most_bytes: int) -> list[pa.Array] | None:
    """Return all rows of a pandas frame that has few, column by column; `SizedBatches` gives them in one batch as well.

    Args:
        source: The frame.
        most_bytes: Bytes in Arrow that they may have.

    Returns:
        The columns; None where the rows are none, are many or large, or are not those of a pandas frame.

    Raises:
        FidelityError: A library fails at a column.
    """
    rows = source.rows
    if source.labels is None or not rows or rows > _FEW_ROWS:
        return None
    arrays = []
    for column in source.columns:
        try:
            array = column.read(0, rows)
        except BaseException as error:  # noqa: BLE001 - raised again
            raise_about_column(error, column.name)
        most_bytes -= _size(array)
        if most_bytes < 0:
            return None
        arrays.append(array)
    return arrays


def converted(rows: pa.RecordBatch | RowsOfColumns) -> pa.RecordBatch:
    """Return rows as a batch, which they may be already."""
    return rows.convert() if isinstance(rows, RowsOfColumns) else rows


def _split_oversized(rows: pa.RecordBatch | RowsOfColumns, size: int) -> Iterator[pa.RecordBatch | RowsOfColumns]:
    """Yield rows as they are, or in parts where they are much longer than those before."""
    if isinstance(rows, RowsOfColumns) and (rows.nbytes <= _LARGEST_EXCESS * size or rows.num_rows == 1):
        yield rows
        return
    batch = converted(rows)
    taken = sum(map(_size, batch.columns))
    if taken <= _LARGEST_EXCESS * size or batch.num_rows == 1:
        yield batch
        return
    half = batch.num_rows // 2
    yield from _split_oversized(batch.slice(0, half), size)
    yield from _split_oversized(batch.slice(half), size)


def _size(array: pa.Array) -> int:
    """Return about how many bytes values have in Arrow, of categories without the dictionary."""
    bits = bits_of(array.type)
    return int(array.nbytes) if bits is None else bits * len(array) // 8
