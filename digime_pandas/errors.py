"""Every error this package raises on purpose, and its warnings.

::

    DigimeError
    ├── ConfigurationError (ValueError)        something is not set up: variables, options, a missing extra
    │   └── ContractError                      the contract, its private key, or the pair of them is unusable
    ├── InputError (ValueError)                an argument or a frame is not valid; nothing was sent
    │   ├── FormatError                        no such format, or the name and `format=` disagree
    │   ├── DescriptorError                    account ids, tags, references, MIME type or file name
    │   └── FidelityError                      a column the chosen format cannot hold
    ├── AuthorizationError                     consent is missing, was refused, or has ended
    │   ├── NotAuthorizedError (LookupError)   nothing is stored for this account
    │   ├── RedirectError (ValueError)         the redirected address cannot be used
    │   ├── ConsentRefusedError                the person or the service refused
    │   ├── AuthorizationExpiredError          the refresh token is no longer valid
    │   └── AuthorizationTimeoutError (TimeoutError)  no redirect arrived in time
    ├── GrantExpiredError (TimeoutError)       an upload grant was used after its time
    ├── DatasetError                           files of a dataset were not delivered, or are missing; names them
    ├── SpoolError (OSError)                   a one-shot stream cannot be kept for a second attempt
    ├── TokenStoreError (OSError)              authorizations cannot be kept or read
    ├── JournalError (OSError)              a write cannot be recorded, or the record cannot be read
    ├── SecretError (TypeError)                something secret was about to leave the process
    ├── APIError                               a request did not end well; carries status, code, outcome
    │   ├── ServiceUnreachableError (ConnectionError)  no usable answer after all attempts
    │   ├── RefusedError                       the service answered with an error
    │   │   └── InvalidTokenError              ... and the error is about the token
    │   └── ReplyError (ValueError)            the answer does not say what it must, or is not genuine
    └── ReadError                              reading back
        ├── FileNotInLibraryError (LookupError)  no file matches
        ├── SealedFileError (ValueError)       the file cannot be decrypted
        └── DigestMismatchError (ValueError)   its SHA-256 is not the expected one

    DigimeWarning (UserWarning)                something to know that is no error
    └── FidelityWarning                        a file does not hold everything of its frame, or in another form
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
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
    "DatasetError",
    "DescriptorError",
    "DigestMismatchError",
    "DigimeError",
    "DigimeWarning",
    "FidelityError",
    "FidelityWarning",
    "FileNotInLibraryError",
    "FormatError",
    "GrantExpiredError",
    "InputError",
    "InvalidTokenError",
    "JournalError",
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
    """Something to know that is no error. It points at the line that called this package."""


class FidelityWarning(DigimeWarning):
    """Something of a frame is not in its file, or is there in another form; or a schema was ignored in reading."""


class ConfigurationError(DigimeError, ValueError):
    """Something is not set up: an environment variable, an option, or an optional part that is not installed."""


class ContractError(ConfigurationError):
    """The contract cannot be used: its ids, its private key, or a key that is not the contract's."""


class InputError(DigimeError, ValueError):
    """An argument or a frame is not valid. Raised before anything is sent."""


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
    """The consent page did not redirect the browser back before the deadline."""


class TokenStoreError(DigimeError, OSError):
    """Authorizations cannot be kept or read where they should be."""


class GrantExpiredError(DigimeError, TimeoutError):
    """An upload grant was used after its time. Nothing was sent; where it was made, another one can be."""


class DatasetError(DigimeError):
    """Files of a dataset are not in the library: `missing` has their names, `result` what the write of them returns."""

    missing: tuple[str, ...] = ()
    result: Any = None


class SpoolError(DigimeError, OSError):
    """A one-shot stream cannot be kept (encrypted, on disk) for a second attempt, for instance because it is full."""


class JournalError(DigimeError, OSError):
    """The journal cannot be written or read where it should be. Raised before anything is sent."""


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
    """The service answered with an error that a repeated request would get again."""


class InvalidTokenError(RefusedError):
    """The service refused the token (401 ``InvalidToken``): it has expired or was replaced."""


class ReplyError(APIError, ValueError):
    """The answer lacks a member, has one of the wrong type, or its signature does not hold."""


class ReadError(DigimeError):
    """A file could not be read back."""


class FileNotInLibraryError(ReadError, LookupError):
    """No file in the library matches."""


class SealedFileError(ReadError, ValueError):
    """A file cannot be decrypted. The message gives no details, on purpose."""


class DigestMismatchError(ReadError, ValueError):
    """A file was decrypted, and its SHA-256 is not the expected one."""


def _restore(kind: type[DigimeError], args: tuple[Any, ...], state: dict[str, Any]) -> DigimeError:
    # Not through __init__, whose keyword-only arguments pickle would not pass.
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


_PACKAGE = __name__.partition(".")[0]


@dataclass(frozen=True, slots=True)
class CallSite:
    """The line of a user's code that called this package.

    Attributes:
        filename: The file, as warnings show it.
        lineno: Number of the line, counted from 1.
        module: Name of the module, by which warning filters select.
    """

    filename: str
    lineno: int
    module: str


_collected: ContextVar[list[str] | None] = ContextVar("digime_collected_warnings", default=None)
_call_site: ContextVar[CallSite | None] = ContextVar("digime_call_site", default=None)


def warn(message: str, category: type[Warning]) -> None:
    """Warn at the line from which this package was called.

    Args:
        message: What there is to know, and what to do about it.
        category: The class of the warning.
    """
    collected = _collected.get()
    if collected is not None:
        collected.append(message)
        return
    site = _call_site.get() or call_site()
    module = sys.modules.get(site.module)
    # Where Python keeps which warnings of a module were shown already.
    registry = {} if module is None else vars(module).setdefault("__warningregistry__", {})
    warnings.warn_explicit(message, category, site.filename, site.lineno, module=site.module, registry=registry)


def call_site() -> CallSite:
    """Return the line from which this package was called, from any depth and through other packages.

    Other packages are on the stack between two parts of this one where they call back, as an HTTP client does that
    reads the body it sends.
    """
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - what `warnings` uses, too; there is no public name
    caller = frame
    while frame is not None:
        if str(frame.f_globals.get("__name__")).partition(".")[0] == _PACKAGE:
            caller = frame.f_back or frame
        frame = frame.f_back
    assert caller is not None
    return CallSite(caller.f_code.co_filename, caller.f_lineno, str(caller.f_globals.get("__name__")))


@contextmanager
def warnings_at(site: CallSite) -> Iterator[None]:
    """Let `warn` point at a given line while the block runs, for threads that do not have the user's on their stack.

    Args:
        site: What `call_site` returned in the thread that the user called.
    """
    token = _call_site.set(site)
    try:
        yield
    finally:
        _call_site.reset(token)


@contextmanager
def collected_warnings() -> Iterator[list[str]]:
    """Collect the messages of `warn` in this thread, for what shows them in another way.

    Yields:
        The messages; filled while the block runs.
    """
    messages: list[str] = []
    token = _collected.set(messages)
    try:
        yield messages
    finally:
        _collected.reset(token)
