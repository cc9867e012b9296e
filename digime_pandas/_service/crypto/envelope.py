"""Encrypt a file for a postbox, decrypt a file from a library.

An encrypted file is AES-256-CBC with PKCS#7 padding under a key of its own, and that key is wrapped with RSA-OAEP
(SHA-1, MGF1-SHA-1, empty label); both observed on the wire. CBC does not protect integrity: damage can go unnoticed
when a file is decrypted, which is why receipts have a SHA-256 and readers compare it.
"""

from __future__ import annotations

import base64
import binascii
import sys
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
from digime_pandas._service.masking.tracebacks import FramesDropped, drop_frames
from digime_pandas._service.streams import Buffer, run_in_order
from digime_pandas.errors import SealedFileError

KEY_BYTES = 32
BLOCK_BYTES = 16
_PIECE_BYTES = 1 << 20  # AES calls below this size suffer from Python threads that hold the GIL
_PIECES_AHEAD = 3  # they keep the cipher busy while a chunk is hashed
_MINIMUM_KEY_BITS = 2048
_WRAPPED_KEY_BYTES = 256
_IV_END = _WRAPPED_KEY_BYTES + BLOCK_BYTES
_OAEP = OAEP(mgf=MGF1(hashes.SHA1()), algorithm=hashes.SHA1(), label=None)  # noqa: S303 - the protocol's choice
_NOT_OPENED = "The sealed file does not open: it is damaged, cut short, or sealed for another key."


