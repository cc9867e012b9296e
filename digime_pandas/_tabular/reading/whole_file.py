"""A file in memory that is read where it is."""

from __future__ import annotations

import atexit
import io
import os
from threading import Event
from typing import BinaryIO
from weakref import ref

Content = bytes | bytearray | memoryview
_LAST_WAIT = 0.002  # seconds
_MOST_WAITS = 100
_held: dict[int, ref[memoryview]] = {}  # by id: the hash of a view is that of all its bytes


class WholeFile(io.RawIOBase):
    """A binary file whose content is in memory, and is copied only by `read` and `readinto`.

    Args:
        content: The content.

    Attributes:
        content: The same, as bytes that cannot be written to.
    """

    def __init__(self, content: Content) -> None:
        super().__init__()
        self.content = memoryview(content).cast("B").toreadonly()
        self._position = 0

    def view(self, size: int = -1) -> memoryview:
        """Return the next bytes, at most `size`, or all where that is negative."""
        start = min(self._position, len(self.content))
        self._position = len(self.content) if size < 0 else min(start + size, len(self.content))
        return self.content[start : self._position]

    def read(self, size: int | None = -1) -> bytes:
        """Return a copy of the next bytes, at most `size`, or all where that is negative or None."""
        return bytes(self.view(-1 if size is None else size))

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # typeshed's name for "any writable buffer" is private
        """Fill `buffer` with the next bytes; return how many there were."""
        found = self.view(len(buffer))
        memoryview(buffer)[: len(found)] = found
        return len(found)

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move as in any binary file; return the new position."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: len(self.content)}[whence]
        self._position = max(0, start + offset)
        return self._position


def held_by_arrow(content: memoryview) -> memoryview:
    """Return a view of content for Arrow's threads, which let go of it some time after they have read it.

    The process waits for that when it ends: a thread that lets go of what Python has while Python is no more aborts it.
    """
    view = memoryview(content)
    place = id(view)
    _held[place] = ref(view, lambda _: _held.pop(place, None))
    return view


@atexit.register
def _wait_for_arrow() -> None:
    for _ in range(_MOST_WAITS):
        if not _held:
            return
        Event().wait(_LAST_WAIT)


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_held.clear)


def content_of(stream: BinaryIO) -> memoryview | None:
    """Return the whole content of a file, without copying it; None where it is not in memory."""
    if isinstance(stream, WholeFile):
        return stream.content
    return memoryview(stream.getvalue()) if isinstance(stream, io.BytesIO) else None
