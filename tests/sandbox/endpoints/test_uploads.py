from __future__ import annotations

import hashlib
import json
import os
import subprocess
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from .protocol_client import (
    BOUNDARY,
    DESCRIPTOR,
    Consent,
    Envelope,
    ProtocolClient,
    error_reply,
    multipart,
    pieces,
    sign,
)

pytestmark = pytest.mark.slow

DATA = b"a,b\n1,2\n"


def envelope_of(person: Consent, **members: Any) -> Envelope:
    return Envelope(person.redirected["publicKey"], **members)


def test_a_postbox_write_is_opened_and_kept_with_its_descriptor(api: ProtocolClient, person: Consent) -> None:
    answer = api.post_file(person, DATA)
    assert answer.status_code == 200
    assert answer.json().keys() == {"status", "expires", "session"}
    assert answer.json()["status"] == "delivered"
    assert answer.json()["expires"] > api.clock() * 1000
    (file,) = api.stored(person)
    assert (file.content, file.size, file.name, file.protocol) == (DATA, len(DATA), "visits.csv", "postbox")
    assert (file.mime_type, file.accounts) == ("text/csv", ("patient-17",))
    assert (file.reference, file.tags) == (("visits.csv",), ("t1", "中"))
    assert file.descriptor == DESCRIPTOR
    assert file.created.timestamp() == api.clock()


def test_a_file_sealed_by_openssl_is_opened(api: ProtocolClient, person: Consent, tmp_path: Path) -> None:
    key, iv = os.urandom(32), os.urandom(16)
    (tmp_path / "postbox.pem").write_text(person.redirected["publicKey"])

    def openssl(*arguments: str, data: bytes) -> bytes:
        command = ["openssl", *arguments]
        return subprocess.run(command, input=data, capture_output=True, check=True, cwd=tmp_path).stdout

    def aes(data: bytes) -> bytes:
        return openssl("enc", "-aes-256-cbc", "-K", key.hex(), "-iv", iv.hex(), data=data)

    # Plain "oaep" is SHA-1 for openssl.
    oaep = ("-pkeyopt", "rsa_padding_mode:oaep")
    spki = openssl("rsa", "-RSAPublicKey_in", "-in", "postbox.pem", "-pubout", data=b"")
    (tmp_path / "spki.pem").write_bytes(spki)
    wrapped = openssl("pkeyutl", "-encrypt", "-pubin", "-inkey", "spki.pem", *oaep, data=key)
    answer = api.post_file(
        person,
        b"",
        body=multipart(aes(DATA)),
        iv=iv.hex(),
        metadata=b64encode(aes(json.dumps(DESCRIPTOR).encode())).decode(),
        symmetrical_key=b64encode(wrapped).decode(),
    )
    assert answer.status_code == 200, answer.text
    assert api.stored(person)[0].content == DATA


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 4095, 1 << 20, (1 << 20) + 1, 3_333_333])
@pytest.mark.parametrize("chunked", [False, True])
def test_every_size_arrives_whole_on_both_paths(api: ProtocolClient, person: Consent, size: int, chunked: bool) -> None:
    data = os.urandom(size)
    envelope = envelope_of(person)
    body = multipart(envelope.seal(data))
    assert (
        api.post_file(person, b"", envelope=envelope, body=pieces(body, 70_001) if chunked else body).json()["status"]
        == "delivered"
    )
    assert api.import_file(person, pieces(data, 70_001) if chunked else data).status_code == 204
    digest = hashlib.sha256(data).hexdigest()
    assert [hashlib.sha256(file.content).hexdigest() for file in api.stored(person)] == [digest, digest]
    assert [file.size for file in api.stored(person)] == [size, size]


def test_a_body_cut_into_single_bytes_is_understood(api: ProtocolClient, person: Consent) -> None:
    envelope = envelope_of(person)
    body = multipart(envelope.seal(DATA))
    assert api.post_file(person, b"", envelope=envelope, body=pieces(body, 1)).status_code == 200
    assert api.stored(person)[0].content == DATA


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('name="file"; filename="file"', "file"),
        ("name=file; filename=plain.csv", "plain.csv"),
        ('name="file"; filename="Übersicht 中.csv"', "Übersicht 中.csv"),
        ('name="file"; filename="a;b=c.csv"', "a;b=c.csv"),
    ],
)
def test_the_file_name_is_read_as_vendor_clients_write_it(
    api: ProtocolClient, person: Consent, disposition: str, name: str
) -> None:
    envelope = envelope_of(person)
    body = multipart(envelope.seal(DATA), disposition=disposition)
    assert api.post_file(person, b"", envelope=envelope, body=body).status_code == 200
    assert api.stored(person)[0].name == name


