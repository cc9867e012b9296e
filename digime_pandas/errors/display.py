"""How an error shows itself in a notebook: in at most six lines, in place of a traceback through this package."""

from __future__ import annotations

import linecache
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any

from digime_pandas.errors.text import printable

LONG_TRACEBACKS = "DIGIME_LONG_TRACEBACKS"
"""The environment variable that brings IPython's own tracebacks back; any value but ``0`` and an empty one does."""
_PACKAGE = __name__.partition(".")[0]
_MOST_LINES = 6
_LONGEST_CODE = 160
_SENTENCE_END = re.compile(r"(?<=[.?!]) (?=[A-Z(])|(?<=;) ")
_MASKING = "Raised at "  # begins the notes that say which frames were left out, which is of no use here


def wants_long_tracebacks() -> bool:
    """Tell whether the user wants whole tracebacks."""
    return os.environ.get(LONG_TRACEBACKS, "0") not in {"", "0"}


def short_traceback(error: BaseException, what: str, remedy: str) -> list[str]:
    """Return the lines that a notebook shows of an error: its type, the caller's own line, what is wrong, what to do.

    Args:
        error: The error.
        what: What is wrong.
        remedy: What to do. Where it is empty, the first sentence of `what` is what is wrong, and the rest what to do.
    """
    if not remedy:
        what, remedy = _in_two(what)
    place, code = _caller(error.__traceback__)
    notes = [each for each in getattr(error, "__notes__", ()) if not each.startswith(_MASKING)]
    head = type(error).__name__ + (f" in {place}" if place else "")
    lines = [head, f"    {code}" if code else "", *map(_on_one_line, [what, remedy, *notes])]
    shown = [line for line in lines if line]
    if len(shown) > _MOST_LINES:
        shown[_MOST_LINES - 1 :] = [" ".join(shown[_MOST_LINES - 1 :])]
    return shown


def _in_two(text: str) -> tuple[str, str]:
    first, *rest = _SENTENCE_END.split(text, maxsplit=1)
    return first, " ".join(rest)


def _on_one_line(text: str) -> str:
    return printable(" ".join(text.split()))


def _caller(trace: TracebackType | None) -> tuple[str, str]:
    """Return where this package was called, in words, and the code there."""
    frame: FrameType | None = None
    line = 0
    for each, number in _frames(trace):
        if str(each.f_globals.get("__name__")).partition(".")[0] == _PACKAGE:
            break
        frame, line = each, number
    if frame is None:
        return "", ""
    file = frame.f_code.co_filename
    code = linecache.getline(file, line, frame.f_globals).strip()
    return f"{_name_of_code(file)}, line {line}", code[:_LONGEST_CODE]


def _frames(trace: TracebackType | None) -> Iterator[tuple[FrameType, int]]:
    while trace is not None:
        yield trace.tb_frame, trace.tb_lineno
        trace = trace.tb_next


def _name_of_code(file: str) -> str:
    """Return what IPython calls a cell (``Cell In[3]``), and of any other code its file."""
    with suppress(Exception):  # which IPython this is, and whether it is one, is not known
        from IPython.core.getipython import get_ipython

        shell: Any = get_ipython()
        known = shell.compile.format_code_name(file)
        if known is not None:
            return " ".join(known)
    return file
