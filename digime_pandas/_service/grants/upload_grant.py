"""The grant of one upload: a signed request that any process can send, once.

::

    grant = client.grant("scan.pdf", descriptor, client.authorization("patient-17"))
    result = grant.send(content)  # in another process, or on another machine
    receipt = client.settle(grant, result)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Literal

from digime_pandas._service.crypto.signed_upload import FileKey, SignedUpload
from digime_pandas._service.descriptor import WRITE_ID_PREFIX, FileDescriptor
from digime_pandas._service.http.environment import route_to
from digime_pandas._service.http.request import Request
from digime_pandas._service.http.transport import Http
from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.masking.tracebacks import without_frames
from digime_pandas._service.messages import UploadReply, parse_import_reply, parse_upload_reply
from digime_pandas._service.receipt import Receipt
from digime_pandas._service.streams import SMALL_BYTES
from digime_pandas._service.upload import Content, FileData, HashedContent, checked_pieces, content_of, utc_now
from digime_pandas.errors import APIError, ConfigurationError, DigimeError, GrantExpiredError, Outcome
from digime_pandas.errors.calls.attributes import NearNames
from digime_pandas.errors.calls.explained import explains_calls

# Of the sandbox; what the service answers to a nonce that it knows is not known.
_NONCE_REUSED = "NonceReused"


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadResult:
    """What came of sending a file with a grant. It holds no secret, and is pickled as it is.

    Attributes:
        status: ``"delivered"`` or ``"pending"`` as for a receipt, else what is known of this request: ``"not sent"``,
            ``"refused"`` or ``"unknown"``.
        size: Plain bytes that were taken from what was to be sent: the file's size where it was sent.
        sha256: SHA-256 of those bytes, as hex digits.
        attempts: Requests that carried the file: 1, or 0 where none was made.
        elapsed: Seconds that it took.
        expires: As for a receipt.
        delivered_at: When the answer came, in UTC, by the clock of where it was sent; None where it was not delivered.
        error: Why the file was not delivered, or None.
    """

    status: Literal["delivered", "pending"] | Outcome
    size: int
    sha256: str
    attempts: int
    elapsed: float
    expires: float | None = None
    delivered_at: datetime | None = None
    error: DigimeError | None = None

    @property
    def is_replay(self) -> bool:
        """Whether the service refused the grant since it was used before: only that other sending tells of the file."""
        return isinstance(self.error, APIError) and self.error.code == _NONCE_REUSED


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadGrant(NearNames):
    """The right to upload one file, once, within minutes: a request that is signed already.

    It holds no private key and no refresh token. **It does hold the person's access token, and the file's AES key**: it
    is a secret, and so is its pickle. Send it over channels only that you trust with both. It prints without them.

    Attributes:
        file_name: Name of the file.
        descriptor: What the library will be told about it; signed or encrypted already, so that it cannot be changed.
        account_id: The account into whose library the file goes.
        contract_id: The contract that grants it.
        consent_id: The consent's id at the service, if it was told.
        environment: Base URL of the API.
        expires_at: Unix seconds after which it is not sent any more: the service refuses requests whose timestamp is
            too old (how old is inferred).
        intent: Number of the intent in the journal of the client that made it, or None.
    """

    file_name: str
    descriptor: FileDescriptor
    account_id: str
    contract_id: str
    consent_id: str | None
    environment: str
    expires_at: float
    timeout: float = field(repr=False)
    intent: int | None = None
    signed: SignedUpload = field(repr=False)

    @property
    def write_id(self) -> str | None:
        """The ``urn:uuid:…`` among the references, if there is one."""
        return next((text for text in self.descriptor.reference if text.startswith(WRITE_ID_PREFIX)), None)

    @explains_calls()
    def send(
        self,
        chunks: FileData,
        *,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        today: Callable[[], datetime] = utc_now,
    ) -> UploadResult:
        """Send the file, in any process that reaches the service, with the proxies and certificates of its environment.

        There is one attempt: the request counts once. What failed can be granted anew.

        Args:
            chunks: The bytes of the file: bytes, a list of bytes, a binary file or any iterable of bytes, which is read
                once and not kept.
            now: Clock, Unix seconds.
            clock: Monotonic clock, in seconds.
            today: The time of day, in UTC.

        Returns:
            What came of it: also where the grant has expired, the service refused it or did not answer.

        Raises:
            InputError: `chunks` is no bytes and gives none. Nothing was sent.
            Exception: What `chunks` raises, as it is. The service has no whole file then.
        """
        started = clock()
        content, size = _content(chunks)
        hashed = HashedContent(content)

        def result(**known: Any) -> UploadResult:
            latest = hashed.latest
            return UploadResult(size=latest.size, sha256=latest.sha256, elapsed=max(clock() - started, 0.0), **known)

        late = now() - self.expires_at
        if late >= 0:
            return result(status="not sent", attempts=0, error=self._expired(late))
        try:
            reply = self._send(hashed.content, size)
        except (APIError, ConfigurationError) as error:
            without_frames(error)  # it goes to other processes, and is kept for long
            if not isinstance(error, APIError):
                return result(status="not sent", attempts=0, error=error)
            return result(status=error.outcome, attempts=1, error=error)
        return result(status=reply.status, attempts=1, expires=reply.expires, delivered_at=today())

    @explains_calls()
    def receipt(self, result: UploadResult, *, rows: int | None = None, losses: tuple[str, ...] = ()) -> Receipt:
        """Return the receipt of what was sent with this grant.

        Args:
            result: What `send` returned.
            rows: Rows of the file, where they are known.
            losses: As of a receipt.

        Raises:
            DigimeError: The result's error, where the file was not delivered.
        """
        if result.error is not None or result.status not in {"delivered", "pending"}:
            raise result.error or DigimeError(f"{self.file_name!r} was not delivered.")
        return Receipt(
            status=result.status,
            file_name=self.file_name,
            rows=rows,
            size=result.size,
            sha256=result.sha256,
            expires=result.expires,
            attempts=result.attempts,
            elapsed=result.elapsed,
            environment=self.environment,
            descriptor=self.descriptor,
            account_id=self.account_id,
            delivered_at=result.delivered_at,
            contract_id=self.contract_id,
            consent_id=self.consent_id,
            losses=losses,
        )

    def _send(self, content: Content, size: int | None) -> UploadReply:
        what = f"send {self.file_name!r}"

        def request() -> Request:
            body, length = self.signed.body(content, size)
            return Request("POST", self.signed.url, self.signed.headers, body, length)

        http = Http(timeout=self.timeout, max_attempts=1, route=route_to(self.environment))
        with closing(http):
            reply = http.send(request, what=what)
        if self.signed.file_key is None:
            return parse_import_reply(reply.headers, reply.body, reply.attempts, what)
        return parse_upload_reply(reply.body, reply.attempts, what)

    def _expired(self, late: float) -> GrantExpiredError:
        return GrantExpiredError(
            f"The grant for {self.file_name!r} expired {late:.0f} s ago. Nothing was sent. Make a new one with "
            "client.grant(...), shortly before it is sent."
        )

    def __copy__(self) -> UploadGrant:
        return self

    def __deepcopy__(self, memo: object) -> UploadGrant:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        values = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "signed"}
        return _restore, (values, *_in_clear(self.signed))


def _content(chunks: FileData) -> tuple[Content, int | None]:
    """Return what is to be sent as the content of an upload, and its size where that is known."""
    if isinstance(chunks, bytes | bytearray | memoryview):
        return content_of(chunks), memoryview(chunks).nbytes
    pieces = checked_pieces(chunks)
    if not isinstance(chunks, list | tuple):
        return (lambda: pieces), None
    checked = list(pieces)
    size = sum(map(len, checked))
    return (b"".join(checked) if size <= SMALL_BYTES else lambda: checked), size


def _in_clear(signed: SignedUpload) -> tuple[Any, ...]:
    key = signed.file_key
    clear_key = None if key is None else (key.key.reveal(), key.iv.reveal())
    return signed.url, dict(signed.headers.reveal()), clear_key, signed.head, signed.tail


def _restore(
    values: dict[str, Any],
    url: str,
    headers: Mapping[str, str],
    key: tuple[bytes, bytes] | None,
    *parts: bytes,
) -> UploadGrant:
    file_key = None if key is None else FileKey(Secret(key[0]), Secret(key[1]))
    signed = SignedUpload(url, Secret(headers), file_key, *parts)
    del headers, key  # a traceback that shows local variables would show what is in them
    return UploadGrant(**values, signed=signed)
