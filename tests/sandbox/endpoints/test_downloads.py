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

from .protocol_client import AGENT, DESCRIPTOR, Consent, Envelope, ProtocolClient, error_reply, open_blob

pytestmark = pytest.mark.slow

QUERY = "permission-access/query"


def metadata(answer: httpx.Response) -> dict[str, Any]:
    text = answer.headers["X-Metadata"]
    assert "=" not in text
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return found


def listed(api: ProtocolClient, reader: Consent, session: str) -> list[dict[str, Any]]:
    answer = api.get(reader, f"{QUERY}/{session}").json()
    assert answer["status"] == {"state": "completed"}
    files: list[dict[str, Any]] = answer["fileList"]
    return files


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 1 << 20, 2_500_000])
def test_what_was_written_is_read_back_byte_for_byte(api: ProtocolClient, person: Consent, size: int) -> None:
    data = os.urandom(size)
    assert api.import_file(person, data).status_code == 204
    reader = api.reader(person)
    session = api.session(reader)
    (entry,) = listed(api, reader, session)
    assert re.fullmatch(r"[0-9A-Za-z_.~-]+", entry["name"])
    answer = api.get(reader, f"{QUERY}/{session}/{entry['name']}")
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert int(answer.headers["Content-Length"]) == len(answer.content) == 272 + (size // 16 + 1) * 16
    assert open_blob(answer.content, reader.contract.private_key) == data


def test_a_file_carries_its_descriptor_in_lower_case(api: ProtocolClient, person: Consent) -> None:
    sent = DESCRIPTOR | {"objectTypes": [{"name": "x"}], "contractId": "mine", "appId": "mine", "providerName": "P"}
    api.import_file(person, b"x", descriptor=sent)
    reader = api.reader(person)
    session = api.session(reader)
    (entry,) = listed(api, reader, session)
    answer = api.get(reader, f"{QUERY}/{session}/{entry['name']}")
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


def writers_seen_by(api: ProtocolClient, reader: Consent) -> list[tuple[str | None, str | None]]:
    """Contract and application of each file in a person's library, as a reader is told."""
    session = api.session(reader)
    found = [
        metadata(api.get(reader, f"{QUERY}/{session}/{entry['name']}", method="HEAD"))["metadata"]
        for entry in listed(api, reader, session)
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
            api = ProtocolClient(sandbox)
            person = api.consent(contract, **linked)
            linked = {"access_token": person.access_token}
            if protocol == "import":
                assert api.import_file(person, b"x", descriptor=claimed).status_code == 204
            else:
                envelope = Envelope(person.redirected["publicKey"], descriptor=claimed)
                assert api.post_file(person, b"x", envelope=envelope).status_code == 200
            expected.append((contract.contract_id, contract.application_id))
            assert [(file.contract_id, file.application_id) for file in sandbox.files()] == expected
            assert writers_seen_by(api, api.reader(person)) == expected
            api.http.close()


def test_head_gives_the_headers_alone(api: ProtocolClient, person: Consent) -> None:
    api.import_file(person, b"x" * 1000)
    reader = api.reader(person)
    path = f"{QUERY}/{(session := api.session(reader))}/{listed(api, reader, session)[0]['name']}"
    head, full = api.get(reader, path, method="HEAD"), api.get(reader, path)
    assert head.content == b""
    for name in ("Content-Length", "X-Metadata", "Last-Modified"):
        assert head.headers[name] == full.headers[name]


def test_two_readings_of_a_file_share_no_key(api: ProtocolClient, person: Consent) -> None:
    api.import_file(person, b"x")
    reader = api.reader(person)
    path = f"{QUERY}/{(session := api.session(reader))}/{listed(api, reader, session)[0]['name']}"
    first, second = (api.get(reader, path).content for _ in range(2))
    assert first[256:] != second[256:]


def test_a_reader_that_goes_away_in_the_middle_disturbs_nobody(
    api: ProtocolClient, person: Consent, capfd: pytest.CaptureFixture[str]
) -> None:
    api.import_file(person, bytes(20 << 20))
    reader = api.reader(person)
    path = f"{QUERY}/{(session := api.session(reader))}/{listed(api, reader, session)[0]['name']}"
    headers = api.headers(reader.contract, access_token=reader.access_token)
    with api.http.stream("GET", path, headers=headers) as answer:
        next(answer.iter_raw(1000))
    assert api.get(reader, path, method="HEAD").status_code == 200
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(("compression", "expand"), [("gzip", gzip.decompress), ("brotli", brotli.decompress)])
@pytest.mark.parametrize("size", [0, 3_000_000])
def test_files_can_be_compressed_before_they_are_sealed(
    compression: Literal["gzip", "brotli"], expand: Callable[[bytes], bytes], size: int
) -> None:
    data = b"abc" * (size // 3)
    with Sandbox(compression=compression) as sandbox:
        api = ProtocolClient(sandbox)
        person = api.consent()
        api.import_file(person, data)
        reader = api.reader(person)
        path = f"{QUERY}/{(session := api.session(reader))}/{listed(api, reader, session)[0]['name']}"
        answer = api.get(reader, path)
        assert metadata(answer)["compression"] == compression
        assert expand(open_blob(answer.content, reader.contract.private_key)) == data
        assert api.get(reader, path, method="HEAD").headers["X-Metadata"] == answer.headers["X-Metadata"]
        legacy = sandbox.base_url.replace("v1.7", "v1.6")
        plain = open_blob(api.http.get(f"{legacy}{path}").content, reader.contract.private_key)
        assert plain[:64] == hashlib.sha512(plain[64:]).digest()
        assert expand(plain[64:]) == data
        api.http.close()


def test_the_older_api_asks_with_the_session_alone_and_puts_a_digest_first(
    api: ProtocolClient, person: Consent
) -> None:
    api.import_file(person, b"hello")
    reader = api.reader(person)
    legacy = api.sandbox.base_url.replace("v1.7", "v1.6") + f"{QUERY}/{api.session(reader)}"
    (entry,) = api.http.get(legacy).json()["fileList"]
    blob = api.http.get(f"{legacy}/{entry['name']}").content
    plain = open_blob(blob, reader.contract.private_key)
    assert len(blob) == 272 + 80
    assert plain == hashlib.sha512(b"hello").digest() + b"hello"
    assert error_reply(api.http.get(legacy.replace("v1.6", "v1.7"))) == (401, "TokenInvalid")


def test_a_person_sees_their_own_files_alone(api: ProtocolClient) -> None:
    mine, other = api.consent(), api.consent()
    api.import_file(mine, b"mine")
    api.import_file(other, b"other")
    my_reader, other_reader = api.reader(mine), api.reader(other)
    my_session, other_session = api.session(my_reader), api.session(other_reader)
    (my_entry,), (other_entry,) = listed(api, my_reader, my_session), listed(api, other_reader, other_session)
    assert my_entry["name"] != other_entry["name"]
    assert error_reply(api.get(my_reader, f"{QUERY}/{my_session}/{other_entry['name']}")) == (404, "FileNotFound")
    assert error_reply(api.get(my_reader, f"{QUERY}/{other_session}")) == (400, "SessionInvalid")


def test_a_list_goes_on_with_what_is_written_later_oldest_first(api: ProtocolClient, person: Consent) -> None:
    reader = api.reader(person)
    session = api.session(reader)
    assert listed(api, reader, session) == []
    for number in range(3):
        api.import_file(person, b"%d" % number)
    dates = [entry["updatedDate"] for entry in listed(api, reader, session)]
    assert dates == sorted(set(dates))


def tagged(api: ProtocolClient, person: Consent, *tags: str) -> None:
    for tag in tags:
        descriptor = DESCRIPTOR | {"tags": [tag], "reference": [f"{tag}.csv"]}
        assert api.import_file(person, tag.encode(), descriptor=descriptor).status_code == 204


def trigger(api: ProtocolClient, reader: Consent, **options: Any) -> httpx.Response:
    headers = api.headers(reader.contract, access_token=reader.access_token)
    return api.http.post("permission-access/trigger", headers=headers, json=AGENT | options)


def scoped(**metadata: list[str]) -> dict[str, Any]:
    return {"criteria": [{"metadata": metadata}]}


def test_a_session_lists_and_gives_the_files_of_its_scope_alone(api: ProtocolClient, person: Consent) -> None:
    tagged(api, person, "a", "b", "c")
    reader = api.reader(person)
    every = [entry["name"] for entry in listed(api, reader, api.session(reader))]
    answer = trigger(api, reader, scope=scoped(reference=["b.csv"]), sourceFetch=False)
    session = answer.json()["session"]["key"]
    assert [entry["name"] for entry in listed(api, reader, session)] == every[1:2]
    answers = [api.get(reader, f"{QUERY}/{session}/{name}") for name in every]
    assert [each.status_code for each in answers] == [404, 200, 404]
    legacy = api.sandbox.base_url.replace("v1.7", "v1.6") + f"{QUERY}/{session}"
    assert [entry["name"] for entry in api.http.get(legacy).json()["fileList"]] == every[1:2]
    tagged(api, person, "b")
    assert len(listed(api, reader, session)) == 2


def test_the_session_of_the_authorization_has_a_scope_too(api: ProtocolClient, person: Consent) -> None:
    tagged(api, person, "a", "b")
    reader = api.reader(person)
    body = AGENT | {"actions": {"pull": {"scope": scoped(tags=["a"])}}}
    answer = api.authorize(api.sandbox.read_contract, body=body, access_token=person.access_token).json()
    code = api.verified(answer["token"])["preauthorization_code"]
    api.sandbox.approve(f"{api.sandbox.onboard_url}authorize?code={code}")
    assert len(listed(api, reader, answer["session"]["key"])) == 1


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"scope": {"criteria": [{"metadata": {"tags": "a"}}]}}, "ScopeOutOfBounds"),
        ({"scope": []}, "ScopeOutOfBounds"),
        ({"sourceFetch": "no"}, "InvalidRequest"),
    ],
)
def test_options_of_another_shape_open_no_session(
    api: ProtocolClient, person: Consent, options: dict[str, Any], code: str
) -> None:
    assert error_reply(trigger(api, api.reader(person), **options)) == (400, code)


