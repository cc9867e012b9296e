"""A temporary file whose content no other process can read. No plaintext is ever written to disk."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from tempfile import TemporaryFile

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CTR

from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.streams import Buffer
from digime_pandas.errors import SpoolError

_IN_MEMORY_BYTES = 8 << 20
_PIECE_BYTES = 1 << 20
_BLOCK_BYTES = 16
_COUNTER_BITS = 128


class EncryptedFile(io.RawIOBase):
    """A binary file that is appended to, and then read at any position.

    A small one is kept in memory as it is. A larger one is on disk, encrypted (AES-256-CTR) under a key that only this
    object has, in an unnamed temporary file, which is gone when this is closed or garbage collected.

    Methods raise `SpoolError` where the temporary file cannot be written, for instance because the disk is full.

    Args:
        memory_bytes: How large it may be in memory.

    Attributes:
        size: Its size in bytes.
    """

    def __init__(self, memory_bytes: int = _IN_MEMORY_BYTES) -> None:
        super().__init__()
        self.size = 0
        self._memory_bytes = memory_bytes
        self._position = 0
        self._memory = io.BytesIO()
        self._disk: _EncryptedDisk | None = None

    def append(self, data: Buffer) -> None:
        """Add to the end."""
        size = memoryview(data).nbytes
        if self._disk is None and self.size + size <= self._memory_bytes:
            self._memory.seek(0, os.SEEK_END)
            self._memory.write(data)
        else:
            self._spill().append(data)
        self.size += size

    def read_at(self, position: int, size: int) -> bytes:
        """Return up to `size` bytes from `position`, counted from 0; fewer at the end."""
        if self._disk is not None:
            return self._disk.read_at(position, size)
        if position == 0 and size >= self.size:
            return self._memory.getvalue()  # which is not copied until more is written
        self._memory.seek(position)
        return self._memory.read(size)

    def pieces(self) -> Iterator[bytes]:
        """Yield what it holds now, from its start."""
        end = self.size
        step = _PIECE_BYTES if self._disk else max(end, 1)
        for position in range(0, end, step):
            yield self.read_at(position, min(step, end - position))

    def _spill(self) -> _EncryptedDisk:
        if self._disk is None:
            disk = _EncryptedDisk()
            try:
                disk.append(self._memory.getvalue())
            except BaseException:
                disk.close()
                raise
            self._disk = disk
            self._memory = io.BytesIO()
        return self._disk

    def close(self) -> None:
        """Discard the content; the temporary file is gone with it."""
        self._memory.close()
        if self._disk is not None:
            self._disk.close()
        super().close()

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move as in any binary file; return the new position."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: Buffer) -> int:  # type: ignore[override] # typeshed's name for "any writable buffer" is private
        """Fill `buffer` from the current position; return how many bytes there were."""
        piece = self.read_at(self._position, len(buffer))
        memoryview(buffer)[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)


class _EncryptedDisk:
    """An unnamed temporary file, encrypted under a key of its own."""

    def __init__(self) -> None:
        self._size = 0
        self._key, counter = Secret(os.urandom(32)), os.urandom(_BLOCK_BYTES)
        self._counter = int.from_bytes(counter)
        self._encryptor = Cipher(AES256(self._key.reveal()), CTR(counter)).encryptor()
        try:
            self._file = TemporaryFile()  # noqa: SIM115 - lives as long as this object
        except OSError as error:
            raise _not_kept(error) from error

    def append(self, data: Buffer) -> None:
        encrypted = self._encryptor.update(data)
        try:
            self._file.seek(self._size)
            self._file.write(encrypted)
            self._file.flush()
        except OSError as error:
            raise _not_kept(error) from error
        self._size += len(encrypted)

    def read_at(self, position: int, size: int) -> bytes:
        block, skipped = divmod(position, _BLOCK_BYTES)
        counter = ((self._counter + block) % (1 << _COUNTER_BITS)).to_bytes(_BLOCK_BYTES)
        decryptor = Cipher(AES256(self._key.reveal()), CTR(counter)).decryptor()
        decryptor.update(bytes(skipped))
        return decryptor.update(self._encrypted_at(position, size))

    def _encrypted_at(self, position: int, size: int) -> bytes:
        if hasattr(os, "pread"):
            # A forked child shares the open file, and so its position, with its parent.
            return os.pread(self._file.fileno(), size, position)
        self._file.seek(position)
        return self._file.read(size)

    def close(self) -> None:
        self._file.close()


def _not_kept(error: OSError) -> SpoolError:
    return SpoolError(
        f"Bytes cannot be kept in a temporary file: {error.strerror or error}. Free some space in the folder for "
        "temporary files, or set TMPDIR to another one."
    )


class ReplayableStream:
    """A single-pass stream that can be read again from its start.

    What was read is kept in an `EncryptedFile`. A second reading yields what is kept, then continues the stream where
    the first one stopped.

    Args:
        source: The stream.
    """

    def __init__(self, source: Iterable[Buffer]) -> None:
        self._source = iter(source)
        self._kept = EncryptedFile()

    def chunks(self) -> Iterator[Buffer]:
        """Yield the stream from its start.

        Raises:
            SpoolError: What was read cannot be kept.
        """
        yield from self._kept.pieces()
        for chunk in self._source:
            self._kept.append(chunk)
            yield chunk

    def close(self) -> None:
        """Discard what is kept."""
        self._kept.close()
