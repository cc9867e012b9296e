from __future__ import annotations

import mmap
from typing import Self

import pytest

from digime_pandas._service.received import large_memory
from digime_pandas._service.received.large_memory import LargeMemory


def _filled(pieces: int, size: int) -> LargeMemory:
    memory = LargeMemory()
    for number in range(pieces):
        memory.append(bytes([number % 251]) * size)
    return memory


@pytest.mark.parametrize(("pieces", "size"), [(0, 1), (3, 5), (40, 4_096), (1, 100_000), (2_000, 7)])
def test_what_was_appended_is_there_however_large_it_grows(
    pieces: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_memory, "_LARGE_BYTES", 1_000)
    whole = b"".join(bytes([number % 251]) * size for number in range(pieces))
    memory = _filled(pieces, size)
    assert memory.size == len(whole)
    assert b"".join(memory.pieces()) == bytes(memory.view()) == memory.read_at(0, memory.size) == whole
    assert memory.read_at(2, 3) == whole[2:5]


@pytest.mark.parametrize("large_bytes", [10, 1_000_000], ids=["large", "small"])
def test_a_view_cannot_be_written_to_and_stays_when_the_memory_is_closed(
    large_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_memory, "_LARGE_BYTES", large_bytes)
    memory = _filled(3, 100)
    view = memory.view()
    memory.close()
    assert memory.closed
    assert bytes(view) == b"\0" * 100 + b"\1" * 100 + b"\2" * 100
    with pytest.raises(TypeError):
        view[0] = 1


def test_memory_that_a_system_does_not_move_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    class _Fixed(mmap.mmap):
        def resize(self, newsize: int) -> None:
            raise SystemError(f"no mremap for {newsize} bytes")

    monkeypatch.setattr(large_memory, "_LARGE_BYTES", 10)
    monkeypatch.setattr(mmap, "mmap", _Fixed)
    assert bytes(_filled(100, 100).view()) == b"".join(bytes([number]) * 100 for number in range(100))


def test_too_little_memory_is_a_memory_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class _Refused(mmap.mmap):
        def __new__(cls, *_: object, **__: object) -> _Refused:  # noqa: PYI034 - none is returned
            raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(large_memory, "_LARGE_BYTES", 10)
    monkeypatch.setattr(large_memory, "_HAS_LARGE_PAGES", True)
    monkeypatch.setattr(mmap, "mmap", _Refused)
    with pytest.raises(MemoryError):
        _filled(1, 100)


def test_where_no_memory_is_to_spare_there_is_as_much_as_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    class _Scarce(mmap.mmap):
        def __new__(cls, fileno: int, length: int, **options: int) -> Self:
            if length > 1_000:
                raise OSError(12, "Cannot allocate memory")
            return super().__new__(cls, fileno, length, **options)

        def resize(self, newsize: int) -> None:
            raise OSError(12, f"Cannot allocate {newsize} bytes")

    monkeypatch.setattr(large_memory, "_LARGE_BYTES", 10)
    monkeypatch.setattr(large_memory, "_HAS_LARGE_PAGES", True)
    monkeypatch.setattr(mmap, "mmap", _Scarce)
    assert bytes(_filled(10, 100).view()) == b"".join(bytes([number]) * 100 for number in range(10))
    with pytest.raises(MemoryError):
        _filled(11, 100)
