"""What to do in words of the command line, where it is said in Python."""

from __future__ import annotations

import re

_OPTIONS = {
    "access": "--access",
    "account_id": "--account",
    "by": "--by",
    "callback": "--callback",
    "data_dir": "--data-dir",
    "drop_null": "--drop-null",
    "format": "--format",
    "journal": "--journal",
    "max_bytes": "--max-bytes",
    "mime_type": "--mime-type",
    "missing": "--missing",
    "name": "--name",
    "file_name": "--name",
    "since": "--since",
    "tags": "--tag",
    "timeout": "--timeout",
    "workers": "--workers",
}
# Options of the formats have one of the command line in common, which names them.
_OF_FORMATS = (
    "attrs",
    "compression",
    "decimals",
    "escape_formulas",
    "keep_unused_categories",
    "nested",
    "strict",
    "typed",
)
_ARGUMENT = re.compile(rf"(?<![\w.])({'|'.join((*_OPTIONS, *_OF_FORMATS))})=(\['[^']*'\]|'[^']*'|\w+)?")


def as_options(text: str) -> str:
    """Return a text with options of the command line in place of Python's arguments: ``--tag x`` for ``tags=['x']``."""
    return _ARGUMENT.sub(_as_option, text)


def _as_option(found: re.Match[str]) -> str:
    value = (found[2] or "").strip("[]'")
    if found[1] in _OF_FORMATS:
        return f"--option {found[1]}={value.lower()}"
    return " ".join(filter(None, (_OPTIONS[found[1]], "" if value == "True" else value)))
