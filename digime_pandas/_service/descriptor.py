"""The file descriptor that is sent with every file, and the rules for file names."""

from __future__ import annotations

import json
import operator
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Integral
from pathlib import PurePath
from typing import Any, SupportsIndex, TypeGuard

from digime_pandas.errors import DescriptorError, in_words
from digime_pandas.errors.calls.attributes import NearNames
from digime_pandas.errors.calls.explained import explains_calls

# RFC 6838 section 4.2: type and subtype are restricted names of at most 127 characters; parameters may follow. It goes
# into a multipart header as it is, so nothing but printable ASCII may stand there.
_MIME_TYPE = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}( *; *[!-~][ -~]*)?"
)
MAXIMUM_FILE_NAME_BYTES = 255
_PLAIN_NAME = re.compile(r"[\w.-]+", re.ASCII)  # as almost all are: nothing to look for letter by letter

FileName = str | PurePath
AccountId = str | int
AccountIds = AccountId | Iterable[AccountId]
_encode_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

WRITE_ID_PREFIX = "urn:uuid:"
"""Begins the reference that identifies one write."""
SCHEMA_PREFIX = "urn:x-digime-pandas:schema:"
"""Begins the reference that holds the schema of a text file."""


@dataclass(frozen=True, slots=True)
class FileDescriptor(NearNames):
    """What the library is told about a file.

    Args:
        mime_type: Media type of the bytes, such as ``text/csv``.
        accounts: Ids, in your own system, of the people the file is about: one str or several. At least one.
        reference: Free texts by which a reader finds the file. A write puts its name and a write id here by default.
        tags: Free texts by which files are grouped.

    Sequences are kept as tuples, in the given order. A bare str for `reference` or `tags` is an error, since it would
    be read as a sequence of letters.

    Raises:
        DescriptorError: A member is missing, empty or of the wrong type; the message names it.
    """

    mime_type: str
    accounts: tuple[str, ...]
    reference: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    @explains_calls()
    def __init__(
        self,
        mime_type: str,
        accounts: AccountIds,
        reference: Iterable[str] = (),
        tags: Iterable[str] = (),
    ) -> None:
        given = {"mime_type": mime_type, "accounts": accounts, "reference": reference, "tags": tags}
        for name, value in given.items():  # the tracebacks of the errors below may show what is made here
            object.__setattr__(self, name, value)
        object.__setattr__(self, "mime_type", _check_mime_type(mime_type))
        object.__setattr__(self, "accounts", check_accounts(accounts))
        object.__setattr__(self, "reference", _texts("reference", reference))
        object.__setattr__(self, "tags", _texts("tags", tags))

    @property
    def write_id(self) -> str | None:
        """The ``urn:uuid:...`` among the references, by which copies of a repeated write are known, or None."""
        return next((text for text in self.reference if text.startswith(WRITE_ID_PREFIX)), None)

    def with_reference(self, text: str) -> FileDescriptor:
        """Return this descriptor with one reference more; the others are not checked again."""
        return self.with_checked(self.accounts, (*self.reference, *_texts("reference", (text,))))

    def to_dict(self) -> dict[str, Any]:
        """Return the camel-case wire form; an empty `reference` or `tags` is left out (observed on the wire)."""
        wire: dict[str, Any] = {
            "mimeType": self.mime_type,
            "accounts": [{"accountId": account} for account in self.accounts],
        }
        if self.reference:
            wire["reference"] = list(self.reference)
        if self.tags:
            wire["tags"] = list(self.tags)
        return wire

    def to_json(self) -> str:
        """Return the wire form as compact JSON, non-ASCII unescaped, as the vendor's Node SDK writes it."""
        return _encode_json(self.to_dict())

    def with_checked(self, accounts: tuple[str, ...], reference: tuple[str, ...]) -> FileDescriptor:
        """Return this descriptor with other accounts and references, which were checked before."""
        made = object.__new__(FileDescriptor)
        for name, value in zip(self.__slots__, (self.mime_type, accounts, reference, self.tags), strict=True):
            object.__setattr__(made, name, value)
        return made


