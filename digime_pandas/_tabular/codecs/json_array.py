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
    """Put line feeds in place of the commas between elements, where it is certain which commas these are.

    Every separator has ``}`` before it and ``{`` after it. A comma in a text or in a list may have these too, so that
    the commas found by them are all separators and perhaps others. There are ``count - 1`` separators: when that many
    commas are found, no other one is among them.

    Args:
        elements: JSON objects, separated by commas without blanks; changed in place, or not at all.
        count: How many objects they are.

    Returns:
        Whether it was done.
    """
    codes = np.frombuffer(elements, np.uint8)
    # Not the first one, which follows no comma.
    opening = np.flatnonzero(codes == ord("{"))[1:]
    follows_separator = (codes[opening - 1] == ord(",")) & (codes[opening - 2] == ord("}"))
    separators = opening[follows_separator] - 1
    if len(separators) != count - 1:
        return False
    codes[separators] = ord("\n")
    return True


def split_elements(elements: bytes) -> bytes:
    """Return JSON objects that are separated by commas with line feeds instead of these commas.

    Whether the elements are JSON is not checked: only quotes, braces and commas are counted, byte by byte.
    """
    # Escapes are two bytes each, so that blanks in their place leave all positions. Without them every quote opens or
    # closes a text: a byte is outside of texts when the number of quotes up to it is even.
    codes = np.frombuffer(elements.replace(rb"\\", b"  ").replace(rb"\"", b"  "), np.uint8)
    # The number of quotes is kept modulo 256 only, which is as even or odd as the number itself.
    is_outside = np.cumsum(codes == ord('"'), dtype=np.uint8) % 2 == 0
    opened = (codes == ord("{")).view(np.int8) - (codes == ord("}")).view(np.int8)  # 1, 0 or -1
    depth = np.cumsum(opened * is_outside, dtype=np.int32)
    lines = bytearray(elements)
    np.frombuffer(lines, np.uint8)[(codes == ord(",")) & is_outside & (depth == 0)] = ord("\n")
    return bytes(lines)


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
            yield from BytesIO(split_elements(text) + b"\n")


def iter_objects(stream: BinaryIO) -> Iterator[dict[str, Any]]:
    """Yield the objects that are the elements of an array.

    Args:
        stream: The file, in UTF-8.

    Raises:
        ValueError: It is not an array of objects.
    """
    text = _TextWindow(stream)
    if text.pop() != "[":
        raise ValueError("it does not begin with [")
    following = text.peek()
    if following == "]":
        text.pop()
    while following != "]":
        if text.peek() != "{":
            raise ValueError("an element is not an object")
        yield text.pop_value()
        following = text.pop()
        if following not in {",", "]"}:
            raise ValueError("a comma or the closing ] is missing")
    if text.peek():
        raise ValueError("something follows the closing ]")


class _TextWindow:
    """The part of a file that is held as text: it is read as far as needed, and dropped once it was taken."""

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
        """Take the next character that is not blank, or "" at the end."""
        character = self.peek()
        self._position += len(character)
        return character

    def pop_value(self) -> Any:
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
        # At least doubled, so that a long value is decoded from its start a few times only.
        block = self._stream.read(max(_READ_BYTES, len(self._text) - self._position))
        more = self._decoder.decode(block, final=not block)
        self._text = self._text[self._position :] + more
        self._position = 0
        return bool(block)
