from __future__ import annotations

import json
import secrets
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from email import message_from_bytes
from email.policy import HTTP
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from joserfc import jws
from joserfc.jwk import RSAKey

from digime_pandas._service.authorization import Postbox
from digime_pandas._service.contract import Contract
from digime_pandas._service.crypto.envelope import encrypt_bytes, wrap_key
from digime_pandas._service.descriptor import FileDescriptor
from digime_pandas._service.endpoints import Endpoints
from digime_pandas._service.http.transport import Http
from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.messages import Agent, Upload, UploadReply
from digime_pandas.errors import AuthorizationError, RefusedError, ReplyError

BASE = "https://api.test/v1.7/"
JKU = BASE + "jwks/oauth"
KID = "key-1"
NOW = 1_700_000_000.5
TOKENS = {
    "access_token": {"value": "a" * 160, "expires_on": 1_700_086_400},
    "refresh_token": {"value": "r" * 160, "expires_on": 1_715_000_000},
    "sub": "user-1",
    "consentid": "consent-1",
}
DESCRIPTOR = FileDescriptor("text/plain", "acc-1")
WRITE_ID = "urn:uuid:5e3c7a52-93a5-4d0f-9f0b-6f0f7b0f7c11"
TOKEN = Secret("token")

pytestmark = pytest.mark.usefixtures("no_waiting")


class Service:
    """A service of few words: what it answers is set by each test, what it was asked is kept."""

    def __init__(self, signing_key: RSAPrivateKey) -> None:
        self.signing_key = RSAKey.import_key(signing_key)
        pem = signing_key.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()
        self.key_set: object = {"keys": [{"kid": KID, "pem": pem}]}
        self.answers: list[httpx.Response] = []
        self.requests: list[httpx.Request] = []
        self.key_set_requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/v1.7/jwks"):
            self.key_set_requests.append(request)
            return self.key_set if isinstance(self.key_set, httpx.Response) else httpx.Response(200, json=self.key_set)
        self.requests.append(request)
        return self.answers.pop(0)

    def token(self, payload: object, **header: object) -> str:
        """A token as the service signs it, made by an implementation that is not ours."""
        full = {"alg": "PS512", "jku": JKU, "kid": KID} | header
        return jws.serialize_compact(full, json.dumps(payload).encode(), self.signing_key, algorithms=["PS512"])

    def answer(self, document: object, status: int = 200) -> None:
        self.answers.append(httpx.Response(status, json=document))

    def grant(self, **header: object) -> None:
        self.answer({"token": self.token(TOKENS, **header)})


@pytest.fixture
def service(vendor_keys: dict[str, RSAPrivateKey]) -> Service:
    return Service(vendor_keys["contract_r"])


@pytest.fixture(scope="module")
def contract(vector: Callable[[str], Any], vendor_keys: dict[str, RSAPrivateKey]) -> Contract:
    """The contract of the recordings."""
    claims = json.loads(vector("v8_authorize")["requests"][0]["authorization_jwt"]["claims_json"])
    application_id, _, contract_id = claims["client_id"].partition("_")
    return Contract(application_id, contract_id, vendor_keys["contract_w"])


@pytest.fixture
def api(service: Service, contract: Contract) -> Iterator[Endpoints]:
    http = Http(transport=httpx.MockTransport(service))
    yield Endpoints(contract, http, BASE, Agent("nodejs", "16.1.5"), now=lambda: NOW)
    http.close()


def claims_of(request: httpx.Request, contract: Contract, name: str = "Authorization") -> dict[str, Any]:
    """The claims of a request, once its signature is proven by another implementation."""
    token = request.headers[name].removeprefix("Bearer ")
    key = RSAKey.import_key(contract.private_key.public_key())
    claims: dict[str, Any] = json.loads(jws.deserialize_compact(token, key, algorithms=["PS512"]).payload)
    return claims


def common(contract: Contract, claims: dict[str, Any]) -> dict[str, Any]:
    """Check the claims that every request has; return the others."""
    assert claims.pop("client_id") == contract.client_id
    assert claims.pop("timestamp") == 1_700_000_000_500
    nonce = claims.pop("nonce")
    assert len(nonce) == 32
    assert bytes.fromhex(nonce).hex() == nonce
    return claims


