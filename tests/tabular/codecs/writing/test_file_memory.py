"""Memory is used again, and never while a part of what is in it is in use."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from digime_pandas._tabular.codecs.writing.file_memory import FileMemory

SIZE = 1 << 20


def writes(content: bytes) -> Callable[[Any], None]:
    def write(sink: Any) -> None:
        for start in range(0, len(content), 1_000):
            sink.write(content[start : start + 1_000])

    return write


def written(memory: FileMemory, content: bytes) -> memoryview:
    file = memory.write(writes(content))
    assert file is not None
    return file


def place_of(file: memoryview) -> int:
    return int(np.frombuffer(file, np.uint8).ctypes.data)


def test_memory_is_used_again_once_no_part_of_the_file_is_in_use() -> None:
    memory = FileMemory(SIZE, SIZE // 2)
    first, places = written(memory, b"a" * 5_000), []
    part = first[10:20]
    places.append(place_of(first))
    del first
    second = written(memory, b"b" * 7_000)
    places.append(place_of(second))
    assert (bytes(part), bytes(second)) == (b"a" * 10, b"b" * 7_000)
    del part
    third = written(memory, b"c")
    places.append(place_of(third))
    assert (bytes(third), bytes(second)) == (b"c", b"b" * 7_000)
    assert places[0] == places[2] != places[1]


def test_nothing_changes_a_file() -> None:
    file = written(FileMemory(SIZE, 0), b"abc")
    assert (file.readonly, file.format, file.ndim, bytes(file)) == (True, "B", 1, b"abc")


def test_memory_is_free_again_after_a_file_that_is_larger() -> None:
    memory = FileMemory(SIZE, 0)
    small = written(memory, b"x")
    place = place_of(small)
    del small
    assert memory.write(writes(b"0123456789" * (SIZE // 5))) is None
    assert place_of(written(memory, b"y")) == place


def refused(*_: object) -> None:
    raise OSError("Invalid argument")


@pytest.mark.parametrize("lacks", ["large pages", "large pages in this kernel"])
def test_a_system_may_lack_large_pages(lacks: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if lacks == "large pages":
        monkeypatch.delattr(mmap, "MADV_HUGEPAGE", raising=False)
    else:
        monkeypatch.setattr(mmap, "mmap", type("mmap", (mmap.mmap,), {"madvise": refused}))
    file = written(FileMemory(SIZE, SIZE), b"a" * 5_000)
    assert bytes(file) == b"a" * 5_000


def test_threads_have_memory_of_their_own() -> None:
    memory = FileMemory(SIZE, 0)

    def write(number: int) -> bool:
        content = number.to_bytes(2, "little") * 20_000
        return bytes(written(memory, content)) == content

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(write, range(100)))
