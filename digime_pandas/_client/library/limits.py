"""How much is read of a file, as the arguments `max_bytes` and `max_rows` say it."""

from __future__ import annotations

from dataclasses import dataclass

from digime_pandas._service.received.byte_limit import ByteLimit
from digime_pandas._tabular.reading.arguments import check_limits
from digime_pandas._tabular.reading.limits import Limits

_LEAST_VALUE_BYTES = 64 << 20
_MOST_TIMES = 8  # the bytes of a file, in memory


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """How much may be read of a file.

    Args:
        max_bytes: Most bytes of the file. Default: 2 GiB, or 16 GiB of what is read in pieces; and of a compressed file
            of more than 64 MiB, 1,000 times the bytes that were received.
        max_rows: Most rows of the file. Default: 100 million.
    """

    max_bytes: int | None = None
    max_rows: int | None = None

    def or_else(self, other: ReadLimits) -> ReadLimits:
        """Return these limits, with those of another value where there are none."""
        return ReadLimits(
            other.max_bytes if self.max_bytes is None else self.max_bytes,
            other.max_rows if self.max_rows is None else self.max_rows,
        )

    def of_file(self, *, in_pieces: bool = False, in_place: bool = False) -> ByteLimit:
        """Return how many bytes the file may have; see `ByteLimit`.

        Raises:
            InputError: A limit is no whole number above 0.
        """
        return ByteLimit.of(self.max_bytes, in_pieces=in_pieces, in_place=in_place)

    def of_frame(self) -> Limits:
        """Return how much a frame may hold: of bytes, 8 times as many as the file may have, and at least 64 MiB.

        Raises:
            InputError: A limit is no whole number above 0.
        """
        self.of_file()  # that `max_bytes` is one
        most = None if self.max_bytes is None else max(_LEAST_VALUE_BYTES, self.max_bytes * _MOST_TIMES)
        return check_limits(most, self.max_rows)
