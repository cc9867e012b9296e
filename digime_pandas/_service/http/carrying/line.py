"""What carries requests and gives the answers to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from digime_pandas._service.http.attempts.deadline import Deadline
from digime_pandas._service.http.request import Request
from digime_pandas._service.http.request_body import RequestBody


class LineAnswer(Protocol):
    """An answer."""

    @property
    def status(self) -> int:
        """Its HTTP status."""

    @property
    def fields(self) -> Mapping[str, str]:
        """Its header fields, names in lower case."""

    @property
    def pieces(self) -> Iterable[bytes]:
        """Its body, to be iterated once."""

    @property
    def is_over(self) -> bool:
        """Whether its connection can carry another request: it need not be closed."""

    def close(self) -> None:
        """Leave the connection to another request."""


class Line(Protocol):
    """Carries requests.

    Attributes:
        copies_body: Whether pieces of a body may be collected before they are sent.
    """

    copies_body: bool

    def open(self, request: Request, body: RequestBody | None, timeout: float, deadline: Deadline) -> LineAnswer:
        """Send a request; return the answer to it as soon as its head is there.

        Args:
            request: The request.
            body: Its body.
            timeout: Seconds that one step (connecting, one read, one write) may take.
            deadline: When all of it, and the body of the answer, has to be over.

        Raises:
            Exception: One of which `lines.is_no_answer` is true; iterating the answer may raise these, too.
        """

    def close(self) -> None:
        """Close all connections."""

    def leave(self) -> None:
        """Close a forked child's copies of its parent's connections; nothing is sent on them."""