class TestAuthorization:
    def test_a_pre_authorization_is_asked_for_as_the_vendor_does(
        self, vector: Callable[[str], Any], api: Endpoints, service: Service, contract: Contract
    ) -> None:
        recorded = vector("v16_authorize")["requests"][0]
        theirs = json.loads(recorded["authorization_jwt"]["claims_json"])
        service.answer({"token": service.token({"preauthorization_code": "p" * 48}), "session": {}}, 201)
        code = api.pre_authorize(
            code_challenge=theirs["code_challenge"],
            redirect_uri=theirs["redirect_uri"],
            state=Secret(theirs["state"]),
            access_token=theirs.get("access_token"),
        )
        assert code.reveal() == "p" * 48
        (request,) = service.requests
        assert (request.method, request.url.path) == (recorded["method"], recorded["path"])
        assert claims_of(request, contract).keys() == theirs.keys()
        for name in ("client_id", "nonce", "timestamp"):
            theirs.pop(name)
        assert common(contract, claims_of(request, contract)) == theirs
        sent, expected = (json.loads(body)["agent"]["sdk"] for body in (request.content, recorded["body_text"]))
        assert {**sent, "meta": {}} == {**expected, "meta": {}}
        assert request.headers["Content-Type"] == "application/json"

    def test_a_token_of_the_same_person_links_the_libraries(
        self, api: Endpoints, service: Service, contract: Contract
    ) -> None:
        service.answer({"token": service.token({"preauthorization_code": "p"})})
        api.pre_authorize(code_challenge="c", redirect_uri="r", state=Secret(""), access_token=Secret("token"))
        claims = claims_of(service.requests[0], contract)
        assert (claims["access_token"], claims["state"]) == ("token", "")

    def test_a_code_is_exchanged_as_the_vendor_does(
        self, vector: Callable[[str], Any], api: Endpoints, service: Service, contract: Contract
    ) -> None:
        recorded = vector("v8_token_exchange")["requests"][0]
        theirs = json.loads(recorded["authorization_jwt"]["claims_json"])
        service.grant()
        grant = api.exchange(code=Secret(theirs["code"]), code_verifier=Secret(theirs["code_verifier"]))
        assert grant.user_access_token.access_token.value == "a" * 160
        assert grant.user_access_token.refresh_token.expiry == 1_715_000_000
        assert (grant.user_id, grant.consent_id) == ("user-1", "consent-1")
        (request,) = service.requests
        assert (request.method, request.url.path, request.content) == ("POST", recorded["path"], b"")
        assert request.headers["Content-Length"] == "0"
        assert claims_of(request, contract).keys() == theirs.keys()
        assert common(contract, claims_of(request, contract)) == {
            name: theirs[name] for name in ("code", "code_verifier", "grant_type")
        }

    def test_tokens_are_refreshed_as_the_vendor_does(
        self, vector: Callable[[str], Any], api: Endpoints, service: Service, contract: Contract
    ) -> None:
        recorded = vector("v16_refresh")["requests"][0]
        theirs = json.loads(recorded["authorization_jwt"]["claims_json"])
        service.grant()
        api.refresh(theirs["refresh_token"])
        (request,) = service.requests
        assert (request.method, request.url.path, request.content) == ("POST", recorded["path"], b"")
        assert common(contract, claims_of(request, contract)) == {
            name: theirs[name] for name in ("grant_type", "refresh_token")
        }
        assert request.headers["Content-Type"] == "application/json"

    @pytest.mark.parametrize("answer", [{}, {"token": ""}, {"token": 17}, {"token": None}, [], "token"])
    def test_an_answer_without_a_token_is_an_error(self, api: Endpoints, service: Service, answer: object) -> None:
        service.answer(answer)
        with pytest.raises(ReplyError, match="Could not refresh the token"):
            api.refresh(Secret("r"))

    @pytest.mark.parametrize(
        "payload", [{}, {"preauthorization_code": ""}, {"preauthorization_code": 1}, {"code": "p"}]
    )
    def test_a_payload_without_the_code_is_an_error(self, api: Endpoints, service: Service, payload: object) -> None:
        service.answer({"token": service.token(payload)})
        with pytest.raises(ReplyError, match="preauthorization_code"):
            api.pre_authorize(code_challenge="c", redirect_uri="r", state=Secret("s"), access_token=None)


