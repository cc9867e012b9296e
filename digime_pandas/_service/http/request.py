"""One attempt's request, its reply, and what takes the body of a reply."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.streams import Buffer, Progress


class Receiver(Protocol):
    """Takes the body of one successful reply, piece by piece."""

    def write(self, piece: bytes) -> None:
        """Take the next piece."""

    def finish(self) -> None:
        """Take the end: the body was received whole."""

    def close(self) -> None:
        """Discard everything: the body broke off, and there may be another attempt."""


@dataclass(frozen=True, slots=True)
class Request:
    """One attempt's request.

    Args:
        method: HTTP method.
        url: Absolute address; masked where a secret is in it.
        headers: Header fields, which may hold secrets; masked as a whole if they are not yet.
        body: Pieces of the body; used once. None for no body.
        size: Length of the body in bytes where it is known, which makes it a Content-Length; else the body is chunked.
        progress: Called with the bytes of the body that the socket has taken, and with `size`, after each piece.
        receive: Makes of the headers of a success what takes its body, for bodies that may not fit into memory.
    """

    method: str
    url: str | Secret[str]
    headers: Mapping[str, str] | Secret[Mapping[str, str]] = field(repr=False)
    body: Iterable[Buffer] | None = field(default=None, repr=False)
    size: int | None = None
    progress: Progress | None = field(default=None, repr=False)
    receive: Callable[[Mapping[str, str]], Receiver] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.headers, Secret):
            object.__setattr__(self, "headers", Secret(self.headers))

    def in_clear(self) -> tuple[str, Mapping[str, str]]:
        """Return the address and the header fields to send, in clear."""
        assert isinstance(self.headers, Secret)
        length = {} if self.size is None else {"Content-Length": str(self.size)}
        url = self.url if isinstance(self.url, str) else self.url.reveal()
        return url, {**self.headers.reveal(), **length}


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful reply (2xx).

    Attributes:
        headers: Header fields, names in lower case. Only the names show.
        body: The whole body, masked; empty where it was received piece by piece.
        attempts: How many requests were made.
        received: What the request's `receive` made, after it took the whole body.
    """

    headers: Mapping[str, str] = field(repr=False)
    body: Secret[bytes] = field(repr=False)
    attempts: int = 1
    received: Any = field(default=None, repr=False)
