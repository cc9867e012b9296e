"""The rows of small and large batches, as many at a time as are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pyarrow as pa


class RowsAhead:
    """Batch reader that joins batches which are too small and cuts those which are too long.

    Args:
        batches: The batches, all of the same types.
        rows: How many rows they have. With the last of them the batches are read to their end.
        refuse: Raises the error about more rows than that.
    """

    def __init__(self, batches: Iterator[pa.RecordBatch], rows: int, refuse: Callable[[], None]) -> None:
        self._batches = batches
        self._refuse = refuse
        self._left = rows
        self._held: list[pa.RecordBatch] = []
        if not rows:
            self._end()

    def __call__(self, count: int) -> pa.RecordBatch | None:
        """Return the next rows, at most `count` and at least one, or None at the end."""
        self._fill(count)
        if not self._held:
            return None
        # More than one batch where the text of one column is longer than its offsets can count.
        first, *rest = _joined(self._held)
        self._held = [each for each in (first.slice(count), *rest) if each.num_rows]
        taken = first.slice(0, count)
        self._left -= taken.num_rows
        if self._left <= 0:
            self._end()
        return taken

    def _fill(self, count: int) -> None:
        rows = sum(each.num_rows for each in self._held)
        while rows < count and (batch := next(self._batches, None)) is not None:
            if batch.num_rows:
                self._held.append(batch)
                rows += batch.num_rows

    def _end(self) -> None:
        if self._left or self._held or any(each.num_rows for each in self._batches):
            self._refuse()


def _joined(batches: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
    if len(batches) == 1:
        return batches
    try:
        joined: list[pa.RecordBatch] = pa.Table.from_batches(batches).combine_chunks().to_batches()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):  # of dictionaries that do not fit into one
        return batches
    return joined
