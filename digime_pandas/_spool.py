"""Keeps a one-shot stream for a second attempt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from digime_pandas._vault import Vault
from digime_pandas._wire import Buffer

_PIECE_BYTES = 1 << 20


class Spool:
    """A one-shot stream that can be read again from its start.

    What has been read is kept, encrypted. A second reading replays what is kept and goes on with the stream where the
    first one stopped.

    Args:
        source: The stream.
    """

    def __init__(self, source: Iterable[Buffer]) -> None:
        self._source = iter(source)
        self._kept = Vault()

    def chunks(self) -> Iterator[Buffer]:
        """Yield the stream from its start.

        Raises:
            SpoolError: What was read cannot be kept.
        """
        kept = self._kept.size
        for position in range(0, kept, _PIECE_BYTES):
            yield self._kept.read_at(position, min(_PIECE_BYTES, kept - position))
        for chunk in self._source:
            self._kept.append(chunk)
            yield chunk

    def close(self) -> None:
        """Forget the stream."""
        self._kept.close()
