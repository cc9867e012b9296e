"""What Arrow's parser does not tell of the records of a CSV file: the header, the end, and on which line one is."""

from __future__ import annotations

import atexit
import codecs
import csv
import os
import re
from collections.abc import Iterator
from itertools import accumulate, chain, takewhile
from threading import Event, Lock
from typing import BinaryIO, Literal
from weakref import WeakSet

import pyarrow as pa
import pyarrow.csv as pacsv

from digime_pandas._tabular.codecs.reading.csv_numbers import NumberCheck
from digime_pandas._tabular.reading.limits import DEFAULT_LIMITS, Limits
from digime_pandas._tabular.reading.whole_file import WholeFile

_READ_BYTES = 1 << 16
_LINE_END = re.compile(rb"\r\n|\n|\r")
_BYTE_ORDER_MARK = codecs.BOM_UTF8
_END = "\x00end of the file"
_SHOWN = 60
_LONGEST_HEADER = 16 << 20
_TOO_LONG = f"the first record is longer than {_LONGEST_HEADER:,} bytes"
_LONGEST_READ = 10.0  # seconds
_LAST_READ = 0.2  # seconds
_FOLLOWING, _LEADING = 0x80, 0xC0  # from here on, bytes of UTF-8 are in a character, and begin one
_LEADING_OF_LENGTHS = 0xC0, 0xE0, 0xF0  # of 2, 3 and 4 bytes
_LONGEST_CHARACTER = 4
_reading: WeakSet[CsvRows] = WeakSet()


def read_header(stream: BinaryIO, limits: Limits = DEFAULT_LIMITS, *, skips_blank: bool) -> list[str] | None:
    """Return the fields of the first record, and leave the stream at the one after it.

    Args:
        stream: The file, at its start. A byte-order mark is skipped.
        limits: How many fields the record may have.
        skips_blank: Whether blank lines before the record are skipped, as pandas does.

    Returns:
        The fields, or None where there is no record.

    Raises:
        ValueError: The record is not CSV in UTF-8, or longer than 16 MiB.
        ReadError: It has more fields.
    """
    position = start = stream.tell()

    def texts() -> Iterator[str]:
        nonlocal position
        for number, line in enumerate(_lines(stream, _LONGEST_HEADER)):
            position += len(line)
            if position - start > _LONGEST_HEADER:
                raise ValueError(_TOO_LONG)
            try:
                yield line.decode("utf-8" if number else "utf-8-sig")
            except UnicodeDecodeError:
                raise ValueError(f"line {number + 1:,} is not UTF-8") from None

    lines = texts()
    first = next((line for line in lines if line and (line.strip() or not skips_blank)), None)
    if first is None:
        return None
    try:
        header = next(csv.reader(chain([first], lines), strict=True)) or [""]
    except csv.Error as error:
        raise ValueError(f"the first record is not CSV: {error}") from None
    limits.check_columns(len(header))
    stream.seek(position)
    return header


def line_of_byte(stream: BinaryIO, position: int) -> int:
    """Return on which line of a file, counted from 1, a byte is.

    Args:
        stream: The file, at its start.
        position: How many bytes come before it in the stream.
    """
    ends = accumulate(map(len, _lines(stream)), initial=stream.tell())
    return sum(1 for _ in takewhile(lambda end: end <= position, ends))


def line_of_record(stream: BinaryIO, number: int, *, skips_blank: bool) -> int | None:
    """Return on which line of a file, counted from 1, a record begins; None where it has not so many.

    Args:
        stream: The file, at its start.
        number: Which record, counted from 0, the header being the first one.
        skips_blank: Whether blank lines between records are skipped.
    """
    is_open = False
    for line, content in enumerate(_lines(stream), start=1):
        if not is_open and (content.strip() or not skips_blank):
            if number == 0:
                return line
            number -= 1
        is_open ^= content.count(b'"') % 2 == 1
    return None


