"""Every error this package raises on purpose, and its warnings.

::

    DigimeError
    ├── ConfigurationError (ValueError)        something is not set up: variables, options, a missing extra
    │   └── ContractError                      the contract, its private key, or the pair of them is unusable
    ├── InputError (ValueError)                an argument or a frame is not valid; nothing was sent
    │   ├── ArgumentError (TypeError)          a function has no such argument, or lacks one
    │   │   └── OptionError                    ... it is of `connect` or `Client`; a ConfigurationError, too
    │   ├── FormatError                        no such format, or the name and `format=` disagree
    │   ├── DescriptorError                    account ids, tags, references, MIME type or file name
    │   └── FidelityError                      a column the chosen format cannot hold
    ├── UnknownNameError (AttributeError)      an object of this package has no such attribute
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
    ├── JournalError (OSError)                 a write cannot be recorded, or the record cannot be read
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

In notebooks and IPython an error shows itself in a few lines: its type, the line that called this package, what is
wrong, and what to do. With the environment variable ``DIGIME_LONG_TRACEBACKS=1`` (in a notebook,
``%env DIGIME_LONG_TRACEBACKS=1``) it is shown as any other error is.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, Unpack

from digime_pandas.errors.commands import as_options
from digime_pandas.errors.display import short_traceback, wants_long_tracebacks
from digime_pandas.errors.parts import Outcome as Outcome
from digime_pandas.errors.parts import Parts as Parts
from digime_pandas.errors.text import in_words as in_words
from digime_pandas.errors.text import printable as printable
from digime_pandas.errors.warning import CallSite as CallSite
from digime_pandas.errors.warning import call_site as call_site
from digime_pandas.errors.warning import collected_warnings as collected_warnings
from digime_pandas.errors.warning import warn as warn
from digime_pandas.errors.warning import warnings_at as warnings_at

__all__ = [
    "APIError",
    "ArgumentError",
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
    "OptionError",
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
    "UnknownNameError",
]


class DigimeError(Exception):
    """Base of every error this package raises on purpose. Survives pickling, so that it crosses processes whole.

    Its text is made of its parts: what is wrong, what was given, and what to do.

    Args:
        args: What is wrong, in a sentence.
        parts: The other parts, as far as they are told apart.

    Attributes:
        given: What was given, with its type and value, where that is not said by what is wrong.
        remedy: What to do, in Python; empty where it is in the sentence of what is wrong.
        command: What to do on the command line, where that is something else.
        cause: The error of a library that this one was made of where the service was spoken to, or None. It is not
            pickled, and Python does not show it: the text says what it says.
        outcome: Of a write, what is known of the file: ``"not sent"`` (it never arrived whole), ``"refused"`` (the
            service answered that it did not take it) or ``"unknown"`` (it may be there). Of another request, the same
            of the request. None where nothing was to be sent.
        write_id: The ``urn:uuid:...`` of the write, by which its file is found if it is there, or None.
    """

    given: str = ""
    remedy: str = ""
    command: str = ""
    cause: BaseException | None = None
    outcome: Outcome | None = None
    write_id: str | None = None

    def __init__(self, *args: object, **parts: Unpack[Parts]) -> None:
        super().__init__(*args)
        vars(self).update({name: value for name, value in parts.items() if value})

    def __str__(self) -> str:
        return self.text()

    def text(self, face: Literal["python", "shell"] = "python") -> str:
        """Return the text of the error.

        Args:
            face: Where it is shown, which decides how the words for what to do are: as Python, or as a command.
        """
        if face == "python":
            return printable(" ".join(filter(None, (self.what, self.remedy))))
        remedy = self.command or as_options(self.remedy)
        return printable(" ".join(filter(None, (as_options(self.what), remedy))))

    @property
    def what(self) -> str:
        """What is wrong, and what was given."""
        return printable(" ".join(filter(None, (super().__str__(), self.given))))

    @property
    def _render_traceback_(self) -> Callable[..., list[str]]:
        # IPython asks for this name. Where there is none, it shows the whole traceback.
        if wants_long_tracebacks():
            raise AttributeError("_render_traceback_")
        return partial(short_traceback, self, self.what, self.remedy)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.args, {name: value for name, value in vars(self).items() if name != "cause"})


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


class ArgumentError(InputError, TypeError):
    """A function of this package has no such argument, or was called without one that it needs."""


class OptionError(ArgumentError, ConfigurationError):
    """`connect` or `Client` has no such option."""


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

    def __init__(
        self, message: str, *, column: str | None = None, row: int | None = None, **parts: Unpack[Parts]
    ) -> None:
        super().__init__(message, **parts)
        self.column = column
        self.row = row


class UnknownNameError(DigimeError, AttributeError):
    """An object of this package has no attribute of this name."""


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

    def __init__(self, message: str, *, code: str, **parts: Unpack[Parts]) -> None:
        super().__init__(message, **parts)
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
        outcome: What is known; never None.
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
        **parts: Unpack[Parts],
    ) -> None:
        super().__init__(message, **parts)
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