@pytest.mark.parametrize(("mode", "files"), [("ignored", 2), ("refused", None)])
def test_a_sandbox_can_be_one_without_scopes(mode: Literal["ignored", "refused"], files: int | None) -> None:
    with Sandbox(scope=mode) as sandbox:
        api = ProtocolClient(sandbox)
        person = api.consent()
        tagged(api, person, "a", "b")
        reader = api.reader(person)
        answer = trigger(api, reader, scope=scoped(tags=["a"]))
        if files is None:
            assert error_reply(answer) == (400, "ScopeOutOfBounds")
        else:
            assert len(listed(api, reader, answer.json()["session"]["key"])) == files
        assert len(listed(api, reader, api.session(reader))) == 2
        api.http.close()


def test_a_list_can_take_its_time(api: ProtocolClient, person: Consent) -> None:
    api.import_file(person, b"x")
    reader = api.reader(person)
    session = api.session(reader)
    api.sandbox.pending_lists = 2
    answers = [api.get(reader, f"{QUERY}/{session}").json() for _ in range(3)]
    assert [answer["status"]["state"] for answer in answers] == ["pending", "running", "completed"]
    assert ["fileList" in answer for answer in answers] == [False, True, True]


def test_the_session_of_the_authorization_serves_once_consent_is_given(api: ProtocolClient, person: Consent) -> None:
    api.import_file(person, b"x")
    reader = api.reader(person)
    answer = api.authorize(api.sandbox.read_contract, access_token=person.access_token).json()
    session = answer["session"]["key"]
    assert error_reply(api.get(reader, f"{QUERY}/{session}")) == (400, "SessionInvalid")
    code = api.verified(answer["token"])["preauthorization_code"]
    api.sandbox.approve(f"{api.sandbox.onboard_url}authorize?code={code}")
    assert len(listed(api, reader, session)) == 1


