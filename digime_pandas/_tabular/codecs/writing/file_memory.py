"""Memory into which the files of one write are written one after the other, or side by side."""

from __future__ import annotations

import mmap
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pyarrow as pa


class FileMemory:
    """Memory for files, each of which is used again once nothing refers to the file in it.

    A system gives memory page by page, at the first byte that is written to each: that can take as long as encrypting
    what is written.

    Args:
        size: Bytes that a file may have in it; what is not written to takes no memory.
        least: Bytes that most files have at least, which are asked for in large pages where the system has such.
    """

    def __init__(self, size: int, least: int) -> None:
        self._size = size
        self._least = least
        self._free: deque[pa.Buffer] = deque()

    def write(self, write: Callable[[Any], None]) -> memoryview | None:
        """Return a file, or None where it does not fit. May be called in several threads at the same time.

        Args:
            write: Writes the file into what it is called with.
        """
        memory = self._take()
        sink = pa.FixedSizeBufferWriter(memory)
        try:
            write(sink)
        except OSError:
            self._free.append(memory)
            return None
        file = memory.slice(0, sink.tell())
        weakref.finalize(file, self._free.append, memory).atexit = False
        return memoryview(file).cast("B").toreadonly()

    def _take(self) -> pa.Buffer:
        try:
            return self._free.pop()
        except IndexError:
            return pa.py_buffer(_pages(self._size, self._least))


def _pages(size: int, least: int) -> mmap.mmap:
    if not hasattr(mmap, "MADV_HUGEPAGE"):  # which Linux has
        return mmap.mmap(-1, size)
    pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)  # shared ones take twice as long to get
    if least:
        with suppress(OSError):  # a system that was built without large pages
            pages.madvise(mmap.MADV_HUGEPAGE, 0, least)
    return pages
