from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import re
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Literal

import brotli
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from digime_pandas._service.contract import Contract
from digime_pandas.sandbox import Sandbox

from .wire import DESCRIPTOR, Consent, Envelope, Wire, open_blob, refusal

QUERY = "permission-access/query"


def metadata(answer: httpx.Response) -> dict[str, Any]:
    text = answer.headers["X-Metadata"]
    assert "=" not in text
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return found


def listed(wire: Wire, reader: Consent, session: str) -> list[dict[str, Any]]:
    answer = wire.get(reader, f"{QUERY}/{session}").json()
    assert answer["status"] == {"state": "completed"}
    files: list[dict[str, Any]] = answer["fileList"]
    return files


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 1 << 20, 2_500_000])
def test_what_was_written_is_read_back_byte_for_byte(wire: Wire, person: Consent, size: int) -> None:
    data = os.urandom(size)
    assert wire.import_file(person, data).status_code == 204
    reader = wire.reader(person)
    session = wire.session(reader)
    (entry,) = listed(wire, reader, session)
    assert re.fullmatch(r"[0-9A-Za-z_.~-]+", entry["name"])
    answer = wire.get(reader, f"{QUERY}/{session}/{entry['name']}")
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert int(answer.headers["Content-Length"]) == len(answer.content) == 272 + (size // 16 + 1) * 16
    assert open_blob(answer.content, reader.contract.private_key) == data


def test_a_file_carries_its_descriptor_in_lower_case(wire: Wire, person: Consent) -> None:
    sent = DESCRIPTOR | {"objectTypes": [{"name": "x"}], "contractId": "mine", "appId": "mine", "providerName": "P"}
    wire.import_file(person, b"x", descriptor=sent)
    reader = wire.reader(person)
    session = wire.session(reader)
    (entry,) = listed(wire, reader, session)
    answer = wire.get(reader, f"{QUERY}/{session}/{entry['name']}")
    assert metadata(answer) == {
        "compression": "no-compression",
        "metadata": {
            "mimetype": "text/csv",
            "accounts": [{"accountid": "patient-17"}],
            "reference": ["visits.csv"],
            "tags": ["t1", "中"],
            "created": entry["updatedDate"],
            "contractid": person.contract.contract_id,
            "appid": person.contract.application_id,
            "objecttypes": [{"name": "x"}],
            "providerName": "P",
        },
    }
    modified = parsedate_to_datetime(answer.headers["Last-Modified"]).timestamp()
    assert modified == entry["updatedDate"] // 1000


def told(wire: Wire, reader: Consent) -> list[tuple[str | None, str | None]]:
    """Contract and application of each file in a person's library, as a reader is told."""
    session = wire.session(reader)
    found = [
        metadata(wire.get(reader, f"{QUERY}/{session}/{entry['name']}", method="HEAD"))["metadata"]
        for entry in listed(wire, reader, session)
    ]
    return [(each.get("contractid"), each.get("appid")) for each in found]


@pytest.mark.parametrize("protocol", ["import", "postbox"])
def test_a_file_is_told_to_be_of_the_contract_that_signed_it_whatever_its_writer_says(
    tmp_path: Path, vendor_keys: dict[str, RSAPrivateKey], protocol: str
) -> None:
    one, two = (Contract(f"app_{name}", f"w_{name}", vendor_keys["contract_w"]) for name in ("one", "two"))
    read = Contract("app", "r", vendor_keys["contract_r"])
    claimed = DESCRIPTOR | dict.fromkeys(("contractId", "contractid", "appId", "appid"), "claimed")
    linked: dict[str, Any] = {}
    expected = []
    # The first contract is not registered any more when the files are read.
    for contract in (one, two):
        with Sandbox(tmp_path, contracts=(contract, read)) as sandbox:
            wire = Wire(sandbox)
            person = wire.consent(contract, **linked)
            linked = {"access_token": person.access_token}
            if protocol == "import":
                assert wire.import_file(person, b"x", descriptor=claimed).status_code == 204
            else:
                envelope = Envelope(person.redirected["publicKey"], descriptor=claimed)
                assert wire.post_file(person, b"x", envelope=envelope).status_code == 200
            expected.append((contract.contract_id, contract.application_id))
            assert [(file.contract_id, file.application_id) for file in sandbox.files()] == expected
            assert told(wire, wire.reader(person)) == expected
            wire.http.close()


def test_head_gives_the_headers_alone(wire: Wire, person: Consent) -> None:
    wire.import_file(person, b"x" * 1000)
    reader = wire.reader(person)
    path = f"{QUERY}/{(session := wire.session(reader))}/{listed(wire, reader, session)[0]['name']}"
    head, full = wire.get(reader, path, method="HEAD"), wire.get(reader, path)
    assert head.content == b""
    for name in ("Content-Length", "X-Metadata", "Last-Modified"):
        assert head.headers[name] == full.headers[name]


def test_two_readings_of_a_file_share_no_key(wire: Wire, person: Consent) -> None:
    wire.import_file(person, b"x")
    reader = wire.reader(person)
    path = f"{QUERY}/{(session := wire.session(reader))}/{listed(wire, reader, session)[0]['name']}"
    first, second = (wire.get(reader, path).content for _ in range(2))
    assert first[256:] != second[256:]


def test_a_reader_that_goes_away_in_the_middle_disturbs_nobody(
    wire: Wire, person: Consent, capfd: pytest.CaptureFixture[str]
) -> None:
    wire.import_file(person, bytes(20 << 20))
    reader = wire.reader(person)
    path = f"{QUERY}/{(session := wire.session(reader))}/{listed(wire, reader, session)[0]['name']}"
    headers = wire.headers(reader.contract, access_token=reader.access_token)
    with wire.http.stream("GET", path, headers=headers) as answer:
        next(answer.iter_raw(1000))
    assert wire.get(reader, path, method="HEAD").status_code == 200
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(("compression", "expand"), [("gzip", gzip.decompress), ("brotli", brotli.decompress)])
@pytest.mark.parametrize("size", [0, 3_000_000])
def test_files_can_be_compressed_before_they_are_sealed(
    compression: Literal["gzip", "brotli"], expand: Callable[[bytes], bytes], size: int
) -> None:
    data = b"abc" * (size // 3)
    with Sandbox(compression=compression) as sandbox:
        wire = Wire(sandbox)
        person = wire.consent()
        wire.import_file(person, data)
        reader = wire.reader(person)
        path = f"{QUERY}/{(session := wire.session(reader))}/{listed(wire, reader, session)[0]['name']}"
        answer = wire.get(reader, path)
        assert metadata(answer)["compression"] == compression
        assert expand(open_blob(answer.content, reader.contract.private_key)) == data
        assert wire.get(reader, path, method="HEAD").headers["X-Metadata"] == answer.headers["X-Metadata"]
        legacy = sandbox.base_url.replace("v1.7", "v1.6")
        plain = open_blob(wire.http.get(f"{legacy}{path}").content, reader.contract.private_key)
        assert plain[:64] == hashlib.sha512(plain[64:]).digest()
        assert expand(plain[64:]) == data
        wire.http.close()


def test_the_older_api_asks_with_the_session_alone_and_puts_a_digest_first(wire: Wire, person: Consent) -> None:
    wire.import_file(person, b"hello")
    reader = wire.reader(person)
    legacy = wire.sandbox.base_url.replace("v1.7", "v1.6") + f"{QUERY}/{wire.session(reader)}"
    (entry,) = wire.http.get(legacy).json()["fileList"]
    blob = wire.http.get(f"{legacy}/{entry['name']}").content
    plain = open_blob(blob, reader.contract.private_key)
    assert len(blob) == 272 + 80
    assert plain == hashlib.sha512(b"hello").digest() + b"hello"
    assert refusal(wire.http.get(legacy.replace("v1.6", "v1.7"))) == (401, "TokenInvalid")


def test_a_person_sees_their_own_files_alone(wire: Wire) -> None:
    mine, other = wire.consent(), wire.consent()
    wire.import_file(mine, b"mine")
    wire.import_file(other, b"other")
    my_reader, other_reader = wire.reader(mine), wire.reader(other)
    my_session, other_session = wire.session(my_reader), wire.session(other_reader)
    (my_entry,), (other_entry,) = listed(wire, my_reader, my_session), listed(wire, other_reader, other_session)
    assert my_entry["name"] != other_entry["name"]
    assert refusal(wire.get(my_reader, f"{QUERY}/{my_session}/{other_entry['name']}")) == (404, "FileNotFound")
    assert refusal(wire.get(my_reader, f"{QUERY}/{other_session}")) == (400, "SessionInvalid")


def test_a_list_goes_on_with_what_is_written_later_oldest_first(wire: Wire, person: Consent) -> None:
    reader = wire.reader(person)
    session = wire.session(reader)
    assert listed(wire, reader, session) == []
    for number in range(3):
        wire.import_file(person, b"%d" % number)
    dates = [entry["updatedDate"] for entry in listed(wire, reader, session)]
    assert dates == sorted(set(dates))


def test_a_list_can_take_its_time(wire: Wire, person: Consent) -> None:
    wire.import_file(person, b"x")
    reader = wire.reader(person)
    session = wire.session(reader)
    wire.sandbox.pending_lists = 2
    answers = [wire.get(reader, f"{QUERY}/{session}").json() for _ in range(3)]
    assert [answer["status"]["state"] for answer in answers] == ["pending", "running", "completed"]
    assert ["fileList" in answer for answer in answers] == [False, True, True]


def test_the_session_of_the_authorization_serves_once_consent_is_given(wire: Wire, person: Consent) -> None:
    wire.import_file(person, b"x")
    reader = wire.reader(person)
    answer = wire.authorize(wire.sandbox.read_contract, access_token=person.access_token).json()
    session = answer["session"]["key"]
    assert refusal(wire.get(reader, f"{QUERY}/{session}")) == (400, "SessionInvalid")
    code = wire.verified(answer["token"])["preauthorization_code"]
    wire.sandbox.approve(f"{wire.sandbox.onboard_url}authorize?code={code}")
    assert len(listed(wire, reader, session)) == 1


def test_an_unknown_or_ended_session_is_refused() -> None:
    now = 1_700_000_000.0
    with Sandbox(clock=lambda: now) as sandbox:
        wire = Wire(sandbox, clock=lambda: now)
        reader = wire.reader(wire.consent())
        session = wire.session(reader)
        assert refusal(wire.get(reader, f"{QUERY}/none")) == (400, "SessionInvalid")
        now += 3600
        assert refusal(wire.get(reader, f"{QUERY}/{session}")) == (400, "SessionInvalid")
        assert refusal(wire.http.get(f"{sandbox.base_url.replace('v1.7', 'v1.6')}{QUERY}/{session}")) == (
            400,
            "SessionInvalid",
        )
        wire.http.close()


def test_the_session_of_a_write_opens_nothing_on_the_older_api(wire: Wire, person: Consent) -> None:
    session = wire.post_file(person, b"x").json()["session"]["key"]
    answer = wire.http.get(f"{wire.sandbox.base_url.replace('v1.7', 'v1.6')}{QUERY}/{session}")
    assert refusal(answer) == (400, "InvalidContractDataRequest")


def test_a_trigger_body_that_is_not_json_is_refused(wire: Wire, person: Consent) -> None:
    reader = wire.reader(person)
    headers = wire.headers(reader.contract, access_token=reader.access_token)
    answer = wire.http.post("permission-access/trigger", headers=headers, content=b"not json")
    assert refusal(answer) == (400, "InvalidRequest")
