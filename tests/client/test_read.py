from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pandas as pd
import pytest

from digime_pandas._client.client import Client
from digime_pandas._client.read import read_batches, read_file, read_frame
from digime_pandas._client.write import write
from digime_pandas._service.authorization import Authorization
from digime_pandas._service.descriptor import FileDescriptor
from digime_pandas._service.receipt import Receipt
from digime_pandas.errors import (
    AuthorizationError,
    DescriptorError,
    DigestMismatchError,
    DigimeWarning,
    FileNotInLibraryError,
    FormatError,
    InputError,
    NotAuthorizedError,
)
from digime_pandas.sandbox import Sandbox

SUFFIXES = ["csv", "json", "ndjson", "parquet"]
FRAME = pd.DataFrame(
    {
        "day": pd.to_datetime(["2026-01-05", "2026-02-09", "NaT"]),
        "pulse": pd.array([61, None, 58], dtype="Int64"),
        "score": [0.1, 1 / 3, -0.0],
        "note": ["ü", "", None],
        "seen": [True, False, True],
        "kind": pd.Categorical(["a", "b", "a"]),
    },
    index=pd.Index([7, 8, 9], name="number"),
)
FIRST_ROW = FRAME.head(1).assign(kind=pd.Categorical(["a"]))  # with the categories that it has


def delivered(
    client: Client, person: Authorization, frame: pd.DataFrame = FRAME, name: str = "visits.parquet"
) -> Receipt:
    return write(frame, name, account_id=person.account_id, client=client)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_frame_comes_back_as_it_was(either_client: Client, either_person: Authorization, suffix: str) -> None:
    receipt = delivered(either_client, either_person, name=f"visits.{suffix}")
    found = read_frame(
        f"visits.{suffix}", account_id=either_person.account_id, sha256=receipt.sha256, client=either_client
    )
    pd.testing.assert_frame_equal(found, FRAME)


def test_the_newest_file_of_a_name_is_read(client: Client, reader: Authorization) -> None:
    person = client.authorization(reader.account_id)
    first = delivered(client, person, FIRST_ROW)
    delivered(client, person, FRAME.head(2))
    delivered(client, person, name="other.parquet")
    arguments: dict[str, Any] = {"account_id": reader.account_id, "client": client}
    assert len(read_frame("visits.parquet", **arguments)) == 2
    with pytest.raises(DigestMismatchError, match="newest file of that name is another"):
        read_frame("visits.parquet", sha256=first.sha256, **arguments)


def test_bytes_rows_and_columns_are_read_as_asked_for(client: Client, reader: Authorization) -> None:
    receipt = delivered(client, client.authorization(reader.account_id))
    arguments: dict[str, Any] = {"account_id": reader.account_id, "client": client}
    assert sha256(read_file("visits.parquet", **arguments)).hexdigest() == receipt.sha256
    part = read_frame("visits.parquet", columns=["pulse"], limit=2, **arguments)
    pd.testing.assert_frame_equal(part, FRAME[["pulse"]].head(2))
    pieces = list(read_batches("visits.parquet", batch_rows=2, **arguments))
    assert [len(piece) for piece in pieces] == [2, 1]


def test_an_authorization_may_be_passed(client: Client, reader: Authorization) -> None:
    delivered(client, client.authorization(reader.account_id))
    client.forget(reader.account_id, access="read")
    with pytest.raises(NotAuthorizedError, match="access='read'"):
        read_file("visits.parquet", account_id=reader.account_id, client=client)
    assert read_file("visits.parquet", account_id=reader.account_id, client=client, authorization=reader)


def test_another_persons_authorization_is_refused(client: Client, reader: Authorization) -> None:
    with pytest.raises(InputError, match="another person's library"):
        read_file("visits.parquet", account_id="someone", client=client, authorization=reader)


def test_an_authorization_for_writing_is_refused(client: Client, person: Authorization) -> None:
    with pytest.raises(AuthorizationError, match="'read' is needed"):
        read_file("visits.parquet", account_id=person.account_id, client=client, authorization=person)


def test_a_file_that_is_not_there_is_named_with_the_way_to_look(client: Client, reader: Authorization) -> None:
    with pytest.raises(FileNotInLibraryError, match=r"no 'visits\.csv'.*client\.files\('") as raised:
        read_frame("visits.csv", account_id=reader.account_id, client=client)
    assert isinstance(raised.value, LookupError)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"file_name": "../visits"}, DescriptorError),
        ({"file_name": None}, DescriptorError),
        ({"account_id": ""}, DescriptorError),
        ({"account_id": ["p", "q"]}, DescriptorError),
        ({"account_id": 1.5}, DescriptorError),
        ({"sha256": "short"}, InputError),
        ({"sha256": b"0" * 64}, InputError),
        ({"timeout": "60"}, InputError),
        ({"timeout": -1}, InputError),
        ({"timeout": float("nan")}, InputError),
    ],
    ids=str,
)
def test_bad_input_is_an_error_of_input(client: Client, change: dict[str, Any], kind: type[Exception]) -> None:
    arguments: dict[str, Any] = {"file_name": "visits.csv", "account_id": "p", "client": client}
    for call in (read_file, read_frame, read_batches):
        with pytest.raises(kind):
            call(**(arguments | change))


