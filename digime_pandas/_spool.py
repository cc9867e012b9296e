"""Keeps a one-shot stream for a second attempt. No plaintext is ever written to disk."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from tempfile import SpooledTemporaryFile

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CTR

from digime_pandas._wire import Buffer
from digime_pandas.errors import SpoolError

_IN_MEMORY_BYTES = 8 << 20
_PIECE_BYTES = 1 << 20


class Spool:
    """A one-shot stream that can be read again from its start.

    What has been read is kept encrypted under a key that lives only in this object: the first 8 MiB in memory, more
    of it in an unnamed temporary file. A second reading replays what is kept and goes on with the stream where the
    first one stopped.

    Args:
        source: The stream.
    """

    def __init__(self, source: Iterable[Buffer]) -> None:
        self._source = iter(source)
        self._cipher = Cipher(AES256(os.urandom(32)), CTR(os.urandom(16)))
        self._encryptor = self._cipher.encryptor()
        self._file = SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 - lives as long as this object

    def chunks(self) -> Iterator[Buffer]:
        """Yield the stream from its start.

        Raises:
            SpoolError: The temporary file cannot be written or read, for instance because the disk is full.
        """
        decryptor = self._cipher.decryptor()
        kept = self._file.seek(0, os.SEEK_END)
        position = 0
        while position < kept:
            self._file.seek(position)
            piece = self._file.read(min(_PIECE_BYTES, kept - position))
            position += len(piece)
            yield decryptor.update(piece)
        for chunk in self._source:
            self._keep(chunk)
            yield chunk

    def close(self) -> None:
        """Forget the stream; the temporary file is gone with it."""
        self._file.close()

    def _keep(self, chunk: Buffer) -> None:
        try:
            self._file.seek(0, os.SEEK_END)
            self._file.write(self._encryptor.update(chunk))
        except OSError as error:
            raise SpoolError(
                f"The stream cannot be kept for a second attempt: {error.strerror or error}. Free some space in the "
                "folder for temporary files (TMPDIR), or write a frame, which can be serialized again."
            ) from error
