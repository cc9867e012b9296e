"""The state of a consent, as it is shown."""

from __future__ import annotations

from dataclasses import InitVar, dataclass
from typing import TYPE_CHECKING, Literal

from digime_pandas._service.authorization import Authorization
from digime_pandas._service.masking.secret import HoldsSecret, Revealed, Secret
from digime_pandas.errors import AuthorizationError, DigimeError

Stage = Literal["starting", "waiting", "done", "refused", "timed out", "cancelled", "forgotten", "replaced", "failed"]

AGAIN = "Start again for a new link."

_MINUTE = 60.0  # seconds
_ROUNDED_FROM = 300.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentState(HoldsSecret):
    """The state of a consent, as it is shown.

    Attributes:
        stage: The stage.
        message: How it came to this stage, in words; for ``waiting``, why the last pasted address was not accepted, or
            the stored authorization is not used; for ``done``, what there is to know about the authorization.
        url: The consent link, while there is one. It is a secret, and no field.
        authorization: The result, once there is one.
        error: What `result` raises, once there will be no authorization.
    """

    stage: Stage
    message: str = ""
    if TYPE_CHECKING:
        url: str | None = None
    else:
        url: InitVar[str | None] = Revealed()

        def __post_init__(self, url: str | None) -> None:
            object.__setattr__(self, "_secret", Secret(url))

    authorization: Authorization | None = None
    error: DigimeError | None = None

    @property
    def is_settled(self) -> bool:
        """Whether the stage changes no more unless something is called."""
        return self.stage not in {"starting", "waiting"}


def failed(error: Exception) -> ConsentState:
    """Return the state after an error that nothing is known of but its class, unless it is one of this package."""
    if not isinstance(error, DigimeError):
        # Without its message: only the messages of this package's errors are known to hold no secret.
        error = AuthorizationError(f"Something unforeseen happened ({type(error).__name__}). {AGAIN}")
    clear_tracebacks(error)
    return ConsentState(stage="failed", message=str(error), error=error)


def clear_tracebacks(error: BaseException | None) -> None:
    """Take the tracebacks from an error that is kept, and from what caused it."""
    # Their variables hold the address, and IPython's verbose tracebacks would print them where the error is raised
    # again.
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


def span_text(seconds: float) -> str:
    """Return a time to wait in words: in seconds where it is short and no whole minutes."""
    if seconds < _ROUNDED_FROM and seconds % _MINUTE:
        return f"{seconds:g} second{'' if seconds == 1 else 's'}"
    minutes = round(seconds / _MINUTE)
    return f"{minutes} minute{'' if minutes == 1 else 's'}"
