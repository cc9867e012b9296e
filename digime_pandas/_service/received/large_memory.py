"""A file in memory that is read where it is, in the large pages that Linux has."""

from __future__ import annotations

import io
import mmap
from collections.abc import Iterator
from contextlib import suppress

from digime_pandas._service.streams import Buffer

_LARGE_BYTES = 4 << 20  # two large pages, which numpy takes for large, too
_HAS_LARGE_PAGES = hasattr(mmap, "MADV_HUGEPAGE")


class LargeMemory(io.RawIOBase):
    """A file that is appended to, and then read as a whole without being copied.

    Memory comes in pages, when they are written to for the first time. With those of 4 KiB, that takes longer than to
    decrypt what is put into them.

    Attributes:
        size: Its size in bytes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.size = 0
        self._memory: bytearray | mmap.mmap = bytearray()

    def append(self, data: Buffer) -> None:
        """Add to the end; not while there is a view.

        Raises:
            MemoryError: There is not enough memory.
        """
        start, self.size = self.size, self.size + memoryview(data).nbytes
        if _HAS_LARGE_PAGES and self.size > max(_LARGE_BYTES, len(self._memory)):
            try:
                self._memory = _grown(self._memory, start, 2 * self.size)
            except MemoryError:  # a system may count memory that is never written to
                self._memory = _grown(self._memory, start, self.size)
        self._memory[start : self.size] = data

    def view(self) -> memoryview:
        """Return what it holds, which stays there as long as the view or what is made of it."""
        return memoryview(self._memory)[: self.size].toreadonly()

    def read_at(self, position: int, size: int) -> bytes:
        """Return up to `size` bytes from `position`, counted from 0; fewer at the end."""
        return bytes(self.view()[position : position + size])

    def pieces(self) -> Iterator[memoryview]:
        """Yield what it holds, in one piece."""
        if self.size:
            yield self.view()

    def close(self) -> None:
        """Discard the content, as soon as there is no view of it."""
        self._memory, self.size = bytearray(), 0
        super().close()


def _grown(memory: bytearray | mmap.mmap, used: int, size: int) -> mmap.mmap:
    """Return memory of `size` bytes that begins with those that are used; what is never written to takes none."""
    if isinstance(memory, mmap.mmap):
        with suppress(OSError, SystemError):  # the memory is somewhere else then, and its content is not copied
            memory.resize(size)
            return memory
    try:
        grown = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError:
        raise MemoryError from None
    with suppress(OSError):  # a system may be built without large pages
        grown.madvise(mmap.MADV_HUGEPAGE)
    grown[:used] = memoryview(memory)[:used]
    return grown
