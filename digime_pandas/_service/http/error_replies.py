"""What an error reply means: which error it becomes, what is known of the request, and whether to retry."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from digime_pandas._service.masking.secret import Secret
from digime_pandas.errors import APIError, InvalidTokenError, RefusedError, ServiceUnreachableError

# Of attempts, in seconds. A shorter attempt could only end with an unknown outcome.
FIRST_WAIT, LONGEST_WAIT, JITTER, SHORTEST_ATTEMPT = 0.25, 8.0, 0.5, 1.0
_RETRIED_CLIENT_ERRORS = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
# A gateway answers these when it got no reply from the server, a server answers the first one when it failed: the
# request may have been carried out. A code of the API's says that it was refused.
_UNKNOWN_OUTCOME = {HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT}
# `TokenInvalid` is a spelling that the Android SDK knows; the other SDKs test for `InvalidToken`.
_INVALID_TOKEN_CODES = {"InvalidToken", "TokenInvalid"}
_QUOTED_LENGTH = 500
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


def is_retryable(error: APIError) -> bool:
    """Tell whether the same request, made anew, may succeed."""
    if isinstance(error, ServiceUnreachableError):
        return True
    status = error.status or 0
    return status in _RETRIED_CLIENT_ERRORS or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def wait_before_retry(error: Exception, left: float) -> bool | float:
    """Tell whether to make another attempt after an error.

    Args:
        error: What the last attempt ended in.
        left: Seconds until the deadline.

    Returns:
        False for no further attempt, True for one after the usual wait, a number for one after so many seconds.
    """
    if not isinstance(error, APIError) or not is_retryable(error):
        return False
    usual = min(LONGEST_WAIT, FIRST_WAIT * 2 ** (error.attempts - 1)) + JITTER
    wait = usual if error.retry_after is None else error.retry_after
    if wait + SHORTEST_ATTEMPT > left:
        return False
    return True if error.retry_after is None else wait


def error_from_reply(
    status: int,
    headers: Mapping[str, str],
    content: Secret[bytes],
    what: str,
    attempts: int,
    *,
    may_have_succeeded: bool,
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
        now: Clock, for a `Retry-After` that is a date.
    """
    code, message, reference = _error_members(headers, content)
    kind: type[RefusedError] = RefusedError
    advice = _ADVICE.get(code or "", "")
    if status == HTTPStatus.UNAUTHORIZED and (code is None or code in _INVALID_TOKEN_CODES):
        kind, advice = InvalidTokenError, advice or "The token may have expired; refresh it or authorize again."
    elif status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        advice = advice or "Check that application id, contract id and private key belong together."
    elif HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        advice = "Redirects are not followed; check base_url."
    said = ": ".join(text for text in (code, message) if text) or "no reason given"
    return kind(
        f"Could not {what}: the service answered {status} ({said}). {advice}".rstrip(),
        outcome="unknown" if may_have_succeeded or (status in _UNKNOWN_OUTCOME and code is None) else "refused",
        status=status,
        code=code,
        reference=reference,
        attempts=attempts,
        retry_after=_retry_after(headers.get("retry-after"), now),
    )


def _error_members(headers: Mapping[str, str], content: Secret[bytes]) -> tuple[str | None, str | None, str | None]:
    """Return code, message and reference from the body or, as the Android SDK does, from the headers."""
    try:
        document = json.loads(content.reveal())
    except (ValueError, RecursionError):
        document = None
    error = document.get("error") if isinstance(document, dict) else None
    members = error if isinstance(error, dict) else {}

    def member(name: str) -> str | None:
        value = members.get(name) or headers.get(f"x-error-{name}")
        return value if isinstance(value, str) and value.strip() else None

    # A service may echo what it was sent; long opaque texts can only be ids, keys and tokens. The reference is one too,
    # but of the service's own.
    code, message = (
        text and _OPAQUE_TEXT.sub("…", text)[:_QUOTED_LENGTH] for text in (member("code"), member("message"))
    )
    return code, message, member("reference")


def _retry_after(value: str | None, now: Callable[[], datetime]) -> float | None:
    """Return the seconds a `Retry-After` asks for (RFC 9110: a number or a date), or None."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - now()).total_seconds())
