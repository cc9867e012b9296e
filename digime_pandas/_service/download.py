"""An encrypted file while it is received: decrypted, checked, decompressed and kept, in bounded memory."""

from __future__ import annotations

import hmac
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from hashlib import sha256, sha512
from typing import Protocol

import brotli
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from digime_pandas._service.crypto.encrypted_file import EncryptedFile
from digime_pandas._service.crypto.envelope import FileDecryptor
from digime_pandas._service.messages import parse_file_metadata
from digime_pandas._service.streams import Buffer
from digime_pandas.errors import SealedFileError

_GZIP_WINDOW = 31  # to zlib: a gzip header, and the largest window
_SHA512_BYTES = 64
_PIECE_BYTES = 1 << 20


class Download:
    """One attempt at fetching a file.

    Args:
        headers: Header fields of the reply; `X-Metadata` says how the file is compressed.
        private_key: The read contract's key.
        hashed: Whether the plain bytes begin with the SHA-512 of the rest, as they do on API v1.6 (observed).

    Attributes:
        content: The plain file, once `finish` was called.
    """

    def __init__(self, headers: Mapping[str, str], private_key: RSAPrivateKey, *, hashed: bool) -> None:
        compression = parse_file_metadata(headers, "read a file").compression
        self.content = EncryptedFile()
        self._digest = sha256()
        self._decryptor = FileDecryptor(private_key)
        self._check = _LeadingHash() if hashed else None
        self._decompressor = _decompressor(compression)

    @property
    def sha256(self) -> str:
        """SHA-256 of the plain file, as hex digits."""
        return self._digest.hexdigest()

    def write(self, piece: Buffer) -> None:
        """Take the next piece of the encrypted file.

        Raises:
            SealedFileError: It cannot be decrypted.
            SpoolError: It cannot be kept.
        """
        self._take(self._decryptor.update(piece))

    def finish(self) -> None:
        """Take the end of the encrypted file.

        Raises:
            SealedFileError: It cannot be decrypted, or is damaged.
            SpoolError: It cannot be kept.
        """
        self._take(self._decryptor.finish())
        if self._check is not None:
            self._check.finish()
        self._keep(self._decompressor.finish())

    def read(self) -> bytes:
        """Return the plain file."""
        return self.content.read_at(0, self.content.size)

    def close(self) -> None:
        """Discard what was kept."""
        self.content.close()

    def _take(self, plain: bytes) -> None:
        if self._check is not None:
            plain = self._check.update(plain)
        for start in range(0, len(plain), _PIECE_BYTES):
            for piece in self._decompressor.update(plain[start : start + _PIECE_BYTES]):
                self._keep(piece)

    def _keep(self, plain: bytes) -> None:
        self._digest.update(plain)
        self.content.append(plain)


class _LeadingHash:
    """Takes the SHA-512 from the front of a stream and compares it with that of the rest."""

    def __init__(self) -> None:
        self._expected = b""
        self._digest = sha512()

    def update(self, plain: bytes) -> bytes:
        missing = _SHA512_BYTES - len(self._expected)
        self._expected += plain[:missing]
        self._digest.update(plain[missing:])
        return plain[missing:]

    def finish(self) -> None:
        if not hmac.compare_digest(self._expected, self._digest.digest()):
            raise SealedFileError("The sealed file opens, but its SHA-512 differs: it was damaged.")


class _Decompressor(Protocol):
    """Yields the decompressed bytes in pieces of a few MiB at most, however high the compression is."""

    def update(self, data: bytes) -> Iterator[bytes]: ...
    def finish(self) -> bytes: ...


class _Plain:
    def update(self, data: bytes) -> Iterator[bytes]:
        yield data

    def finish(self) -> bytes:
        return b""


class _Gzip:
    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_GZIP_WINDOW)

    def update(self, data: bytes) -> Iterator[bytes]:
        while True:
            if self._stream.eof:
                # A file may have several members in a row (RFC 1952), and zeros behind them.
                data = data.lstrip(b"\0")
                self._stream = zlib.decompressobj(_GZIP_WINDOW) if data else self._stream
            if not data:
                return
            yield _valid("gzip", partial(self._stream.decompress, data, _PIECE_BYTES))
            data = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail

    def finish(self) -> bytes:
        rest = _valid("gzip", self._stream.flush)
        return rest if self._stream.eof else _valid("gzip", _incomplete)


class _Brotli:
    def __init__(self) -> None:
        self._stream = brotli.Decompressor()

    def update(self, data: bytes) -> Iterator[bytes]:
        while plain := _valid("Brotli", partial(self._stream.process, data, output_buffer_limit=_PIECE_BYTES)):
            yield plain
            if self._stream.is_finished():
                return
            data = b""

    def finish(self) -> bytes:
        return b"" if self._stream.is_finished() else _valid("Brotli", _incomplete)


def _decompressor(compression: str | None) -> _Decompressor:
    # Anything else means "as it is", as in the vendor's SDKs (observed: "no-compression").
    known: dict[str | None, type[_Decompressor]] = {"gzip": _Gzip, "brotli": _Brotli}
    return known.get(compression, _Plain)()


def _valid(name: str, step: Callable[[], bytes]) -> bytes:
    try:
        return step()
    except (zlib.error, brotli.error, EOFError):
        raise SealedFileError(f"The sealed file opens, but is not valid {name}.") from None


def _incomplete() -> bytes:
    raise EOFError
