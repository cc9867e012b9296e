"""The request of one upload, signed: all that it takes to send the file, without the key that signed it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from digime_pandas._service.crypto.envelope import encrypt_bytes, encrypted_pieces, sealed_size
from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.streams import Buffer


@dataclass(frozen=True, slots=True)
class FileKey:
    """The AES key and the IV of one file and its descriptor."""

    key: Secret[bytes]
    iv: Secret[bytes]


@dataclass(frozen=True, slots=True)
class SignedUpload:
    """The request of one upload without its file. It is good for one attempt: its nonce counts once.

    Args:
        url: Absolute address.
        headers: Header fields, the signed token among them.
        file_key: What the file is to be encrypted with; None: it is sent as it is (direct import).
        head: What the body has before the file.
        tail: What the body has after it.
    """

    url: str = field(repr=False)
    headers: Secret[Mapping[str, str]]
    file_key: FileKey | None = None
    head: bytes = field(default=b"", repr=False)
    tail: bytes = field(default=b"", repr=False)

    def body(
        self, content: bytes | Callable[[], Iterable[Buffer]], size: int | None, *, workers: int = 0
    ) -> tuple[Iterable[Buffer], int | None]:
        """Return the body of the request with a file, and the body's length in bytes where it is known.

        Args:
            content: The plain bytes of a small file, or what yields those of any other.
            size: Their number, where it is known.
            workers: 1 encrypts in a thread beside the one that sends, 0 in that one.
        """
        if self.file_key is None:
            return ([content] if isinstance(content, bytes) else content()), size
        key, iv = self.file_key.key, self.file_key.iv
        if isinstance(content, bytes):
            whole = b"".join([self.head, encrypt_bytes(content, key=key, iv=iv), self.tail])
            return [whole], len(whole)
        length = None if size is None else len(self.head) + sealed_size(size) + len(self.tail)
        pieces = encrypted_pieces(content(), key=key, iv=iv, workers=workers)
        return _enclosed(self.head, pieces, self.tail), length


def _enclosed(head: bytes, pieces: Iterator[Buffer], tail: bytes) -> Iterator[Buffer]:
    # A generator, unlike a chain, ends `pieces` when it is closed itself.
    yield head
    yield from pieces
    yield tail
