"""Every error this package raises on purpose, and the warning of what is no error.

::

    DigimeError
    ├── ConfigurationError (ValueError)        something is not set up: variables, options, a missing extra
    │   └── ContractError                      the contract, its private key, or the pair of them is unusable
    ├── InputError (ValueError)                what was asked for cannot be done; nothing was sent
    │   ├── FormatError                        no such format, or the name and `format=` disagree
    │   ├── DescriptorError                    account ids, tags, references, MIME type or file name
    │   └── FidelityError                      a column the chosen format cannot hold
    ├── AuthorizationError                     consent is missing, was refused, or has ended
    │   ├── NotAuthorizedError (LookupError)   nothing is stored for this account
    │   ├── RedirectError (ValueError)         the redirected address cannot be used
    │   ├── ConsentRefusedError                the person or the service said no
    │   ├── AuthorizationExpiredError          the refresh token is no longer valid
    │   └── AuthorizationTimeoutError (TimeoutError)  no redirect arrived in time
    ├── SpoolError (OSError)                   a one-shot stream cannot be kept for a second attempt
    ├── TokenStoreError (OSError)              authorizations cannot be kept or read
    ├── SecretError (TypeError)                something secret was about to leave the process
    ├── APIError                               a request did not end well; carries status, code, outcome
    │   ├── ServiceUnreachableError (ConnectionError)  no usable answer after all attempts
    │   ├── RefusedError                       the service answered with an error
    │   │   └── InvalidTokenError              ... and the error is about the token
    │   └── ReplyError (ValueError)            the answer does not say what it must, or is not genuine
    └── ReadError                              reading back
        ├── FileNotInLibraryError (LookupError)  nothing there matches
        ├── SealedFileError (ValueError)       the blob does not open
        └── DigestMismatchError (ValueError)   it opens, and is not what was written

    DigimeWarning (UserWarning)                something worth knowing that is no error
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType
from typing import Any, Literal

__all__ = [
    "APIError",
    "AuthorizationError",
    "AuthorizationExpiredError",
    "AuthorizationTimeoutError",
    "ConfigurationError",
    "ConsentRefusedError",
    "ContractError",
    "DescriptorError",
    "DigestMismatchError",
    "DigimeError",
    "DigimeWarning",
    "FidelityError",
    "FileNotInLibraryError",
    "FormatError",
    "InputError",
    "InvalidTokenError",
    "NotAuthorizedError",
    "Outcome",
    "ReadError",
    "RedirectError",
    "RefusedError",
    "ReplyError",
    "SealedFileError",
    "SecretError",
    "ServiceUnreachableError",
    "SpoolError",
    "TokenStoreError",
]

Outcome = Literal["not sent", "refused", "unknown"]


class DigimeError(Exception):
    """Base of every error this package raises on purpose. Survives pickling, so that it crosses processes whole."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.args, self.__dict__)


class DigimeWarning(UserWarning):
    """Something worth knowing that is no error. It points at the line that called this package."""


class ConfigurationError(DigimeError, ValueError):
    """Something is not set up: an environment variable, an option, or an optional part that is not installed."""


class ContractError(ConfigurationError):
    """The contract cannot be used: its ids, its private key, or a key that is not the contract's."""


class InputError(DigimeError, ValueError):
    """What was asked for cannot be done as asked. Raised before anything is sent."""


class FormatError(InputError):
    """The format is unknown, or the file name's suffix and ``format=`` disagree."""


class DescriptorError(InputError):
    """The file descriptor or the file name is not valid: account ids, tags, references, MIME type."""


class FidelityError(InputError):
    """A column (or the index) cannot be held by the chosen format.

    Attributes:
        column: Name of the offending column, as text, or None when it is not about one column.
        row: Position (counted from 0) of the first offending row, or None when it is about the whole column.
    """

    def __init__(self, message: str, *, column: str | None = None, row: int | None = None) -> None:
        super().__init__(message)
        self.column = column
        self.row = row


class AuthorizationError(DigimeError):
    """The person's consent is missing, was refused, or has ended."""


class NotAuthorizedError(AuthorizationError, LookupError):
    """No authorization is stored for this account under this contract and environment."""


class RedirectError(AuthorizationError, ValueError):
    """The redirected address cannot be used: not one of ours, another `state`, or members missing."""


