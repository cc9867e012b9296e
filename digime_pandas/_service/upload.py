"""Send one file under one authorization, refreshing it once where the service asks for that."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from typing import BinaryIO, TypeAlias

from digime_pandas._service.authorization import Authorization
from digime_pandas._service.endpoints import Endpoints
from digime_pandas._service.messages import Upload, UploadReply
from digime_pandas._service.receipt import Receipt
from digime_pandas._service.streams import SMALL_BYTES, Buffer, closing_iterator
from digime_pandas.errors import APIError, DigimeError, InputError, InvalidTokenError

FileData: TypeAlias = Buffer | BinaryIO | Iterable[Buffer]
Content: TypeAlias = bytes | Callable[[], Iterable[Buffer]]

_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class _Result:
    """The reply that counts, the requests of all sendings, and the authorization that worked."""

    reply: UploadReply
    attempts: int
    authorization: Authorization


def upload(
    endpoints: Endpoints,
    file: Upload,
    authorization: Authorization,
    *,
    refresh: Callable[[Authorization], Authorization],
    clock: Callable[[], float] = time.monotonic,
) -> Receipt:
    """Send a file: to the postbox if the authorization has one, by direct import otherwise.

    A 401 about the token, or the reply ``pending`` (which the vendor's Node SDK takes for an expired token), leads
    to one refresh and one more sending. A second ``pending`` is a normal result.

    Args:
        endpoints: The write contract's endpoints.
        file: What to send.
        authorization: The person's consent.
        refresh: Returns a new authorization for an old one; it is stored by then.
        clock: Monotonic clock, in seconds.

    Returns:
        The receipt.
    """
    started = clock()
    hashed = _HashedContent(file.content)
    result = _send_and_refresh(endpoints, replace(file, content=hashed.content), authorization, refresh)
    return Receipt(
        status=result.reply.status,
        file_name=file.file_name,
        rows=file.count_rows(),
        size=hashed.latest.size,
        sha256=hashed.latest.sha256,
        expires=result.reply.expires,
        attempts=result.attempts,
        elapsed=clock() - started,
        environment=endpoints.base_url,
        descriptor=file.descriptor,
        authorization=result.authorization,
    )


def _send_and_refresh(
    endpoints: Endpoints,
    file: Upload,
    authorization: Authorization,
    refresh: Callable[[Authorization], Authorization],
) -> _Result:
    try:
        reply = _send(endpoints, file, authorization)
    except InvalidTokenError as error:
        attempts = error.attempts
        doubt = "An earlier attempt got no answer: whether the file was delivered is not known."
        known = doubt if error.outcome == "unknown" else None
    else:
        if reply.status == "delivered":
            return _Result(reply, reply.attempts, authorization)
        attempts = reply.attempts
        known = "The service answered 'pending' before: whether it keeps the file is not known."
    refreshed = _refreshed(authorization, refresh, known)
    try:
        reply = _send(endpoints, file, refreshed)
    except APIError as error:
        error.attempts += attempts
        if known is not None:
            error.outcome = "unknown"
            error.add_note(known)
        raise
    return _Result(reply, attempts + reply.attempts, refreshed)


def _refreshed(
    authorization: Authorization, refresh: Callable[[Authorization], Authorization], doubt: str | None
) -> Authorization:
    """Refresh an authorization after a first sending; `doubt` says why it may have been carried out, if it may."""
    try:
        return refresh(authorization)
    except DigimeError as error:
        error.add_note(doubt or "The file was not delivered: the service refused the token.")
        raise


def _send(endpoints: Endpoints, file: Upload, authorization: Authorization) -> UploadReply:
    token = authorization.user_access_token.access_token.secret
    if authorization.postbox is None:
        return endpoints.import_file(file, token)
    return endpoints.deliver_to_postbox(file, authorization.postbox, token)


class _HashedContent:
    """The content of a file to be sent, and what is known of the attempt that sent it last.

    Args:
        content: The content of an `Upload`.

    Attributes:
        content: What to send instead.
        latest: Counts and hashes the bytes of the latest attempt.
    """

    def __init__(self, content: Content) -> None:
        self.latest = _HashingStream(())
        if isinstance(content, bytes):
            self.content: Content = content
            self.latest.add(content)
        else:
            self.content = partial(self._begin, content)

    def _begin(self, content: Callable[[], Iterable[Buffer]]) -> Iterator[Buffer]:
        # One stream per attempt, so that what is left of an earlier one changes nothing in this one.
        self.latest = _HashingStream(content())
        return iter(self.latest)


class _HashingStream:
    """Yields chunks, and counts and hashes them.

    Args:
        chunks: The chunks.

    Attributes:
        size: Bytes so far.
    """

    def __init__(self, chunks: Iterable[Buffer]) -> None:
        self._chunks = chunks
        self._digest = sha256()
        self.size = 0

    def add(self, chunk: Buffer) -> None:
        """Count and hash a chunk."""
        self.size += memoryview(chunk).nbytes
        self._digest.update(chunk)

    def __iter__(self) -> Iterator[Buffer]:
        with closing_iterator(self._chunks) as chunks:
            for chunk in chunks:
                self.add(chunk)
                yield chunk

    @property
    def sha256(self) -> str:
        """SHA-256 so far, as hex digits."""
        return self._digest.hexdigest()


def content_of(data: Buffer) -> Content:
    """Return bytes as the content of an upload: small ones in one piece, others in pieces, which are not copied."""
    flat = _flat(memoryview(data))
    if len(flat) <= SMALL_BYTES:
        return flat.tobytes()
    return lambda: (flat[start : start + _PIECE_BYTES] for start in range(0, len(flat), _PIECE_BYTES))


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


def _flat(view: memoryview) -> memoryview:
    """Return a view of single bytes; data that is not contiguous is copied."""
    return view.cast("B") if view.c_contiguous else memoryview(view.tobytes())


def _only_bytes(source: Iterable[object]) -> Iterator[Buffer]:
    for piece in source:
        if not isinstance(piece, bytes | bytearray | memoryview):
            raise InputError(f"file_data gave a {type(piece).__name__}; it must give bytes (open files in mode 'rb').")
        yield _flat(memoryview(piece))
