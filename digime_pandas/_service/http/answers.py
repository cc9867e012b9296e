"""Answers, and how those are read that came whole, with nothing in them that can be read in two ways.

What came is in clear here, so that the frames of this file are left out of tracebacks, as those of libraries are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

Fields: TypeAlias = Mapping[str, str]
RawFields: TypeAlias = list[tuple[bytes, bytes]]

_SIMPLE = re.compile(
    rb"HTTP/1\.1 ([2-5]\d\d)(?: [\t -~\x80-\xff]*)?\r\n((?:[!#$%&'*+.^_`|~\w-]+:[\t -~\x80-\xff]*\r\n)*)\r\n", re.ASCII
)
_NEVER_SIMPLE = {b"connection", b"transfer-encoding", b"upgrade"}
_WITHOUT_BODY = {b"204", b"304"}
_LENGTH = re.compile(rb"\d{1,9}")


def simple_answer(data: bytes) -> tuple[int, dict[str, str], list[bytes]] | None:
    """Return status, fields and body of an answer that is whole, and none but simple; None for any other."""
    head = _SIMPLE.match(data)
    if head is None or head[1] in _WITHOUT_BODY:
        return None
    pairs = [line.partition(b":") for line in head[2].split(b"\r\n")[:-1]]
    fields = [(name.lower(), value.strip(b" \t")) for name, _, value in pairs]
    lengths = [value for name, value in fields if name == b"content-length"]
    if len(lengths) != 1 or not _LENGTH.fullmatch(lengths[0]) or any(name in _NEVER_SIMPLE for name, _ in fields):
        return None
    body = data[head.end() :]
    return (int(head[1]), joined(fields), [body]) if len(body) == int(lengths[0]) else None


def joined(raw_fields: RawFields) -> dict[str, str]:
    """Return header fields as text; repeated ones are one, as HTTP has it."""
    fields: dict[str, str] = {}
    for raw_name, raw_value in raw_fields:
        name = raw_name.decode("ascii")
        try:
            value = raw_value.decode()
        except UnicodeDecodeError:
            value = raw_value.decode("latin-1")
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return fields


@dataclass(slots=True, repr=False, eq=False)
class Answer:
    """An answer, to be closed.

    Attributes:
        release: Called once, when its connection can carry another request; None where it can already.
        status: Its HTTP status.
        fields: Its header fields, as text, names in lower case.
        pieces: Its body, to be iterated once.
        is_over: Whether its connection can carry another request: it need not be closed.
    """

    release: Callable[[], object] | None
    status: int
    fields: Fields
    pieces: Iterable[bytes]
    is_over: bool = field(init=False)

    def __post_init__(self) -> None:
        self.is_over = self.release is None
        if not self.is_over:
            self.pieces = self._closing(self.pieces)

    def _closing(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        try:
            yield from pieces
        finally:
            self.close()

    def close(self) -> None:
        """Leave the connection to another request; where the body was not used up, it is closed."""
        if not self.is_over and self.release is not None:
            self.is_over = True
            self.release()
