"""What is kept for a while is kept encrypted, and can be read anywhere."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digime_pandas._service.crypto.encrypted_file import EncryptedFile
from digime_pandas.errors import SpoolError


@given(pieces=st.lists(st.binary(max_size=100)), position=st.integers(0, 600), size=st.integers(0, 600))
def test_any_part_of_what_was_appended_can_be_read(pieces: list[bytes], position: int, size: int) -> None:
    with EncryptedFile() as file:
        for piece in pieces:
            file.append(piece)
        whole = b"".join(pieces)

        assert file.size == len(whole)
        assert file.read_at(position, size) == whole[position : position + size]


@given(content=st.binary(max_size=300), moves=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 300)), max_size=10))
def test_it_reads_and_moves_as_any_binary_file_does(content: bytes, moves: list[tuple[int, int]]) -> None:
    with EncryptedFile() as file, io.BytesIO(content) as expected:
        file.append(content)
        for whence, distance in moves:
            offset = -min(distance, len(content)) if whence == os.SEEK_END else distance
            assert file.seek(offset, whence) == expected.seek(offset, whence)
            assert file.read(7) == expected.read(7)


def test_nothing_of_it_is_on_the_disk_in_the_clear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    marker = b"a very private sentence. "
    with EncryptedFile() as file:
        for _ in range(20):
            file.append(marker * 40_000)  # 1 MB each; past 8 MiB it is a file

        kept = file._disk
        assert kept is not None  # or this test would search nothing
        kept._file.seek(0)
        assert marker not in kept._file.read()
        assert file.read_at(0, len(marker)) == marker
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(data: bytes) -> NoReturn:
        raise OSError(28, "No space left on device")

    with EncryptedFile() as file:
        file.append(bytes(9 << 20))
        assert file._disk is not None
        monkeypatch.setattr(file._disk._file, "write", full)
        with pytest.raises(SpoolError, match=r"No space left on device.*TMPDIR"):
            file.append(b"x")


@pytest.mark.parametrize("sizes", [[8 << 20], [8 << 20, 1], [5 << 20, 5 << 20, 7], [9 << 20]])
def test_what_is_kept_in_memory_and_what_is_on_disk_is_read_alike(sizes: list[int]) -> None:
    pieces = [os.urandom(size) for size in sizes]
    whole = b"".join(pieces)
    with EncryptedFile() as file:
        for piece in pieces:
            file.append(piece)
        assert (file._disk is None) == (len(whole) <= 8 << 20)
        assert file.read_at(0, file.size) == whole
        assert file.read_at((8 << 20) - 5, 10) == whole[(8 << 20) - 5 : (8 << 20) + 5]


def test_a_file_in_memory_is_read_without_a_copy() -> None:
    with EncryptedFile() as file:
        file.append(os.urandom(1 << 20))
        assert file.read_at(0, file.size) is file.read_at(0, file.size)
