"""Send one file under one authorization, refreshing it once where the service asks for that."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from itertools import chain, islice
from typing import BinaryIO, TypeAlias

from digime_pandas._service.authorization import Authorization
from digime_pandas._service.crypto.encrypted_file import ReplayableStream
from digime_pandas._service.descriptor import FileDescriptor, check_file_name
from digime_pandas._service.endpoints import Endpoints
from digime_pandas._service.messages import Upload, UploadReply
from digime_pandas._service.receipt import Receipt
from digime_pandas._service.streams import SMALL_BYTES, Buffer, ThreadPlan, closing_iterator, pieces_of, run_in_order
from digime_pandas.errors import APIError, DescriptorError, DigimeError, InputError, InvalidTokenError, Outcome

FileData: TypeAlias = Buffer | BinaryIO | Iterable[Buffer]
Content: TypeAlias = bytes | Callable[[], Iterable[Buffer]]

_PIECE_BYTES = 1 << 20
_NO_WRITE_ID = (
    "Whether the file is in the library is not known, and nothing would tell a copy of it: look there before sending "
    "it again. With a write id among the references (f'urn:uuid:{uuid.uuid4()}') it would have been sent again here."
)
_WRITE_ID = (
    "Whether the file is in the library is not known. Written again with the same journal, it is there once for those "
    "who read; without a journal, look there before sending it again."
)


@dataclass(slots=True)
class FileOutcome:
    """What is known of a file while it is sent, and after an error; an error itself may be about another request.

    Attributes:
        known: ``"not sent"``: no request carried all of it. ``"refused"``: the service answered that it did not take
            it. ``"unknown"``: the service may have taken it.
        attempts: Requests that carried it, or a part of it.
    """

    known: Outcome = "not sent"
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class _Result:
    """The reply that counts, the requests of all sendings, and the authorization that worked."""

    reply: UploadReply
    attempts: int
    authorization: Authorization


def utc_now() -> datetime:
    """Return the time of day, in UTC."""
    return datetime.now(UTC)


def upload(
    endpoints: Endpoints,
    file: Upload,
    authorization: Authorization,
    *,
    refresh: Callable[[Authorization], Authorization],
    outcome: FileOutcome | None = None,
    clock: Callable[[], float] = time.monotonic,
    now: Callable[[], datetime] = utc_now,
) -> Receipt:
    """Send a file: to the postbox if the authorization has one, by direct import otherwise.

    A 401 about the token, or the reply ``pending`` (which the vendor's Node SDK takes for an expired token), leads
    to one refresh and one more sending. A second ``pending`` is a normal result.

    Args:
        endpoints: The write contract's endpoints.
        file: What to send.
        authorization: The person's consent.
        refresh: Returns a new authorization for an old one; it is stored by then.
        outcome: Kept up to date, for what has to know it after an error.
        clock: Monotonic clock, in seconds.
        now: The time of day, in UTC.

    Returns:
        The receipt.
    """
    started = clock()
    hashed = HashedContent(file.content, file.threads.hash)
    sent = file if hashed.content is file.content else replace(file, content=hashed.content)
    sending = _Sending(endpoints, sent, hashed, outcome or FileOutcome())
    result = _send_and_refresh(sending, authorization, refresh, lambda: endpoints.one_deadline(clock() - started))
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
        account_id=result.authorization.account_id,
        delivered_at=now(),
        contract_id=endpoints.contract.contract_id,
        consent_id=result.authorization.consent_id,
        losses=file.find_losses(),
        authorization=result.authorization,
    )


def _send_and_refresh(
    sending: _Sending,
    authorization: Authorization,
    refresh: Callable[[Authorization], Authorization],
    one_deadline: Callable[[], AbstractContextManager[object]],
) -> _Result:
    try:
        reply = sending.send(authorization)
    except InvalidTokenError as error:
        attempts = error.attempts
        doubt = "An earlier attempt got no answer: whether the file was delivered is not known."
        known = doubt if error.outcome == "unknown" else None
    else:
        if reply.status == "delivered":
            return _Result(reply, reply.attempts, authorization)
        attempts = reply.attempts
        known = "The service answered 'pending' before: whether it keeps the file is not known."
    with one_deadline():
        refreshed = _refreshed(authorization, refresh, known)
        try:
            reply = sending.send(refreshed)
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


class _Sending:
    """Sends a file, and keeps up to date what is known of it.

    Args:
        endpoints: The write contract's endpoints.
        file: What to send.
        hashed: Its content.
        outcome: Kept up to date.
    """

    def __init__(self, endpoints: Endpoints, file: Upload, hashed: HashedContent, outcome: FileOutcome) -> None:
        self._endpoints = endpoints
        self._file = file
        self._hashed = hashed
        self._outcome = outcome

    def send(self, authorization: Authorization) -> UploadReply:
        """Send the file once, with the attempts that the transport makes of it."""
        before = self._outcome.known
        self._hashed.begun = 0
        try:
            reply = self._deliver(authorization)
        except BaseException as error:
            if isinstance(error, APIError):
                known, attempts = error.outcome, error.attempts
            else:
                known = self._hashed.outcome_of(error)
                attempts = self._hashed.begun or int(known == "unknown")
            self._outcome.known = "unknown" if before == "unknown" else known
            self._outcome.attempts += attempts
            if self._outcome.known == "unknown":
                error.add_note(_NO_WRITE_ID if self._file.descriptor.write_id is None else _WRITE_ID)
            raise
        self._outcome.known = "unknown"  # the reply may be 'pending'
        self._outcome.attempts += reply.attempts
        return reply

    def _deliver(self, authorization: Authorization) -> UploadReply:
        token = authorization.user_access_token.access_token.secret
        if authorization.postbox is None:
            return self._endpoints.import_file(self._file, token)
        return self._endpoints.deliver_to_postbox(self._file, authorization.postbox, token)


class HashedContent:
    """The content of a file to be sent, and what is known of the attempt that sent it last.

    Args:
        content: The content of an `Upload`.
        workers: As `ThreadPlan.hash`.

    Attributes:
        content: What to send instead.
        latest: Counts and hashes the bytes of the latest attempt.
        begun: Attempts that asked for the content; small content is not asked for.
    """

    def __init__(self, content: Content, workers: int = 0) -> None:
        self.latest = _HashingStream((), 0)
        self.begun = 0
        if isinstance(content, bytes):
            self.content: Content = content
            self.latest.add(content)
        else:
            self.content = partial(self._begin, content, workers)

    def _begin(self, content: Callable[[], Iterable[Buffer]], workers: int) -> Iterator[Buffer]:
        # One stream per attempt, so that what is left of an earlier one changes nothing in this one.
        self.begun += 1
        self.latest = _HashingStream(content(), workers)
        return iter(self.latest)

    def outcome_of(self, error: BaseException) -> Outcome:
        """Return what is known of the file after an error that does not say it, of the content or an interrupt."""
        if isinstance(self.content, bytes):
            return "not sent" if isinstance(error, DigimeError) else "unknown"
        return "not sent" if self.begun == 0 or (self.begun == 1 and self.latest.broken) else "unknown"


class _HashingStream:
    """Yields chunks, and counts and hashes them.

    Args:
        chunks: The chunks.
        workers: As `ThreadPlan.hash`.

    Attributes:
        size: Bytes so far.
        broken: Whether they ended in an error, so that what was sent of them is no whole file.
    """

    def __init__(self, chunks: Iterable[Buffer], workers: int) -> None:
        self._chunks = chunks
        self._workers = workers
        self._digest = sha256()
        self.size = 0
        self.broken = False

    def add(self, chunk: Buffer) -> Buffer:
        """Count and hash a chunk, and return it."""
        self.size += memoryview(chunk).nbytes
        self._digest.update(chunk)
        return chunk

    def __iter__(self) -> Iterator[Buffer]:
        try:
            with closing_iterator(self._chunks) as chunks:
                yield from run_in_order((partial(self.add, chunk) for chunk in chunks), workers=self._workers)
        except GeneratorExit:
            raise
        except BaseException:
            self.broken = True
            raise

    @property
    def sha256(self) -> str:
        """SHA-256 so far, as hex digits."""
        return self._digest.hexdigest()


@contextmanager
def as_upload(file_data: FileData, file_name: str, file_descriptor: FileDescriptor) -> Iterator[Upload]:
    """Check what is to be sent as it is, and make it an upload.

    Args:
        file_data: Bytes, a binary file or an iterable of bytes; the latter two are kept for further attempts.
        file_name: Its name.
        file_descriptor: What the library is told about it.

    Yields:
        The upload; to be sent while the block runs.

    Raises:
        InputError: One of them is not valid.
    """
    file_name = check_file_name(file_name)
    if not isinstance(file_descriptor, FileDescriptor):
        raise DescriptorError(f"file_descriptor is a {type(file_descriptor).__name__}; pass a FileDescriptor.")
    if isinstance(file_data, bytes | bytearray | memoryview):
        size = memoryview(file_data).nbytes
        yield Upload(content_of(file_data), size, file_name, file_descriptor, threads=ThreadPlan(hash=1))
        return
    pieces = checked_pieces(file_data)
    first = list(islice(pieces, 1))  # a file opened in text mode is noticed before anything is sent
    with closing(ReplayableStream(chain(first, pieces))) as stream:
        yield Upload(stream.chunks, None, file_name, file_descriptor)


def content_of(data: Buffer) -> Content:
    """Return bytes as the content of an upload: small ones in one piece, others in pieces, which are not copied."""
    flat = _flat(memoryview(data))
    if len(flat) <= SMALL_BYTES:
        return flat.tobytes()
    return lambda: pieces_of(flat)


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
