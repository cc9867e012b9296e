"""How much may be made of a file that is read: few bytes can stand for many rows, columns and values."""

from __future__ import annotations

from dataclasses import dataclass

from digime_pandas.errors import ReadError
from digime_pandas.errors.commands import READ_AS_IT_IS

MOST_BYTES = 2 << 30
MOST_ROWS = 100_000_000
MOST_COLUMNS = 100_000
_LEAST_TEXT_BYTES = 64 << 20
_MOST_TIMES = 8  # texts are copied, decoded and searched


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may be read.

    What checks takes how much there is so far, and raises a ReadError where that is more than may be read.

    Args:
        bytes: Most bytes that the values of one frame may take while they are read.
        rows: Most rows of the file.
    """

    bytes: int = MOST_BYTES
    rows: int = MOST_ROWS

    @property
    def text_bytes(self) -> int:
        """Most bytes of one line, and of JSON text that is read value by value."""
        return max(_LEAST_TEXT_BYTES, self.bytes // _MOST_TIMES)

    def check_rows(self, rows: int, *, are_all: bool = False) -> None:
        """Check how many rows a file has; `are_all` where it says that there are no more."""
        if rows > self.rows:
            found = f"{rows:,} rows" if are_all else f"more than {self.rows:,} rows"
            raise ReadError(
                f"The file has {found}, and max_rows is {self.rows:,}.",
                remedy="Pass limit= to read the first ones, or a larger max_rows=.",
                command=READ_AS_IT_IS,
            )

    def check_bytes(self, size: int) -> None:
        """Check how many bytes the values of one frame take."""
        if size > self.bytes:
            raise ReadError(
                f"The values in the file take more than {self.bytes:,} bytes of memory, as many as max_bytes is.",
                remedy="Read it in pieces, with read_batches and a small batch_rows=, or pass a larger max_bytes=.",
                command="Give a larger --max-bytes, or read it as it is: into a file of the same format.",
            )

    def check_columns(self, columns: int) -> None:
        """Check how many columns a file has."""
        if columns > MOST_COLUMNS:
            raise ReadError(
                f"The file has {columns:,} columns, and at most {MOST_COLUMNS:,} are read as a frame.",
                remedy="Its bytes are what read_file returns.",
                command=READ_AS_IT_IS,
            )

    def check_text(self, size: int) -> None:
        """Check how many bytes a line has, or JSON text that is read value by value."""
        if size > self.text_bytes:
            raise ReadError(
                f"The file has more than {self.text_bytes:,} bytes on one line, or of values that are read one by one.",
                remedy=f"Pass max_bytes= with {_MOST_TIMES} times what they take at least, or read it in pieces, with "
                "read_batches.",
                command=f"Give --max-bytes with {_MOST_TIMES} times what they take at least, or read it as it is: into "
                "a file of the same format.",
            )


DEFAULT_LIMITS = Limits()
