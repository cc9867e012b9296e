from __future__ import annotations

import errno
import io
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from digime_pandas._service.crypto.encrypted_file import ReplayableStream
from digime_pandas.errors import SpoolError

CHUNKS = [secrets.token_bytes(size) for size in (1, 700_000, 0, 3, (1 << 20) + 1)]


class Source:
    """A stream that can be read once and counts how far it was."""

    def __init__(self, chunks: list[bytes]) -> None:
        self.taken = 0
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.taken += 1
            yield chunk


def whole(spool: ReplayableStream) -> bytes:
    return b"".join(bytes(chunk) for chunk in spool.chunks())


def test_a_stream_is_read_again_and_again_from_its_start() -> None:
    source = Source(CHUNKS)
    spool = ReplayableStream(source)
    assert [whole(spool) for _ in range(3)] == [b"".join(CHUNKS)] * 3
    assert source.taken == len(CHUNKS)
    spool.close()


@pytest.mark.parametrize("stop", range(len(CHUNKS) + 1))
def test_a_second_reading_goes_on_where_the_first_one_stopped(stop: int) -> None:
    source = Source(CHUNKS)
    spool = ReplayableStream(source)
    first = spool.chunks()
    read = [bytes(next(first)) for _ in range(stop)]
    assert source.taken == stop
    assert read == CHUNKS[:stop]
    first.close()  # type: ignore[attr-defined] # it is a generator
    assert whole(spool) == b"".join(CHUNKS)
    spool.close()


def test_a_first_reading_that_was_never_closed_does_not_disturb_the_second() -> None:
    spool = ReplayableStream(Source(CHUNKS))
    abandoned = spool.chunks()
    next(abandoned)
    assert whole(spool) == b"".join(CHUNKS)
    spool.close()


def test_a_buffer_the_source_fills_again_is_kept_as_it_was() -> None:
    buffer = bytearray(3)

    def source() -> Iterator[bytearray]:
        for text in (b"abc", b"def"):
            buffer[:] = text
            yield buffer

    spool = ReplayableStream(source())
    assert whole(spool) == b"abcdef"
    assert whole(spool) == b"abcdef"
    spool.close()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks at the open files as Linux shows them")
def test_what_is_kept_is_on_disk_only_when_it_is_large_and_never_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    plain = b"visit 2026-01-05 pulse 61\n" * 40_000
    spool = ReplayableStream(Source([plain] * 12))
    stored: list[bytes] = []
    for taken, _ in enumerate(spool.chunks(), 1):
        descriptors = list(Path("/proc/self/fd").iterdir())
        files = [path for path in descriptors if path.exists() and str(path.readlink()).startswith(str(tmp_path))]
        assert bool(files) == (taken * len(plain) > 8 << 20)
        stored += [path.read_bytes() for path in files[:1] if taken == 12]
    assert list(tmp_path.iterdir()) == []
    assert len(stored[0]) == 12 * len(plain)
    assert b"visit" not in stored[0]
    assert whole(spool) == plain * 12
    spool.close()


def test_a_missing_folder_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    spool = ReplayableStream(Source([bytes(5 << 20)] * 3))
    with pytest.raises(SpoolError, match=r"No such file or directory.*TMPDIR"):
        whole(spool)
    spool.close()


def test_a_full_disk_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def write(self, _: object) -> NoReturn:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("digime_pandas._service.crypto.encrypted_file.TemporaryFile", Full)
    spool = ReplayableStream(Source([*CHUNKS, bytes(9 << 20)]))
    with pytest.raises(SpoolError, match="No space left on device") as raised:
        whole(spool)
    assert isinstance(raised.value.__cause__, OSError)
    spool.close()


def test_an_error_of_the_source_is_its_own() -> None:
    def source() -> Iterator[bytes]:
        yield b"abc"
        raise LookupError("no more rows")

    spool = ReplayableStream(source())
    with pytest.raises(LookupError, match="no more rows"):
        whole(spool)
    spool.close()


def test_closing_gives_the_memory_and_the_file_back() -> None:
    spool = ReplayableStream(Source([bytes(9 << 20)]))
    whole(spool)
    spool.close()
    spool.close()
    with pytest.raises(ValueError, match="closed"):
        next(iter(spool.chunks()))