def test_a_list_takes_no_time_that_is_none(client: Client, reader: Authorization) -> None:
    with pytest.raises(InputError, match=r"timeout is None\. Pass how many seconds"):
        client.files(reader.account_id, timeout=None)  # type: ignore[arg-type]


def test_one_file_may_have_a_name_that_looks_like_that_of_a_dataset(client: Client, reader: Authorization) -> None:
    frame = pd.DataFrame({"pulse": [61, 70]})
    receipt = write(frame, "ward-*.csv", reader.account_id, client=client)
    for digest in (None, receipt.sha256):
        arguments: dict[str, Any] = {"account_id": reader.account_id, "client": client, "sha256": digest}
        pd.testing.assert_frame_equal(read_frame("ward-*.csv", **arguments), frame)
        assert read_file("ward-*.csv", **arguments) == b"pulse\r\n61\r\n70\r\n"
        (batch,) = read_batches("ward-*.csv", **arguments)
        pd.testing.assert_frame_equal(batch, frame)


def test_a_file_that_is_no_table_is_not_made_one(client: Client, reader: Authorization) -> None:
    descriptor = FileDescriptor("image/png", "p", ["scan.png"])
    client.write(b"\x89PNG", "scan.png", descriptor, client.authorization(reader.account_id))
    with pytest.raises(FormatError, match="image/png"):
        read_frame("scan.png", account_id=reader.account_id, client=client)
    assert read_file("scan.png", account_id=reader.account_id, client=client) == b"\x89PNG"


