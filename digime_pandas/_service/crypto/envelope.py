"""Seal a file for a postbox, open a file from a library.

A sealed file is AES-256-CBC with PKCS#7 padding under a key of its own, and that key is wrapped with RSA-OAEP (SHA-1,
MGF1-SHA-1, empty label); both observed on the wire. CBC does not protect integrity: damage can go unnoticed when a
file is opened, which is why receipts carry a SHA-256 and readers check it.
"""

from __future__ import annotations

import base64
import binascii
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from functools import lru_cache, partial

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import load_der_public_key

from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.masking.tracebacks import FramesDropped
from digime_pandas._service.messages import Buffer
from digime_pandas.errors import SealedFileError

KEY_BYTES = 32
BLOCK_BYTES = 16
_PIECE_BYTES = 1 << 20  # AES calls below this size suffer from Python threads that hold the GIL
_MINIMUM_KEY_BITS = 2048
_WRAPPED_KEY_BYTES = 256
_IV_END = _WRAPPED_KEY_BYTES + BLOCK_BYTES
_NOT_OPENED = "The sealed file does not open: it is damaged, cut short, or sealed for another key."


def _oaep() -> OAEP:
    return OAEP(mgf=MGF1(hashes.SHA1()), algorithm=hashes.SHA1(), label=None)  # noqa: S303 - the protocol's choice


@lru_cache(maxsize=64)
def load_public_key(text: str) -> RSAPublicKey:
    """Load a postbox's public key in any spelling a redirect may carry.

    PKCS#1 or SPKI, as PEM (LF, CRLF or on one line) or as bare base64 with or without line breaks. Which of them the
    service sends is not known.

    Raises:
        ValueError: It is no RSA public key. The text itself is not quoted.
    """
    body = "".join(text.partition("-----END")[0].rpartition("-----")[2].split()) if "-----" in text else ""
    try:
        der = base64.b64decode(body or "".join(text.split()), validate=True)
        key = load_der_public_key(der)
    except (ValueError, binascii.Error, UnsupportedAlgorithm):
        raise ValueError("the postbox's public key is not an RSA key in PEM or base64") from None
    if not isinstance(key, RSAPublicKey):
        raise ValueError("the postbox's public key is of another kind than RSA")
    if key.key_size < _MINIMUM_KEY_BITS:
        raise ValueError(f"the postbox's public key has {key.key_size} bits, and at least {_MINIMUM_KEY_BITS} are safe")
    return key


def wrap_key(key: Secret[bytes], public_key: RSAPublicKey) -> bytes:
    """Return the AES key wrapped for the holder of `public_key`."""
    with FramesDropped():
        return public_key.encrypt(key.reveal(), _oaep())


