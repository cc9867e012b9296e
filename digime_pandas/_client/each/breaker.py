"""When a run ends early: what fails for one person would fail for all others too."""

from __future__ import annotations

from digime_pandas.errors import AuthorizationError, ConfigurationError, InputError, InvalidTokenError, RefusedError

LIKE_FAILURES = 8
"""So many failures of one kind in a row end a run."""

# What the service says of the contract, its key or this package, and of no person (codes that the vendor's SDKs know).
_OF_THE_CONTRACT = frozenset(
    (
        "InsufficientScope",
        "InvalidClient",
        "InvalidContractDataRequest",
        "InvalidSignature",
        "SDKInvalid",
        "SDKVersionInvalid",
    )
)


class CircuitBreaker:
    """Counts failures in the order in which the files end.

    Attributes:
        reason: Why the run is to end; None while it is to go on.
    """

    def __init__(self) -> None:
        self.reason: str | None = None
        self._kind: tuple[str, object] | None = None
        self._in_a_row = 0

    def note(self, error: BaseException | None) -> None:
        """Take note of how one file ended.

        Args:
            error: The error, or None where the file was delivered.
        """
        if error is None:
            self._in_a_row = 0
        elif is_about_the_contract(error):
            self._end(f"the contract cannot be used ({_first_line(error)})")
        elif not isinstance(error, AuthorizationError | InputError):  # which say nothing of other persons
            kind = type(error).__name__, getattr(error, "code", None)
            self._in_a_row = self._in_a_row + 1 if kind == self._kind else 1
            self._kind = kind
            if self._in_a_row >= LIKE_FAILURES:
                self._end(f"{LIKE_FAILURES} files in a row failed alike ({_first_line(error)})")

    def _end(self, reason: str) -> None:
        self.reason = self.reason or reason


def is_about_the_contract(error: BaseException) -> bool:
    """Return whether an error would come for every other person, too."""
    if isinstance(error, RefusedError) and not isinstance(error, InvalidTokenError):
        return error.code in _OF_THE_CONTRACT
    return isinstance(error, ConfigurationError)


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0]
