from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from html.parser import HTMLParser

import pytest

from digime_pandas._service.authorization import Access, Authorization, Token, UserAccessToken
from digime_pandas._service.descriptor import FileDescriptor
from digime_pandas._service.receipt import Receipt
from digime_pandas.errors import AuthorizationError, DigestMismatchError, FileNotInLibraryError

ACCESS, REFRESH = "acce55" * 20, "4ef4e5" * 20
CONTENT = b"day,pulse\r\n2026-01-05,61\r\n"
RECEIPT = Receipt(
    status="delivered",
    file_name="<visits>.csv",
    rows=1234,
    size=len(CONTENT),
    sha256=sha256(CONTENT).hexdigest(),
    expires=1.7e12,
    attempts=1,
    elapsed=0.25,
    environment="https://api.digi.me/v1.7/",
    descriptor=FileDescriptor("text/csv", ["p-1", "p-2"], ["<visits>.csv", "urn:uuid:1-2"], ["<b>"]),
    authorization=Authorization("p-1", "write", UserAccessToken(Token(ACCESS, 1), Token(REFRESH, 2))),
)


def test_the_dict_is_plain_values_without_the_authorization() -> None:
    values = json.loads(json.dumps(RECEIPT.to_dict()))
    assert "authorization" not in values
    assert values["mime_type"] == "text/csv"
    assert values["descriptor"] == RECEIPT.descriptor.to_dict()
    assert values["rows"] == 1234
    assert ACCESS not in json.dumps(values)


def test_a_pickled_receipt_leaves_its_tokens_behind() -> None:
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        pickled = pickle.dumps(RECEIPT, protocol)
        assert ACCESS.encode() not in pickled
        again = pickle.loads(pickled)
        assert again == RECEIPT
        assert again.authorization is None


def test_a_copy_in_this_process_keeps_them() -> None:
    assert copy.copy(RECEIPT).authorization is RECEIPT.authorization
    assert copy.deepcopy(RECEIPT).authorization is RECEIPT.authorization
    assert replace(RECEIPT, rows=None).authorization is RECEIPT.authorization


def test_the_write_id_is_found_among_the_references() -> None:
    assert RECEIPT.write_id == "urn:uuid:1-2"
    assert replace(RECEIPT, descriptor=FileDescriptor("text/csv", "p")).write_id is None


class Cells(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 - the parser passes them
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_the_html_is_a_table_in_which_names_stay_text() -> None:
    page = Cells()
    page.feed(RECEIPT._repr_html_())
    assert page.tags == {"table", "caption", "tbody", "tr", "th", "td"}
    for text in (
        "<visits>.csv (text/csv)",
        "p-1, p-2",
        "1,234",
        f"{len(CONTENT)} bytes",
        "0.25 s, 1 attempt",
        RECEIPT.sha256,
    ):
        assert text in page.texts
    again = Cells()
    again.feed(replace(RECEIPT, rows=None, attempts=2)._repr_html_())
    assert {"not known", "0.25 s, 2 attempts"} <= set(again.texts)


def test_no_face_of_a_receipt_shows_a_token() -> None:
    for text in (repr(RECEIPT), str(RECEIPT), RECEIPT._repr_html_(), repr(RECEIPT.to_dict())):
        assert ACCESS not in text
        assert REFRESH not in text


@dataclass
class File:
    content: bytes
    contract_id: str | None = None

    def read(self) -> bytes:
        return self.content


class Library:
    """A client's library; `read` is the stored authorization to read it."""

    def __init__(self, *contents: bytes | File, read: Authorization | None = None) -> None:
        self.contract = File(b"", "ours")
        self.found = [File(each) if isinstance(each, bytes) else each for each in contents]
        self.read = read
        self.asked: list[tuple[str | Authorization, Sequence[str] | None]] = []

    def authorization(self, account_id: str, *, access: Access) -> Authorization:
        assert self.read is not None
        assert (self.read.account_id, self.read.access) == (account_id, access)
        return self.read

    def files(self, account: str | Authorization, *, reference: Sequence[str] | None = None) -> list[File]:
        self.asked.append((account, reference))
        return self.found


def of_user(user_id: str | None, access: Access = "write", account_id: str = "p-1") -> Authorization:
    pair = UserAccessToken(Token(ACCESS, 1), Token(REFRESH, 2))
    return Authorization(account_id, access, pair, user_id=user_id)


def test_verifying_reads_back_by_the_references_and_compares() -> None:
    library = Library(b"an older one", CONTENT)
    assert RECEIPT.verify(library)
    assert library.asked == [("p-1", RECEIPT.descriptor.reference)]


def test_verifying_says_when_the_file_is_missing_or_another() -> None:
    with pytest.raises(FileNotInLibraryError, match="p-1"):
        RECEIPT.verify(Library())
    with pytest.raises(DigestMismatchError, match="differs"):
        RECEIPT.verify(Library(CONTENT[:-1]))


def test_verifying_goes_by_the_files_of_the_own_contract_where_there_are_any() -> None:
    ours, foreign, unknown = File(CONTENT, "ours"), File(b"another", "theirs"), File(b"another")
    assert RECEIPT.verify(Library(foreign, ours))
    with pytest.raises(DigestMismatchError):
        RECEIPT.verify(Library(File(CONTENT, "theirs"), File(b"damaged", "ours")))
    for copy_of_it in (replace(foreign, content=CONTENT), replace(unknown, content=CONTENT)):
        assert RECEIPT.verify(Library(foreign, unknown, copy_of_it))


def test_verifying_reads_the_library_that_was_written_into() -> None:
    receipt = replace(RECEIPT, authorization=of_user("u", account_id="p-2"))
    for user_id in ("u", None):
        library = Library(CONTENT, read=of_user(user_id, "read", "p-2"))
        assert receipt.verify(library)
        assert library.asked == [(library.read, RECEIPT.descriptor.reference)]


def test_verifying_says_when_reading_is_consented_to_for_another_library() -> None:
    receipt = replace(RECEIPT, authorization=of_user("u"))
    library = Library(CONTENT, read=of_user("v", "read"))
    with pytest.raises(AuthorizationError, match=r"another library.*digime\.authorize\('p-1', access='read'\)"):
        receipt.verify(library)
    assert library.asked == []
