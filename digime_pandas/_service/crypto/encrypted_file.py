"""A temporary file that nobody else can read. No plaintext is ever written to disk."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from tempfile import SpooledTemporaryFile

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CTR

from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.messages import Buffer
from digime_pandas.errors import SpoolError

_IN_MEMORY_BYTES = 8 << 20
_BLOCK_BYTES = 16
_COUNTER_BITS = 128


class EncryptedFile(io.RawIOBase):
    """Bytes that are appended, and then read anywhere, as of a binary file.

    They are encrypted (AES-256-CTR) under a key that lives only in this object: the first 8 MiB in memory, more of
    them in an unnamed temporary file, which is gone when this is closed or garbage collected.

    Methods raise `SpoolError` where the temporary file cannot be written, for instance because the disk is full.
    """

    def __init__(self) -> None:
        super().__init__()
        self.size = 0
        self._position = 0
        self._key, counter = Secret(os.urandom(32)), os.urandom(_BLOCK_BYTES)
        self._counter = int.from_bytes(counter)
        self._encryptor = Cipher(AES256(self._key.reveal()), CTR(counter)).encryptor()
        self._file = SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 - lives as long as this object

    def append(self, data: Buffer) -> None:
        """Add to the end."""
        encrypted = self._encryptor.update(data)
        try:
            self._file.seek(self.size)
            self._file.write(encrypted)
            self._file.flush()
        except OSError as error:
            raise SpoolError(
                f"Bytes cannot be kept in a temporary file: {error.strerror or error}. Free some space in the folder "
                "for temporary files, or set TMPDIR to another one."
            ) from error
        self.size += len(encrypted)

    def read_at(self, position: int, size: int) -> bytes:
        """Return up to `size` bytes from `position`, counted from 0; fewer at the end."""
        block, skipped = divmod(position, _BLOCK_BYTES)
        counter = ((self._counter + block) % (1 << _COUNTER_BITS)).to_bytes(_BLOCK_BYTES)
        decryptor = Cipher(AES256(self._key.reveal()), CTR(counter)).decryptor()
        decryptor.update(bytes(skipped))
        return decryptor.update(self._encrypted_at(position, size))

    def _encrypted_at(self, position: int, size: int) -> bytes:
        if self.size > _IN_MEMORY_BYTES and hasattr(os, "pread"):
            # A forked child has the same file open, and where that stands is one position for both processes.
            return os.pread(self._file.fileno(), size, position)
        self._file.seek(position)
        return self._file.read(size)

    def close(self) -> None:
        """Forget the bytes; the temporary file is gone with them."""
        self._file.close()
        super().close()

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move as any binary file does; return the new position."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: Buffer) -> int:  # type: ignore[override] # typeshed's name for "any writable buffer" is private
        """Fill `buffer` from where it stands; return how many bytes there were."""
        piece = self.read_at(self._position, len(buffer))
        memoryview(buffer)[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)


_PIECE_BYTES = 1 << 20


class ReplayableStream:
    """A one-shot stream that can be read again from its start.

    What has been read is kept, encrypted. A second reading replays what is kept and goes on with the stream where the
    first one stopped.

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
        kept = self._kept.size
        for position in range(0, kept, _PIECE_BYTES):
            yield self._kept.read_at(position, min(_PIECE_BYTES, kept - position))
        for chunk in self._source:
            self._kept.append(chunk)
            yield chunk

    def close(self) -> None:
        """Forget the stream."""
        self._kept.close()