def sealed_size(size: int) -> int:
    """Return how many bytes a file of `size` bytes has once it is sealed."""
    return (size // BLOCK_BYTES + 1) * BLOCK_BYTES


def seal(chunks: Iterable[Buffer], *, key: Secret[bytes], iv: Secret[bytes]) -> Iterator[memoryview]:
    """Encrypt a stream of chunks.

    Args:
        chunks: The plain bytes, in pieces of any size.
        key: 32 bytes, used for this file only.
        iv: 16 bytes, used for this file only.

    Yields:
        Ciphertext in pieces of about 1 MiB at most. **Each piece is a view of one buffer that the next one
        overwrites**: use it up, or copy it, before asking for more.
    """
    return (task() for task in encryption_tasks(chunks, key=key, iv=iv, buffers=1))


def encryption_tasks(
    chunks: Iterable[Buffer], *, key: Secret[bytes], iv: Secret[bytes], buffers: int
) -> Generator[Callable[[], memoryview], None, None]:
    """Encrypt a stream of chunks in tasks, which may run in another thread than this generator.

    Args:
        chunks: As for `seal`, and so are the key and the IV.
        key: 32 bytes.
        iv: 16 bytes.
        buffers: How many tasks, and views they returned, are in use at the same time at most.

    Yields:
        Tasks to be run in their order, one at a time. Each returns a piece of the ciphertext (an empty one, where less
        than a block has come so far), which is a view of a buffer that is filled again `buffers` tasks later.
    """
    with FramesDropped():
        encryptor = Cipher(AES256(key.reveal()), CBC(iv.reveal())).encryptor()
    ring = _BufferPool(buffers)
    size = 0

    def encrypt(piece: Buffer, buffer: memoryview) -> memoryview:
        return buffer[: encryptor.update_into(piece, buffer)]

    for chunk in chunks:
        plain = memoryview(chunk).cast("B")
        size += len(plain)
        for start in range(0, len(plain), _PIECE_BYTES):
            piece = plain[start : start + _PIECE_BYTES]
            yield partial(encrypt, piece, ring.next(len(piece) + BLOCK_BYTES))
    # PKCS#7; the library's padder would copy the whole stream once more.
    missing = BLOCK_BYTES - size % BLOCK_BYTES
    yield partial(encrypt, bytes([missing]) * missing, ring.next(2 * BLOCK_BYTES))


class _BufferPool:
    """Buffers that are used in turn, each made when a turn needs it."""

    def __init__(self, count: int) -> None:
        self._buffers = deque([memoryview(b"")] * count)

    def next(self, size: int) -> memoryview:
        """Return a buffer of at least so many bytes."""
        self._buffers.rotate(-1)
        if len(self._buffers[0]) < size:
            self._buffers[0] = memoryview(bytearray(size))
        return self._buffers[0]


def encrypt_bytes(data: bytes, *, key: Secret[bytes], iv: Secret[bytes]) -> bytes:
    """Encrypt a short text in one go, with the key and the IV of the file it belongs to."""
    return b"".join(bytes(piece) for piece in seal([data], key=key, iv=iv))


class FileDecryptor:
    """Opens a file as the library returns it, piece by piece: wrapped key (256 bytes), IV (16), ciphertext.

    Args:
        private_key: Key of the read contract. Only 2048-bit keys have blobs of this layout.
    """

    def __init__(self, private_key: RSAPrivateKey) -> None:
        self._private_key = Secret(private_key)
        self._head = b""
        self._decryptor: CipherContext | None = None
        self._unpadder = PKCS7(AES256.block_size).unpadder()
        self._last = b""

    def update(self, piece: Buffer) -> bytes:
        """Return what can be told of the plain bytes by now.

        Raises:
            SealedFileError: It does not open. One opaque error, whatever the reason.
        """
        if self._decryptor is None:
            head = self._head + bytes(piece)
            self._head, piece = head[:_IV_END], head[_IV_END:]
            if len(self._head) < _IV_END:
                return b""
            self._decryptor = self._decrypting(self._head[:_WRAPPED_KEY_BYTES], self._head[_WRAPPED_KEY_BYTES:])
        # The padding is in the last block, so one block stays behind; the library's unpadder would copy everything.
        plain = self._last + self._decryptor.update(piece)
        split = max(0, len(plain) - BLOCK_BYTES)
        self._last = plain[split:]
        return plain[:split]

    def finish(self) -> bytes:
        """Return the end of the plain bytes.

        Raises:
            SealedFileError: It does not open.
        """
        if self._decryptor is None:
            raise SealedFileError(_NOT_OPENED)
        try:
            self._decryptor.finalize()
            return self._unpadder.update(self._last) + self._unpadder.finalize()
        except ValueError:
            raise SealedFileError(_NOT_OPENED) from None

    def _decrypting(self, wrapped: bytes, iv: bytes) -> CipherContext:
        with suppress(ValueError), FramesDropped():
            key = self._private_key.reveal()
            return Cipher(AES256(key.decrypt(wrapped, _oaep())), CBC(iv)).decryptor()
        raise SealedFileError(_NOT_OPENED)


def open_blob(blob: Buffer, private_key: RSAPrivateKey) -> bytes:
    """Open a whole file; see `FileDecryptor`."""
    opener = FileDecryptor(private_key)
    return opener.update(blob) + opener.finish()
