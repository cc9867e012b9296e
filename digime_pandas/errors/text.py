"""Texts and values of others in messages."""

from __future__ import annotations

import re

# What a terminal or notebook obeys, or shows as nothing: control characters but line feeds and tabs, marks that turn or
# hide text, and halves of surrogate pairs.
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff]")


_SHOWN_LENGTH = 60  # characters


def in_words(value: object, *, may_be_secret: bool = False) -> str:
    """Return what was given, for a message: a short plain value as it is, and of anything else its type.

    Args:
        value: What was given.
        may_be_secret: Whether a text may be a token or a key by mistake, so that it is not shown.
    """
    shown = repr(value) if value is None or type(value) in {bool, int, float, str} else ""
    if may_be_secret and isinstance(value, str):
        shown = ""
    if 0 < len(shown) <= _SHOWN_LENGTH:
        return shown
    name = type(value).__name__
    return f"{'an' if name[:1] in 'aeiouAEIOU' else 'a'} {name}"


def printable(text: str) -> str:
    """Return a text of others with escapes in place of characters that a terminal or notebook would obey."""
    return _OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