def test_androids_second_text_part_and_extra_headers_are_let_through(api: ProtocolClient, person: Consent) -> None:
    envelope = envelope_of(person)
    text = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"\r\n\r\nvisits.csv\r\n'.encode()
    body = multipart(envelope.seal(DATA), extra=text)
    headers = {"sessionKey": "x", "symmetricalKey": "x", "iv": "x", "metadata": "x"}
    answer = api.post_file(person, b"", envelope=envelope, body=body, headers=headers, redirect_uri="a://b")
    assert answer.status_code == 200
    assert api.stored(person)[0].content == DATA


def test_a_part_without_a_content_type_is_understood(api: ProtocolClient, person: Consent) -> None:
    envelope = envelope_of(person)
    body = multipart(envelope.seal(DATA)).replace(b"Content-Type: text/csv\r\n", b"")
    assert api.post_file(person, b"", envelope=envelope, body=body).status_code == 200


def test_both_ways_of_writing_are_answered_by_both_api_versions(api: ProtocolClient, person: Consent) -> None:
    legacy = api.sandbox.base_url.replace("v1.7", "v1.6")
    assert api.post_file(person, DATA, path=f"{legacy}{person.postbox}").status_code == 200
    assert len(api.stored(person)) == 1


@pytest.mark.parametrize(
    ("disposition", "content_type"),
    [
        ('name="data"; filename="x"', "multipart/form-data"),
        ('name="file"', "multipart/form-data"),
    ],
)
def test_a_multipart_body_without_the_file_is_refused(
    api: ProtocolClient, person: Consent, disposition: str, content_type: str
) -> None:
    body = multipart(b"x" * 16, disposition=disposition)
    assert error_reply(api.post_file(person, b"", body=body)) == (400, "InvalidRequest")
    assert api.stored(person) == []


def test_two_files_in_one_body_are_refused(api: ProtocolClient, person: Consent) -> None:
    envelope = envelope_of(person)
    sealed = envelope.seal(DATA)
    first = multipart(sealed).rpartition(b"\r\n--")[0] + b"\r\n"
    answer = api.post_file(person, b"", envelope=envelope, body=multipart(sealed, extra=first))
    assert error_reply(answer) == (400, "InvalidRequest")
    assert api.stored(person) == []


def test_a_body_without_its_last_boundary_is_refused(api: ProtocolClient, person: Consent) -> None:
    envelope = envelope_of(person)
    body = multipart(envelope.seal(DATA)).rpartition(b"\r\n--")[0]
    assert error_reply(api.post_file(person, b"", envelope=envelope, body=body)) == (400, "InvalidRequest")
    assert api.stored(person) == []


@pytest.mark.parametrize("cut", [1, 16, 32])
def test_a_ciphertext_that_does_not_open_is_refused(api: ProtocolClient, person: Consent, cut: int) -> None:
    envelope = envelope_of(person)
    body = multipart(envelope.seal(DATA * 3)[:-cut])
    assert error_reply(api.post_file(person, b"", envelope=envelope, body=body)) == (400, "InvalidEnvelope")
    assert api.stored(person) == []


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"iv": "A" * 32}, "InvalidEnvelope"),
        ({"iv": "ab"}, "InvalidEnvelope"),
        ({"iv": 7}, "InvalidClaim"),
        ({"symmetrical_key": "%%%"}, "InvalidEnvelope"),
        ({"symmetrical_key": b64encode(b"x" * 256).decode()}, "InvalidEnvelope"),
        ({"metadata": "abc"}, "InvalidEnvelope"),
        ({"metadata": b64encode(b"x" * 32).decode()}, "InvalidEnvelope"),
    ],
    ids=str,
)
def test_an_envelope_of_the_wrong_form_is_refused(
    api: ProtocolClient, person: Consent, claims: dict[str, Any], code: str
) -> None:
    # The claims of a random key may unpad by chance once in 256 times, so the key is fixed.
    envelope = envelope_of(person, key=bytes(32), iv=bytes(16))
    assert error_reply(api.post_file(person, DATA, envelope=envelope, **claims)) == (400, code)


def test_a_key_of_another_length_is_refused(api: ProtocolClient, person: Consent) -> None:
    envelope = envelope_of(person, key=os.urandom(16))
    assert error_reply(api.post_file(person, DATA, envelope=envelope)) == (400, "InvalidEnvelope")


