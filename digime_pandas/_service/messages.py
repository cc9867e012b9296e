"""What is sent and what is answered, as values. A reply without a member that it must have is an error."""

from __future__ import annotations

import base64
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from digime_pandas._service.authorization import Token, UserAccessToken, is_unicode
from digime_pandas._service.descriptor import FileDescriptor
from digime_pandas._service.masking.secret import Secret, masked_object
from digime_pandas._service.masking.tracebacks import drop_frames
from digime_pandas._service.received.json_text import load_json
from digime_pandas._service.streams import Buffer, Progress, ThreadPlan
from digime_pandas.errors import ConfigurationError, ReplyError, printable

_LATEST_MS = 253_402_300_799_999  # the end of the year 9999, the last that `datetime` knows
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_MOST_DIGITS = 20
Status = Literal["delivered", "pending"]
NOT_THE_SERVICE = "Check base_url: what answered is not the digi.me API, or is a proxy in its place."
_PAGES = {"text/html", "application/xhtml+xml"}
_BEGINNING_BYTES = 256


@dataclass(frozen=True, slots=True)
class Agent:
    """The SDK name and version a client announces; the service can refuse those it does not know."""

    name: str
    version: str

    @classmethod
    def of(cls, agent: object) -> Agent:
        """Return an agent that is given as a tuple of name and version.

        Raises:
            ConfigurationError: It is no such tuple.
        """
        if not isinstance(agent, tuple) or len(agent) != 2 or not all(isinstance(text, str) for text in agent):  # noqa: PLR2004
            raise ConfigurationError(f"agent is {agent!r}; pass the SDK's name and version, ('name', '1.0').")
        return cls(*agent)

    def to_dict(self) -> dict[str, Any]:
        """Return the nested form of the vendor's Node SDK (observed)."""
        return {"sdk": {"name": self.name, "version": self.version, "meta": {}}}


def _rows_not_known() -> None:
    return None


def _no_losses() -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Upload:
    """A file to be sent.

    Args:
        content: The plain bytes of a small file; of any other, a function that yields them from their start, called
            once per attempt.
        size: Plain size in bytes, where it is known before sending: the request then has a Content-Length, else it is
            chunked.
        file_name: Put into a multipart header as it is, so it must be checked before.
        descriptor: What the library is told about the file.
        progress: Called with the bytes of the request's body that were sent so far, and with its size in bytes where
            that is known; each attempt begins at 0 again.
        threads: How many threads make and encrypt the bytes while they are sent.
        count_rows: Returns the rows of the file once it was sent, or None where they are not known.
        find_losses: Returns what there was to warn of once it was sent; see `Receipt.losses`.
        renews_write_id: Whether the write id among the references was made by this package, so that a journal may put
            that of an earlier write with an unknown outcome in its place.
    """

    content: bytes | Callable[[], Iterable[Buffer]] = field(repr=False)
    size: int | None
    file_name: str
    descriptor: FileDescriptor
    progress: Progress | None = field(default=None, repr=False)
    threads: ThreadPlan = field(default_factory=ThreadPlan)
    count_rows: Callable[[], int | None] = field(default=_rows_not_known, repr=False)
    find_losses: Callable[[], tuple[str, ...]] = field(default=_no_losses, repr=False)
    renews_write_id: bool = False


@dataclass(frozen=True, slots=True)
class UploadReply:
    """The reply to an upload. `expires` is Unix milliseconds (inferred), None after a direct import."""

    status: Status
    expires: float | None
    attempts: int


@dataclass(frozen=True, slots=True)
class TokenReply:
    """The token endpoint's reply to a code or a refresh token."""

    user_access_token: UserAccessToken
    user_id: str | None
    consent_id: str | None


@dataclass(frozen=True, slots=True)
class Scope:
    """Which files a reading session lists: those that have all that is given here.

    On the wire `scope.criteria`, a list of one. Its members are those of the vendor's Node SDK 16 (observed in its
    types); what the service makes of them is inferred, so that what it lists has to be compared again. One value each
    is sent: whether several mean all of them or any one is not known.

    Args:
        reference: A reference.
        tag: A tag.
        mime_type: The media type.
        since: Unix seconds from which on it was changed. The unit is inferred; a service that takes it for
            milliseconds lists more files, not fewer.
    """

    reference: str | None = None
    tag: str | None = None
    mime_type: str | None = None
    since: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the value of the request's member `scope`."""
        given = {"reference": self.reference, "tags": self.tag, "mimeType": self.mime_type}
        metadata = {name: [value] for name, value in given.items() if value is not None}
        criterion: dict[str, Any] = {} if self.since is None else {"from": self.since}
        return {"criteria": [criterion | ({"metadata": metadata} if metadata else {})]}


@dataclass(frozen=True, slots=True)
class ReadingSession:
    """A session in which one person's files are listed and fetched.

    Args:
        key: Names it in requests; a secret.
        expires: When it ends, in Unix seconds (milliseconds on the wire, inferred), or None where that was not told.
    """

    key: Secret[str]
    expires: float | None