class CsvRows:
    """The records after the header as Arrow's parser reads them, which ends where no quote is open.

    After the last record comes another one with a field too many. The parser calls `handle_invalid` with it, unless a
    quote was never closed: then it is within that field. This costs nothing for each row.

    Args:
        stream: The file, after its header.
        width: How many fields a record has.
        only_numbers: Whether reading ends where something else than numbers is found; see `NumberCheck`.

    Attributes:
        invalid: The first record with another number of fields, or None.
        not_text: Position in the file of the first byte that is not UTF-8, or None.
    """

    def __init__(self, stream: BinaryIO, width: int, *, only_numbers: bool = False) -> None:
        self._stream = stream
        self._end = b"," * width + _END.encode()
        self._numbers = NumberCheck() if only_numbers else None
        self._cut_off = b""  # the beginning of a character that goes on in the next block
        self._before = _BYTE_ORDER_MARK  # Arrow skips one, which would be one that the first field begins with
        self._last = b"\n"
        self._position = stream.tell()
        self._is_exhausted = False
        self._lock = Lock()
        self._is_stopped = False
        self._has_ended = Event()
        _reading.add(self)
        self._ends = 0
        self.closed = False
        self.invalid: pacsv.InvalidRow | None = None
        self.not_text: int | None = None

    def read(self, size: int = -1) -> bytes | memoryview:
        """Return the next bytes, at most about `size`.

        Raises:
            ValueError: They are not UTF-8, or no numbers where these alone are wanted.
        """
        with self._lock:
            block = b"" if self._is_exhausted or self._is_stopped else self._next_block(size)
        if not block:
            self._has_ended.set()
        return block

    def stop(self) -> None:
        """Wait until nothing reads the stream, and let nothing read it any more: Arrow reads ahead in other threads."""
        self._is_stopped = True
        # In a forked child, the thread that held the lock does not exist.
        if self._lock.acquire(timeout=_LONGEST_READ):
            self._lock.release()

    def end(self) -> None:
        """Let Arrow's thread come to the end of the file, if it does not wait until more rows are wanted."""
        self.stop()
        self._has_ended.wait(_LAST_READ)

    def _next_block(self, size: int) -> bytes | memoryview:
        block = self._read_block(size)
        if self._numbers is None:
            self._check_text(block)
        elif not self._numbers.holds(block):
            raise ValueError("there is something else than numbers")
        if block:
            self._last = bytes(block[-1:])
        else:
            self._is_exhausted = True
            block = self._end if self._last in b"\r\n" else b"\n" + self._end
        before, self._before = self._before, b""
        return before + block if before else block

    def _read_block(self, size: int) -> bytes | memoryview:
        if not isinstance(self._stream, WholeFile):
            return self._stream.read(size)
        block = self._stream.view(size)
        # No character is cut off, so that no block is copied to put one together.
        end = _end_of_characters(block) or len(block)
        self._stream.seek(end - len(block), os.SEEK_CUR)
        return block[:end]

    def handle_invalid(self, row: pacsv.InvalidRow) -> Literal["skip", "error"]:
        """Say whether a record with another number of fields is an error."""
        if self._is_exhausted and row.text.encode() == self._end:
            self._ends += 1
            return "skip"
        if not row.text.strip():  # a blank line
            return "skip"
        self.invalid = row
        return "error"

    @property
    def ends_in_quotes(self) -> bool:
        """Whether a quote was never closed; to be asked once everything was parsed."""
        return self._ends != 1

    def readable(self) -> bool:
        """Return True, as files do."""
        return True

    def writable(self) -> bool:
        """Return False, as files do."""
        return False

    def seekable(self) -> bool:
        """Return False, as files do."""
        return False

    def close(self) -> None:
        """Leave the stream open."""
        self.closed = True

    def _check_text(self, block: bytes | memoryview) -> None:
        text = self._cut_off + block if self._cut_off else block
        end = _end_of_characters(text) if block else len(text)
        if not _is_utf8(text, end):
            try:
                bytes(text[:end]).decode()
            except UnicodeDecodeError as error:
                self.not_text = self._position - len(self._cut_off) + error.start
                raise ValueError(f"byte {self.not_text:,} is not UTF-8") from None
        self._cut_off = bytes(text[end:])
        self._position += len(block)


def _end_of_characters(text: bytes | memoryview) -> int:
    """Return where the last character ends that is not cut off."""
    for length in range(1, min(_LONGEST_CHARACTER, len(text) + 1)):
        code = text[-length]
        if code >= _LEADING:
            return len(text) - length if sum(code >= each for each in _LEADING_OF_LENGTHS) >= length else len(text)
        if code < _FOLLOWING:
            break
    return len(text)


def _is_utf8(text: bytes | memoryview, end: int) -> bool:
    """Return whether the beginning of a text is UTF-8; Arrow is several times as fast as Python to find it out."""
    offsets = pa.array([0, end], pa.int64()).buffers()[1]
    try:
        pa.LargeStringArray.from_buffers(1, offsets, pa.py_buffer(text)).validate(full=True)
    except ValueError:
        return False
    return True


def describe_invalid(row: pacsv.InvalidRow) -> str:
    """Say what is wrong with a record that has another number of fields.

    Args:
        row: What `CsvRows.invalid` is.
    """
    text = row.text if len(row.text) <= _SHOWN else row.text[:_SHOWN] + "..."
    fields = "1 field" if row.actual_columns == 1 else f"{row.actual_columns} fields"
    return f"{fields} instead of {row.expected_columns}: {text!r}"


@atexit.register
def _end_all() -> None:
    # A thread that calls Python while the process ends would never end, or abort the process.
    for each in list(_reading):
        each.end()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_reading.clear)


def _lines(stream: BinaryIO, longest: int | None = None) -> Iterator[bytes]:
    """Yield the lines of a file, each with its end: a line feed, a carriage return, or both."""
    rest = b""
    while block := stream.read(max(_READ_BYTES, len(rest))):  # at least doubled, since it is searched from its start
        rest += block
        start = 0
        for found in _LINE_END.finditer(rest):
            if found.end() == len(rest) and rest.endswith(b"\r"):
                break  # a line feed may follow
            yield rest[start : found.end()]
            start = found.end()
        rest = rest[start:]
        if longest is not None and len(rest) > longest:
            raise ValueError(_TOO_LONG)
    if rest:
        yield rest