class TestGenuineness:
    def test_the_key_set_is_asked_for_without_the_contracts_token(self, api: Endpoints, service: Service) -> None:
        service.grant()
        api.refresh(Secret("r"))
        (request,) = service.key_set_requests
        assert str(request.url) == JKU
        assert "Authorization" not in request.headers

    def test_the_key_set_is_kept_for_a_quarter_of_an_hour(self, service: Service, contract: Contract) -> None:
        clock = [NOW]
        api = Endpoints(
            contract, Http(transport=httpx.MockTransport(service)), BASE, Agent("n", "1"), now=lambda: clock[0]
        )
        for seconds, fetched in ((0, 1), (1, 1), (898, 1), (2, 2), (1, 2)):
            clock[0] += seconds
            service.grant()
            api.refresh(Secret("r"))
            assert len(service.key_set_requests) == fetched

    def test_an_unknown_key_is_looked_for_once_more(
        self, api: Endpoints, service: Service, vendor_keys: dict[str, RSAPrivateKey]
    ) -> None:
        service.grant()
        api.refresh(Secret("r"))
        rotated = Service(vendor_keys["postbox0"])
        service.signing_key, service.key_set = rotated.signing_key, {"keys": [{"kid": "key-2", **entry_of(rotated)}]}
        service.grant(kid="key-2")
        api.refresh(Secret("r"))
        assert len(service.key_set_requests) == 2

    def test_a_key_that_stays_unknown_is_an_error(self, api: Endpoints, service: Service) -> None:
        service.grant(kid="another")
        with pytest.raises(ReplyError, match=r"not genuine: .*no such key"):
            api.refresh(Secret("r"))

    @pytest.mark.parametrize(
        "jku",
        [
            "https://evil.test/jwks/oauth",
            "http://api.test/v1.7/jwks/oauth",
            "https://api.test:8443/v1.7/jwks/oauth",
            "https://api.test@evil.test/v1.7/jwks/oauth",
            "https://evil.test\\@api.test/v1.7/jwks/oauth",
            "https://api.test.evil.test/v1.7/jwks/oauth",
            "https://api.test\n/v1.7/jwks/oauth",
        ],
    )
    def test_a_key_set_elsewhere_is_never_asked_for(self, api: Endpoints, service: Service, jku: str) -> None:
        service.grant(jku=jku)
        with pytest.raises(ReplyError, match=r"not genuine: .*another address") as raised:
            api.refresh(Secret("r"))
        assert raised.value.outcome == "unknown"
        assert service.key_set_requests == []
        assert len(service.requests) == 1

    @pytest.mark.parametrize("missing", ["jku", "kid"])
    def test_a_token_that_names_no_key_is_not_looked_up(self, api: Endpoints, service: Service, missing: str) -> None:
        header = {name: value for name, value in {"alg": "PS512", "jku": JKU, "kid": KID}.items() if name != missing}
        payload = json.dumps(TOKENS).encode()
        service.answer({"token": jws.serialize_compact(header, payload, service.signing_key, algorithms=["PS512"])})
        with pytest.raises(ReplyError, match="not genuine"):
            api.refresh(Secret("r"))
        assert service.key_set_requests == []

    def test_a_key_set_that_redirects_is_not_followed(self, api: Endpoints, service: Service) -> None:
        service.key_set = httpx.Response(302, headers={"Location": "https://evil.test/jwks"})
        service.grant()
        with pytest.raises(RefusedError, match=r"key set.*Redirects are not followed"):
            api.refresh(Secret("r"))
        assert len(service.key_set_requests) == 1

    @pytest.mark.parametrize(
        "key_set", [{}, [], {"keys": {}}, {"keys": [{"kid": KID}]}, {"keys": [{"kid": KID, "pem": "x"}]}]
    )
    def test_a_key_set_that_cannot_be_read_is_an_error(self, api: Endpoints, service: Service, key_set: object) -> None:
        service.key_set = key_set
        service.grant()
        with pytest.raises(ReplyError):
            api.refresh(Secret("r"))

    def test_a_token_of_another_key_is_an_error_that_does_not_quote_it(
        self, api: Endpoints, service: Service, vendor_keys: dict[str, RSAPrivateKey]
    ) -> None:
        token = Service(vendor_keys["postbox0"]).token(TOKENS)
        service.answer({"token": token})
        with pytest.raises(ReplyError, match="signature does not hold") as raised:
            api.refresh(Secret("r"))
        assert token[:20] not in repr(raised.value)

    def test_an_expired_token_is_an_error(self, api: Endpoints, service: Service) -> None:
        service.answer({"token": service.token(TOKENS | {"exp": 1_600_000_000})})
        with pytest.raises(ReplyError, match="it has expired"):
            api.refresh(Secret("r"))


