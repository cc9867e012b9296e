"""The body of one request, piece by piece."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from digime_pandas._service.streams import Buffer, Progress


class RequestBody:
    """The body of one attempt: counts what is sent of it, and notes how it ended.

    Args:
        pieces: The body. Each piece may be a view of one buffer that the next one overwrites.
        size: Its length in bytes, where it is known.
        progress: Called with the bytes that were taken, and with `size`, after each piece.
        copied: Whether to hand out copies, for a transport that may collect the pieces.

    Attributes:
        whole: Whether all of it was handed out.
        failed: Whether `pieces` raised.
    """

    def __init__(self, pieces: Iterable[Buffer], size: int | None, progress: Progress | None, *, copied: bool) -> None:
        self._pieces = iter(pieces)
        self._size = size
        self._progress = progress
        self._copied = copied
        self.whole = False
        self.failed = False

    def __iter__(self) -> Iterator[bytes]:
        """Hand out the pieces, each when the one before it was sent."""
        sent = 0
        try:
            for piece in self._pieces:
                sent += len(piece)
                # httpx asks for bytes; what its own transport does with a piece (join, len) works for any buffer.
                yield bytes(piece) if self._copied else piece  # type: ignore[misc] # as above
                if self._progress is not None:
                    self._progress(sent, self._size)
            self.whole = True
        except GeneratorExit:
            raise
        except BaseException:
            self.failed = True
            raise

    def close(self) -> None:
        """Close the pieces, if they are a generator."""
        close = getattr(self._pieces, "close", None)
        if close is not None:
            close()
