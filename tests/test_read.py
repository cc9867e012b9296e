from __future__ import annotations

from hashlib import sha256
from typing import Any

import pandas as pd
import pytest

from digime_pandas._authorization import Authorization
from digime_pandas._client import Client
from digime_pandas._descriptor import FileDescriptor
from digime_pandas._read import read_batches, read_file, read_frame
from digime_pandas._receipt import Receipt
from digime_pandas._write import write
from digime_pandas.errors import (
    AuthorizationError,
    DescriptorError,
    DigestMismatchError,
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
    first = delivered(client, person, FRAME.head(1))
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
        ({"account_id": 17}, DescriptorError),
        ({"sha256": "short"}, InputError),
        ({"sha256": b"0" * 64}, InputError),
    ],
    ids=str,
)
def test_bad_input_is_an_error_of_input(client: Client, change: dict[str, Any], kind: type[Exception]) -> None:
    arguments: dict[str, Any] = {"file_name": "visits.csv", "account_id": "p", "client": client}
    for call in (read_file, read_frame, read_batches):
        with pytest.raises(kind):
            call(**(arguments | change))


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
