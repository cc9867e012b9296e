"""Encrypted files: decrypting what a postbox write sends, encrypting what a reader downloads.

This is the sandbox's side of the protocol. The client's side is implemented apart from it, so that an error in one does
not hide the same error in the other.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

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
# The encrypted AES key (256 bytes with the 2048-bit key of a read contract) and the IV precede the ciphertext.
BLOB_HEADER_SIZE = 256 + BLOCK_SIZE
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
# The fastest settings: the sandbox compresses to test readers, not to save space.
_GZIP_LEVEL = 1
_BROTLI_QUALITY = 1


def _oaep() -> OAEP:
    # The protocol fixes SHA-1 (digi.me API, SDK-observed); OAEP does not depend on its collision resistance.
    return OAEP(MGF1(SHA1()), SHA1(), None)  # noqa: S303


class StreamDecryptor:
    """Decrypts AES-256-CBC with PKCS#7 padding, piece by piece.

    Args:
        key: AES key, 32 bytes.
        iv: Initialization vector, 16 bytes.
    """

    def __init__(self, key: bytes, iv: bytes) -> None:
        self._decryptor = Cipher(AES256(key), CBC(iv)).decryptor()
        self._buffer = bytearray()
        self._last_block = b""

    def update(self, piece: bytes | memoryview) -> memoryview:
        """Decrypt a piece of the ciphertext.

        The last block is held back, since it may be the one with the padding. One buffer is used for all pieces: a new
        one for each takes several times as long as decrypting it.

        Args:
            piece: Bytes of any length.

        Returns:
            Plain bytes, valid until the next call.
        """
        held_back = len(self._last_block)
        if len(self._buffer) < len(piece) + 2 * BLOCK_SIZE:
            self._buffer = bytearray(len(piece) + 2 * BLOCK_SIZE)
        view = memoryview(self._buffer)
        view[:held_back] = self._last_block
        end = held_back + self._decryptor.update_into(piece, view[held_back:])
        safe = max(end - BLOCK_SIZE, 0)
        self._last_block = bytes(view[safe:end])
        return view[:safe]

    def finish(self) -> bytes:
        """Return the last plain bytes, without the padding.

        Raises:
            ValueError: The ciphertext is truncated, or its padding is wrong.
        """
        unpadder = PKCS7(BLOCK_SIZE * 8).unpadder()
        self._decryptor.finalize()
        return unpadder.update(self._last_block) + unpadder.finalize()


def unwrap_key(private_key: RSAPrivateKey, wrapped: bytes) -> bytes:
    """Decrypt the AES key of a postbox write (RSA-OAEP with SHA-1; digi.me API, SDK-observed).

    Args:
        private_key: Key of the postbox.
        wrapped: The encrypted key.

    Returns:
        The AES key, 32 bytes.

    Raises:
        ValueError: It cannot be decrypted, or the plain key is not 32 bytes.
    """
    key = private_key.decrypt(wrapped, _oaep())
    if len(key) != KEY_SIZE:
        raise ValueError("not an AES-256 key")
    return key


def blob_size(size: int) -> int:
    """Return the length in bytes of the encrypted form of `size` bytes."""
    return BLOB_HEADER_SIZE + (size // BLOCK_SIZE + 1) * BLOCK_SIZE


def encrypt_blob(
    public_key: RSAPublicKey, content: Iterable[bytes], random_bytes: Callable[[int], bytes]
) -> Iterator[bytes]:
    """Encrypt content as the API returns files: encrypted AES key, IV, ciphertext (digi.me API, SDK-observed).

    Args:
        public_key: Of the read contract.
        content: The bytes to encrypt, in pieces.
        random_bytes: Returns the given number of random bytes, for the AES key and the IV.

    Yields:
        The encrypted form, in pieces of about the same size.
    """
    key, iv = random_bytes(KEY_SIZE), random_bytes(BLOCK_SIZE)
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
    """Compress content, piece by piece; the same content always gives the same bytes.

    Args:
        content: The bytes to compress, in pieces.
        compression: The method; None: the content is returned as it is.
    """
    if compression is None:
        yield from content
    elif compression == "gzip":
        gzip = zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP_WINDOW)
        for piece in content:
            yield gzip.compress(piece)
        yield gzip.flush()
    else:
        import brotli  # here, because few files need it

        encoder = brotli.Compressor(quality=_BROTLI_QUALITY)
        for piece in content:
            yield encoder.process(piece)
        yield encoder.finish()


def prefix_digest(content: Callable[[], Iterable[bytes]]) -> Iterator[bytes]:
    """Prefix content with its SHA-512, 64 bytes, as API v1.6 does (digi.me API, SDK-observed).

    Args:
        content: Returns the pieces from the start at each call. It is called twice: the digest precedes the content.
    """
    digest = hashlib.sha512()
    for piece in content():
        digest.update(piece)
    yield digest.digest()
    yield from content()