BAD_DESCRIPTORS = [
    {},
    [],
    {"mimeType": "text/csv"},
    {"accounts": [{"accountId": "x"}]},
    {"mimeType": "csv", "accounts": [{"accountId": "x"}]},
    {"mimeType": "text/csv", "accounts": []},
    {"mimeType": "text/csv", "accounts": ["x"]},
    {"mimeType": "text/csv", "accounts": [{"accountid": "x"}]},
    {"mimeType": "text/csv", "accounts": [{"accountId": "x"}], "tags": "t"},
    {"mimeType": "text/csv", "accounts": [{"accountId": "x"}], "reference": None},
    {"mimeType": "text/csv", "accounts": [{"accountId": "x"}], "reference": [1]},
]


@pytest.mark.parametrize("descriptor", BAD_DESCRIPTORS, ids=str)
def test_a_descriptor_of_the_wrong_form_is_refused_on_both_paths(
    api: ProtocolClient, person: Consent, descriptor: object
) -> None:
    envelope = envelope_of(person, descriptor=descriptor)
    assert error_reply(api.post_file(person, DATA, envelope=envelope)) == (400, "InvalidFileDescriptor")
    assert error_reply(api.import_file(person, DATA, descriptor=descriptor)) == (400, "InvalidFileDescriptor")


def test_a_descriptor_token_holds_metadata_alone_and_is_signed_by_the_contract(
    api: ProtocolClient, person: Consent
) -> None:
    more = sign(person.contract.private_key, {"metadata": DESCRIPTOR, "nonce": "x" * 32})
    assert error_reply(api.import_file(person, DATA, token=more)) == (400, "InvalidFileDescriptor")
    other = sign(generate_private_key(65537, 2048), {"metadata": DESCRIPTOR})
    assert error_reply(api.import_file(person, DATA, token=other)) == (401, "InvalidSignature")
    assert error_reply(api.import_file(person, DATA, token="Bearer x")) == (401, "TokenInvalid")
    assert api.stored(person) == []


def test_an_import_keeps_the_first_reference_as_its_name(api: ProtocolClient, person: Consent) -> None:
    assert api.import_file(person, DATA).status_code == 204
    bare = {name: DESCRIPTOR[name] for name in ("mimeType", "accounts")}
    assert api.import_file(person, DATA, descriptor=bare).status_code == 204
    named, unnamed = api.stored(person)
    assert (named.name, named.protocol) == ("visits.csv", "import")
    assert unnamed.name == unnamed.file_id


def test_an_import_without_a_content_type_is_accepted_and_another_type_is_not(
    api: ProtocolClient, person: Consent
) -> None:
    headers = api.headers(person.contract, access_token=person.access_token)
    headers["FileDescriptor"] = sign(person.contract.private_key, {"metadata": DESCRIPTOR})
    assert api.http.post("permission-access/import", headers=headers, content=DATA).status_code == 204
    other = api.import_file(person, DATA, headers={"Content-Type": "text/csv"})
    assert error_reply(other) == (415, "UnsupportedMediaType")
    plain = api.post_file(person, DATA, headers={"Content-Type": "application/octet-stream"})
    assert error_reply(plain) == (415, "UnsupportedMediaType")


def test_a_postbox_takes_only_its_own_persons_token(api: ProtocolClient, person: Consent) -> None:
    other = api.consent()
    assert error_reply(api.post_file(person, DATA, path=other.postbox)) == (404, "InvalidPostbox")
    assert error_reply(api.post_file(person, DATA, path="permission-access/postbox/none")) == (404, "InvalidPostbox")
    assert api.stored(other) == []


def test_a_write_that_is_to_be_pending_is_not_stored(api: ProtocolClient, person: Consent) -> None:
    api.sandbox.pending_writes = 2
    statuses = [api.post_file(person, DATA).json()["status"] for _ in range(3)]
    assert statuses == ["pending", "pending", "delivered"]
    assert api.sandbox.pending_writes == 0
    assert len(api.stored(person)) == 1


def test_an_expired_token_is_answered_pending_by_a_postbox_and_refused_by_an_import(api: ProtocolClient) -> None:
    person = api.consent()
    api.sandbox.expire_access_tokens()
    answer = api.post_file(person, DATA)
    assert (answer.status_code, answer.json()["status"]) == (200, "pending")
    assert answer.json().keys() == {"status", "expires", "session"}
    assert error_reply(api.import_file(person, DATA)) == (401, "InvalidToken")
    assert api.stored(person) == []


def test_an_unknown_token_is_refused_by_a_postbox(api: ProtocolClient, person: Consent) -> None:
    assert error_reply(api.post_file(person, DATA, access_token="ab" * 80)) == (401, "InvalidToken")
    assert api.stored(person) == []
