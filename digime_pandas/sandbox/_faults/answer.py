"""Answers: the application's own, received whole, and those that are given in its place."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from digime_pandas.sandbox._faults.calls import Scope

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_BODILESS = {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of HTTP.

    Attributes:
        status: Its status.
        headers: Its header fields, without those that frame the body; names in lower case.
        body: Its body.
        length: Content-Length that it states; None: that of the body.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    length: int | None = None

    def with_headers(self, headers: dict[str, str]) -> tuple[tuple[str, str], ...]:
        """Return the header fields, with others in place of those of the same name."""
        names = {name.lower() for name in headers}
        return (*((name, value) for name, value in self.headers if name not in names), *headers.items())

    def head(self) -> bytes:
        """Return status line and header fields as bytes; the connection ends with the answer."""
        try:
            phrase = HTTPStatus(self.status).phrase
        except ValueError:
            phrase = ""
        length = len(self.body) if self.length is None else self.length
        framing = [] if self.status in _BODILESS else [("content-length", str(length))]
        fields = [*self.headers, *framing, ("connection", "close")]
        lines = [f"HTTP/1.1 {self.status} {phrase}", *(f"{name}: {value}" for name, value in fields)]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    @property
    def shown_body(self) -> bytes:
        """The body as it is sent: none for a status that has none."""
        return b"" if self.status in _BODILESS else self.body


async def answer_of(app: App, scope: Scope, receive: Receive) -> Answer:
    """Let an application answer a request, and return the answer whole."""
    head: Message = {}
    body = bytearray()

    async def collect(message: Message) -> None:
        if message["type"] == "http.response.start":
            head.update(message)
        else:
            body.extend(message.get("body", b""))

    await app(scope, receive, collect)
    headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in head.get("headers", [])]
    length = next((int(value) for name, value in headers if name == "content-length"), None)
    kept = tuple(each for each in headers if each[0] not in {"content-length", "transfer-encoding", "connection"})
    # That of an answer to HEAD is not its body's.
    return Answer(head["status"], kept, bytes(body), length if scope["method"] == "HEAD" else None)


async def drain(receive: Receive) -> bool:
    """Read a request's body to its end; return whether all of it came."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return False
        if not message.get("more_body", False):
            return True
