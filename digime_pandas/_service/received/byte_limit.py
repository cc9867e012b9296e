"""How many bytes a file that is read may have: a few bytes can stand for any number of them."""

from __future__ import annotations

import operator
from dataclasses import dataclass

from digime_pandas.errors import InputError, ReadError

MOST_WHOLE_BYTES = 2 << 30
"""How many bytes a file that is read as a whole may have, unless the caller says another number."""
MOST_STREAMED_BYTES = 16 << 30
"""How many bytes a file that is read in pieces may have, unless the caller says another number."""
_MOST_TIMES = 1_000  # as many bytes as were received; gzip has 1,032 times as many at most
_ALWAYS_ALLOWED = 64 << 20


@dataclass(frozen=True, slots=True)
class ByteLimit:
    """How many bytes a file may have.

    Args:
        most: Most bytes.
        is_default: Whether the caller gave no number. Then compressed files of more than 64 MiB may not have more
            than 1,000 times the bytes that were received.
        in_pieces: Whether the file is read in pieces, in bounded memory: a large one is kept on disk meanwhile.
        in_place: Whether the file is read where it is, by what takes a view of memory for bytes.
    """

    most: int = MOST_WHOLE_BYTES
    is_default: bool = True
    in_pieces: bool = False
    in_place: bool = False

    @classmethod
    def of(cls, max_bytes: object, *, in_pieces: bool = False, in_place: bool = False) -> ByteLimit:
        """Return the limit that an argument `max_bytes` stands for.

        Args:
            max_bytes: The argument; None for the default, which is 2 GiB, or 16 GiB of what is read in pieces.
            in_pieces: Whether the file is read in pieces.
            in_place: Whether it is read where it is.

        Raises:
            InputError: It is no whole number above 0.
        """
        default = MOST_STREAMED_BYTES if in_pieces else MOST_WHOLE_BYTES
        if max_bytes is None:
            return cls(default, in_pieces=in_pieces, in_place=in_place)
        try:
            most = 0 if isinstance(max_bytes, bool) else operator.index(max_bytes)  # type: ignore[arg-type] # it is checked
        except TypeError:
            most = 0
        if most < 1:
            raise InputError(f"max_bytes is {max_bytes!r}; give a whole number above 0, or None for {default:,}.")
        return cls(most, is_default=False, in_pieces=in_pieces, in_place=in_place)

    def check(self, size: int, *, is_whole: bool = False) -> None:
        """Check how many bytes a file has.

        Args:
            size: How many there are so far.
            is_whole: Whether these are all.

        Raises:
            ReadError: They are more than it may have.
        """
        if size > self.most:
            found = f"{size:,} bytes" if is_whole else f"more than {self.most:,} bytes"
            raise ReadError(
                f"The file has {found}, and max_bytes is {self.most:,}{' by default' if self.is_default else ''}.",
                remedy="Pass a larger max_bytes= to read it.",
                command="Give a larger --max-bytes to read it.",
            )

    def check_decompressed(self, size: int, received: int) -> None:
        """Check how many bytes were made of those that were received.

        Args:
            size: How many were made so far.
            received: How many were received so far.

        Raises:
            ReadError: They are more than the file may have.
        """
        self.check(size)
        if self.is_default and size > max(_ALWAYS_ALLOWED, received * _MOST_TIMES):
            raise ReadError(
                f"The file is compressed, and {received:,} bytes of it stand for more than {size:,}: over "
                f"{_MOST_TIMES:,} times as many, as in files that are made to fill memory and disk.",
                remedy="Pass max_bytes= to read so many bytes all the same.",
                command="Give --max-bytes to read so many bytes all the same.",
            )