@lru_cache(maxsize=64)
def load_public_key(text: str) -> RSAPublicKey:
    """Load a postbox's public key in any form that a redirect may have it in.

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
    handled = sys.exception()
    try:
        return public_key.encrypt(key.reveal(), _OAEP)
    except BaseException as error:
        drop_frames(error, handled)
        raise


def seal_description(
    metadata: bytes, public_key: RSAPublicKey, *, key: Secret[bytes], iv: Secret[bytes]
) -> tuple[bytes, bytes]:
    """Return what goes beside an encrypted file: its description, encrypted like the file, and the wrapped key.

    Args:
        metadata: The description.
        public_key: Of the postbox.
        key: As for `encrypt_bytes`.
        iv: As for `encrypt_bytes`.
    """
    return encrypt_bytes(metadata, key=key, iv=iv), wrap_key(key, public_key)


def sealed_size(size: int) -> int:
    """Return the bytes of a file of `size` bytes once it is encrypted."""
    return (size // BLOCK_BYTES + 1) * BLOCK_BYTES


def most_plain_bytes(size: int) -> int | None:
    """Return the most bytes that a file may have of which a reader receives `size` bytes: at most 15 more than it has.

    None where a reader receives more than that: a service may answer a request for headers without a size.
    """
    return None if size < _IV_END + BLOCK_BYTES else size - _IV_END - 1


def encrypt_bytes(data: Buffer, *, key: Secret[bytes], iv: Secret[bytes]) -> bytes:
    """Return bytes encrypted in one piece.

    Args:
        data: The plain bytes.
        key: 32 bytes, used for one file and its descriptor only.
        iv: 16 bytes, used for one file and its descriptor only.
    """
    encryptor = _encryptor(key, iv)
    plain = memoryview(data).cast("B")
    return encryptor.update(plain) + encryptor.update(_padding(len(plain)))


def encrypted_pieces(
    chunks: Iterable[Buffer], *, key: Secret[bytes], iv: Secret[bytes], workers: int = 0
) -> Iterator[memoryview]:
    """Encrypt a stream of chunks.

    Args:
        chunks: The plain bytes, in chunks of any size.
        key: As for `encrypt_bytes`.
        iv: As for `encrypt_bytes`.
        workers: 1 encrypts a few pieces ahead in a thread, 0 each piece when it is asked for.

    Yields:
        Ciphertext in pieces of about 1 MiB at most. **Each piece is a view of a buffer that is filled again**: use it
        up, or copy it, before asking for the next one.
    """
    # As many buffers as there are pieces begun at a time, so that none is filled while its piece is in use.
    ahead = _PIECES_AHEAD if workers else 1
    return run_in_order(encryption_tasks(chunks, key=key, iv=iv, buffers=ahead), workers=workers, window=ahead)


def encryption_tasks(
    chunks: Iterable[Buffer], *, key: Secret[bytes], iv: Secret[bytes], buffers: int
) -> Generator[Callable[[], memoryview], None, None]:
    """Encrypt a stream of chunks in tasks, which may run in another thread than this generator.

    Args:
        chunks: As for `encrypted_pieces`.
        key: As for `encrypt_bytes`.
        iv: As for `encrypt_bytes`.
        buffers: How many tasks, and the views they returned, are in use at the same time at most.

    Yields:
        Tasks to be run in their order, one at a time. Each returns a piece of the ciphertext (an empty one, where less
        than a block has come so far), which is a view of a buffer that is filled again `buffers` tasks later.
    """
    encryptor = _encryptor(key, iv)
    pool = _BufferPool(buffers)
    size = 0

    def encrypt(piece: Buffer, buffer: memoryview) -> memoryview:
        return buffer[: encryptor.update_into(piece, buffer)]

    for chunk in chunks:
        plain = memoryview(chunk).cast("B")
        size += len(plain)
        for start in range(0, len(plain), _PIECE_BYTES):
            piece = plain[start : start + _PIECE_BYTES]
            yield partial(encrypt, piece, pool.next(len(piece) + BLOCK_BYTES))
    yield partial(encrypt, _padding(size), pool.next(2 * BLOCK_BYTES))


class _BufferPool:
    """Buffers that are used in turn, each allocated when its first turn comes.

    Args:
        count: How many there are.
    """

    def __init__(self, count: int) -> None:
        self._buffers = deque([memoryview(b"")] * count)

    def next(self, size: int) -> memoryview:
        """Return the next buffer, of at least `size` bytes."""
        self._buffers.rotate(-1)
        if len(self._buffers[0]) < size:
            self._buffers[0] = memoryview(bytearray(size))
        return self._buffers[0]


def _encryptor(key: Secret[bytes], iv: Secret[bytes]) -> CipherContext:
    handled = sys.exception()
    try:
        return Cipher(AES256(key.reveal()), CBC(iv.reveal())).encryptor()
    except BaseException as error:
        drop_frames(error, handled)
        raise


def _padding(size: int) -> bytes:
    # PKCS#7; the library's padder would copy the whole stream once more.
    missing = BLOCK_BYTES - size % BLOCK_BYTES
    return bytes([missing]) * missing


class FileDecryptor:
    """Decrypts a file as the library returns it, piece by piece: wrapped key (256 bytes), IV (16), ciphertext.

    Args:
        private_key: Key of the read contract. Only a 2048-bit key wraps to 256 bytes.
    """

    def __init__(self, private_key: RSAPrivateKey) -> None:
        self._private_key = Secret(private_key)
        self._head = b""
        self._decryptor: CipherContext | None = None
        self._unpadder = PKCS7(AES256.block_size).unpadder()
        self._last = b""

    def update(self, piece: Buffer) -> Buffer:
        """Take a piece of the encrypted file; return the plain bytes that are complete with it.

        Raises:
            SealedFileError: The file cannot be decrypted. The same error for every reason.
        """
        if self._decryptor is None:
            head = self._head + bytes(piece)
            self._head, piece = head[:_IV_END], head[_IV_END:]
            if len(self._head) < _IV_END:
                return b""
            self._decryptor = self._make_decryptor(self._head[:_WRAPPED_KEY_BYTES], self._head[_WRAPPED_KEY_BYTES:])
        # The padding is in the last block, so one block is held back; the library's unpadder would copy everything.
        held = len(self._last)
        plain = memoryview(bytearray(held + len(piece) + BLOCK_BYTES))
        plain[:held] = self._last
        size = held + self._decryptor.update_into(piece, plain[held:])
        split = max(0, size - BLOCK_BYTES)
        self._last = bytes(plain[split:size])
        return plain[:split]

    def finish(self) -> bytes:
        """Return the last of the plain bytes.

        Raises:
            SealedFileError: The file cannot be decrypted.
        """
        if self._decryptor is None:
            raise SealedFileError(_NOT_OPENED)
        try:
            self._decryptor.finalize()
            return self._unpadder.update(self._last) + self._unpadder.finalize()
        except ValueError:
            raise SealedFileError(_NOT_OPENED) from None

    def _make_decryptor(self, wrapped: bytes, iv: bytes) -> CipherContext:
        with suppress(ValueError), FramesDropped():
            key = self._private_key.reveal()
            return Cipher(AES256(key.decrypt(wrapped, _OAEP)), CBC(iv)).decryptor()
        raise SealedFileError(_NOT_OPENED)
