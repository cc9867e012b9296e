"""How many rows the bytes are that were sent."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Protocol, TypeVar

import pyarrow as pa

from digime_pandas._service.streams import Buffer, closing_iterator, run_in_order
from digime_pandas._tabular.serialize import SerializableFrame

T = TypeVar("T")


class Rows(Protocol):
    """Knows how many rows are done."""

    def at(self, done: int) -> int | None:
        """Return how many rows are done, or None where that is not known.

        Args:
            done: Bytes or persons that are done.
        """
        ...


class EndedRows:
    """Rows that are counted by what writes them.

    Attributes:
        done: How many are done.
    """

    def __init__(self) -> None:
        self.done = 0

    def at(self, done: int) -> int:
        """Return how many are done, whatever was sent."""
        del done
        return self.done


class SentRows:
    """Rows of one file, by the bytes of it that were sent."""

    def __init__(self) -> None:
        self._marks: deque[tuple[int, int]] = deque()
        self._passed = (0, 0)

    def begin(self) -> None:
        """Forget the marks: the file is serialized anew, for another attempt."""
        self._marks.clear()
        self._passed = (0, 0)

    def mark(self, size: int, rows: int) -> None:
        """Note that the first `size` bytes of the file are so many rows."""
        self._marks.append((size, rows))

    def at(self, done: int) -> int | None:
        """Return how many rows the first `done` bytes are, evenly between two marks."""
        while len(self._marks) > 1 and self._marks[0][0] <= done:
            self._passed = self._marks.popleft()
        if not self._marks:
            return None
        (size, rows), (passed_size, passed_rows) = self._marks[0], self._passed
        if done < passed_size:  # another attempt has sent what comes before the file
            return passed_rows * done // passed_size
        return passed_rows + int(min(1.0, (done - passed_size) / max(1, size - passed_size)) * (rows - passed_rows))


def counted_chunks(
    frame: SerializableFrame, rows: SentRows, workers: int
) -> Callable[[], Generator[Buffer, None, None]]:
    """Return what serializes a frame from its first row, and marks how many rows its bytes are.

    Args:
        frame: The frame; its source is changed to one that counts what is read.
        rows: Where the marks go.
        workers: As for `SerializableFrame.chunks`.
    """
    reading = _Reading()
    frame.source = replace(frame.source, open=reading.counting(frame.source.open))

    def chunks() -> Generator[Buffer, None, None]:
        rows.begin()
        reading.begin()
        size = 0
        with closing(frame.chunks(reading.run, workers=workers)) as pieces:
            for piece in pieces:
                size += len(piece)
                rows.mark(size, reading.encoded)
                yield piece

    return chunks


class _Reading:
    """Counts the rows that are read, and of those the rows whose encoding has ended."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self._batches: deque[int] = deque()  # rows of each that was read and whose encoding has not begun
        self._encoded: int | None = None  # None where rows are encoded as they are read
        self._read = 0

    @property
    def encoded(self) -> int:
        return self._read if self._encoded is None else self._encoded

    def counting(
        self, open_source: Callable[[], Callable[[int], pa.RecordBatch | None]]
    ) -> Callable[[], Callable[[int], pa.RecordBatch | None]]:
        def open_counted() -> Callable[[int], pa.RecordBatch | None]:
            read = open_source()

            def read_counted(rows: int) -> pa.RecordBatch | None:
                batch = read(rows)
                if batch is not None:
                    self._read += batch.num_rows
                    self._batches.append(batch.num_rows)
                return batch

            return read_counted

        return open_counted

    def run(self, tasks: Iterable[Callable[[], T]], /, *, workers: int = 1) -> Iterator[T]:
        """Run tasks that encode a batch each, in their order, as `run_in_order` does."""
        begun: deque[int] = deque()
        self._encoded = 0

        def noted() -> Iterator[Callable[[], T]]:
            with closing_iterator(tasks) as each:
                for task in each:
                    # A batch that was too large is encoded by several tasks.
                    begun.append(self._batches.popleft() if self._batches else 0)
                    yield task

        with closing_iterator(run_in_order(noted(), workers=workers)) as results:
            for result in results:
                self._encoded += begun.popleft()
                yield result
