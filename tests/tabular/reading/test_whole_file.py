from __future__ import annotations

import io
import os
from threading import Event
from typing import BinaryIO, cast

import pyarrow as pa
import pytest

from digime_pandas._tabular.reading import whole_file
from digime_pandas._tabular.reading.whole_file import WholeFile, content_of

CONTENT = bytes(range(100))


@pytest.mark.parametrize("content", [CONTENT, bytearray(CONTENT), memoryview(CONTENT)], ids=["b", "bytearray", "view"])
def test_it_is_read_as_any_binary_file(content: bytes | bytearray | memoryview) -> None:
    file, other = WholeFile(content), io.BytesIO(CONTENT)
    for size in (3, 0, 50, -1, None, 5):
        assert file.read(size) == other.read(size)
        assert file.tell() == other.tell()
    for offset, whence in ((7, os.SEEK_SET), (3, os.SEEK_CUR), (-4, os.SEEK_END), (500, os.SEEK_SET)):
        assert file.seek(offset, whence) == other.seek(offset, whence)
        assert file.read(10) == other.read(10)
    assert io.BufferedReader(WholeFile(content)).read() == CONTENT


def test_a_view_is_no_copy_and_cannot_be_written_to() -> None:
    content = bytearray(CONTENT)
    file = WholeFile(content)
    view = file.view(10)
    content[0] = 200
    assert view[0] == 200
    assert view.readonly
    assert bytes(file.view()) == CONTENT[10:]


def test_what_is_in_memory_is_found_without_reading() -> None:
    for stream in (io.BytesIO(CONTENT), cast(BinaryIO, WholeFile(CONTENT))):
        found = content_of(stream)
        assert found is not None
        assert bytes(found) == CONTENT
        assert stream.tell() == 0
    assert content_of(io.BufferedReader(io.BytesIO(CONTENT))) is None


def test_the_end_of_a_process_waits_until_arrow_lets_go_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    class _Noted(Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout or 0)
            if len(waits) == 3:
                kept.clear()
            return True

    monkeypatch.setattr(whole_file, "Event", _Noted)
    monkeypatch.setattr(whole_file, "_held", {})  # without what other tests hold
    kept: list[pa.Buffer] = [pa.py_buffer(whole_file.held_by_arrow(memoryview(bytearray(CONTENT))))]
    whole_file._wait_for_arrow()
    assert len(waits) == 3
    held = whole_file.held_by_arrow(memoryview(CONTENT))
    whole_file._wait_for_arrow()
    assert sum(waits) < 1
    assert bytes(held) == CONTENT
