"""What to do in words of the command line, where it is said in Python."""

from __future__ import annotations

import re
import shlex

READ_AS_IT_IS = "Read it as it is: into a file of the same format."
"""What to do on the command line where Python would read a file in another way."""

_PROGRAM = "digime-pandas"
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
    "port": "--port",
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
# What a sentence is about; some are no options there, or not of every command.
_SUBJECTS = {
    "account_id": "the account id",
    "account_ids": "the list of account ids",
    "base_url": "DIGIME_BASE_URL",
    "file_name": "the file name",
    "max_bytes": "--max-bytes",
    "mime_type": "--mime-type",
    "port": "--port",
    "onboard_url": "DIGIME_ONBOARD_URL",
    "private_key": "DIGIME_PRIVATE_KEY or DIGIME_PRIVATE_KEY_FILE",
    "sha256": "--sha256",
    "tags": "--tag",
    "timeout": "--timeout",
    "workers": "--workers",
}
_ARGUMENT = re.compile(rf"(?<![\w.])({'|'.join((*_OPTIONS, *_OF_FORMATS))})=(\['[^']*'\]|'[^']*'|\w+)?")
_SUBJECT = re.compile(
    rf"(?:(?<=^)|(?<=[.:;] )|(?<=Check )|(?<=, and ))({'|'.join(_SUBJECTS)})(?= (?:is|are|holds|names|')|[:;.,])"
)
_IN_NOTEBOOKS = re.compile(
    r"(?:,? or |, )?(?:with |[Rr]un )?digime\.AuthorizationWidget\([^()]*\) in a notebook(?: cell)?(?:, or )?"
)
_CALL = re.compile(r"(?:digime|client)\.(authorize|consents|files|forget|invite)\(([^()]*)\)")


def as_options(text: str) -> str:
    """Return a text in words of the command line: ``--tag x`` for ``tags=['x']``, commands for calls."""
    text = _CALL.sub(_as_command, _IN_NOTEBOOKS.sub("", text))
    text = _SUBJECT.sub(lambda found: _SUBJECTS[found[1]], _ARGUMENT.sub(_as_option, text))
    return text[:1].upper() + text[1:] if text.startswith("the ") else text


def _as_option(found: re.Match[str]) -> str:
    value = (found[2] or "").strip("[]'")
    if found[1] in _OF_FORMATS:
        return f"--option {found[1]}={value.lower()}"
    return " ".join(filter(None, (_OPTIONS[found[1]], "" if value == "True" else value)))


def _as_command(found: re.Match[str]) -> str:
    name, arguments = found[1], found[2].split(", ") if found[2] else []
    if name == "invite":
        return f"{_PROGRAM} invite ID..."
    return " ".join([_PROGRAM, name, *map(_as_argument, arguments)])


def _as_argument(given: str) -> str:
    """Return an argument of a call as an option, with its value; what is no text stands for the person's id."""
    name, _, value = given.rpartition("=")
    option = _OPTIONS[name or "account_id"]
    is_text = value[0] in {"'", '"'}
    return f"{option} {shlex.quote(value[1:-1]) if is_text else 'ID'}"
