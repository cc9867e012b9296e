"""Frames of other libraries that hold secrets, taken out of the tracebacks of what is raised there.

A traceback keeps every frame with its variables, and some programs show them (IPython's ``%xmode Verbose``, ``pytest
-l``, error collectors). Our own frames hold secrets masked. Those of the libraries that sign, parse and send do not, so
they are left out where an error leaves them. So are those of our own files that send what is in clear.
"""

from __future__ import annotations

import sys
from types import TracebackType

_PACKAGE = f"{__name__.partition('.')[0]}."
_SENDERS = {"h11", "httpcore", "httpx"}
_OWN_SENDERS = {
    f"{_PACKAGE}_service.http.{name}"
    for name in (
        "answers",
        "attempts.own_thread",
        "backends.backend",
        "backends.direct",
        "backends.tcp",
        "backends.tls",
        "backends.tunnel",
        "connections",
        "lines",
    )
}


class FramesDropped:
    """A context from which errors come out without the frames of other libraries they were raised in.

    What those handled before they raised is left out too. The place is kept as a note.

    Args:
        module: Name of the module whose frames stay. From the first frame of another module of this package on, which
            a library called back into, all frames stay. None: no frame below the one of this context stays.
    """

    def __init__(self, module: str | None = None) -> None:
        self._module = module
        self._handled: BaseException | None = None

    def __enter__(self) -> None:
        self._handled = sys.exception()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        handled, self._handled = self._handled, None
        if error is not None:
            drop_frames(error, handled, self._module)


def drop_frames(error: BaseException, handled: BaseException | None, module: str | None = None) -> None:
    """Take the frames of other libraries out of an error, in the function that called the library.

    `FramesDropped` without the cost of a context: nothing is called where nothing is raised.

    Args:
        error: The error, just caught.
        handled: What `sys.exception()` was before the library was called.
        module: As for `FramesDropped`.
    """
    trace = error.__traceback__
    if trace is None:
        return
    place = _clear_tracebacks(trace, module)
    if place is None:
        _clean_chain(error, handled)
        return
    if error.__cause__ is not None:
        error.__cause__ = None
    error.__context__ = None if handled is error else handled
    if isinstance(error, Exception):
        error.add_note(f"Raised at {place}, whose frames are left out, since they hold secrets.")


def without_frames(error: BaseException) -> None:
    """Take all frames, and what was handled before, from an error that is kept as the cause of another one."""
    error.__traceback__ = error.__cause__ = error.__context__ = None


def _clear_tracebacks(trace: TracebackType, module: str | None) -> str | None:
    """Take frames out; return where the error was raised if that is among them, else None."""
    last, entry = trace, trace.tb_next
    while entry is not None:
        name = str(entry.tb_frame.f_globals.get("__name__"))
        if module is not None and name == module:
            last.tb_next = entry
            last = entry
        elif module is not None and name.startswith(_PACKAGE) and name not in _OWN_SENDERS:
            last.tb_next = entry
            return None
        elif entry.tb_next is None:
            last.tb_next = None
            return f"{entry.tb_frame.f_code.co_filename}:{entry.tb_lineno}"
        entry = entry.tb_next
    return None


def _clean_chain(error: BaseException, handled: BaseException | None) -> None:
    """Take the frames from what a sending library handled on the way, as far as this was entered with."""
    seen: set[int] = {id(handled), id(error)}
    waiting = [error.__cause__, error.__context__]
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        waiting += [each.__cause__, each.__context__]
        if _was_sending(each.__traceback__):
            each.__traceback__ = None


def _was_sending(trace: TracebackType | None) -> bool:
    while trace is not None:
        name = str(trace.tb_frame.f_globals.get("__name__"))
        if name in _OWN_SENDERS or name.partition(".")[0] in _SENDERS:
            return True
        trace = trace.tb_next
    return False
