"""Warnings that point at the line of a user's code that called this package."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import FrameType

from digime_pandas.errors.text import printable

PACKAGE = __name__.partition(".")[0]


@dataclass(frozen=True, slots=True)
class CallSite:
    """The line of a user's code that called this package, counted from 1; warning filters select by the module."""

    filename: str
    lineno: int
    module: str


_collected: ContextVar[list[str] | None] = ContextVar("digime_collected_warnings", default=None)
_call_site: ContextVar[CallSite | None] = ContextVar("digime_call_site", default=None)


def warn(message: str, category: type[Warning]) -> None:
    """Warn at the line from which this package was called, every time that it is called.

    Args:
        message: What there is to know, and what to do about it.
        category: The class of the warning.
    """
    message, collected = printable(message), _collected.get()
    if collected is not None:
        collected.append(message)
        return
    site = _call_site.get() or call_site()
    # With a registry, Python would show a warning once per line: of a cell that is run again, or of a loop, none.
    warnings.warn_explicit(message, category, site.filename, site.lineno, module=site.module, registry=None)


def call_site() -> CallSite:
    """Return the line from which this package was called, from any depth and through other packages.

    Other packages are on the stack between two parts of this one where they call back, as an HTTP client does that
    reads the body it sends.
    """
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - what `warnings` uses, too; there is no public name
    caller = frame
    while frame is not None:
        if str(frame.f_globals.get("__name__")).partition(".")[0] == PACKAGE:
            caller = frame.f_back or frame
        frame = frame.f_back
    assert caller is not None
    return CallSite(caller.f_code.co_filename, caller.f_lineno, str(caller.f_globals.get("__name__")))


@contextmanager
def warnings_at(site: CallSite) -> Iterator[None]:
    """Let `warn` point at what `call_site` returned in the user's thread, for threads without it."""
    token = _call_site.set(site)
    try:
        yield
    finally:
        _call_site.reset(token)


@contextmanager
def collected_warnings() -> Iterator[list[str]]:
    """Collect the messages of `warn` in this thread, for what shows them in another way; filled as the block runs."""
    messages: list[str] = []
    token = _collected.set(messages)
    try:
        yield messages
    finally:
        _collected.reset(token)
