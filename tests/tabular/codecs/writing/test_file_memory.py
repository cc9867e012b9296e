"""Memory is used again, and never while a part of what is in it is in use."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from digime_pandas._tabular.codecs.writing.file_memory import FileMemory, grown_file

SIZE = 1 << 20


def writes(content: bytes) -> Callable[[Any], None]:
    def write(sink: Any) -> None:
        for start in range(0, len(content), 1_000):
            sink.write(content[start : start + 1_000])

    return write


def place_of(file: memoryview) -> int:
    return int(np.frombuffer(file, np.uint8).ctypes.data)


def test_memory_is_used_again_once_no_part_of_the_file_is_in_use() -> None:
    memory = FileMemory(SIZE, SIZE // 2)
    first, places = memory.write(writes(b"a" * 5_000)), []
    part = first[10:20]
    places.append(place_of(first))
    del first
    second = memory.write(writes(b"b" * 7_000))
    places.append(place_of(second))
    assert (bytes(part), bytes(second)) == (b"a" * 10, b"b" * 7_000)
    del part
    third = memory.write(writes(b"c"))
    places.append(place_of(third))
    assert (bytes(third), bytes(second)) == (b"c", b"b" * 7_000)
    assert places[0] == places[2] != places[1]


@pytest.mark.parametrize("make", [FileMemory(SIZE, 0).write, grown_file])
def test_nothing_changes_a_file(make: Callable[[Callable[[Any], None]], memoryview]) -> None:
    file = make(writes(b"abc"))
    assert (file.readonly, file.format, file.ndim, bytes(file)) == (True, "B", 1, b"abc")


def test_a_file_that_is_larger_is_whole_and_its_memory_is_free_again() -> None:
    memory = FileMemory(SIZE, 0)
    small = memory.write(writes(b"x"))
    place = place_of(small)
    del small
    larger = b"0123456789" * (SIZE // 5)
    assert bytes(memory.write(writes(larger))) == larger
    assert place_of(memory.write(writes(b"y"))) == place


def test_an_error_of_what_writes_is_raised_as_it_is() -> None:
    calls: list[Any] = []

    def fail(sink: Any) -> None:
        calls.append(sink)
        raise OSError("not about the size")

    with pytest.raises(OSError, match="not about the size"):
        FileMemory(SIZE, 0).write(fail)
    assert len(calls) == 2


def refused(*_: object) -> None:
    raise OSError("Invalid argument")


@pytest.mark.parametrize("lacks", ["large pages", "large pages in this kernel"])
def test_a_system_may_lack_large_pages(lacks: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if lacks == "large pages":
        monkeypatch.delattr(mmap, "MADV_HUGEPAGE", raising=False)
    else:
        monkeypatch.setattr(mmap, "mmap", type("mmap", (mmap.mmap,), {"madvise": refused}))
    file = FileMemory(SIZE, SIZE).write(writes(b"a" * 5_000))
    assert bytes(file) == b"a" * 5_000


def test_threads_have_memory_of_their_own() -> None:
    memory = FileMemory(SIZE, 0)

    def write(number: int) -> bool:
        content = number.to_bytes(2, "little") * 20_000
        return bytes(memory.write(writes(content))) == content

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(write, range(100)))
