"""A page for the person who comes back from the consent page: what became of their decision."""

from __future__ import annotations

import html
from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from string import Template
from typing import Literal

BACK = "You can close this tab and go back to your notebook or terminal."

_TEMPLATE = Path(__file__).with_name("done.html").read_text(encoding="utf-8")
_MARKS = {"good": "&#10003;", "bad": "!"}
_GRANTED = {
    "write": "The program that asked can now put files into your library. It cannot see what is in it.",
    "read": "The program that asked can now read the files in your library. It cannot add or change any.",
}
_TO_THE_PERSON = {
    "The person pressed cancel": "You pressed cancel",
    "Authorize again when they agree.": "Nothing has changed.",
}


@dataclass(frozen=True, slots=True)
class Page:
    """A page.

    Args:
        title: Its heading.
        text: What it says.
        kind: Whether that is good to hear.
    """

    title: str
    text: str
    kind: Literal["good", "bad"] = "good"

    def render(self) -> bytes:
        """Return the page as HTML."""
        title, text = html.escape(self.title), html.escape(self.text)
        return Template(_TEMPLATE).substitute(title=title, text=text, kind=self.kind, mark=_MARKS[self.kind]).encode()


RECEIVED = Page("Consent received", f"The program that asked for it goes on from here. {BACK}")
"""Shown where it is not known yet what becomes of the consent."""


def given(access: Literal["write", "read"]) -> Page:
    """Return the page that is shown when the tokens are there."""
    return Page("Consent received", f"Thank you. {_GRANTED[access]} {BACK}")


def refused(reason: str) -> Page:
    """Return the page that is shown when the person or the service refused."""
    for words, to_the_person in _TO_THE_PERSON.items():
        reason = reason.replace(words, to_the_person)
    return Page("Nothing was authorized", f"{reason} {BACK}", "bad")


def not_completed(reason: str) -> Page:
    """Return the page that is shown when the person agreed and the tokens could not be fetched or stored."""
    text = f"You agreed, but the program that asked could not complete it: {reason} {BACK} Start again there."
    return Page("That did not work", text, "bad")


def _hash_of(element: str) -> str:
    """Return the hash of what an element of the template holds, by which the page's policy allows it."""
    content = _TEMPLATE.partition(f"<{element}")[2].partition(">")[2].partition(f"</{element}>")[0]
    return b64encode(sha256(content.encode()).digest()).decode()


# The script takes the code and the state, which are in the address, out of the address bar and the history.
HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_hash_of('style')}'; script-src 'sha256-{_hash_of('script')}'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Connection": "close",
}
