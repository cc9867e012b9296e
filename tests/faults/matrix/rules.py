"""What has to come of a write, by rule: did a request arrive, was it stored, how was what arrived answered?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from .cases import Case, Step

MAX_ATTEMPTS = 3
FIRST_WAIT = 0.25  # seconds; a Retry-After that asks for less changes nothing
Protocol = Literal["postbox", "import"]
# What a client can know of one request that carried a file.
Seen = Literal["not whole", "broke off", "refused", "unclear"]
# What is to be done after it.
Next = Literal["done", "again", "refresh", "end", "bad answer"]

_AGAIN = {408, 425, 429}
_LOST = ("cut", "reset", "hang")


@dataclass(frozen=True)
class Expected:
    """What may come of a write.

    Attributes:
        results: A status of the receipt, or an outcome of the error.
        alive: Whether the stored tokens can be used afterwards; None: they need not be.
        waits: How long is waited before each further attempt, in seconds; None: that depends on what is not told here.
    """

    results: frozenset[str]
    alive: bool | None = True
    waits: tuple[float, ...] | None = None


def expected(case: Case, protocol: Protocol) -> Expected:
    """Follow a write through the faults of a case, as the rules for attempts and outcomes have it."""
    tokens = _tokens_after_refresh(case)
    seen: list[Seen] = []
    if case.tokens != "valid":
        if case.tokens == "ended":
            # The service answers it before it looks at the file; 'pending' does not say what became of that.
            seen.append("refused" if protocol == "import" else "unclear")
        if not tokens.refreshed:
            return Expected(frozenset({_outcome(seen)}), tokens.alive)
        return Expected(frozenset({"delivered"}), tokens.alive)
    waits: list[float] = []
    results = _follow(case, protocol, seen, waits)
    return Expected(results | _follow_openly(case, seen), waits=None if case.is_open else tuple(waits))


def _follow(case: Case, protocol: Protocol, seen: list[Seen], waits: list[float]) -> frozenset[str]:
    faults = _in_turn(case, protocol)
    for may_refresh in (True, False):
        for attempt in range(MAX_ATTEMPTS):
            fault = next(faults, None)
            if fault is None:
                return frozenset({"delivered"})
            known, then = _meaning(fault, protocol)
            if then == "done":
                return frozenset({"delivered"})
            seen.append(known)
            if (known, then) == ("unclear", "refresh") and not may_refresh:
                return frozenset({"pending"})
            if then in {"end", "refresh", "bad answer"}:
                break
            if attempt < MAX_ATTEMPTS - 1:
                waits.append(max(FIRST_WAIT * 2**attempt, _asked_wait(fault)))
        if then != "refresh":
            break
    return _outcomes(seen)


def _follow_openly(case: Case, seen: list[Seen]) -> frozenset[str]:
    """Return what else may come where a client may give up."""
    return (_outcomes(seen) if seen else frozenset({"unknown"})) if case.is_open else frozenset()


def _outcomes(seen: list[Seen]) -> frozenset[str]:
    """A body that broke off may be on its way as a whole before that: a client may know that, or not."""
    certain = _outcome([each for each in seen if each != "broke off"])
    return frozenset({certain, "unknown"}) if "broke off" in seen else frozenset({certain})


def _outcome(seen: list[Seen]) -> str:
    arrived = [each for each in seen if each not in {"not whole", "broke off"}]
    if not arrived:
        return "not sent"
    return "refused" if set(arrived) == {"refused"} else "unknown"


def _in_turn(case: Case, protocol: Protocol) -> Iterator[Step]:
    """Yield the faults of the requests that carry the file, one each."""
    for fault in case.steps:
        if fault.call in {"upload", "connect"} and not (fault.what.get("pending") and protocol == "import"):
            times = fault.times if not fault.what.get("refused") else None
            yield from [fault] * (10**3 if times is None else times)


def _asked_wait(fault: Step) -> float:
    """Return the seconds that a Retry-After asks for in the one form that the cases have of it; 0 for all others."""
    text = str(fault.what.get("retry_after"))
    return float(text) if re.fullmatch("[0-9]{1,2}", text) else 0.0


def _meaning(fault: Step, protocol: Protocol) -> tuple[Seen, Next]:
    what = fault.what
    if fault.call == "connect" or any(name in what for name in _LOST):
        return _meaning_of_loss(fault), "again"
    if what.get("pending") or (what.get("expired") and protocol == "postbox"):
        return "unclear", "refresh"
    if "status" in what or what.get("expired"):
        return _meaning_of_status(what.get("status", 401), what.get("code"))
    if what.get("headers") and protocol == "postbox":
        return "unclear", "again"  # an answer that cannot be decoded is as good as none
    return "unclear", "done"


def _meaning_of_loss(fault: Step) -> Seen:
    if fault.what.get("refused"):
        return "not whole"
    is_early = fault.call == "connect" or any(fault.what.get(name) == "request" for name in _LOST)
    return "broke off" if is_early else "unclear"


def _meaning_of_status(status: int, code: str | None) -> tuple[Seen, Next]:
    if status == 401 and code in {None, "InvalidToken"}:
        return "refused", "refresh"
    if 400 <= status < 500:
        return "refused", "again" if status in _AGAIN else "end"
    if status >= 500:
        return "unclear", "again"
    return "unclear", "bad answer"  # a page, or a redirect


@dataclass(frozen=True)
class _Tokens:
    """What comes of a refresh: whether there is a new pair, and whether what is stored can be used later."""

    refreshed: bool
    alive: bool | None


def _tokens_after_refresh(case: Case) -> _Tokens:
    if not case.steps:
        return _Tokens(refreshed=True, alive=True)
    fault = case.steps[0]
    what, is_passing = fault.what, fault.times is not None and fault.times < MAX_ATTEMPTS
    if fault.call == "keys":
        # Keys are fetched before a refresh token is spent on an answer that they verify, and looked at once more; a
        # pair that cannot be verified is kept until it can.
        return _Tokens(refreshed=is_passing or what.get("keys") == "replaced", alive=True)
    if "skew" in what:
        return _Tokens(refreshed=what["skew"] >= -360, alive=True if what["skew"] >= -360 else None)
    if "edit" in what or what.get("rotated") or what.get("status") == 401:
        return _Tokens(refreshed=False, alive=None)
    if any(name in what for name in _LOST) and what.get("stored", True):
        return _Tokens(refreshed=False, alive=None)  # spent, and the new pair is lost
    return _Tokens(refreshed=is_passing, alive=True)
