"""Texts of others in messages, without what a terminal or notebook would obey."""

from __future__ import annotations

import re

# What a terminal or notebook obeys, or shows as nothing: control characters but line feeds and tabs, marks that turn or
# hide text, and halves of surrogate pairs.
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff]")


def printable(text: str) -> str:
    """Return a text of others with escapes in place of characters that a terminal or notebook would obey."""
    return _OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
