from __future__ import annotations

import ast
import copy
import json
import pickle
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import pandas as pd
import pytest

from digime_pandas._service.authorization import Access, Authorization, Token, UserAccessToken
from digime_pandas._service.descriptor import FileDescriptor
from digime_pandas._service.receipt import Receipt
from digime_pandas.errors import AuthorizationError, DigestMismatchError, FileNotInLibraryError, InputError

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
    delivered_at=datetime(2026, 1, 5, 9, 30, 0, 125, tzinfo=UTC),
    contract_id="contract",
    consent_id="consent",
    losses=("Not everything is in the file: <i>.",),
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


def test_in_html_names_stay_text_and_losses_come_first() -> None:
    page = Cells()
    page.feed(RECEIPT._repr_html_())
    assert not page.tags & {"visits", "i", "script"}
    assert page.texts[1:3] == ["Losses", "Not everything is in the file: <i>."]
    for text in (
        "✓ Delivered",
        " <visits>.csv",
        "p-1, p-2",
        "<b>",
        f"1,234 rows, {len(CONTENT)} bytes, text/csv",
        f"{len(CONTENT)} bytes",
        "0.25 s, 1 attempt",
        RECEIPT.sha256,
        "2026-01-05 09:30:00 UTC",
        "contract",
        "consent",
        "urn:uuid:1-2",
        "Not everything is in the file: <i>.",
    ):
        assert text in page.texts
    again = Cells()
    again.feed(replace(RECEIPT, rows=None, attempts=2, delivered_at=None, losses=())._repr_html_())
    assert {"not known", "none", "0.25 s, 2 attempts"} <= set(again.texts)


def code_of(receipt: Receipt) -> str | None:
    page = Cells()
    page.feed(receipt._repr_html_())
    return next((text for text in page.texts if text.startswith("digime.")), None)


def test_the_line_that_reads_it_back_is_python_with_the_name_by_which_it_is_found() -> None:
    named = replace(RECEIPT, descriptor=replace(RECEIPT.descriptor, reference=("it's", "x")), account_id="p\"1'")
    call = ast.parse(str(code_of(named)), mode="eval").body
    assert isinstance(call, ast.Call)
    assert ast.unparse(call.func) == "digime.read_frame"
    assert [ast.literal_eval(each) for each in call.args] == ["it's"]
    assert {each.arg: ast.literal_eval(each.value) for each in call.keywords} == {
        "account_id": "p-1",
        "sha256": RECEIPT.sha256,
    }
    assert str(code_of(replace(RECEIPT, rows=None))).startswith("digime.read_file(")
    assert code_of(replace(RECEIPT, descriptor=replace(RECEIPT.descriptor, reference=()))) is None


def test_a_pending_receipt_does_not_say_that_it_was_delivered() -> None:
    page = replace(RECEIPT, status="pending")._repr_html_()
    assert "Pending" in page
    assert "Delivered" not in page


def test_as_text_it_is_one_short_line() -> None:
    assert repr(RECEIPT) == "<Receipt delivered with losses: '<visits>.csv' for 'p-1', 1,234 rows, 26 bytes>"
    bare = replace(RECEIPT, status="pending", losses=(), rows=None, file_name="a\nb\u202e")
    assert repr(bare) == "<Receipt pending: 'a\\nb\\u202e' for 'p-1', 26 bytes>"


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


def test_verifying_goes_by_the_contract_of_the_receipt_whatever_the_clients_is() -> None:
    library = Library(File(CONTENT, "contract"), File(b"another", "ours"))
    assert RECEIPT.verify(library)
    with pytest.raises(DigestMismatchError):
        replace(RECEIPT, contract_id=None).verify(library)


@pytest.mark.parametrize("receipt", [replace(RECEIPT, contract_id=None), replace(RECEIPT, contract_id="ours")])
def test_verifying_goes_by_the_files_of_the_own_contract_where_there_are_any(receipt: Receipt) -> None:
    ours, foreign, unknown = File(CONTENT, "ours"), File(b"another", "theirs"), File(b"another")
    assert receipt.verify(Library(foreign, ours))
    with pytest.raises(DigestMismatchError):
        receipt.verify(Library(File(CONTENT, "theirs"), File(b"damaged", "ours")))
    for copy_of_it in (replace(foreign, content=CONTENT), replace(unknown, content=CONTENT)):
        assert receipt.verify(Library(foreign, unknown, copy_of_it))


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


def test_the_account_is_the_authorizations_or_the_first_of_the_descriptor() -> None:
    assert replace(RECEIPT, authorization=of_user("u", account_id="p-2")).account_id == "p-2"
    assert replace(RECEIPT, authorization=None, account_id="").account_id == "p-1"
    assert replace(RECEIPT, authorization=None, account_id="p-2").account_id == "p-2"


