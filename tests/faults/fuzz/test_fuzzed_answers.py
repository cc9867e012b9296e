"""Whatever the service, or a proxy in its place, answers: a good value comes of it, or a DigimeError."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from hypothesis import given
from hypothesis import strategies as st

from digime_pandas._client.library.file import library_file
from digime_pandas._service.contract import Contract
from digime_pandas._service.crypto.envelope import encrypt_bytes, wrap_key
from digime_pandas._service.descriptor import FileDescriptor
from digime_pandas._service.download import Download
from digime_pandas._service.endpoints import Endpoints
from digime_pandas._service.http.transport import Http
from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.messages import Agent, Upload, parse_file_metadata
from digime_pandas._service.received.byte_limit import ByteLimit
from digime_pandas.errors import DigimeError
from tests.faults.fuzz.inputs import TEXTS, few, json_values, like, many

pytestmark = [pytest.mark.usefixtures("no_waiting"), pytest.mark.slow]

BASE = "https://api.test/v1.7/"
TOKEN = Secret("token")
NAMES = ["token", "session", "key", "expiry", "status", "state", "fileList", "name", "updatedDate", "expires", "error"]
NAMES += ["code", "message", "reference", "metadata", "compression", "mimetype", "accounts", "accountid", "tags"]
SESSION = {"session": {"key": "s", "expiry": 1_700_000_000_000}}
LISTING = {"status": {"state": "completed"}, "fileList": [{"name": "f", "updatedDate": 1_700_000_000_000}]}
RECEIVED = {"status": "delivered", "expires": 1_700_000_000_000}
ERROR = {"error": {"code": "InvalidToken", "message": "no", "reference": "r"}}
METADATA = {
    "compression": "gzip",
    "metadata": {"mimetype": "text/csv", "accounts": [{"accountid": "p"}], "reference": ["a.csv"], "tags": ["t"]},
}
HEADER = {"alg": "PS512", "jku": BASE + "jwks/oauth", "kid": "k"}
UPLOAD = Upload(b"x", 1, "a.csv", FileDescriptor("text/csv", "p"))

Ask = Callable[[Endpoints], object]
CALLS: dict[str, tuple[Any, Ask]] = {
    "trigger": (SESSION, lambda api: api.trigger(TOKEN)),
    "list": (LISTING, lambda api: api.list_files(Secret("s"), TOKEN)),
    "import": ({}, lambda api: api.import_file(UPLOAD, TOKEN)),
    "refresh": ({"token": "a.b.c"}, lambda api: api.refresh(TOKEN)),
    "error": (ERROR, lambda api: api.trigger(TOKEN)),
    "describe": ({}, lambda api: api.describe_file(Secret("s"), "f", TOKEN)),
}
# What a proxy may put in place of JSON.
BODIES = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [
            b"",
            b"null",
            b"[]",
            b"<html>",
            b"[" * 100_000,
            b'{"a":' * 50_000,
            b"9" * 10_000,
            b'"\\ud800"',
            b"\xff\xfe{}",
            b"NaN",
        ]
    ),
)
FIELDS = st.dictionaries(
    st.sampled_from(["X-Error-Code", "X-Error-Message", "Retry-After", "Date", "Content-Type", "X-Metadata"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=20)
    | st.sampled_from(["1e400", "-5", "9" * 400, "Wed, 99 Foo 2020 00:00:00 GMT"]),
    max_size=2,
)


@pytest.fixture(scope="module")
def keys(vendor_keys: dict[str, RSAPrivateKey]) -> dict[str, RSAPrivateKey]:
    return vendor_keys


def api_of(key: RSAPrivateKey, answer: Callable[[httpx.Request], httpx.Response]) -> Endpoints:
    http = Http(transport=httpx.MockTransport(answer), max_attempts=1)
    contract = Contract("app", "contract", key)
    return Endpoints(contract, http, BASE, Agent("js", "1"))


def refusal_of(call: Callable[[], object]) -> DigimeError | None:
    try:
        shown = repr(call())
    except DigimeError as error:
        shown = str(error)
        assert is_shown_as_it_is(shown)
        return error
    assert is_shown_as_it_is(shown)
    return None


def is_shown_as_it_is(text: str) -> bool:
    """Whether a terminal obeys nothing in a text, and can print it."""
    text.encode()
    return not any(character < " " and character not in "\n\t" for character in text) and "\x7f" not in text


@pytest.mark.parametrize("name", CALLS)
@few
@given(data=st.data())
def test_an_answer_is_a_value_or_an_error_of_ours(
    name: str, data: st.DataObject, keys: dict[str, RSAPrivateKey]
) -> None:
    good, call = CALLS[name]
    document = like(good, NAMES).map(lambda value: json.dumps(value).encode())
    body = data.draw(document | BODIES)
    status = data.draw(st.sampled_from([200, 200, 200, 201, 204, 302, 400, 401, 403, 404, 429, 500, 503]))
    fields = data.draw(FIELDS)
    headers = [(field.encode(), value.encode("latin-1")) for field, value in fields.items()]
    api = api_of(keys["contract_r"], lambda _: httpx.Response(status, headers=headers, content=body))
    refusal_of(lambda: call(api))


@few
@given(
    header=like(HEADER, ["alg", "jku", "kid"]),
    payload=json_values(["access_token", "refresh_token", "value", "expires_on"]),
    key_set=like({"keys": [{"kid": "k", "pem": "pem", "kty": "RSA"}]}, ["keys", "kid", "pem"]),
    end=TEXTS,
)
def test_a_token_of_others_is_refused_with_an_error_of_ours(
    header: Any, payload: Any, key_set: Any, end: str, keys: dict[str, RSAPrivateKey]
) -> None:
    parts = [base64.urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=").decode() for each in (header, payload)]
    token = ".".join([*parts, end])

    def answer(request: httpx.Request) -> httpx.Response:
        document = key_set if "jwks" in request.url.path else {"token": token}
        return httpx.Response(200, content=json.dumps(document).encode())

    api = api_of(keys["contract_r"], answer)
    assert refusal_of(lambda: api.exchange(code=Secret("c"), code_verifier=Secret("v"))) is not None


@few
@given(name=TEXTS)
def test_a_file_of_any_listed_name_is_asked_for(name: str, keys: dict[str, RSAPrivateKey]) -> None:
    document = {"status": {"state": "completed"}, "fileList": [{"name": name, "updatedDate": 1}]}
    api = api_of(keys["contract_r"], lambda _: httpx.Response(200, content=json.dumps(document).encode()))

    def asked() -> None:
        for listed in api.list_files(Secret("s"), TOKEN).files:
            api.describe_file(Secret("s"), listed, TOKEN)

    assert refusal_of(asked) is not None


@many
@given(document=like(METADATA, NAMES), updated=st.floats(0, 253_402_300_799_999))
def test_what_the_service_says_of_a_file_is_shown_without_obeying_it(document: Any, updated: float) -> None:
    header = base64.urlsafe_b64encode(json.dumps(document).encode()).decode()

    def described() -> object:
        metadata = parse_file_metadata({"x-metadata": header}, "read")
        return library_file("f", updated, metadata.metadata, lambda limit: pytest.fail(f"{limit}"))

    refusal_of(described)


@many
@given(header=st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40))
def test_a_header_that_describes_nothing_is_an_error_of_ours(header: str) -> None:
    assert refusal_of(lambda: parse_file_metadata({"x-metadata": header}, "read")) is not None


_HEAD_KEY, _IV = Secret(bytes(range(32))), Secret(bytes(range(16)))


@many
@given(
    plain=st.binary(max_size=300),
    compression=st.sampled_from([None, "gzip", "brotli", "other"]),
    place=st.floats(0, 1),
    change=st.sampled_from(["nothing", "flip", "cut", "add", "random"]),
    hashed=st.booleans(),
    steps=st.integers(1, 400),
)
def test_a_sealed_file_opens_or_is_an_error_of_ours(
    *,
    plain: bytes,
    compression: str | None,
    place: float,
    change: str,
    hashed: bool,
    steps: int,
    keys: dict[str, RSAPrivateKey],
) -> None:
    key = keys["contract_r"]
    blob = wrap_key(_HEAD_KEY, key.public_key()) + _IV.reveal() + encrypt_bytes(plain, key=_HEAD_KEY, iv=_IV)
    at = min(int(place * len(blob)), len(blob) - 1)
    blob = {
        "nothing": blob,
        "flip": blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1 :],
        "cut": blob[:at],
        "add": blob + plain,
        "random": plain,
    }[change]
    document: dict[str, object] = {"metadata": {}, "compression": compression}
    headers = {"x-metadata": base64.urlsafe_b64encode(json.dumps(document).encode()).decode()}
    download = Download(headers, key, hashed=hashed, limit=ByteLimit(10_000))

    def opened() -> bytes:
        for start in range(0, len(blob), steps):
            download.write(blob[start : start + steps])
        download.finish()
        return download.read()

    try:
        content = opened()
    except DigimeError:
        assert not (change == "nothing" and compression in {None, "other"} and not hashed)
    else:
        assert compression in {"gzip", "brotli"} or change != "nothing" or content == plain
    finally:
        download.close()