def test_what_was_damaged_in_the_library_is_noticed(sandbox: Sandbox, client: Client, reader: Authorization) -> None:
    receipt = delivered(client, client.authorization(reader.account_id))
    assert receipt.verify(client)
    (file,) = [file for file in sandbox.files() if file.user_id == reader.user_id]
    content = bytearray(file.path.read_bytes())
    content[len(content) // 2] ^= 1
    file.path.write_bytes(content)
    with pytest.raises(DigestMismatchError):
        receipt.verify(client)
    with pytest.raises(DigestMismatchError):
        read_file("visits.parquet", account_id=reader.account_id, sha256=receipt.sha256, client=client)


def test_another_contracts_newer_file_of_the_name_is_not_taken_for_ours(
    client: Client, reader: Authorization, other_writer: tuple[Client, Authorization]
) -> None:
    receipt = delivered(client, client.authorization(reader.account_id))
    other, consent = other_writer
    foreign = FIRST_ROW
    theirs = write(
        foreign,
        "visits.parquet",
        account_id=reader.account_id,
        reference=receipt.descriptor.reference,
        client=other,
        authorization=consent,
    )
    write(foreign, "theirs.parquet", account_id=reader.account_id, client=other, authorization=consent)
    arguments: dict[str, Any] = {"account_id": reader.account_id, "client": client}
    pd.testing.assert_frame_equal(read_frame("visits.parquet", **arguments), FRAME)
    assert sha256(read_file("visits.parquet", sha256=receipt.sha256, **arguments)).hexdigest() == receipt.sha256
    pd.testing.assert_frame_equal(pd.concat(read_batches("visits.parquet", **arguments)), FRAME)
    assert receipt.verify(client)
    with pytest.raises(DigestMismatchError):
        replace(receipt, sha256=theirs.sha256).verify(client)
    # Where there is none of ours, the newest of others.
    pd.testing.assert_frame_equal(read_frame("theirs.parquet", **arguments), foreign)


@pytest.fixture
def moved(sandbox: Sandbox, client: Client, reader: Authorization, authorize: Callable[..., Authorization]) -> Receipt:
    """A file in a new library, after consent to write was forgotten and given anew; the read consent is the old one."""
    delivered(client, client.authorization(reader.account_id), FIRST_ROW)
    client.forget(reader.account_id)
    with pytest.warns(DigimeWarning, match="another library"):
        person = authorize(sandbox, client, reader.account_id)
    assert person.user_id != reader.user_id
    return delivered(client, person)


def test_reading_another_library_than_is_written_into_is_an_error_with_the_call_to_make(
    sandbox: Sandbox,
    client: Client,
    reader: Authorization,
    moved: Receipt,
    authorize: Callable[..., Authorization],
) -> None:
    arguments: dict[str, Any] = {"account_id": reader.account_id, "client": client}
    calls: list[Callable[[], object]] = [
        lambda: read_frame("visits.parquet", **arguments),
        lambda: read_file("visits.parquet", **arguments),
        lambda: read_batches("visits.parquet", **arguments),
        lambda: client.files(reader.account_id),
        lambda: moved.verify(client),
        lambda: pickle.loads(pickle.dumps(moved)).verify(client),
    ]
    for call in calls:
        with pytest.raises(AuthorizationError, match="another library") as raised:
            call()
        assert f"digime.authorize({reader.account_id!r}, access='read')" in str(raised.value)
    # What is passed is what is meant.
    assert len(read_frame("visits.parquet", authorization=reader, **arguments)) == 1
    assert len(client.files(reader)) == 1
    # As the message says: authorize reading again.
    authorize(sandbox, client, reader.account_id, "read")
    for call in calls:
        call()
    pd.testing.assert_frame_equal(read_frame("visits.parquet", **arguments), FRAME)


def test_a_receipt_is_verified_in_the_library_it_was_written_into(
    sandbox: Sandbox, client: Client, reader: Authorization, authorize: Callable[..., Authorization]
) -> None:
    receipt = delivered(client, client.authorization(reader.account_id))
    client.forget(reader.account_id)
    with pytest.warns(DigimeWarning):
        authorize(sandbox, client, reader.account_id)
    assert receipt.verify(client)
    authorize(sandbox, client, reader.account_id, "read")
    with pytest.raises(AuthorizationError, match="another library"):
        receipt.verify(client)


def test_a_library_that_is_not_known_is_not_another(client: Client, reader: Authorization, moved: Receipt) -> None:
    assert moved.authorization is not None
    assert client.read_contract is not None
    unknown = {"write": replace(moved.authorization, user_id=None), "read": replace(reader, user_id=None)}
    for kept in ([unknown["write"], reader], [moved.authorization, unknown["read"]], list(unknown.values())):
        for contract, authorization in zip((client.contract, client.read_contract), kept, strict=True):
            client.tokens.put(client.base_url, contract.client_id, authorization)
        assert len(client.files(reader.account_id)) == 1
    client.forget(reader.account_id)
    client.tokens.put(client.base_url, contract.client_id, reader)
    assert len(client.files(reader.account_id)) == 1


@pytest.mark.parametrize("given", ["someone", b"", {}])
def test_what_is_no_authorization_is_not_taken_for_an_account(client: Client, given: Any) -> None:
    with pytest.raises(InputError, match="authorization is a"):
        read_file("visits.parquet", account_id="p", client=client, authorization=given)


@pytest.mark.parametrize(
    "wrong",
    [{"columns": "ab"}, {"columns": [1]}, {"limit": "1"}, {"limit": 1.5}, {"limit": True}, {"limit": -1}],
    ids=str,
)
def test_wrong_columns_and_limits_are_noticed_before_any_request(
    client: Client, reader: Authorization, wrong: dict[str, Any]
) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):  # and no FileNotInLibraryError
        read_frame("none.csv", account_id=reader.account_id, client=client, **wrong)


@pytest.mark.parametrize(
    "wrong", [{"columns": "ab"}, {"batch_rows": "1"}, {"batch_rows": 0}, {"batch_rows": 1.5}], ids=str
)
def test_wrong_batches_are_noticed_before_any_request(
    client: Client, reader: Authorization, wrong: dict[str, Any]
) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        read_batches("none.csv", account_id=reader.account_id, client=client, **wrong)


def test_a_file_knows_wrong_arguments_before_it_is_fetched(client: Client, reader: Authorization) -> None:
    delivered(client, client.authorization(reader.account_id))
    (file,) = client.files(reader.account_id)
    unfetched = replace(file, fetch=lambda limit: pytest.fail(f"fetched {limit}"))
    with pytest.raises(InputError, match="limit='1'"):
        unfetched.to_frame(limit="1")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="batch_rows='1'"):
        next(unfetched.read_batches(batch_rows="1"))  # type: ignore[arg-type]


def test_missing_values_alone_in_their_rows_come_back_without_a_schema(client: Client, reader: Authorization) -> None:
    frame = pd.DataFrame({"note": ["a", None, "b"]})
    write(frame, "notes.csv", account_id=reader.account_id, client=client, typed=False)
    found = read_frame("notes.csv", account_id=reader.account_id, client=client)
    assert found["note"].isna().tolist() == [False, True, False]
    assert sum(map(len, read_batches("notes.csv", account_id=reader.account_id, client=client, batch_rows=2))) == 3
