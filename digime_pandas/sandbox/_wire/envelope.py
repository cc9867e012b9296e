"""The sealed forms of a file: opening what a postbox write brings, sealing what a reader fetches.

This is the service's side. The client has its own implementation of the other side, on purpose.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

import brotli
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.padding import PKCS7

Compression = Literal["gzip", "brotli"]

BLOCK_SIZE = 16
KEY_SIZE = 32
# The wrapped key (256 bytes with the 2048-bit key of a read contract) and the IV precede the ciphertext.
BLOB_HEADER_SIZE = 256 + BLOCK_SIZE
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
# Fast settings: a sandbox compresses to exercise its reader, not to save space.
_GZIP_LEVEL = 1
_BROTLI_QUALITY = 1


def _oaep() -> OAEP:
    # SHA-1 is what the protocol fixes (digi.me API, SDK-observed); OAEP does not rest on its collision resistance.
    return OAEP(MGF1(SHA1()), SHA1(), None)  # noqa: S303


class Opener:
    """Opens AES-256-CBC with PKCS#7, piece by piece.

    Args:
        key: AES key, 32 bytes.
        iv: Initialization vector, 16 bytes.
    """

    def __init__(self, key: bytes, iv: bytes) -> None:
        self._decryptor = Cipher(AES256(key), CBC(iv)).decryptor()
        self._buffer = bytearray()
        self._last_block = b""

    def update(self, piece: bytes | memoryview) -> memoryview:
        """Return the plain bytes that are certain after this piece; they are valid until the next call.

        The last block is kept back, since it may be the one with the padding. One buffer is used throughout: a new
        one for every piece takes several times as long as the deciphering itself.
        """
        kept = len(self._last_block)
        if len(self._buffer) < len(piece) + 2 * BLOCK_SIZE:
            self._buffer = bytearray(len(piece) + 2 * BLOCK_SIZE)
        view = memoryview(self._buffer)
        view[:kept] = self._last_block
        end = kept + self._decryptor.update_into(piece, view[kept:])
        certain = max(end - BLOCK_SIZE, 0)
        self._last_block = bytes(view[certain:end])
        return view[:certain]

    def finish(self) -> bytes:
        """Return the last plain bytes.

        Raises:
            ValueError: The ciphertext is cut, or its padding is wrong.
        """
        unpadder = PKCS7(BLOCK_SIZE * 8).unpadder()
        self._decryptor.finalize()
        return unpadder.update(self._last_block) + unpadder.finalize()


def unwrap_key(private_key: RSAPrivateKey, wrapped: bytes) -> bytes:
    """Return the AES key of a postbox write (RSA-OAEP with SHA-1; digi.me API, SDK-observed).

    Raises:
        ValueError: It does not open, or what is inside is not 32 bytes.
    """
    key = private_key.decrypt(wrapped, _oaep())
    if len(key) != KEY_SIZE:
        raise ValueError("not an AES-256 key")
    return key


def sealed_size(size: int) -> int:
    """Return the length in bytes of the blob that holds `size` bytes."""
    return BLOB_HEADER_SIZE + (size // BLOCK_SIZE + 1) * BLOCK_SIZE


def seal(public_key: RSAPublicKey, content: Iterable[bytes]) -> Iterator[bytes]:
    """Seal content as the API returns files: wrapped key, IV, ciphertext (digi.me API, SDK-observed).

    Args:
        public_key: Of the read contract.
        content: The bytes to seal, in pieces.

    Yields:
        The blob, in pieces of about the same size.
    """
    key, iv = os.urandom(KEY_SIZE), os.urandom(BLOCK_SIZE)
    encryptor = Cipher(AES256(key), CBC(iv)).encryptor()
    padder = PKCS7(BLOCK_SIZE * 8).padder()
    buffer = bytearray()

    def encrypt(plain: bytes) -> bytes:
        nonlocal buffer
        if len(buffer) < len(plain) + BLOCK_SIZE:
            buffer = bytearray(len(plain) + BLOCK_SIZE)
        return bytes(memoryview(buffer)[: encryptor.update_into(plain, buffer)])

    pending = public_key.encrypt(key, _oaep()) + iv
    for piece in content:
        yield pending + encrypt(padder.update(piece))
        pending = b""
    yield pending + encrypt(padder.finalize()) + encryptor.finalize()


def compress(content: Iterable[bytes], compression: Compression | None) -> Iterator[bytes]:
    """Compress content piece by piece; the same content always gives the same bytes."""
    if compression is None:
        yield from content
    elif compression == "gzip":
        gzip = zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP_WINDOW)
        for piece in content:
            yield gzip.compress(piece)
        yield gzip.flush()
    else:
        encoder = brotli.Compressor(quality=_BROTLI_QUALITY)
        for piece in content:
            yield encoder.process(piece)
        yield encoder.finish()


def prefix_digest(content: Callable[[], Iterable[bytes]]) -> Iterator[bytes]:
    """Put the SHA-512 of the content in front of it, as API v1.6 does (digi.me API, SDK-observed).

    Args:
        content: Gives the pieces anew at each call, since the digest has to be known before the first byte.
    """
    digest = hashlib.sha512()
    for piece in content():
        digest.update(piece)
    yield digest.digest()
    yield from content()
