"""The elements of a JSON array, one after the other, without holding the file."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np

from digime_pandas._tabular.codecs.reading.json_rows import VALUE_BYTES, lines_of, skip_byte_order_mark
from digime_pandas._tabular.engines.json_depth import DEEPEST_JSON, TOO_DEEP, check_json_depth
from digime_pandas._tabular.reading.limits import DEFAULT_LIMITS, Limits

_READ_BYTES = 1 << 20
_EITHER = 0xDF  # these bits are the same in an opening bracket and an opening brace, and in no other byte
_BLANKS = re.compile("[ \t\r\n]+")
_BYTE_ORDER_MARK = "\ufeff"
_LONGEST_TOKEN = 16  # characters; errors of what is cut off in a name or number are within so many of the end
_CUT_TEXT = "Unterminated string"
_NO_OPENING = "it does not begin with ["
_NO_CLOSING = "a comma or the closing ] is missing"
_NO_END = "something follows the closing ]"
_WRONG_COMMAS = "there is not one comma between two elements"
_decoder = json.JSONDecoder()


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


def array_lines(stream: BinaryIO, limits: Limits = DEFAULT_LIMITS) -> Iterator[bytes]:
    """Yield the elements of an array that was written as lines of whole elements, each with a line feed.

    Args:
        stream: The file.
        limits: How long a line may be.

    Raises:
        ValueError: It does not begin or end like an array, or a comma between elements is missing or too many.
        ReadError: A line is longer than it may be.
    """
    skip_byte_order_mark(stream)
    commas, has_elements, is_closed = 0, False, False
    for number, line in enumerate(lines_of(stream, limits)):
        text = line.strip()
        if number == 0:
            if not text.startswith(b"["):
                raise ValueError(_NO_OPENING)
            text = text[1:]
        if is_closed and text:
            raise ValueError(_NO_END)
        is_closed = is_closed or text.endswith(b"]")
        text = text.removesuffix(b"]").strip()
        elements = text.lstrip(b",")
        commas += len(text) - len(elements)
        if elements:
            if commas != has_elements:
                raise ValueError(_WRONG_COMMAS)
            has_elements = True
            text = elements.rstrip(b",")
            commas = len(elements) - len(text)
            yield from BytesIO(split_elements(text) + b"\n")
    if not is_closed:
        raise ValueError(_NO_CLOSING)
    if commas:
        raise ValueError(_WRONG_COMMAS)


class ValueCount:
    """Counts the values of JSON text, roughly, and refuses more than fit into memory as values of Python.

    Args:
        limits: How many bytes they may take.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._count = 0

    def add(self, text: bytes) -> None:
        """Count the values of some text.

        Raises:
            ReadError: There are too many since the last `reset`.
        """
        codes = np.frombuffer(text, np.uint8)
        opening = np.count_nonzero((codes & _EITHER) == ord("["))
        self._count += int(opening + np.count_nonzero(codes == ord(",")))
        self._limits.check_bytes(self._count * VALUE_BYTES)

    def reset(self) -> None:
        """Count from 0: what was counted is held no longer."""
        self._count = 0


def iter_objects(
    stream: BinaryIO, limits: Limits = DEFAULT_LIMITS, values: ValueCount | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the objects that are the elements of an array.

    Args:
        stream: The file, in UTF-8.
        limits: How long an element may be.
        values: Counts what is read; None where elements are not held.

    Raises:
        ValueError: It is not an array of objects; the message says at which byte.
        ReadError: An element is longer than it may be.
    """
    text = _TextWindow(stream, limits, values)
    if text.peek() != "[":
        raise text.fault(_NO_OPENING)
    text.pop()
    following = text.peek()
    if following == "]":
        text.pop()
    while following != "]":
        if text.peek() != "{":
            raise text.fault("an element is not an object")
        yield text.pop_object()
        following = text.peek()
        if following not in {",", "]"}:
            raise text.fault(_NO_CLOSING)
        text.pop()
    if text.peek():
        raise text.fault(_NO_END)


class _TextWindow:
    """The part of a file that is held as text: it is read as far as needed, and dropped once it was taken."""

    def __init__(self, stream: BinaryIO, limits: Limits, values: ValueCount | None) -> None:
        self._stream = stream
        self._limits = limits
        self._values = values
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._text = ""
        self._position = 0
        self._bytes = 0  # that were decoded
        while not self._text and self._grow():
            pass
        self._position = len(_BYTE_ORDER_MARK) if self._text.startswith(_BYTE_ORDER_MARK) else 0

    def fault(self, reason: str) -> ValueError:
        """Return an error that says at which byte of the file, counted from 0, the window begins."""
        return ValueError(f"byte {self._offset(self._position):,}: {reason}")

    def peek(self) -> str:
        """Return the next character that is not blank, or "" at the end."""
        while True:
            blanks = _BLANKS.match(self._text, self._position)
            self._position = blanks.end() if blanks else self._position
            if self._position < len(self._text):
                return self._text[self._position]
            if not self._grow():
                return ""

    def pop(self) -> str:
        """Take the next character that is not blank, or "" at the end."""
        character = self.peek()
        self._position += len(character)
        return character

    def pop_object(self) -> dict[str, Any]:
        """Take the object that begins here."""
        while True:
            try:
                value, end = _decoder.raw_decode(self._text, self._position)
            except json.JSONDecodeError as error:
                place = self._offset(error.pos)
                is_cut = error.pos > len(self._text) - _LONGEST_TOKEN or error.msg.startswith(_CUT_TEXT)
                if is_cut and self._grow():
                    continue
                raise ValueError(f"byte {place:,}: {error.msg}") from None
            except ValueError as error:  # a number of too many digits
                raise self.fault(str(error)) from None
            except RecursionError:
                raise self.fault(TOO_DEEP) from None
            self._check_depth(end)
            self._position = end
            checked: dict[str, Any] = value
            return checked

    def _check_depth(self, end: int) -> None:
        opened = self._text.count("[", self._position, end) + self._text.count("{", self._position, end)
        if opened > DEEPEST_JSON:
            try:
                check_json_depth(self._text[self._position : end].encode())
            except ValueError as error:
                raise self.fault(str(error)) from None

    def _offset(self, position: int) -> int:
        return self._bytes - len(self._text[position:].encode())

    def _grow(self) -> bool:
        self._limits.check_text(len(self._text) - self._position)
        # At least doubled, so that a long value is decoded from its start a few times only.
        block = self._stream.read(max(_READ_BYTES, len(self._text) - self._position))
        if self._values is not None:
            self._values.add(block)
        pending = len(self._decoder.getstate()[0])
        try:
            more = self._decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            raise ValueError(f"byte {self._bytes + error.start:,}: it is not UTF-8") from None
        self._bytes += pending + len(block) - len(self._decoder.getstate()[0])
        self._text = self._text[self._position :] + more
        self._position = 0
        return bool(block)