@dataclass(frozen=True, slots=True)
class FileListing:
    """One listing of a session. `files` maps names to `updatedDate` (Unix milliseconds)."""

    state: str
    files: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class FileMetadata:
    """What the service says of a stored file: its descriptor, and how its plain bytes are compressed.

    `stored_size` is the size in bytes of its encrypted form, where a `Content-Length` says it (inferred).
    """

    metadata: Mapping[str, Any]
    compression: str | None
    stored_size: int | None = None


def parse_document(body: Secret[bytes], what: str) -> Mapping[str, Any]:
    """Return the JSON object of a reply, masked; `what` names the call in the ReplyError it raises otherwise."""
    document, handled = None, sys.exception()
    try:
        document = masked_object(load_json(body.reveal()))
    except ValueError:
        pass
    except BaseException as error:
        drop_frames(error, handled)
        raise
    if document is None:
        raise _missing(what, "a JSON object")
    return document


def read_text(members: object, name: str, what: str) -> str:
    """Return a member that must be a non-empty text."""
    return read_secret(members, name, what).reveal()


def read_secret(members: object, name: str, what: str) -> Secret[str]:
    """Return a member that must be a non-empty text, masked."""
    known = masked_object(members)
    if known is None or not isinstance(known.get(name), str) or not known[name] or not is_unicode(known[name]):
        raise _missing(what, f"a text {name!r}")
    return Secret(known[name])


def parse_token_reply(payload: Mapping[str, Any], what: str) -> TokenReply:
    """Return the tokens of a verified payload (`expires_on` is Unix seconds, observed), and the ids beside them.

    The ids are only compared and shown, in frames too, which pandas prints as they are.
    """
    pair = UserAccessToken(_token(payload, "access_token", what), _token(payload, "refresh_token", what))
    user_id, consent_id = (_text_or_none(payload.get(name)) for name in ("sub", "consentid"))
    return TokenReply(pair, user_id and printable(user_id), consent_id and printable(consent_id))


def parse_upload_reply(body: Secret[bytes], attempts: int, what: str) -> UploadReply:
    """Return the reply of a postbox."""
    document = parse_document(body, what)
    status = document.get("status")
    if status not in ("delivered", "pending"):  # of a tuple, since what is not hashable may stand there too
        raise _missing(what, "a status 'delivered' or 'pending'")
    return UploadReply(status, _number_or_none(document.get("expires")), attempts)


def parse_import_reply(headers: Mapping[str, str], body: Secret[bytes], attempts: int, what: str) -> UploadReply:
    """Return the reply to a direct import. Any 2xx is a success, and its body says nothing (observed).

    Raises:
        ReplyError: It is a web page: what answered is not the service.
    """
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in _PAGES or body.reveal()[:_BEGINNING_BYTES].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        raise ReplyError(
            f"Could not {what}: a web page came in place of the service's answer.",
            outcome="unknown",
            attempts=attempts,
            remedy=NOT_THE_SERVICE,
        )
    return UploadReply("delivered", None, attempts)


def parse_session(body: Secret[bytes], what: str) -> ReadingSession:
    """Return the session that was begun."""
    session = masked_object(parse_document(body, what).get("session"))
    expiry = None if session is None else _number_or_none(session.get("expiry"))
    return ReadingSession(read_secret(session, "key", what), None if expiry is None else expiry / 1000)


def parse_file_listing(body: Secret[bytes], what: str) -> FileListing:
    """Return the listing of a session."""
    document = parse_document(body, what)
    listed = document.get("fileList") or []
    if not isinstance(listed, list) or not all(isinstance(item, Mapping) for item in listed):
        raise _missing(what, "a list of objects 'fileList'")
    files = {read_text(item, "name", what): _number_or_none(item.get("updatedDate")) or 0.0 for item in listed}
    return FileListing(read_text(document.get("status"), "state", what), files)


def parse_file_metadata(headers: Mapping[str, str], what: str) -> FileMetadata:
    """Return what a file's `X-Metadata` (base64url of JSON, observed without padding) says."""
    text = headers.get("x-metadata", "")
    try:
        document = load_json(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except ValueError:
        document = None
    metadata = document.get("metadata") if isinstance(document, Mapping) else None
    if not isinstance(document, Mapping) or not isinstance(metadata, Mapping):
        raise _missing(what, "an object 'metadata' in a readable header 'X-Metadata'")
    length = headers.get("content-length", "")
    stored_size = int(length) if length.isascii() and length.isdecimal() and len(length) < _MOST_DIGITS else None
    return FileMetadata(metadata, _text_or_none(document.get("compression")), stored_size)


def _token(payload: Mapping[str, Any], name: str, what: str) -> Token:
    pair = masked_object(payload.get(name))
    expiry = None if pair is None else _number_or_none(pair.get("expires_on"))
    if expiry is None:
        raise _missing(what, f"{name!r} with 'value' and 'expires_on'")
    return Token(read_text(pair, "value", what), int(expiry))


def _number_or_none(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    # JSON's NaN, infinities and endless integers are no times.
    return value if 0 <= value <= _LATEST_MS else None


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) and value and is_unicode(value) else None


def _missing(what: str, lacking: str) -> ReplyError:
    return ReplyError(f"Could not {what}: the answer lacks {lacking}.", outcome="unknown", remedy=NOT_THE_SERVICE)
