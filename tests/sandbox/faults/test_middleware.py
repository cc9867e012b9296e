"""What each fault looks like on the wire, to a client written against the protocol alone."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import jwt
import pytest
from joserfc.errors import JoseError

from digime_pandas.errors import ConfigurationError
from digime_pandas.sandbox import Sandbox
from tests.common.waiting import wait_until
from tests.sandbox.endpoints.protocol_client import (
    AGENT,
    NOW,
    PATIENCE,
    Consent,
    ProtocolClient,
    error_reply,
    pieces,
)

pytestmark = pytest.mark.slow

DATA = b"a,b\n1,2\n"
# More than the buffers of two sockets hold.
LARGE = bytes(1 << 20) * 24
SHORT = httpx.Timeout(0.3)
SOON = 20.0  # seconds


@pytest.fixture(autouse=True)
def healed(api: ProtocolClient) -> Iterator[None]:
    yield
    api.sandbox.heal()


def refresh(api: ProtocolClient, person: Consent, token: str | None = None) -> httpx.Response:
    return api.exchange(person.contract, grant_type="refresh_token", refresh_token=token or person.refresh_token)


def write(api: ProtocolClient, person: Consent, protocol: str, data: bytes = DATA) -> httpx.Response:
    return api.post_file(person, data) if protocol == "postbox" else api.import_file(person, data)


@pytest.mark.parametrize("protocol", ["postbox", "import"])
@pytest.mark.parametrize("stored", [True, False])
def test_another_answer_is_given_whether_the_file_is_stored_or_not(
    api: ProtocolClient, person: Consent, protocol: str, stored: bool
) -> None:
    fault = api.sandbox.fail("upload", status=503, retry_after="1", stored=stored)
    answer = write(api, person, protocol)
    assert (answer.status_code, answer.headers["retry-after"], answer.content) == (503, "1", b"")
    assert len(api.stored(person)) == stored
    assert fault.hits == 1
    assert write(api, person, protocol).is_success


@pytest.mark.parametrize("status", [200, 204, 302, 400, 401, 429, 451, 500, 503, 504, 522, 599])
def test_every_status_is_sent(api: ProtocolClient, person: Consent, status: int) -> None:
    with api.sandbox.fail("upload", status=status, times=2):
        assert [write(api, person, "import").status_code for _ in range(2)] == [status] * 2


def test_a_page_of_html_with_200(api: ProtocolClient, person: Consent) -> None:
    api.sandbox.fail("upload", status=200, body="<html>ä</html>", content_type="text/html; charset=utf-8")
    answer = write(api, person, "import")
    assert (answer.status_code, answer.text) == (200, "<html>ä</html>")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert api.stored(person) == []


def test_an_error_of_digime_has_body_headers_and_a_reference(api: ProtocolClient, person: Consent) -> None:
    api.sandbox.fail("upload", status=403, code="SDKVersionInvalid", message="Too\x1b[31m old")
    answer = write(api, person, "postbox")
    assert error_reply(answer) == (403, "SDKVersionInvalid")
    assert answer.json()["error"]["message"] == "Too\x1b[31m old"
    assert "\x1b" not in answer.headers["x-error-message"]


@pytest.mark.parametrize("lost", [{how: place} for how in ("cut", "reset") for place in ("answer", "head", "body")])
@pytest.mark.parametrize("protocol", ["postbox", "import"])
@pytest.mark.parametrize("stored", [True, False])
def test_a_lost_answer(api: ProtocolClient, person: Consent, lost: dict[str, str], protocol: str, stored: bool) -> None:
    what: Any = {**lost, "stored": stored}
    fault = api.sandbox.fail("upload", **what)
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        write(api, person, protocol)
    assert len(api.stored(person)) == stored
    assert fault.hits == 1
    assert write(api, person, protocol).is_success


@pytest.mark.parametrize("how", ["cut", "reset"])
@pytest.mark.parametrize("protocol", ["postbox", "import"])
def test_a_connection_lost_in_the_middle_of_the_body(
    api: ProtocolClient, person: Consent, how: str, protocol: str
) -> None:
    what: Any = {how: "request"}
    api.sandbox.fail("upload", **what)
    with pytest.raises((httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError)):
        write(api, person, protocol, LARGE)
    assert api.stored(person) == []


@pytest.mark.parametrize("place", ["request", "answer", "head", "body"])
def test_silence_lasts_until_the_client_leaves(api: ProtocolClient, person: Consent, place: Any) -> None:
    fault = api.sandbox.fail("upload", hang=place)
    # A body that is sent at once, where it is to be received: the client may leave before that is done.
    data, stored = (LARGE, 0) if place == "request" else (DATA, 1)
    api.http.timeout = SHORT
    try:
        with pytest.raises((httpx.ReadTimeout, httpx.WriteTimeout)):
            write(api, person, "import", data)
    finally:
        api.http.timeout = PATIENCE
    wait_until(lambda: fault.hits == 1 and len(api.stored(person)) == stored)
    assert write(api, person, "import").is_success
    assert len(api.stored(person)) == stored + 1


def test_silence_ends_when_the_fault_is_taken_back(api: ProtocolClient, person: Consent) -> None:
    fault = api.sandbox.fail("upload", hang="answer")

    def heal() -> None:
        wait_until(lambda: fault.hits)
        fault.heal()

    healing = threading.Thread(target=heal)
    healing.start()
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        write(api, person, "import")
    healing.join()


def test_silence_does_not_hold_up_the_end() -> None:
    sandbox = Sandbox().start()
    api = ProtocolClient(sandbox)
    person = api.consent()
    sandbox.fail("upload", hang="answer")

    def ask() -> None:
        with pytest.raises(httpx.HTTPError):
            write(api, person, "import")

    waiting = threading.Thread(target=ask)
    waiting.start()
    wait_until(sandbox.files)
    sandbox.close()
    waiting.join(SOON)
    assert not waiting.is_alive()
    api.http.close()


@pytest.mark.parametrize("place", ["request", "answer", "head", "body"])
def test_a_trickle_arrives_whole(api: ProtocolClient, person: Consent, place: Any) -> None:
    fault = api.sandbox.fail("list", trickle=place, every=0.0005)
    reader = api.reader(person)
    answer = api.get(reader, f"permission-access/query/{api.session(reader)}")
    assert answer.json() == {"status": {"state": "completed"}, "fileList": []}
    assert fault.hits == 1


def test_a_trickle_is_as_slow_as_it_is_asked_to_be(api: ProtocolClient, person: Consent) -> None:
    api.sandbox.fail("keys", trickle="body", every=0.05)
    with httpx.stream("GET", f"{api.sandbox.base_url}jwks/oauth", trust_env=False) as answer:
        assert len(next(answer.iter_raw())) == 1


@pytest.mark.parametrize("protocol", ["postbox", "import"])
def test_a_refusal_in_the_middle_of_a_large_body_arrives(api: ProtocolClient, person: Consent, protocol: str) -> None:
    api.sandbox.fail("upload", status=401, code="InvalidToken", early=True)
    assert error_reply(write(api, person, protocol, LARGE)) == (401, "InvalidToken")
    assert api.stored(person) == []


@pytest.mark.parametrize("stored", [True, False])
def test_pending_is_for_postboxes_alone(api: ProtocolClient, person: Consent, stored: bool) -> None:
    fault = api.sandbox.fail("upload", pending=True, times=2, stored=stored)
    assert write(api, person, "import").status_code == 204
    answers = [write(api, person, "postbox").json() for _ in range(3)]
    assert [answer["status"] for answer in answers] == ["pending", "pending", "delivered"]
    assert all(isinstance(answer["expires"], int) for answer in answers)
    assert len(api.stored(person)) == (4 if stored else 2)
    assert fault.hits == 2


@pytest.mark.parametrize(("protocol", "answered"), [("postbox", (200, "pending")), ("import", (401, "InvalidToken"))])
def test_a_token_that_expires_in_the_middle_of_an_upload(
    api: ProtocolClient, person: Consent, protocol: str, answered: tuple[int, str]
) -> None:
    with api.sandbox.fail("upload", expired=True):
        answer = write(api, person, protocol)
    document = answer.json()
    assert (answer.status_code, document.get("status") or document["error"]["code"]) == answered
    assert api.stored(person) == []
    assert refresh(api, person).is_success


def test_a_refresh_whose_answer_is_lost_has_spent_its_token(api: ProtocolClient, person: Consent) -> None:
    api.sandbox.fail("refresh", cut="answer")
    with pytest.raises(httpx.RemoteProtocolError):
        refresh(api, person)
    assert error_reply(refresh(api, person)) == (401, "InvalidToken")


def test_a_refresh_that_was_not_carried_out_has_not(api: ProtocolClient, person: Consent) -> None:
    api.sandbox.fail("refresh", cut="answer", stored=False)
    with pytest.raises(httpx.RemoteProtocolError):
        refresh(api, person)
    assert refresh(api, person).is_success


def test_a_token_that_another_program_used_is_refused(api: ProtocolClient, person: Consent) -> None:
    api.sandbox.fail("refresh", rotated=True)
    assert error_reply(refresh(api, person)) == (401, "InvalidToken")


@pytest.mark.parametrize("call", ["exchange", "authorize"])
def test_refresh_and_exchange_and_authorize_are_told_apart(api: ProtocolClient, person: Consent, call: Any) -> None:
    fault = api.sandbox.fail(call, status=503)
    assert refresh(api, person).is_success
    assert fault.hits == 0
    if call == "authorize":
        assert api.authorize(person.contract).status_code == 503
    else:
        answer = api.exchange(person.contract, grant_type="authorization_code", code="x", code_verifier="y")
        assert answer.status_code == 503


@pytest.mark.parametrize("keys", ["wrong", "unknown"])
def test_a_key_set_that_does_not_verify(api: ProtocolClient, person: Consent, keys: Any) -> None:
    token = refresh(api, person).json()["token"]
    api.sandbox.fail("keys", keys=keys)
    with pytest.raises((JoseError, ValueError)):
        api.verified(token)
    assert api.verified(token)["sub"] == person.payload["sub"]


def test_a_key_that_is_replaced_under_its_id(api: ProtocolClient, person: Consent) -> None:
    before = api.http.get("jwks/oauth").json()
    with api.sandbox.fail("keys", keys="replaced"):
        answer = refresh(api, person)
        renewed = api.verified(answer.json()["token"])
        after = api.http.get("jwks/oauth").json()
    assert renewed["sub"] == person.payload["sub"]
    assert [key["kid"] for key in before["keys"]] == [key["kid"] for key in after["keys"]]
    assert before != after
    assert api.http.get("jwks/oauth").json() == before
    again = refresh(api, person, renewed["refresh_token"]["value"])
    assert api.verified(again.json()["token"])["sub"] == person.payload["sub"]


def test_a_clock_that_is_ahead(api: ProtocolClient, person: Consent) -> None:
    api.sandbox.fail("refresh", skew=90)
    answer = refresh(api, person)
    claims = jwt.decode(answer.json()["token"], options={"verify_signature": False})
    assert (claims["iat"], claims["nbf"]) == (NOW + 90, NOW + 90)
    assert claims["exp"] > NOW + 90
    assert claims["access_token"]["value"]
    assert answer.headers["date"] == "Fri, 15 Jan 2027 08:01:30 GMT"


def test_claims_of_a_token_and_members_of_an_answer_are_edited(api: ProtocolClient, person: Consent) -> None:
    api.sandbox.fail("refresh", edit=lambda claims: {"sub": claims["sub"]})
    assert api.verified(refresh(api, person).json()["token"]) == {"sub": person.payload["sub"]}
    reader = api.reader(person)
    session = api.session(reader)
    api.sandbox.fail("list", edit=lambda document: {**document, "fileList": [{"name": 7}]})
    assert api.get(reader, f"permission-access/query/{session}").json()["fileList"] == [{"name": 7}]


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
def test_an_encoding_that_was_not_asked_for(api: ProtocolClient, person: Consent, encoding: Any) -> None:
    api.sandbox.fail("upload", encoding=encoding, bomb=3_000_001)
    answer = write(api, person, "postbox")
    assert answer.json()["status"] == "delivered"
    assert len(answer.content) > 3_000_000
    assert int(answer.headers["content-length"]) < 20_000


def test_an_encoding_that_is_not_the_stated_one(api: ProtocolClient, person: Consent) -> None:
    api.sandbox.fail("upload", headers={"Content-Encoding": "gzip"})
    with pytest.raises(httpx.DecodingError):
        write(api, person, "postbox")
    api.sandbox.fail("upload", body=gzip.compress(b"{}"), status=200, headers={"Content-Encoding": "gzip"})
    assert write(api, person, "postbox").json() == {}


def test_a_scope_that_is_ignored(api: ProtocolClient, person: Consent) -> None:
    write(api, person, "import")
    reader = api.reader(person)
    scope = {"scope": {"criteria": [{"metadata": {"reference": ["other.csv"]}}]}}
    listed = []
    for ignored in (False, True):
        if ignored:
            api.sandbox.fail("session", ignore_scope=True)
        headers = api.headers(reader.contract, access_token=reader.access_token)
        session = api.http.post("permission-access/trigger", headers=headers, json={**AGENT, **scope}).json()["session"]
        listed.append(len(api.get(reader, f"permission-access/query/{session['key']}").json()["fileList"]))
    assert listed == [0, 1]


def test_a_description_and_a_download_are_told_apart(api: ProtocolClient, person: Consent) -> None:
    write(api, person, "import")
    reader = api.reader(person)
    path = f"permission-access/query/{api.session(reader)}/{api.stored(person)[0].file_id}"
    api.sandbox.fail("describe", status=404)
    assert [api.get(reader, path, method=method).status_code for method in ("GET", "HEAD", "HEAD")] == [200, 404, 200]
    api.sandbox.fail("download", cut="body")
    with pytest.raises(httpx.RemoteProtocolError):
        api.get(reader, path)
    assert api.get(reader, path).status_code == 200
    api.sandbox.fail("describe", headers={"X-Metadata": "!"})
    described = api.get(reader, path, method="HEAD")
    assert (described.headers["x-metadata"], int(described.headers["content-length"])) == ("!", 288)


def test_any_call_of_the_api_but_no_page_of_the_sandbox(api: ProtocolClient) -> None:
    fault = api.sandbox.fail("any", status=500, times=None)
    assert api.http.get("jwks/oauth").status_code == 500
    assert api.http.get("nothing").status_code == 500
    assert httpx.get(api.sandbox.origin, trust_env=False).status_code == 200
    assert fault.hits == 2


@pytest.mark.parametrize("how", ["cut", "reset"])
def test_a_connection_that_ends_at_once(api: ProtocolClient, how: str) -> None:
    api.http.get("jwks/oauth")
    what: Any = {how: "connect"}
    fault = api.sandbox.fail("connect", **what)
    with pytest.raises((httpx.NetworkError, httpx.RemoteProtocolError)):
        api.http.get("jwks/oauth")
    assert fault.hits == 1
    assert api.http.get("jwks/oauth").status_code == 200


def test_a_connection_that_stays_silent(api: ProtocolClient) -> None:
    fault = api.sandbox.fail("connect", hang="connect")
    with pytest.raises(httpx.ReadTimeout):
        api.http.get("jwks/oauth", timeout=0.2)
    assert fault.hits == 1
    assert api.http.get("jwks/oauth").status_code == 200


def test_connections_are_refused_until_the_fault_is_taken_back(api: ProtocolClient) -> None:
    api.http.get("jwks/oauth")
    with api.sandbox.fail("connect", refused=True) as fault:
        for _ in range(2):
            with pytest.raises(httpx.ConnectError, match="refused"):
                api.http.get("jwks/oauth")
    assert fault.hits == 0
    assert api.http.get("jwks/oauth").status_code == 200


def test_a_sandbox_that_refuses_connections_can_be_closed() -> None:
    with Sandbox() as sandbox:
        sandbox.fail("connect", refused=True)
        sandbox.fail("connect", hang="connect", times=None)


def test_a_sandbox_that_is_not_running_has_no_faults() -> None:
    sandbox = Sandbox()
    with pytest.raises(ConfigurationError, match="not running"):
        sandbox.fail("upload", status=503)
    with pytest.raises(ConfigurationError, match="not running"):
        sandbox.heal()


def test_a_chunked_body_is_received_before_an_answer_in_place(api: ProtocolClient, person: Consent) -> None:
    api.sandbox.fail("upload", status=503)
    assert api.import_file(person, pieces(LARGE, 1 << 16)).status_code == 503


def test_a_delay_is_waited_for(api: ProtocolClient, person: Consent) -> None:
    api.sandbox.fail("keys", delay=5)
    with pytest.raises(httpx.ReadTimeout):
        api.http.get("jwks/oauth", timeout=0.1)
    assert json.loads(api.http.get("jwks/oauth").content)["keys"]
