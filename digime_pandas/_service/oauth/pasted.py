"""A redirected address as people paste it: wrapped by a terminal, quoted, escaped, or in the middle of a sentence.

What surrounds and changes an address cannot always be told from the address. So there are several readings of a text,
and the first one counts that brings the expected `state`, which no reading changes or makes up.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import unquote

from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.oauth.redirect import MAXIMUM_REDIRECT_LENGTH, RedirectResult, parse_redirect, state_of
from digime_pandas.errors import RedirectError

_MOST_WORDS_BEHIND = 50
_MOST_ESCAPES = 3
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}://")
_PARAMETER = re.compile(r"(?<![\w.%-])(?:success|code|state|errorCode|error_message|postboxId|publicKey)=")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,8});")
_ESCAPED_BY_JSON = re.compile(r"\\u00([0-7][0-9a-fA-F])")
_NOT_DOUBLED = re.compile(r"%(?!25[0-9A-Fa-f]{2})")
# What no browser leaves in an address, and the middle of a link in Markdown.
_END = re.compile(r"[<>\"`\u00ab\u00bb\u2018-\u201f\u2039\u203a]|\]\(")
_CLOSING = {"'": "'", "(": ")", "[": "]", "{": "}", "<": "|", "*": "*", "|": "|"}
_PUNCTUATION = ".,;:!?'*)]}|\u2026"


def parse_pasted(pasted: Secret[str], *, state: Secret[str]) -> RedirectResult:
    """Parse the address to which the consent page sent the browser, as a person pasted it.

    Undone are white space and line breaks in it, what is invisible, quotes and brackets, links of Markdown and chat
    programs, words before and behind, escapes of HTML, JSON and shells, and percent-encoding that was applied again.

    Args:
        pasted: The full address, or only its query, masked.
        state: The `state` this authorization began with, masked.

    Returns:
        As `parse_redirect`.

    Raises:
        RedirectError: In no reading an address of this authorization.
        ConsentRefusedError: The person or the service refused.
    """
    first: RedirectError | None = None
    for reading in _readings(pasted):
        try:
            return parse_redirect(reading, state=state)
        except RedirectError as error:
            first = first or error
    assert first is not None  # there is a reading of every text
    raise first


def pasted_states(pasted: Secret[str]) -> Iterator[Secret[str]]:
    """Return each `state` that an address as a person pasted it may bring, the likeliest first.

    Args:
        pasted: The full address, or only its query, masked.
    """
    seen: set[Secret[str]] = set()
    for reading in _readings(pasted):
        state = state_of(reading)
        if state is not None and state not in seen:
            seen.add(state)
            yield state


def _readings(pasted: Secret[str]) -> Iterator[Secret[str]]:
    """Return what a text may stand for, the likeliest first and at last the text itself."""
    text: object = pasted.reveal()
    if isinstance(text, str) and len(text) <= MAXIMUM_REDIRECT_LENGTH:
        for joined in _joined(_visible(text)):
            yield from map(Secret, _queries(_unescaped(joined)))
    yield pasted


def _visible(text: str) -> str:
    """Return a text without what is invisible, and its lines without the marks of a quoted mail before them."""
    text = "".join(each for each in text if each.isspace() or unicodedata.category(each) not in {"Cc", "Cf"})
    return "\n".join(line.lstrip(" \t>|") for line in text.splitlines())


def _joined(text: str) -> Iterator[str]:
    """Return a text without white space: from the beginning of an address in it, with less and less of the end."""
    words = text.split()
    begins = (number for number, word in enumerate(words) if _SCHEME.search(word) or _PARAMETER.search(word))
    begin = next(begins, 0)
    for end in range(len(words), max(begin, len(words) - _MOST_WORDS_BEHIND), -1):
        yield "".join(words[begin:end])
    yield from words[begin : begin + 1]
    yield "".join(words)


def _unescaped(text: str) -> str:
    text = _ESCAPED_BY_JSON.sub(lambda found: chr(int(found[1], 16)), text).replace("\\", "")
    for _ in range(_MOST_ESCAPES):
        # Only what ends with a semicolon: a parameter may be named as an entity.
        text = _ENTITY.sub(lambda found: html.unescape(found[0]), text)
    for _ in range(_MOST_ESCAPES):
        if _PARAMETER.search(text):
            break
        text = unquote(text)  # an address that is a parameter of another one
    return text


def _queries(text: str) -> Iterator[str]:
    """Return the query of an address in a text, without and with what may stand behind it."""
    found = _PARAMETER.search(text)
    query = text[found.start() if found else 0 :]
    scheme = _SCHEME.search(text)
    closing = _CLOSING.get(text[scheme.start() - 1 : scheme.start()]) if scheme else None
    inner = _END.split(query, maxsplit=1)[0].partition("#")[0]
    if closing is not None:
        inner = inner.partition(closing)[0]
    for each in (inner.rstrip(_PUNCTUATION), inner, query):
        yield from _decoded(each)


def _decoded(query: str) -> Iterator[str]:
    """Return a query without percent-encoding that was applied again, and as it is."""
    if "%25" in query and not _NOT_DOUBLED.search(query):
        yield from _decoded(query.replace("%25", "%"))
    yield query