class TestDict:
    def test_what_json_made_of_it_becomes_an_equal_receipt(self) -> None:
        later = timezone(timedelta(hours=2))
        for receipt in (
            RECEIPT,
            replace(RECEIPT, descriptor=FileDescriptor("text/csv", "p"), rows=None, expires=None, losses=()),
            replace(RECEIPT, delivered_at=None, contract_id=None, consent_id=None, status="pending"),
            replace(RECEIPT, delivered_at=datetime(2026, 1, 5, 11, tzinfo=later)),
        ):
            text = json.dumps(receipt.to_dict(), allow_nan=False)
            again = Receipt.from_dict(json.loads(text))
            assert again == receipt
            assert again.to_dict() == receipt.to_dict() == json.loads(text)
            assert again.authorization is None
            assert again.delivered_at is None or again.delivered_at.tzinfo is UTC

    def test_it_verifies_without_its_authorization(self) -> None:
        library = Library(File(CONTENT, "contract"))
        assert Receipt.from_dict(RECEIPT.to_dict()).verify(library)
        assert library.asked == [("p-1", RECEIPT.descriptor.reference)]

    @pytest.mark.parametrize("name", RECEIPT.to_dict())
    def test_each_member_must_be_there(self, name: str) -> None:
        values = RECEIPT.to_dict()
        del values[name]
        with pytest.raises(InputError, match=f"'{name}' is missing"):
            Receipt.from_dict(values)

    @pytest.mark.parametrize("name", RECEIPT.to_dict())
    @pytest.mark.parametrize("wrong", [True, -1, float("nan"), "", ["a", 1], {"mimeType": 5}, object()])
    def test_each_member_must_be_what_it_is(self, name: str, wrong: object) -> None:
        with pytest.raises(InputError, match=rf"'{name}' is a \w+ and must be|'accounts' is missing"):
            Receipt.from_dict(RECEIPT.to_dict() | {name: wrong})

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"status": "gone"}, "'status' is a str and must be 'delivered' or 'pending'"),
            ({"sha256": "0" * 63}, "'sha256' is a str and must be 64 hex digits"),
            ({"delivered_at": "2026-01-05T09:30:00"}, "'delivered_at' is a str and must be an ISO 8601 time"),
            ({"token": "t0ken-in-clear"}, "'token' is not known"),
            ({"mime_type": "text/plain"}, "'mime_type' is not the descriptor's"),
            ({"write_id": None}, "'write_id' is not the descriptor's"),
            ({"descriptor": {**RECEIPT.descriptor.to_dict(), "more": 1}}, "'more' is not known"),
            ({"descriptor": {**RECEIPT.descriptor.to_dict(), "accounts": ["p"]}}, "objects with a text 'accountId'"),
            ({"descriptor": {**RECEIPT.descriptor.to_dict(), "accounts": []}}, "Name at least one account"),
            ({"descriptor": {**RECEIPT.descriptor.to_dict(), "mimeType": "csv"}}, "mime_type is 'csv'"),
            ({"version": 2}, "has version 2.*pip install -U"),
            ({"version": 0}, "'version' is a int and must be 1"),
        ],
    )
    def test_what_is_wrong_is_named(self, changes: dict[str, Any], said: str) -> None:
        with pytest.raises(InputError, match=said) as raised:
            Receipt.from_dict(RECEIPT.to_dict() | changes)
        assert "t0ken-in-clear" not in str(raised.value)

    def test_everything_wrong_is_named_at_once(self) -> None:
        values = RECEIPT.to_dict() | {"rows": "3", "more": 1}
        del values["size"]
        with pytest.raises(InputError, match=r"'size' is missing; 'more' is not known; 'rows' is a str and must be a"):
            Receipt.from_dict(values)

    @pytest.mark.parametrize("given", [None, "text", [1], 5])
    def test_what_is_no_mapping_is_refused(self, given: Any) -> None:
        with pytest.raises(InputError, match=r"Pass what Receipt.to_dict\(\) returned"):
            Receipt.from_dict(given)


# Of the version before receipts had times and ids, with the values of an own test.
PICKLED_BEFORE = b"""cdigime_pandas._service.receipt
_restore
p0
((dp1
Vstatus
p2
Vdelivered
p3
sVfile_name
p4
Vvisits.csv
p5
sVrows
p6
I3
sVsize
p7
I120
sVsha256
p8
V0000000000000000000000000000000000000000000000000000000000000000
p9
sVexpires
p10
NsVattempts
p11
I1
sVelapsed
p12
F0.25
sVenvironment
p13
Vhttps://api.test/v1.7/
p14
sVdescriptor
p15
ccopy_reg
_reconstructor
p16
(cdigime_pandas._service.descriptor
FileDescriptor
p17
c__builtin__
object
p18
Ntp19
Rp20
(lp21
Vtext/csv
p22
a(Vp-1
p23
Vp-2
p24
tp25
a(g5
Vurn:uuid:1-2
p26
tp27
a(tabsVauthorization
p28
Nstp29
Rp30
."""


def test_a_receipt_that_was_pickled_before_it_had_times_and_ids_is_read() -> None:
    receipt = pickle.loads(PICKLED_BEFORE)
    assert (receipt.account_id, receipt.write_id, receipt.rows) == ("p-1", "urn:uuid:1-2", 3)
    assert (receipt.delivered_at, receipt.contract_id, receipt.consent_id, receipt.losses) == (None, None, None, ())
    assert Receipt.from_dict(receipt.to_dict()) == receipt


def test_receipts_are_the_rows_of_a_frame() -> None:
    frame = pd.DataFrame([RECEIPT, replace(RECEIPT, file_name="b.csv")])
    assert frame["file_name"].tolist() == ["<visits>.csv", "b.csv"]
    assert str(frame["delivered_at"].dt.tz) == "UTC"
    assert frame["losses"].tolist() == [RECEIPT.losses] * 2