def check_accounts(account_id: object) -> tuple[str, ...]:
    """Return the account ids as a tuple.

    Args:
        account_id: One id or a sequence of ids. A whole number stands for its decimal text.

    Raises:
        DescriptorError: There is none, or one is neither a whole number nor a non-empty str.
    """
    if isinstance(account_id, str):
        accounts: tuple[str, ...] = (str(account_id),)  # numpy's texts show themselves in another way
    elif _is_whole_number(account_id):
        accounts = (_decimal(account_id),)
    else:
        if _is_sequence(account_id):
            account_id = tuple(_decimal(each) if _is_whole_number(each) else each for each in account_id)
        accounts = _texts("account_id", account_id, bare_text=True)
    if not accounts:
        raise DescriptorError(
            "account_id is empty.", remedy="Name at least one account, for example account_id='patient-17'."
        )
    for account in accounts:
        if not account.strip():
            raise DescriptorError(
                f"account_id is {account!r}.", remedy="Pass an id of your own system, such as 'patient-17'."
            )
        _check_text("account_id", account)
    if len(set(accounts)) < len(accounts):
        raise DescriptorError(f"account_id names an account twice: {list(accounts)!r}.")
    return accounts


def check_file_name(file_name: object) -> str:
    """Return the file name, if it can be written to the wire safely; of a path of `pathlib`, its last part.

    The name goes raw into a multipart header, and a reader may use it as a name on disk: no path separators, quotes,
    control characters or names with a meaning of their own (``.``, ``..``), and at most 255 bytes of UTF-8.

    Raises:
        DescriptorError: Says which rule the name breaks.
    """
    advice = "Use a plain name such as 'visits.parquet'."
    if isinstance(file_name, PurePath):
        file_name = file_name.name
    if not isinstance(file_name, str):
        raise DescriptorError(f"file_name is {in_words(file_name)}, not a text.", remedy=advice)
    if not file_name.strip() or file_name in {".", ".."}:
        raise DescriptorError(f"file_name is {file_name!r}.", remedy=advice)
    _check_text("file_name", file_name)
    if not _PLAIN_NAME.fullmatch(file_name):
        _check_characters(file_name, advice)
    size = len(file_name.encode())
    if size > MAXIMUM_FILE_NAME_BYTES:
        raise DescriptorError(
            f"file_name is {size} bytes of UTF-8; at most {MAXIMUM_FILE_NAME_BYTES} fit. It starts {file_name[:40]!r}."
        )
    return file_name


def _check_characters(file_name: str, advice: str) -> None:
    for character in file_name:
        if character in '/\\"':
            last = re.split(r'[/\\"]', file_name.rstrip('/\\"'))[-1]
            raise DescriptorError(
                f"file_name {file_name!r} holds {character!r}.",
                remedy=f"Use a plain name such as {last or 'visits.parquet'!r}.",
            )
        if unicodedata.category(character) in {"Cc", "Zl", "Zp"}:
            raise DescriptorError(f"file_name {file_name!r} holds a line break or control character.", remedy=advice)


def _check_mime_type(mime_type: object) -> str:
    if not isinstance(mime_type, str) or not _MIME_TYPE.fullmatch(mime_type):
        raise DescriptorError(f"mime_type is {in_words(mime_type)}.", remedy="Pass a media type such as 'text/csv'.")
    return mime_type


def _is_sequence(values: object) -> TypeGuard[Iterable[Any]]:
    # The items of a frame are its labels, and of a mapping its keys: neither is meant.
    return isinstance(values, Iterable) and not isinstance(values, bytes | Mapping) and not hasattr(values, "columns")


def _is_whole_number(value: object) -> TypeGuard[SupportsIndex]:
    return isinstance(value, Integral) and not isinstance(value, bool)  # also those of numpy


def _decimal(number: SupportsIndex) -> str:
    try:
        return str(operator.index(number))
    except ValueError:
        raise DescriptorError("account_id is a whole number with more digits than Python turns into text.") from None


def _texts(name: str, values: object, *, bare_text: bool = False) -> tuple[str, ...]:
    if isinstance(values, str) and not bare_text:
        raise DescriptorError(f"{name} is the bare str {values!r}; pass a list, {name}=[{values!r}].")
    if not _is_sequence(values):
        remedy = "Pass a text such as 'patient-17', or several in a list." if bare_text else "Pass a list of texts."
        raise DescriptorError(f"{name} is {in_words(values)}.", remedy=remedy)
    texts = tuple(str(each) if isinstance(each, str) else each for each in values)
    for text in texts:
        if not isinstance(text, str):
            raise DescriptorError(f"{name} holds {in_words(text)}, and every member must be a text.")
        if not text:
            raise DescriptorError(f"{name} holds an empty str; leave it out.")
        _check_text(name, text)
    return texts


def _check_text(name: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise DescriptorError(f"{name} {text!r} holds a lone surrogate, which UTF-8 cannot carry.") from None