def entry_of(service: Service) -> dict[str, Any]:
    assert isinstance(service.key_set, dict)
    entry: dict[str, Any] = dict(service.key_set["keys"][0])
    del entry["kid"]
    return entry


class Box:
    """A postbox whose uploads are opened by openssl."""

    def __init__(self, openssl: Callable[..., bytes], key: RSAPrivateKey, folder: Path) -> None:
        self.openssl = openssl
        self.pem = folder / "postbox.pem"
        self.pem.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1)
        self.postbox = Postbox("box/1 ü", public.decode())

    def key(self, claims: dict[str, Any]) -> bytes:
        wrapped = b64decode(claims["symmetrical_key"], validate=True)
        return self.openssl(
            "pkeyutl", "-decrypt", "-inkey", self.pem, "-pkeyopt", "rsa_padding_mode:oaep", stdin=wrapped
        )

    def opened(self, sealed: bytes, claims: dict[str, Any]) -> bytes:
        key = self.key(claims).hex()
        return self.openssl("enc", "-d", "-aes-256-cbc", "-K", key, "-iv", claims["iv"], stdin=sealed)


class TestPostbox:
    @pytest.fixture
    def box(self, openssl: Callable[..., bytes], vendor_keys: dict[str, RSAPrivateKey], tmp_path: Path) -> Box:
        return Box(openssl, vendor_keys["postbox0"], tmp_path)

    def deliver(self, api: Endpoints, postbox: Postbox, *chunks: bytes, sized: bool = True) -> UploadReply:
        size = sum(map(len, chunks)) if sized else None
        return api.deliver_to_postbox(Upload(lambda: chunks, size, "hello.txt", DESCRIPTOR), postbox, TOKEN)

    @pytest.mark.parametrize("sized", [True, False])
    @pytest.mark.parametrize("chunks", [[], [b"hello digi.me\n"], [b"a" * 15, b"", b"b" * 17]], ids=len)
    def test_openssl_opens_what_is_delivered(
        self, api: Endpoints, service: Service, box: Box, chunks: list[bytes], sized: bool
    ) -> None:
        service.answer({"status": "delivered", "expires": 17})
        delivery = self.deliver(api, box.postbox, *chunks, sized=sized)
        assert (delivery.status, delivery.expires, delivery.attempts) == ("delivered", 17, 1)
        (request,) = service.requests
        assert request.url.raw_path == b"/v1.7/permission-access/postbox/box%2F1%20%C3%BC"
        claims = claims_of(request, api.contract)
        assert box.opened(part_of(request), claims) == b"".join(chunks)
        assert box.opened(b64decode(claims["metadata"], validate=True), claims).decode() == DESCRIPTOR.to_json()
        assert common(api.contract, claims).keys() == {"access_token", "iv", "metadata", "symmetrical_key"}
        if sized:
            assert request.headers["Content-Length"] == str(len(request.content))
        else:
            assert request.headers["Transfer-Encoding"] == "chunked"

    @pytest.mark.parametrize("sized", [True, False])
    def test_a_large_file_is_the_same_whole_and_in_pieces(
        self, api: Endpoints, service: Service, box: Box, sized: bool
    ) -> None:
        chunks = [secrets.token_bytes(size) for size in (1, 3 << 20, 700_001, 5 << 20, 31)]
        service.answer({"status": "delivered", "expires": 17})
        self.deliver(api, box.postbox, *chunks, sized=sized)
        (request,) = service.requests
        assert box.opened(part_of(request), claims_of(request, api.contract)) == b"".join(chunks)

    def test_the_body_is_the_vendors_byte_for_byte(
        self, vector: Callable[[str], Any], service: Service, contract: Contract, box: Box
    ) -> None:
        recording = vector("v8_write_text")
        recorded = recording["requests"][0]
        theirs = json.loads(recorded["authorization_jwt"]["claims_json"])
        random = box.key(theirs) + bytes.fromhex(theirs["iv"]) + bytes(16) + bytes(16)
        api = Endpoints(
            contract,
            Http(transport=httpx.MockTransport(service)),
            BASE,
            Agent("n", "1"),
            now=lambda: theirs["timestamp"] / 1000,
            random=lambda count: random[:count],
        )
        service.answer({"status": "delivered", "expires": 17})
        plain = b64decode(recording["input"]["data_b64"])
        upload = Upload(lambda: [plain], len(plain), recording["input"]["fileName"], DESCRIPTOR)
        api.deliver_to_postbox(upload, box.postbox, theirs["access_token"])
        (request,) = service.requests
        ours = claims_of(request, contract)
        assert ours == theirs | {"nonce": "0" * 32, "symmetrical_key": ours["symmetrical_key"]}
        boundary = request.headers["Content-Type"].partition("boundary=")[2]
        theirs_boundary = dict(recorded["headers"])["content-type"].partition("boundary=")[2]
        assert request.content.replace(boundary.encode(), theirs_boundary.encode()) == b64decode(recorded["body_b64"])

    def test_nothing_is_used_twice(self, api: Endpoints, service: Service, contract: Contract, box: Box) -> None:
        for status in (408, 429, 425):
            service.answer({}, status)
        service.answer({"status": "delivered"})
        assert self.deliver(api, box.postbox, b"hello").attempts == 4
        for name in ("nonce", "iv", "symmetrical_key", "metadata"):
            assert len({claims_of(request, contract)[name] for request in service.requests}) == 4
        assert len({request.content for request in service.requests}) == 4
        assert len({request.headers["Content-Type"] for request in service.requests}) == 4

    @pytest.mark.parametrize(("reference", "requests"), [((), 1), (("hello.txt",), 1), ((WRITE_ID,), 2)], ids=str)
    def test_what_may_be_there_is_sent_again_only_where_copies_can_be_told(
        self, api: Endpoints, service: Service, box: Box, reference: tuple[str, ...], requests: int
    ) -> None:
        service.answer({}, 503)
        service.answer({"status": "delivered"})
        upload = Upload(b"hello", 5, "hello.txt", FileDescriptor("text/plain", "acc-1", reference))
        with suppress(RefusedError):
            api.deliver_to_postbox(upload, box.postbox, TOKEN)
        assert len(service.requests) == requests

    def test_a_key_that_cannot_seal_sends_nothing(self, api: Endpoints, service: Service) -> None:
        with pytest.raises(AuthorizationError, match="public key"):
            self.deliver(api, Postbox("box", "hunter2"), b"hello")
        assert service.requests == []

    def test_a_status_that_is_not_known_leaves_the_outcome_unknown(
        self, api: Endpoints, service: Service, box: Box
    ) -> None:
        service.answer({"status": "eaten"})
        with pytest.raises(ReplyError) as raised:
            self.deliver(api, box.postbox, b"hello")
        assert raised.value.outcome == "unknown"


