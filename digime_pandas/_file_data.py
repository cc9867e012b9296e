"""What may be passed as the content of a file: bytes, a binary file, or an iterable of bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import BinaryIO

from digime_pandas._wire import Buffer
from digime_pandas.errors import InputError

FileData = Buffer | BinaryIO | Iterable[Buffer]

_PIECE_BYTES = 1 << 20


def pieces_of(data: memoryview) -> Iterator[memoryview]:
    """Return bytes in pieces of 1 MiB, without copying them."""
    return (data[start : start + _PIECE_BYTES] for start in range(0, len(data), _PIECE_BYTES))


def checked_pieces(file_data: object) -> Iterator[Buffer]:
    """Return the pieces that a binary file or an iterable of bytes gives, each checked when it comes.

    Raises:
        InputError: It is neither, or gives something else than bytes.
    """
    read: Callable[[int], bytes] | None = getattr(file_data, "read", None)
    if read is not None:
        source: Iterable[object] = iter(lambda: read(_PIECE_BYTES), b"")
    elif isinstance(file_data, Iterable) and not isinstance(file_data, str | Mapping):
        source = file_data
    else:
        raise InputError(
            f"file_data is a {type(file_data).__name__}; pass bytes, a binary file or an iterable of bytes."
        )
    return _only_bytes(source)


def flat(data: Buffer) -> memoryview:
    """Return a view of single bytes; data that is not contiguous is copied."""
    view = memoryview(data)
    return view.cast("B") if view.c_contiguous else memoryview(view.tobytes())


def _only_bytes(source: Iterable[object]) -> Iterator[Buffer]:
    for piece in source:
        if not isinstance(piece, bytes | bytearray | memoryview):
            raise InputError(f"file_data gave a {type(piece).__name__}; it must give bytes (open files in mode 'rb').")
        yield flat(piece)
