"""Send one file under one authorization, refreshing it once where the service asks for that."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import BinaryIO

from digime_pandas._service.authorization import Authorization
from digime_pandas._service.endpoints import Endpoints
from digime_pandas._service.messages import Buffer, Upload, UploadReply
from digime_pandas._service.receipt import Receipt
from digime_pandas._service.streams import closing_iterator
from digime_pandas.errors import APIError, DigimeError, InputError, InvalidTokenError


def deliver(
    api: Endpoints, upload: Upload, authorization: Authorization, *, refresh: Callable[[Authorization], Authorization]
) -> Receipt:
    """Send a file: to the postbox if the authorization has one, by direct import otherwise.

    A 401 about the token, or the answer ``pending`` (which the vendor's Node SDK takes for an expired token), leads
    to one refresh and one more sending. A second ``pending`` is a normal result.

    Args:
        api: The write contract's endpoints.
        upload: What to send.
        authorization: The person's consent.
        refresh: Gives a new authorization for an old one, and stores it before it returns.

    Returns:
        The receipt, with `rows` left open.
    """
    started = time.monotonic()
    measured = _HashingStream(upload)
    measured_upload = replace(upload, chunks=measured.chunks)
    attempts = 0
    doubt: str | None = None
    refreshed = False
    while True:
        try:
            delivery = _send(api, measured_upload, authorization)
        except APIError as error:
            attempts += error.attempts
            if refreshed or not isinstance(error, InvalidTokenError):
                error.attempts = attempts
                if doubt is not None:
                    error.outcome = "unknown"
                    error.add_note(doubt)
                raise
            if error.outcome == "unknown":
                doubt = "An earlier attempt got no answer: whether the file was delivered is not known."
        else:
            attempts += delivery.attempts
            if refreshed or delivery.status == "delivered":
                break
            doubt = "The service answered 'pending' before: whether it keeps the file is not known."
        try:
            authorization = refresh(authorization)
        except DigimeError as error:
            error.add_note(doubt or "The file was not delivered: the service refused the token.")
            raise
        refreshed = True
    return Receipt(
        status=delivery.status,
        file_name=upload.file_name,
        rows=None,
        size=measured.size,
        sha256=measured.sha256,
        expires=delivery.expires,
        attempts=attempts,
        elapsed=time.monotonic() - started,
        environment=api.base_url,
        descriptor=upload.descriptor,
        authorization=authorization,
    )


def _send(api: Endpoints, upload: Upload, authorization: Authorization) -> UploadReply:
    token = authorization.user_access_token.access_token.secret
    if authorization.postbox is None:
        return api.import_file(upload, token)
    return api.deliver_to_postbox(upload, authorization.postbox, token)


class _HashingStream:
    """Counts and hashes the bytes of the latest attempt."""

    def __init__(self, upload: Upload) -> None:
        self._upload = upload
        self._latest = _Measure(())

    @property
    def size(self) -> int:
        return self._latest.size

    @property
    def sha256(self) -> str:
        return self._latest.digest.hexdigest()

    def chunks(self) -> Iterator[Buffer]:
        # A measure of its own for each attempt: what is left of an earlier one cannot touch it.
        self._latest = _Measure(self._upload.chunks())
        return self._latest.pass_on()


class _Measure:
    """Counts and hashes what it passes on."""

    def __init__(self, chunks: Iterable[Buffer]) -> None:
        self._chunks = chunks
        self.size = 0
        self.digest = sha256()

    def pass_on(self) -> Iterator[Buffer]:
        with closing_iterator(self._chunks) as chunks:
            for chunk in chunks:
                self.size += memoryview(chunk).nbytes
                self.digest.update(chunk)
                yield chunk


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
