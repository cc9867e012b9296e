"""Show a consent link while a call waits for the person: in a terminal or below a notebook cell."""

from __future__ import annotations

import html
import sys
from typing import Any, Protocol, TextIO


class Prompt(Protocol):
    """Shows a consent link and the time that is left to open it."""

    def show(self, seconds_left: float) -> None:
        """Show the link, or only the new time where it is there already."""

    def end(self, outcome: str) -> None:
        """Show the outcome, in place of the link where that is possible."""


class TerminalPrompt:
    """Writes to standard error, so that a script's own output stays its own.

    Args:
        request: One sentence: what the person is asked for.
        url: The consent page's address.
        stream: Where to write. Default: standard error.
    """

    def __init__(self, request: str, url: str, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._intro: str | None = f"{request}\nOpen this address in a browser on this computer:\n\n  {url}\n\n"

    def show(self, seconds_left: float) -> None:
        """Write the link once, and on a terminal the time that is left whenever it is called."""
        if self._intro is not None:
            self._stream.write(self._intro)
            self._intro = None
        if self._stream.isatty():
            self._stream.write(f"\rWaiting for consent, {clock(seconds_left)} left ")
        self._stream.flush()

    def end(self, outcome: str) -> None:
        """Write the outcome."""
        self._stream.write(f"{chr(10) if self._stream.isatty() else ''}{outcome}\n")
        self._stream.flush()


class NotebookPrompt:
    """Shows the link in the output of the running cell and replaces it at the end, so that no link is saved.

    Args:
        request: One sentence: what the person is asked for.
        url: The consent page's address.
    """

    def __init__(self, request: str, url: str) -> None:
        self._request = request
        self._url = url
        self._handle: Any = None

    def show(self, seconds_left: float) -> None:
        """Show the link with the time that is left."""
        left = f"Waiting for consent, {clock(seconds_left)} left."
        link = f'<a href="{html.escape(self._url)}" target="_blank" rel="noopener noreferrer">Open the consent page</a>'
        markup = f"<p>{html.escape(self._request)}</p><p>{link}</p><p>{left}</p>"
        self._put(f"{self._request}\n{self._url}\n{left}", markup)

    def end(self, outcome: str) -> None:
        """Show the outcome in place of the link."""
        self._put(outcome, f"<p>{html.escape(outcome)}</p>")

    def _put(self, text: str, markup: str) -> None:
        # Costs nothing: a kernel has loaded it.
        from IPython.display import display

        bundle = {"text/plain": text, "text/html": f'<div style="padding:4px 16px">{markup}</div>'}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]  # IPython's is
        else:
            self._handle.update(bundle, raw=True)


def running_kernel() -> Any | None:
    """Return the Jupyter kernel this code runs in, or None."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None)


def is_attended(kernel: Any) -> bool:
    """Return whether a person may see a kernel's output.

    Programs that run notebooks (nbclient, nbconvert, papermill) declare that no input can be asked for; front ends for
    people declare the opposite. The kernel has no public attribute for it.
    """
    return bool(getattr(kernel, "_allow_stdin", True))


def clock(seconds: float) -> str:
    """Return a duration in seconds as minutes and seconds, such as ``4:05``."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    return f"{minutes}:{rest:02d}"
