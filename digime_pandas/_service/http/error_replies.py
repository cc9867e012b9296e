"""What an error reply means: which error it becomes, what is known of the request, and whether to retry."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.received.json_text import load_json
from digime_pandas.errors import APIError, InvalidTokenError, Outcome, RefusedError, ServiceUnreachableError, printable

_RETRIED_CLIENT_ERRORS = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
# `TokenInvalid` is a spelling that the Android SDK knows; the other SDKs test for `InvalidToken`.
_INVALID_TOKEN_CODES = {"InvalidToken", "TokenInvalid"}
_QUOTED_LENGTH = 500
_LONGEST_NAMED_SECONDS = 366.0 * 86_400
_CLOCKS_APART_SECONDS = 60
_OPAQUE_TEXT = re.compile(r"[A-Za-z0-9_\-+/=.]{32,}")

_ADVICE = {
    "InvalidRedirectUri": "Register the redirect address on the contract, or pass a registered one as callback=.",
    "InvalidClient": "Check the application id and the contract id.",
    "InvalidSignature": "The private key is not this contract's: check that contract and key belong together.",
    "InsufficientScope": "The contract does not allow this; ask digi.me to widen it.",
    "InvalidContractDataRequest": "The contract is of another type: writing and reading need one each.",
    "NonceReused": "This very request was sent before: what became of it then, the reply of then says.",
    "SDKInvalid": "The service refuses this SDK name; pass a registered one as agent=.",
    "SDKVersionInvalid": "The service refuses this SDK version; pass a registered one as agent=.",
}


# The time of the request is signed, too.
_REFUSED_SIGNATURE = {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
_BUSY = "The service has too much to do: try again later."
_ADVICE_OF_STATUS = {
    HTTPStatus.UNAUTHORIZED: "Check that application id, contract id and private key belong together.",
    HTTPStatus.FORBIDDEN: "Check that application id, contract id and private key belong together.",
    HTTPStatus.NOT_FOUND: "Check base_url: the service does not know this address.",
    HTTPStatus.REQUEST_TIMEOUT: _BUSY,
    HTTPStatus.TOO_EARLY: _BUSY,
    HTTPStatus.TOO_MANY_REQUESTS: _BUSY,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The service takes no file of this size: write several smaller ones.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The service takes no such file: pass another mime_type=.",
}


def is_retryable(error: APIError) -> bool:
    """Tell whether the same request, made anew, may succeed."""
    if isinstance(error, ServiceUnreachableError):
        return True
    status = error.status or 0
    return status in _RETRIED_CLIENT_ERRORS or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def error_from_reply(
    status: int,
    headers: Mapping[str, str],
    content: Secret[bytes],
    what: str,
    attempts: int,
    *,
    may_have_succeeded: bool,
    arrived: bool = True,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> APIError:
    """Return the error that a reply stands for.

    Args:
        status: Its HTTP status, not a 2xx.
        headers: Its header fields, names in lower case.
        content: Its body, masked.
        what: What the request does, for the message.
        attempts: How many requests were made.
        may_have_succeeded: Whether an earlier one of them may have been carried out.
        arrived: Whether the service has the whole request.
        now: Clock, for a `Retry-After` that is a date.
    """
    code, message, reference = _error_members(headers, content)
    is_about_token = status == HTTPStatus.UNAUTHORIZED and (code is None or code in _INVALID_TOKEN_CODES)
    kind = InvalidTokenError if is_about_token else RefusedError
    advice = _advice(status, code)
    if status in _REFUSED_SIGNATURE:
        advice = f"{advice} {_wrong_clock(headers.get('date'), now)}".rstrip()
    said = ": ".join(text for text in (code, message) if text) or "no reason given"
    return kind(
        f"Could not {what}: the service answered {status} ({said}).",
        remedy=advice,
        outcome="unknown" if may_have_succeeded else _outcome(status, arrived=arrived),
        status=status,
        code=code,
        reference=reference,
        attempts=attempts,
        retry_after=_retry_after(headers.get("retry-after"), now),
    )


def _outcome(status: int, *, arrived: bool) -> Outcome:
    """Return what an error reply says of its request.

    Only a 4xx says that it was not carried out. What fails, or stands between (5xx, 3xx), does not know that.
    """
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return "refused"
    return "unknown" if arrived else "not sent"


def _advice(status: int, code: str | None) -> str:
    """Return what to do about an error reply."""
    if code in _ADVICE:
        return _ADVICE[code]
    if status == HTTPStatus.UNAUTHORIZED and (code is None or code in _INVALID_TOKEN_CODES):
        return "The token may have expired; refresh it or authorize again."
    if status in _ADVICE_OF_STATUS:
        return _ADVICE_OF_STATUS[HTTPStatus(status)]
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "The service has a fault: try again later."
    if status < HTTPStatus.BAD_REQUEST:
        return "Redirects are not followed; check base_url."
    return "Trying again does not help: look at what the service says, and ask its support where that does not help."


def _error_members(headers: Mapping[str, str], content: Secret[bytes]) -> tuple[str | None, str | None, str | None]:
    """Return code, message and reference from the body or, as the Android SDK does, from the headers."""
    try:
        document = load_json(content.reveal())
    except ValueError:
        document = None
    error = document.get("error") if isinstance(document, dict) else None
    members = error if isinstance(error, dict) else {}

    def member(name: str) -> str | None:
        value = members.get(name) or headers.get(f"x-error-{name}")
        return printable(" ".join(value.split())) or None if isinstance(value, str) else None

    # A service may echo what it was sent; long opaque texts can only be ids, keys and tokens. The reference is one too,
    # but of the service's own.
    code, message = (
        text and _OPAQUE_TEXT.sub("…", text)[:_QUOTED_LENGTH] for text in (member("code"), member("message"))
    )
    return code, message, member("reference")


def _wrong_clock(date: str | None, now: Callable[[], datetime]) -> str:
    """Say how far the clock of this computer, which signs with its time, is from the date of a reply, if it is far."""
    when = _moment(date)
    apart = 0.0 if when is None else (now() - when).total_seconds()
    if abs(apart) < _CLOCKS_APART_SECONDS:
        return ""
    return (
        f"By the date of the answer, the clock of this computer is {abs(apart):,.0f} seconds "
        f"{'ahead' if apart > 0 else 'behind'}: set it, and try again."
    )


def _retry_after(value: str | None, now: Callable[[], datetime]) -> float | None:
    """Return the seconds a `Retry-After` asks for (RFC 9110: a number or a date), or None."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return min(float(value), _LONGEST_NAMED_SECONDS)
    date = _moment(value)
    return None if date is None else min(max(0.0, (date - now()).total_seconds()), _LONGEST_NAMED_SECONDS)


def _moment(value: str | None) -> datetime | None:
    try:
        date = parsedate_to_datetime(value or "")
    except (ValueError, OverflowError):
        return None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date
