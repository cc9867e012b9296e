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
        whole: Whether all of it was handed out, and asked for to the end.
        lost: Whether all of it was handed out to what was not waited for any longer: it may arrive later.
        failed: Whether `pieces` raised.
    """

    def __init__(self, pieces: Iterable[Buffer], size: int | None, progress: Progress | None, *, copied: bool) -> None:
        self._pieces = iter(pieces)
        self._size = size
        self._progress = progress
        self._copied = copied
        self._sent = 0
        self.whole = False
        self.lost = False
        self.failed = False

    def __iter__(self) -> Iterator[bytes]:
        """Hand out the pieces, each when the one before it was sent."""
        try:
            for piece in self._pieces:
                self._sent += len(piece)
                # httpx asks for bytes; what its own transport does with a piece (join, len) works for any buffer.
                yield bytes(piece) if self._copied else piece  # type: ignore[misc] # as above
                if self._progress is not None:
                    self._progress(self._sent, self._size)
            self.whole = True
        except GeneratorExit:
            raise
        except BaseException:
            self.failed = True
            raise

    def leave(self) -> None:
        """Note that what was handed out is not waited for any longer."""
        self.lost = self._size is not None and self._sent >= self._size

    def close(self) -> None:
        """Close the pieces, if they are a generator."""
        close = getattr(self._pieces, "close", None)
        if close is not None:
            close()