def part_of(request: httpx.Request) -> bytes:
    """The one file part of a multipart body, found by the parser of the standard library."""
    head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
    message = message_from_bytes(head + request.content, policy=HTTP)
    (part,) = message.iter_parts()
    assert part["Content-Disposition"] == 'form-data; name="file"; filename="hello.txt"'
    assert part["Content-Type"] == "text/plain"
    boundary = message.get_boundary()
    # The parser is for text and may touch line breaks, so the bytes are taken as they are.
    return request.content.partition(b"\r\n\r\n")[2].removesuffix(f"\r\n--{boundary}--\r\n".encode())


class TestImport:
    def test_the_file_goes_as_it_is_beside_its_signed_descriptor_as_the_vendors_does(
        self, vector: Callable[[str], Any], api: Endpoints, service: Service, contract: Contract
    ) -> None:
        recording = vector("v16_write_text")
        recorded = recording["requests"][0]
        plain = b64decode(recording["input"]["data_b64"])
        service.answers.append(httpx.Response(204))
        upload = Upload(lambda: [plain[:5], plain[5:]], None, "hello.txt", DESCRIPTOR)
        delivery = api.import_file(upload, TOKEN)
        assert (delivery.status, delivery.expires) == ("delivered", None)
        (request,) = service.requests
        assert (request.method, request.url.path) == (recorded["method"], recorded["path"])
        assert request.content == b64decode(recorded["body_b64"])
        assert claims_of(request, contract, "FileDescriptor") == json.loads(
            recorded["file_descriptor_jwt"]["claims_json"]
        )
        assert common(contract, claims_of(request, contract)) == {"access_token": "token"}
        theirs = dict(recorded["headers"])
        assert request.headers["Content-Type"] == theirs["content-type"]
        assert request.headers["Transfer-Encoding"] == theirs["Transfer-Encoding"] == "chunked"

    @pytest.mark.parametrize(
        "answer",
        [httpx.Response(200), httpx.Response(200, content=b"ok"), httpx.Response(201, json={"x": 1})],
        ids=["empty", "text", "document"],
    )
    def test_any_2xx_is_a_delivery_whatever_its_body(
        self, api: Endpoints, service: Service, answer: httpx.Response
    ) -> None:
        service.answers.append(answer)
        assert api.import_file(Upload(list, 0, "a", DESCRIPTOR), TOKEN).status == "delivered"
        assert service.requests[0].headers["Content-Length"] == "0"

    @pytest.mark.parametrize(
        "answer",
        [
            httpx.Response(200, html="Sign in to this network"),
            httpx.Response(201, content=b"<html>"),
            httpx.Response(202, content=b"\xef\xbb\xbf\r\n <!DOCTYPE html>", headers={"Content-Type": "text/plain"}),
            httpx.Response(200, content=b"x", headers={"Content-Type": "TEXT/HTML ; charset=utf-8"}),
        ],
        ids=["page", "no-type", "another-type", "type"],
    )
    def test_a_page_is_no_delivery(self, api: Endpoints, service: Service, answer: httpx.Response) -> None:
        service.answers.append(answer)
        with pytest.raises(ReplyError, match="web page") as raised:
            api.import_file(Upload(list, 0, "a", DESCRIPTOR), TOKEN)
        assert (raised.value.outcome, len(service.requests)) == ("unknown", 1)


