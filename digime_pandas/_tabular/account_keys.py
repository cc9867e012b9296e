"""Account ids as they are in a column of keys: text, or whole numbers, which stand for their decimal text."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from reprlib import Repr
from typing import Any

import numpy as np

from digime_pandas.errors import DescriptorError, InputError

AccountCheck = Callable[[str], object]  # raises DescriptorError for what cannot be an account id

SHOWN = Repr()
"""How keys and labels are shown in errors."""
SHOWN.maxstring = SHOWN.maxother = 200
_ALLOWED = "Account ids are text or whole numbers, the same one in every row of a person."


def account_text(key: object, row: int, name: str) -> str:
    """Return the account id that a key stands for.

    Args:
        key: The value of a column.
        row: Its row.
        name: What an error calls the column.

    Raises:
        InputError: It is neither text nor a whole number.
    """
    if isinstance(key, str):
        return str.__str__(key)  # the text itself, also of a member of an Enum
    if isinstance(key, int | np.integer) and not isinstance(key, bool):
        try:
            return str(int(key))
        except ValueError:
            raise InputError(
                f"{name} holds a whole number in row {row} with more digits than Python turns into text. {_ALLOWED}"
            ) from None
    raise InputError(
        f"{name} holds {SHOWN.repr(key)}, a {type(key).__name__}, in row {row}. {_ALLOWED} Convert them, for "
        "example with astype('Int64') or astype('string')."
    )


def account_texts(keys: Iterable[Any], rows: Iterable[int], name: str) -> list[str]:
    """Return the account ids of keys, which are (first) in `rows`."""
    return [account_text(key, row, name) for key, row in zip(keys, rows, strict=True)]


def check_accounts(account_ids: Iterable[str], rows: Iterable[int], name: str, check_account: AccountCheck) -> None:
    """Refuse what cannot be an account id, with its row."""
    for account_id, row in zip(account_ids, rows, strict=True):
        try:
            check_account(account_id)
        except DescriptorError as error:
            raise DescriptorError(f"{name}, row {row}: {error}") from None


def check_visible_difference(accounts: Sequence[str], keys: Sequence[Any], rows: Sequence[int], name: str) -> None:
    """Refuse two keys whose account ids look the same."""
    seen: dict[str, int] = {}
    for place, account_id in enumerate(accounts):
        other = seen.setdefault(_visible(account_id), place)
        if other != place:
            raise InputError(
                f"{name} holds {shown_key(keys[other])} in row {rows[other]} and {shown_key(keys[place])} in row "
                f"{rows[place]}, which are one account id, written in two ways. Use one of them in every row, or two "
                "ids that differ visibly."
            )


def shown_key(key: object) -> str:
    """Return a key for an error, also in ASCII where it is not of it: two may look the same."""
    text = SHOWN.repr(key)
    return text if text.isascii() else f"{text} ({ascii(text)[1:-1]})"


def _visible(account_id: str) -> str:
    """Return the form that is equal for two account ids that look the same: composed, without blanks at the ends.

    Ids that differ in case or in leading zeros look different.
    """
    if account_id.isascii():
        return account_id.strip()
    shown = "".join(letter for letter in account_id if unicodedata.category(letter) != "Cf")
    return unicodedata.normalize("NFC", shown).strip()
