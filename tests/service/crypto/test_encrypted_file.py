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
    with EncryptedFile() as vault:
        for piece in pieces:
            vault.append(piece)
        whole = b"".join(pieces)

        assert vault.size == len(whole)
        assert vault.read_at(position, size) == whole[position : position + size]


@given(content=st.binary(max_size=300), moves=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 300)), max_size=10))
def test_it_reads_and_moves_as_any_binary_file_does(content: bytes, moves: list[tuple[int, int]]) -> None:
    with EncryptedFile() as vault, io.BytesIO(content) as expected:
        vault.append(content)
        for whence, distance in moves:
            offset = -min(distance, len(content)) if whence == os.SEEK_END else distance
            assert vault.seek(offset, whence) == expected.seek(offset, whence)
            assert vault.read(7) == expected.read(7)


def test_nothing_of_it_is_on_the_disk_in_the_clear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    marker = b"a very private sentence. "
    with EncryptedFile() as vault:
        for _ in range(20):
            vault.append(marker * 40_000)  # 1 MB each; past 8 MiB it is a file

        kept = vault._file
        assert kept._rolled  # type: ignore[attr-defined] # or this test would look at nothing
        kept.seek(0)
        assert marker not in kept.read()
        assert vault.read_at(0, len(marker)) == marker
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(data: bytes) -> NoReturn:
        raise OSError(28, "No space left on device")

    with EncryptedFile() as vault:
        monkeypatch.setattr(vault._file, "write", full)
        with pytest.raises(SpoolError, match=r"No space left on device.*TMPDIR"):
            vault.append(b"x")