def test_an_unknown_or_ended_session_is_refused() -> None:
    now = 1_700_000_000.0
    with Sandbox(clock=lambda: now) as sandbox:
        api = ProtocolClient(sandbox, clock=lambda: now)
        reader = api.reader(api.consent())
        session = api.session(reader)
        assert error_reply(api.get(reader, f"{QUERY}/none")) == (400, "SessionInvalid")
        now += 3600
        assert error_reply(api.get(reader, f"{QUERY}/{session}")) == (400, "SessionInvalid")
        assert error_reply(api.http.get(f"{sandbox.base_url.replace('v1.7', 'v1.6')}{QUERY}/{session}")) == (
            400,
            "SessionInvalid",
        )
        api.http.close()


def test_the_session_of_a_write_opens_nothing_on_the_older_api(api: ProtocolClient, person: Consent) -> None:
    session = api.post_file(person, b"x").json()["session"]["key"]
    answer = api.http.get(f"{api.sandbox.base_url.replace('v1.7', 'v1.6')}{QUERY}/{session}")
    assert error_reply(answer) == (400, "InvalidContractDataRequest")


def test_a_trigger_body_that_is_not_json_is_refused(api: ProtocolClient, person: Consent) -> None:
    reader = api.reader(person)
    headers = api.headers(reader.contract, access_token=reader.access_token)
    answer = api.http.post("permission-access/trigger", headers=headers, content=b"not json")
    assert error_reply(answer) == (400, "InvalidRequest")