class TestReading:
    def test_a_session_is_triggered_and_listed(self, api: Endpoints, service: Service, contract: Contract) -> None:
        service.answer({"session": {"key": "s/1", "expiry": 17}})
        service.answer({"status": {"state": "completed"}, "fileList": [{"name": "f", "updatedDate": 5}]})
        session = api.trigger(TOKEN)
        assert (session.key.reveal(), session.expires) == ("s/1", 0.017)
        assert api.list_files(Secret("s/1"), TOKEN).files == {"f": 5}
        trigger, listed = service.requests
        assert trigger.url.path == "/v1.7/permission-access/trigger"
        assert listed.url.raw_path == b"/v1.7/permission-access/query/s%2F1"
        for request in (trigger, listed):
            assert common(contract, claims_of(request, contract)) == {"access_token": "token"}

    def test_the_files_the_vendor_reads_are_read_alike(
        self, vector: Callable[[str], Any], service: Service, vendor_keys: dict[str, RSAPrivateKey]
    ) -> None:
        reader = Contract("a", "r", vendor_keys["contract_r"])
        api = Endpoints(reader, Http(transport=httpx.MockTransport(service)), BASE, Agent("n", "1"))
        for recorded in vector("read_blobs"):
            headers = {"X-Metadata": recorded["x_metadata"]}
            service.answers.append(httpx.Response(200, headers=headers, content=b64decode(recorded["blob_b64"])))
            opening = api.read_file(Secret("s"), "f/1", TOKEN)
            assert opening.read() == b64decode(recorded["plaintext_b64"])
            opening.close()
            service.answers.append(httpx.Response(200, headers=headers))
            assert api.describe_file(Secret("s"), "f/1", TOKEN).metadata == recorded["x_metadata_json"]["metadata"]
        get, head = service.requests[:2]
        assert (get.method, head.method) == ("GET", "HEAD")
        assert get.url.raw_path == head.url.raw_path == b"/v1.7/permission-access/query/s/f%2F1"
        assert get.headers["Accept"] == "application/octet-stream"

    def test_a_download_that_breaks_off_is_fetched_again(
        self, service: Service, vendor_keys: dict[str, RSAPrivateKey]
    ) -> None:
        reader = Contract("a", "r", vendor_keys["contract_r"])
        api = Endpoints(reader, Http(transport=httpx.MockTransport(service)), BASE, Agent("n", "1"))
        plain, key, iv = secrets.token_bytes(3 << 20), bytes(32), bytes(16)
        blob = (
            wrap_key(Secret(key), reader.private_key.public_key())
            + iv
            + encrypt_bytes(plain, key=Secret(key), iv=Secret(iv))
        )
        headers = {"X-Metadata": urlsafe_b64encode(b'{"metadata":{}}').decode()}

        def broken() -> Iterator[bytes]:
            yield blob[: 2 << 20]
            raise httpx.ReadError("gone")

        service.answers.append(httpx.Response(200, headers=headers, content=broken()))
        service.answers.append(httpx.Response(200, headers=headers, content=blob))
        opening = api.read_file(Secret("s"), "f", TOKEN)
        assert opening.read() == plain
        opening.close()
