"""The rows of a whole JSON file as lines of one block, found without a copy of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO, overload

import numpy as np
import numpy.typing as npt

_SEARCHED_BYTES = 1 << 18  # what stays in a processor's cache
_MOST_BLANKS = 1_000  # before the end of an array
_COMMA, _NEWLINE, _SPACE = b",\n "
_OPENING, _CLOSING = b"{}"
_Places = npt.NDArray[np.int64]


class LineBlock(Sequence[bytes]):
    """Lines that each begin with an object; see `read_block`.

    Args:
        text: The lines, with line feeds between them.
        ends: Where each of them ends, without its line feed.

    Attributes:
        text: The lines.
        longest: Bytes of the longest one, with its line feed.
    """

    def __init__(self, text: bytes | bytearray, ends: _Places) -> None:
        self.text = text
        self._starts = np.concatenate([[0], ends[:-1] + 1])
        self._ends = ends
        self.longest = int((ends - self._starts).max()) + 1

    @property
    def begins_with_objects(self) -> bool:
        """Whether each line begins with a brace, so that none is blank."""
        return bool((np.frombuffer(self.text, np.uint8)[self._starts] == _OPENING).all())

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, place: int) -> bytes: ...
    @overload
    def __getitem__(self, place: slice) -> list[bytes]: ...
    def __getitem__(self, place: int | slice) -> bytes | list[bytes]:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        return bytes(self.text[self._starts[place] : self._ends[place]])


def read_block(stream: BinaryIO, *, array: bool) -> LineBlock | None:
    """Read the rest of a file.

    Whether the lines are JSON is not checked. An array is taken apart at what looks like the end of one element and the
    beginning of the next one. Where that is within a text or an inner array, what comes before it is no JSON any more:
    a text or an array is open at the end of the line. So no file is read in another way than it should be.

    Args:
        stream: The file, after its byte-order mark.
        array: Whether it is one array.

    Returns:
        The lines, or None where they, or the elements, are separated in another way.
    """
    text = stream.read()
    if array:
        return _block_of_elements(text)
    ends = _places_of(_NEWLINE, np.frombuffer(text, np.uint8))
    return _block(text, ends if text.endswith(b"\n") else np.append(ends, len(text)))


def _block_of_elements(text: bytes) -> LineBlock | None:
    end = text.rfind(b"]")
    if end < 1 or text[:1] != b"[" or text[end + 1 :].strip():
        return None
    blanks = text[max(1, end - _MOST_BLANKS) : end]
    lines = bytearray(memoryview(text)[1 : end - len(blanks) + len(blanks.rstrip())])
    codes = np.frombuffer(lines, np.uint8)
    opening = _places_of(_OPENING, codes)
    opening = opening[opening > 2]  # noqa: PLR2004 - an element and its separator come before
    before, second, third = (codes[opening - distance] for distance in (1, 2, 3))
    is_direct = (before == _COMMA) & (second == _CLOSING)
    is_blank = (before == _NEWLINE) | (before == _SPACE)
    is_after_blank = is_blank & (second == _COMMA) & (third == _CLOSING)
    ends = opening[is_direct | is_after_blank] - 1
    codes[ends] = _NEWLINE
    codes[opening[is_after_blank] - 2] = _SPACE
    # Where there are other line feeds, a comma may be missing.
    return None if np.count_nonzero(codes == _NEWLINE) != len(ends) else _block(lines, np.append(ends, len(lines)))


def _block(text: bytes | bytearray, ends: _Places) -> LineBlock | None:
    if not text or _has_lone_returns(text):
        return None
    block = LineBlock(text, ends)
    return block if block.begins_with_objects else None


def _has_lone_returns(text: bytes | bytearray) -> bool:
    """Return whether a carriage return, which ends a line to Arrow, may be elsewhere than before a line feed."""
    return b"\r" in text and text.count(b"\r") != text.count(b"\r\n")


def _places_of(code: int, codes: npt.NDArray[np.uint8]) -> _Places:
    starts = range(0, len(codes), _SEARCHED_BYTES)
    found = [np.flatnonzero(codes[start : start + _SEARCHED_BYTES] == code) + start for start in starts]
    return np.concatenate(found) if found else np.empty(0, np.int64)
