"""What a fault is: the call that it is of, what happens to the call, and the check that both can be."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypedDict, get_args

from digime_pandas.errors import InputError

Call = Literal[
    "any",
    "connect",
    "authorize",
    "exchange",
    "refresh",
    "keys",
    "upload",
    "postbox",
    "import",
    "session",
    "list",
    "describe",
    "download",
]
Place = Literal["connect", "request", "answer", "head", "body"]
KeySet = Literal["wrong", "unknown", "replaced"]
Encoding = Literal["br", "deflate", "gzip"]
Edit = Callable[[dict[str, Any]], Any]

_INTERRUPTIONS = ("cut", "reset", "hang", "trickle")
_SIGNED: tuple[Call, ...] = ("authorize", "exchange", "refresh")
# What each member can be used with, where that is not every call but "connect".
_CALLS: Mapping[str, tuple[Call, ...]] = {
    "edit": (*_SIGNED, "keys", "upload", "postbox", "session", "list"),
    "pending": ("upload", "postbox"),
    "expired": ("upload", "postbox", "import", "session", "list", "describe", "download"),
    "rotated": ("refresh",),
    "ignore_scope": ("session",),
    "keys": ("keys",),
    "skew": _SIGNED,
    "refused": ("connect",),
}
_ANSWERED = ("status", "body", "code", "pending")


class FaultArguments(TypedDict, total=False):
    """The keyword arguments that say what happens; see `Fault`."""

    stored: bool | None
    status: int | None
    code: str | None
    message: str | None
    body: str | bytes | None
    content_type: str | None
    headers: Mapping[str, str]
    retry_after: str | float | None
    early: bool
    edit: Edit | None
    encoding: Encoding | None
    bomb: int
    skew: float
    keys: KeySet | None
    cut: Place | None
    reset: Place | None
    hang: Place | None
    trickle: Place | None
    every: float
    delay: float
    pending: bool
    expired: bool
    rotated: bool
    ignore_scope: bool
    refused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault; `Sandbox.fail` documents its members.

    Raises:
        InputError: A member has a value that it cannot have, or one that the call or another member excludes.
    """

    call: Call
    times: int | None = 1
    after: int = 0
    stored: bool | None = None
    status: int | None = None
    code: str | None = None
    message: str | None = None
    body: str | bytes | None = None
    content_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    retry_after: str | float | None = None
    early: bool = False
    edit: Edit | None = None
    encoding: Encoding | None = None
    bomb: int = 0
    skew: float = 0.0
    keys: KeySet | None = None
    cut: Place | None = None
    reset: Place | None = None
    hang: Place | None = None
    trickle: Place | None = None
    every: float = 0.05
    delay: float = 0.0
    pending: bool = False
    expired: bool = False
    rotated: bool = False
    ignore_scope: bool = False
    refused: bool = False

    def __post_init__(self) -> None:
        _check_choice("call", self.call, get_args(Call))
        self._check_numbers()
        for name, choices in (("keys", KeySet), ("encoding", Encoding), *((each, Place) for each in _INTERRUPTIONS)):
            value = getattr(self, name)
            if value is not None:
                _check_choice(name, value, get_args(choices))
        self._check_status()
        self._check_calls()
        self._check_interruption()

    @property
    def interruption(self) -> tuple[str, Place] | None:
        """What is done to the connection, and where; None: nothing."""
        found = [(name, getattr(self, name)) for name in _INTERRUPTIONS if getattr(self, name) is not None]
        return found[0] if found else None

    @property
    def has_own_answer(self) -> bool:
        """Whether an answer is given in place of the service's own."""
        return any(getattr(self, name) not in {None, False} for name in _ANSWERED)

    @property
    def is_carried_out(self) -> bool:
        """Whether the service does what it was asked to."""
        if self.stored is not None:
            return self.stored
        return not (self.has_own_answer or self.early or self.breaks_request)

    @property
    def breaks_request(self) -> bool:
        """Whether the request is not received whole, because its connection is interrupted before."""
        return self.place == "request" and self.trickle is None

    @property
    def is_lasting(self) -> bool:
        """Whether it lasts until it is taken back, whatever `times` says."""
        return self.refused or self.keys == "replaced"

    def is_about(self, calls: Collection[str]) -> bool:
        """Tell whether it can happen to a request that makes a call of these names."""
        return self.call in calls and not (self.pending and "import" in calls)

    @property
    def place(self) -> Place | None:
        """Where the connection is interrupted; None: nowhere."""
        return None if self.interruption is None else self.interruption[1]

    def _check_numbers(self) -> None:
        if self.times is not None and not _is_count(self.times, 1):
            raise InputError(f"times is {self.times!r}; pass a whole number from 1 on, or None for every time.")
        for name in ("after", "bomb"):
            if not _is_count(getattr(self, name), 0):
                raise InputError(f"{name} is {getattr(self, name)!r}; pass a whole number from 0 on.")
        for name in ("every", "delay", "skew"):
            value = getattr(self, name)
            is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            if not is_number or (value < 0 and name != "skew"):
                raise InputError(f"{name} is {value!r}; pass a number of seconds.")

    def _check_status(self) -> None:
        if self.status is not None and (not _is_count(self.status, 200) or self.status > 599):  # noqa: PLR2004
            raise InputError(f"status is {self.status!r}; pass one from 200 to 599.")
        if self.code is not None and self.body is not None:
            raise InputError(
                "code and body are both given; pass code for digi.me's error body, or another one as body."
            )
        if self.message is not None and self.code is None:
            raise InputError("message is given without code; pass both.")
        if self.early and self.status is None:
            raise InputError("early is given without status; pass the status that is answered.")
        if self.early and self.stored:
            raise InputError("early and stored exclude each other: what was not received is not stored.")
        texts = {**self.headers, "content_type": self.content_type or "", "retry_after": str(self.retry_after)}
        for name, text in texts.items():
            if not f"{name}{text}".isascii() or not f"{name}{text}".isprintable():
                raise InputError(f"{name} is {text!r}; pass printable ASCII, which a header field can hold.")

    def _check_calls(self) -> None:
        for name, calls in _CALLS.items():
            if getattr(self, name) and self.call not in calls:
                raise InputError(f"{name} is for {' or '.join(map(repr, calls))}, and call is {self.call!r}.")
        if self.bomb and self.encoding is None:
            raise InputError("bomb is given without encoding; pass 'gzip', 'deflate' or 'br', by which it is small.")

    def _check_interruption(self) -> None:
        if sum(getattr(self, name) is not None for name in _INTERRUPTIONS) > 1:
            raise InputError(f"Several of {', '.join(_INTERRUPTIONS)} are given; pass one.")
        if self.call != "connect":
            if self.place == "connect":
                raise InputError("A connection is not of a call yet; pass 'connect' as the call, too.")
            if all(getattr(self, each.name) == _default(each) for each in fields(self) if each.name not in _WHEN):
                raise InputError(f"Nothing is to happen to {self.call!r}; pass status=503, cut='answer' or the like.")
        elif not self.refused and self.interruption not in {(name, "connect") for name in ("cut", "reset", "hang")}:
            raise InputError("A connection can be refused=True, or one of cut, reset and hang at 'connect'.")
        if self.call == "describe" and self.place == "body":
            raise InputError("An answer to 'describe' (HEAD) has no body; interrupt its head.")
        if self.breaks_request and (self.stored or self.has_own_answer):
            raise InputError("A request that is interrupted is neither stored nor answered; leave these out.")


def fault_of(call: Call, times: int | None, after: int, arguments: FaultArguments) -> Fault:
    """Return the fault of the arguments of `Sandbox.fail`.

    Raises:
        InputError: One is not known, or cannot be used; the message names it.
    """
    unknown = arguments.keys() - FaultArguments.__annotations__.keys()
    if unknown:
        known = ", ".join(FaultArguments.__annotations__)
        raise InputError(f"fail() has no argument {min(unknown)!r}; it has call, times, after, {known}.")
    return Fault(call=call, times=times, after=after, **arguments)


_WHEN = {"call", "times", "after", "stored", "every"}


def _default(member: Any) -> object:
    return {} if member.name == "headers" else member.default


def _is_count(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InputError(f"{name} is {value!r}; pass one of {', '.join(map(repr, choices))}.")
