"""Warnings that point at the caller's own line, from whatever depth of this package they come."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType

_PACKAGE = __name__.partition(".")[0]
_collected: ContextVar[list[str] | None] = ContextVar("digime_collected_warnings", default=None)


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
    token = _collected.set(messages)
    try:
        yield messages
    finally:
        _collected.reset(token)


def _caller() -> FrameType:
    frame = sys._getframe(1)  # noqa: SLF001 - the interpreter's own way to the callers; `warnings` goes the same
    while _is_own(frame) and frame.f_back is not None:
        frame = frame.f_back
    return frame


def _is_own(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).partition(".")[0] == _PACKAGE
