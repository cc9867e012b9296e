"""The elements of a JSON array, one after the other, without holding the file."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np

_READ_BYTES = 1 << 20
_BLANK = " \t\r\n"
_decoder = json.JSONDecoder()


def commas_to_newlines(elements: memoryview, count: int) -> bool:
    """Put line feeds in place of the commas between elements, where it is certain which ones these are.

    Args:
        elements: Objects, separated by commas without blanks.
        count: How many they are.

    Returns:
        Whether it was done. It is not when a text or a list inside of an element looks like the end of one.
    """
    codes = np.frombuffer(elements, np.uint8)
    opening = np.flatnonzero(codes == ord("{"))[1:]
    between = opening[(codes[opening - 1] == ord(",")) & (codes[opening - 2] == ord("}"))] - 1
    if len(between) != count - 1:
        return False
    codes[between] = ord("\n")
    return True


def apart(elements: bytes) -> bytes:
    """Return elements of an array, separated by commas, with line feeds instead of these commas.

    Only what separates the elements is looked at, by the byte: whether they are JSON is for others to find out.
    """
    # Without escapes, quotes just open and close a text.
    codes = np.frombuffer(elements.replace(rb"\\", b"  ").replace(rb"\"", b"  "), np.uint8)
    outside = np.cumsum(codes == ord('"'), dtype=np.uint8) % 2 == 0
    step = (codes == ord("{")).view(np.int8) - (codes == ord("}")).view(np.int8)
    depth = np.cumsum(step * outside, dtype=np.int32)
    separated = bytearray(elements)
    np.frombuffer(separated, np.uint8)[(codes == ord(",")) & outside & (depth == 0)] = ord("\n")
    return bytes(separated)


def array_lines(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the elements of an array that was written as lines of whole elements, each with a line feed.

    Args:
        stream: The file.

    Raises:
        ValueError: It does not begin like an array.
    """
    for number, line in enumerate(stream):
        text = line.strip()
        if number == 0:
            if not text.startswith(b"["):
                raise ValueError("it does not begin with [")
            text = text[1:]
        text = text.removesuffix(b"]").strip(b",")
        if text:
            yield from BytesIO(apart(text) + b"\n")


def elements(stream: BinaryIO) -> Iterator[dict[str, Any]]:
    """Yield the objects that are the elements of an array.

    Args:
        stream: The file, in UTF-8.

    Raises:
        ValueError: It is not an array of objects.
    """
    text = _Window(stream)
    if text.pop() != "[":
        raise ValueError("it does not begin with [")
    following = text.peek()
    if following == "]":
        text.pop()
    while following != "]":
        if text.peek() != "{":
            raise ValueError("an element is not an object")
        yield text.value()
        following = text.pop()
        if following not in {",", "]"}:
            raise ValueError("a comma or the closing ] is missing")
    if text.peek():
        raise ValueError("something follows the closing ]")


class _Window:
    """The part of a text that is being looked at; it grows as needed and forgets what was taken."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._text = ""
        self._position = 0

    def peek(self) -> str:
        """Return the next character that is not blank, or "" at the end."""
        while True:
            while self._position < len(self._text) and self._text[self._position] in _BLANK:
                self._position += 1
            if self._position < len(self._text):
                return self._text[self._position]
            if not self._grow():
                return ""

    def pop(self) -> str:
        """Take the next character that is not blank."""
        character = self.peek()
        self._position += len(character)
        return character

    def value(self) -> Any:
        """Take the next value."""
        while True:
            try:
                value, self._position = _decoder.raw_decode(self._text, self._position)
            except json.JSONDecodeError:
                if not self._grow():
                    raise
            else:
                return value

    def _grow(self) -> bool:
        # At least doubled, so that a long value is not looked at again and again.
        read = self._stream.read(max(_READ_BYTES, len(self._text) - self._position))
        more = self._decoder.decode(read, final=not read)
        self._text = self._text[self._position :] + more
        self._position = 0
        return bool(read)
