"""What the members of a receipt's dict must be."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

VERSION = 1
"""Of the form that is written here. What has a later one is not read, as its members may mean something else."""
_SHA256 = re.compile("[0-9a-f]{64}")


class Member(NamedTuple):
    """What a member of a receipt's dict must be."""

    what: str
    is_right: Callable[[Any], bool]


def problems_of(values: Mapping[str, Any], members: Mapping[str, Member], *, optional: Sequence[str] = ()) -> list[str]:
    """Return what is wrong with the members of a mapping, one text each; no value is quoted.

    Args:
        values: The mapping.
        members: What each member must be.
        optional: Names of members that may be missing.
    """
    missing = [f"{name!r} is missing" for name in members if name not in values and name not in optional]
    unknown = [f"{name!r} is not known" for name in values if name not in members]
    wrong = [
        f"{name!r} is a {type(values[name]).__name__} and must be {member.what}"
        for name, member in members.items()
        if name in values and not member.is_right(values[name])
    ]
    return missing + unknown + wrong


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


def _is_count(value: object) -> bool:
    return isinstance(value, int) and _is_number(value)


def _is_list_of(is_right: Callable[[Any], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list | tuple) and all(map(is_right, value))


def _is_account(value: object) -> bool:
    return isinstance(value, Mapping) and set(value) == {"accountId"} and _is_text(value["accountId"])


def _is_time(value: object) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _or_none(member: Member) -> Member:
    return Member(f"{member.what}, or None", lambda value: value is None or member.is_right(value))


_TEXT = Member("a text that is not empty", _is_text)
_TEXTS = Member("a list of texts", _is_list_of(_is_text))
_COUNT = Member("a whole number of at least 0", _is_count)
_NUMBER = Member("a finite number of at least 0", _is_number)
RECEIPT_MEMBERS: Mapping[str, Member] = MappingProxyType(
    {
        "version": Member(f"{VERSION}", lambda value: _is_count(value) and value == VERSION),
        "status": Member(
            "'delivered' or 'pending'", lambda value: _is_text(value) and value in {"delivered", "pending"}
        ),
        "file_name": _TEXT,
        "rows": _or_none(_COUNT),
        "size": _COUNT,
        "sha256": Member(
            "64 hex digits in lower case", lambda value: _is_text(value) and bool(_SHA256.fullmatch(value))
        ),
        "expires": _or_none(_NUMBER),
        "attempts": _COUNT,
        "elapsed": _NUMBER,
        "environment": _TEXT,
        "descriptor": Member("an object", lambda value: isinstance(value, Mapping)),
        "account_id": _TEXT,
        "delivered_at": _or_none(Member("an ISO 8601 time with its offset", _is_time)),
        "contract_id": _or_none(_TEXT),
        "consent_id": _or_none(_TEXT),
        "losses": _TEXTS,
        "mime_type": _TEXT,
        "write_id": _or_none(_TEXT),
    }
)
DESCRIPTOR_MEMBERS: Mapping[str, Member] = MappingProxyType(
    {
        "mimeType": _TEXT,
        "accounts": Member("a list of objects with a text 'accountId'", _is_list_of(_is_account)),
        "reference": _TEXTS,
        "tags": _TEXTS,
    }
)