class ConsentRefusedError(AuthorizationError):
    """The consent page ended without consent.

    Attributes:
        code: The service's `errorCode`, such as ``USER_CANCEL``.
    """

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


class AuthorizationExpiredError(AuthorizationError):
    """The refresh token is no longer valid: the person has to authorize again."""


class AuthorizationTimeoutError(AuthorizationError, TimeoutError):
    """Nobody came back from the consent page before the deadline."""


class TokenStoreError(DigimeError, OSError):
    """Authorizations cannot be kept or read where they should be."""


class SpoolError(DigimeError, OSError):
    """A one-shot stream cannot be kept (encrypted, on disk) for a second attempt, for instance because it is full."""


class SecretError(DigimeError, TypeError):
    """A value that holds a secret was about to leave the process, for instance in a pickle."""


class APIError(DigimeError):
    """A request to the service did not end well.

    Attributes:
        outcome: What is known of the request: ``"not sent"`` (it never arrived whole), ``"refused"`` (the service
            answered that it did not do it) or ``"unknown"`` (it may have been done; the answer was lost).
        status: HTTP status of the last answer, or None when there was none.
        code: The service's error code, such as ``InvalidToken``, or None.
        reference: The service's own reference for the error, to quote to its support, or None.
        attempts: How many requests were made.
        retry_after: Seconds the service asked to wait before trying again (`Retry-After`), or None.
    """

    def __init__(
        self,
        message: str,
        *,
        outcome: Outcome,
        status: int | None = None,
        code: str | None = None,
        reference: str | None = None,
        attempts: int = 1,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.outcome: Outcome = outcome
        self.status = status
        self.code = code
        self.reference = reference
        self.attempts = attempts
        self.retry_after = retry_after


class ServiceUnreachableError(APIError, ConnectionError):
    """No usable answer came, after all attempts and within the deadline."""


class RefusedError(APIError):
    """The service answered with an error, and asking again in the same words would not help."""


class InvalidTokenError(RefusedError):
    """The service refused the token (401 ``InvalidToken``): it has expired or was replaced."""


class ReplyError(APIError, ValueError):
    """The answer lacks a member, has one of the wrong type, or its signature does not hold."""


class ReadError(DigimeError):
    """Something went wrong between the library and the frame."""


class FileNotInLibraryError(ReadError, LookupError):
    """No file in the library matches what was asked for."""


class SealedFileError(ReadError, ValueError):
    """A sealed file does not open. Deliberately says no more than that."""


class DigestMismatchError(ReadError, ValueError):
    """A file opens, and its SHA-256 is not the one that was expected."""


def _restore(kind: type[DigimeError], args: tuple[Any, ...], state: dict[str, Any]) -> DigimeError:
    # Not through __init__, whose keyword-only arguments pickle would not pass.
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


_PACKAGE = __name__.partition(".")[0]
_wait_for_listing: ContextVar[list[str] | None] = ContextVar("digime_collected_warnings", default=None)


def warn(message: str, category: type[Warning]) -> None:
    """Warn at the line from which this package was called.

    Args:
        message: What there is to know, and what to do about it.
        category: The class of the warning.
    """
    collected = _wait_for_listing.get()
    if collected is not None:
        collected.append(message)
        return
    frame = _caller()
    warnings.warn_explicit(
        message,
        category,
        frame.f_code.co_filename,
        frame.f_lineno,
        module=frame.f_globals.get("__name__"),
        registry=frame.f_globals.setdefault("__warningregistry__", {}),
    )


@contextmanager
def collected_warnings() -> Iterator[list[str]]:
    """Collect the messages of `warn` in this thread instead of showing them.

    For threads of this package: no line of the caller's is on their stack, and what they print is seen by nobody.

    Yields:
        The messages, to be shown in another way; filled while the block runs.
    """
    messages: list[str] = []
    token = _wait_for_listing.set(messages)
    try:
        yield messages
    finally:
        _wait_for_listing.reset(token)


def _caller() -> FrameType:
    frame = sys._getframe(1)  # noqa: SLF001 - the interpreter's own way to the callers; `warnings` goes the same
    while _is_own(frame) and frame.f_back is not None:
        frame = frame.f_back
    return frame


def _is_own(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).partition(".")[0] == _PACKAGE
