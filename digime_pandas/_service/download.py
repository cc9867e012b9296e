"""An encrypted file while it is received: decrypted, checked, decompressed and kept, in bounded memory."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import sha256, sha512

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from digime_pandas._service.crypto.encrypted_file import EncryptedFile
from digime_pandas._service.crypto.envelope import FileDecryptor
from digime_pandas._service.messages import parse_file_metadata
from digime_pandas._service.received.byte_limit import ByteLimit
from digime_pandas._service.received.decompression import PIECE_BYTES, decompressor
from digime_pandas._service.received.large_memory import LargeMemory
from digime_pandas._service.streams import SMALL_BYTES, Buffer
from digime_pandas.errors import ReadError, SealedFileError
from digime_pandas.errors.commands import READ_AS_IT_IS

_SHA512_BYTES = 64
# Beyond those of the plain file: key, IV, padding and hash, and what compression adds to what it cannot make smaller.
_OVERHEAD_BYTES = 1 << 20


class Download:
    """One attempt at fetching a file.

    Args:
        headers: Header fields of the reply; `X-Metadata` says how the file is compressed.
        private_key: The read contract's key.
        hashed: Whether the plain bytes begin with the SHA-512 of the rest, as they do on API v1.6 (observed).
        limit: How many bytes the plain file may have.

    Attributes:
        content: The plain file, once `finish` was called.

    Raises:
        ReplyError: The headers do not describe the file.
        ReadError: The file is larger than it may be, as far as the headers say it.
    """

    def __init__(
        self,
        headers: Mapping[str, str],
        private_key: RSAPrivateKey,
        *,
        hashed: bool,
        limit: ByteLimit = ByteLimit(),  # noqa: B008 - a constant
    ) -> None:
        metadata = parse_file_metadata(headers, "read a file")
        self._limit = limit
        self._received = 0
        self._check_received(metadata.stored_size or 0, is_whole=True)
        self.content = _place_for(limit)
        self._decryptor = FileDecryptor(private_key)
        self._check = _LeadingHash() if hashed else None
        self._decompressor = decompressor(metadata.compression)

    @property
    def sha256(self) -> str:
        """SHA-256 of the plain file, as hex digits, found out when it is asked for."""
        digest = sha256()
        for piece in self.content.pieces():
            digest.update(piece)
        return digest.hexdigest()

    def begin_sha256(self) -> Callable[[], str]:
        """Begin to find out the SHA-256 in another thread; return what waits for it and returns it."""
        if self.content.size <= SMALL_BYTES:
            return partial(str, self.sha256)
        thread = ThreadPoolExecutor(1, thread_name_prefix="digime-pandas")
        begun = thread.submit(lambda: self.sha256)
        thread.shutdown(wait=False)
        return begun.result

    def write(self, piece: Buffer) -> None:
        """Take the next piece of the encrypted file.

        Raises:
            SealedFileError: It cannot be decrypted.
            ReadError: The file is larger than it may be.
            SpoolError: It cannot be kept.
        """
        self._received += memoryview(piece).nbytes
        self._check_received(self._received)
        self._take(self._decryptor.update(piece))

    def finish(self) -> None:
        """Take the end of the encrypted file.

        Raises:
            SealedFileError: It cannot be decrypted, or is damaged.
            ReadError: The file is larger than it may be.
            SpoolError: It cannot be kept.
        """
        self._take(self._decryptor.finish())
        if self._check is not None:
            self._check.finish()
        self._keep(self._decompressor.finish())

    def read(self) -> bytes:
        """Return the plain file."""
        return self.content.read_at(0, self.content.size)

    def view(self) -> memoryview | bytes:
        """Return the plain file without a copy: a view of it where the limit says that it is read in place."""
        # Of bytes, unlike of a view of them, a `BytesIO` is made without a copy, too.
        return self.content.view() if isinstance(self.content, LargeMemory) else self.read()

    def close(self) -> None:
        """Discard what was kept; what was read of it stays."""
        self.content.close()

    def _take(self, plain: Buffer) -> None:
        if self._check is not None:
            plain = self._check.update(plain)
        for start in range(0, len(plain), PIECE_BYTES):
            for piece in self._decompressor.update(plain[start : start + PIECE_BYTES]):
                self._keep(piece)

    def _check_received(self, size: int, *, is_whole: bool = False) -> None:
        if size > self._limit.most + _OVERHEAD_BYTES:
            self._limit.check(size, is_whole=is_whole)

    def _keep(self, plain: Buffer) -> None:
        self._limit.check_decompressed(self.content.size + len(plain), self._received)
        try:
            self.content.append(plain)
        except MemoryError:
            raise ReadError(
                "There is not enough memory to receive the file.",
                remedy="Read it in pieces, with read_batches, or save it, with LibraryFile.save.",
                command=READ_AS_IT_IS,
            ) from None


def _place_for(limit: ByteLimit) -> EncryptedFile | LargeMemory:
    if limit.in_place:
        return LargeMemory()
    return EncryptedFile() if limit.in_pieces else EncryptedFile(limit.most)


class _LeadingHash:
    """Takes the SHA-512 from the front of a stream and compares it with that of the rest."""

    def __init__(self) -> None:
        self._expected = b""
        self._digest = sha512()

    def update(self, plain: Buffer) -> Buffer:
        missing = _SHA512_BYTES - len(self._expected)
        self._expected += plain[:missing]
        self._digest.update(plain[missing:])
        return plain[missing:]

    def finish(self) -> None:
        if not hmac.compare_digest(self._expected, self._digest.digest()):
            raise SealedFileError("The sealed file opens, but its SHA-512 differs: it was damaged.")
