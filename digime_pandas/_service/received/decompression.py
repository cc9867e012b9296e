"""Decompression in pieces of bounded size."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol

from digime_pandas._service.streams import Buffer
from digime_pandas.errors import SealedFileError

PIECE_BYTES = 1 << 20
_GZIP_WINDOW = 31  # to zlib: a gzip header, and the largest window
_GZIP_BYTES = 1 << 14


class Decompressor(Protocol):
    """Yields the decompressed bytes in pieces of a few MiB at most, however high the compression is."""

    def update(self, data: Buffer) -> Iterator[Buffer]:
        """Take the next compressed bytes."""

    def finish(self) -> bytes:
        """Take the end, and return the last bytes."""


def is_compressed(compression: str | None) -> bool:
    """Tell whether the member `compression` of an `X-Metadata` is one that `decompressor` knows."""
    return compression in {"gzip", "brotli"}


def decompressor(compression: str | None) -> Decompressor:
    """Return what decompresses a file.

    Args:
        compression: Member `compression` of its `X-Metadata`. Anything but gzip and brotli means "as it is", as in the
            vendor's SDKs (observed: "no-compression").
    """
    known: dict[str | None, type[Decompressor]] = {"gzip": _Gzip, "brotli": _Brotli}
    return known.get(compression, _Plain)()


class _Plain:
    def update(self, data: Buffer) -> Iterator[Buffer]:
        yield data

    def finish(self) -> bytes:
        return b""


class _Gzip:
    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_GZIP_WINDOW)

    def update(self, data: Buffer) -> Iterator[bytes]:
        # What follows a member is copied, so that many small members in one large piece would be copied often.
        for start in range(0, len(data), _GZIP_BYTES):
            yield from self._decompressed(bytes(data[start : start + _GZIP_BYTES]))

    def _decompressed(self, data: bytes) -> Iterator[bytes]:
        while True:
            if self._stream.eof:
                # A file may have several members in a row (RFC 1952), and zeros behind them.
                data = data.lstrip(b"\0")
                self._stream = zlib.decompressobj(_GZIP_WINDOW) if data else self._stream
            if not data:
                return
            yield _valid("gzip", partial(self._stream.decompress, data, PIECE_BYTES))
            data = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail

    def finish(self) -> bytes:
        rest = _valid("gzip", self._stream.flush)
        return rest if self._stream.eof else _valid("gzip", _incomplete)


class _Brotli:
    def __init__(self) -> None:
        import brotli  # here, because few files need it

        self._stream = brotli.Decompressor()
        self._error = brotli.error

    def update(self, data: Buffer) -> Iterator[bytes]:
        while plain := self._decompressed(data):
            yield plain
            if self._stream.is_finished():
                return
            data = b""

    def finish(self) -> bytes:
        return b"" if self._stream.is_finished() else _valid("Brotli", _incomplete)

    def _decompressed(self, data: Buffer) -> bytes:
        return _valid("Brotli", partial(self._stream.process, data, output_buffer_limit=PIECE_BYTES), self._error)


def _valid(name: str, step: Callable[[], bytes], error: type[Exception] = zlib.error) -> bytes:
    try:
        return step()
    except (error, EOFError):
        raise SealedFileError(f"The sealed file opens, but is not valid {name}.") from None


def _incomplete() -> bytes:
    raise EOFError
