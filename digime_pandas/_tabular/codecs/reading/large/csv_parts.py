"""The rows of a large CSV file, read in parts at the same time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain, pairwise
from threading import Lock
from typing import BinaryIO, cast

import numpy as np
import pyarrow as pa

from digime_pandas._tabular.codecs.reading.csv_rows import CsvRows
from digime_pandas._tabular.reading.limits import Limits
from digime_pandas._tabular.reading.threads import at_once, thread_count
from digime_pandas._tabular.reading.whole_file import WholeFile

_PART_BYTES = 4 << 20  # at least
_SEARCHED_BYTES = 1 << 18  # what stays in a processor's cache
_FEED_OR_QUOTE = re.compile(rb'["\n]')
_QUOTE = ord('"')


class CsvParts:
    """The parts of a file, each of whole rows.

    Args:
        rows: The records after the header.
        width: How many fields a record has.
        limits: How much may be read.
        only_numbers: As for `CsvRows`.
    """

    def __init__(self, rows: memoryview, width: int, limits: Limits, *, only_numbers: bool = False) -> None:
        bounds = part_bounds(rows, min(thread_count(), len(rows) // _PART_BYTES))
        self._sources = [
            CsvRows(cast(BinaryIO, WholeFile(rows[start:stop])), width, only_numbers=only_numbers)
            for start, stop in pairwise(bounds)
        ]
        self._limits = limits
        self._lock = Lock()
        self._rows = self._bytes = 0

    def read(self, open_part: Callable[[CsvRows], Iterable[pa.RecordBatch]]) -> Iterator[pa.RecordBatch] | None:
        """Return all rows, or None of a file that is too small for parts.

        Args:
            open_part: Returns the rows of a part.

        Raises:
            ValueError: They are no CSV, or a part begins within quotes.
            ReadError: There is more than may be read.
        """
        if len(self._sources) < 2:  # noqa: PLR2004
            return None
        return chain.from_iterable(at_once([partial(self._read_part, each, open_part) for each in self._sources]))

    def _read_part(
        self, source: CsvRows, open_part: Callable[[CsvRows], Iterable[pa.RecordBatch]]
    ) -> list[pa.RecordBatch]:
        batches = []
        try:
            for batch in open_part(source):
                self._count(batch)
                batches.append(batch)
            if source.ends_in_quotes:
                raise ValueError("a part ends within a quoted field")
        except BaseException:
            for each in self._sources:
                each.stop()
            raise
        finally:
            source.stop()
        return batches

    def _count(self, batch: pa.RecordBatch) -> None:
        with self._lock:
            self._rows += batch.num_rows
            self._bytes += batch.nbytes
        self._limits.check_rows(self._rows)
        self._limits.check_bytes(self._bytes)


def part_bounds(content: memoryview, parts: int) -> list[int]:
    """Return where parts of about the same size begin, and where the last one ends: behind line feeds outside quotes.

    Quotes in a field that does not begin with one are not told from others. So a part may begin within quotes; then the
    one before ends within them, which `CsvRows.ends_in_quotes` tells.

    Args:
        content: The records after the header.
        parts: How many parts are wanted; there are fewer where records are long.
    """
    codes = np.frombuffer(content, np.uint8)
    bounds = [0]
    for number in range(1, parts):
        start = max(bounds[-1], len(content) * number // parts)
        searched = range(bounds[-1], start, _SEARCHED_BYTES)
        quotes = sum(np.count_nonzero(codes[each : min(each + _SEARCHED_BYTES, start)] == _QUOTE) for each in searched)
        bounds.append(_line_end(content, start, is_open=quotes % 2 == 1))
    return [*dict.fromkeys([*bounds, len(content)])]


def _line_end(content: memoryview, position: int, *, is_open: bool) -> int:
    """Return where the line ends that a position is in, behind its line feed; a quoted one does not end it."""
    for start in range(position, len(content), _SEARCHED_BYTES):
        for found in _FEED_OR_QUOTE.finditer(content[start : start + _SEARCHED_BYTES]):
            if found[0] == b'"':
                is_open = not is_open
            elif not is_open:
                return start + found.end()
    return len(content)
