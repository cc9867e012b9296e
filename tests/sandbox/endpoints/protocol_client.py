"""A client written against the protocol alone, so that the sandbox is not tested by the product's own."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from json import dumps
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
from cryptography.hazmat.primitives import padding, serialization
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA1
from joserfc import jws
from joserfc.jwk import KeySet, RSAKey

from digime_pandas._service.contract import Contract
from digime_pandas.sandbox import Sandbox, SandboxFile

NOW = 1_800_000_000.0
REDIRECT = "http://127.0.0.1:49152/back?x=1"
AGENT = {"agent": {"sdk": {"name": "nodejs", "version": "16.1.5", "meta": {"node": "v20"}}}}
DESCRIPTOR = {
    "mimeType": "text/csv",
    "accounts": [{"accountId": "patient-17"}],
    "reference": ["visits.csv"],
    "tags": ["t1", "中"],
}
BOUNDARY = "--------------------------090883096978857953890816"
PATIENCE = httpx.Timeout(60)


@dataclass(frozen=True, slots=True)
class Consent:
    """What a client holds after a person approved."""

    contract: Contract
    redirected: dict[str, str]
    payload: dict[str, Any]

    @property
    def access_token(self) -> str:
        return str(self.payload["access_token"]["value"])

    @property
    def refresh_token(self) -> str:
        return str(self.payload["refresh_token"]["value"])

    @property
    def postbox(self) -> str:
        return f"permission-access/postbox/{self.redirected['postboxId']}"


@dataclass(frozen=True, slots=True)
class Envelope:
    """A file as a postbox write carries it."""

    public_key: str
    descriptor: Any = field(default_factory=lambda: DESCRIPTOR)
    key: bytes = field(default_factory=lambda: os.urandom(32))
    iv: bytes = field(default_factory=lambda: os.urandom(16))

    def seal(self, plain: bytes) -> bytes:
        encryptor = Cipher(algorithms.AES(self.key), modes.CBC(self.iv)).encryptor()
        padder = padding.PKCS7(128).padder()
        return encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()

    def claims(self) -> dict[str, str]:
        public_key = serialization.load_pem_public_key(self.public_key.encode())
        assert isinstance(public_key, RSAPublicKey)
        return {
            "iv": self.iv.hex(),
            "metadata": base64.b64encode(self.seal(dumps(self.descriptor, ensure_ascii=False).encode())).decode(),
            "symmetrical_key": base64.b64encode(public_key.encrypt(self.key, oaep())).decode(),
        }


def oaep() -> OAEP:
    return OAEP(MGF1(SHA1()), SHA1(), None)


def sign(key: RSAPrivateKey, payload: dict[str, Any], header: dict[str, Any] | None = None) -> str:
    header = header or {"alg": "PS512", "typ": "JWT"}
    return jws.serialize_compact(header, dumps(payload), _jose_key(key), algorithms=[header["alg"]])


@cache
def _jose_key(key: RSAPrivateKey) -> RSAKey:
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return RSAKey.import_key(pem)


def multipart(content: bytes, *, disposition: str = 'name="file"; filename="visits.csv"', extra: bytes = b"") -> bytes:
    head = f"--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\nContent-Type: text/csv\r\n\r\n"
    return extra + head.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    """Cut data up; as a request body it is sent chunked."""
    for start in range(0, len(data), size):
        yield data[start : start + size]


def open_blob(blob: bytes, key: RSAPrivateKey) -> bytes:
    decryptor = Cipher(algorithms.AES(key.decrypt(blob[:256], oaep())), modes.CBC(blob[256:272])).decryptor()
    unpadder = padding.PKCS7(128).unpadder()
    return unpadder.update(decryptor.update(blob[272:]) + decryptor.finalize()) + unpadder.finalize()


class ProtocolClient:
    """Speaks to one sandbox."""

    def __init__(self, sandbox: Sandbox, clock: Callable[[], float] = time.time) -> None:
        self.sandbox = sandbox
        self.clock = clock
        self.http = httpx.Client(base_url=sandbox.base_url, trust_env=False, timeout=PATIENCE)

    def claims(self, contract: Contract, **claims: Any) -> dict[str, Any]:
        common = {
            "client_id": contract.client_id,
            "nonce": secrets.token_hex(16),
            "timestamp": int(self.clock() * 1000),
        }
        return common | claims

    def headers(self, contract: Contract, **claims: Any) -> dict[str, str]:
        return {"Authorization": f"Bearer {sign(contract.private_key, self.claims(contract, **claims))}"}

    def verified(self, token: str) -> dict[str, Any]:
        """Return the payload of a token of the server, checked with the key set that its own header names."""
        signature = jws.extract_compact(token.encode())
        keys = self.http.get(signature.headers()["jku"]).json()
        public = [{name: key[name] for name in ("kid", "kty", "n", "e")} for key in keys["keys"]]
        verified = jws.deserialize_compact(token, KeySet.import_key_set({"keys": public}), algorithms=["PS512"])
        payload: dict[str, Any] = httpx.Response(200, content=verified.payload).json()
        return payload

    def authorize(self, contract: Contract, *, body: object = None, **claims: Any) -> httpx.Response:
        asked = {
            "code_challenge": "x" * 43,
            "code_challenge_method": "S256",
            "redirect_uri": REDIRECT,
            "response_mode": "query",
            "response_type": "code",
            "state": "stäte 1&=",
        }
        headers = self.headers(contract, **{name: claim for name, claim in (asked | claims).items() if claim != ...})
        return self.http.post("oauth/authorize", headers=headers, json=AGENT if body is None else body)

    def consent_url(self, contract: Contract, **claims: Any) -> str:
        answer = self.authorize(contract, **claims)
        assert answer.status_code == 200, answer.text
        code = self.verified(answer.json()["token"])["preauthorization_code"]
        return f"{self.sandbox.onboard_url}authorize?code={code}"

    def exchange(self, contract: Contract, **claims: Any) -> httpx.Response:
        return self.http.post("oauth/token", headers=self.headers(contract, **claims))

    def consent(self, contract: Contract | None = None, **claims: Any) -> Consent:
        """Go through everything from the question to the tokens."""
        contract = contract or self.sandbox.contract
        verifier = secrets.token_urlsafe(32)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        redirected = self.sandbox.approve(self.consent_url(contract, code_challenge=challenge, **claims))
        parameters = dict(parse_qsl(urlsplit(redirected).query, keep_blank_values=True))
        answer = self.exchange(
            contract, grant_type="authorization_code", code=parameters["code"], code_verifier=verifier
        )
        assert answer.status_code == 200, answer.text
        return Consent(contract, parameters, self.verified(answer.json()["token"]))

    def reader(self, writer: Consent) -> Consent:
        return self.consent(self.sandbox.read_contract, access_token=writer.access_token)

    def post_file(
        self,
        consent: Consent,
        content: bytes,
        *,
        envelope: Envelope | None = None,
        body: bytes | Iterable[bytes] | None = None,
        headers: dict[str, str] | None = None,
        path: str | None = None,
        **claims: Any,
    ) -> httpx.Response:
        """Write through the postbox; each argument replaces a piece of a good request."""
        envelope = envelope or Envelope(consent.redirected["publicKey"])
        signed = {"access_token": consent.access_token} | envelope.claims() | claims
        return self.http.post(
            path or consent.postbox,
            headers={
                **self.headers(consent.contract, **signed),
                "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
                **(headers or {}),
            },
            content=multipart(envelope.seal(content)) if body is None else body,
        )

    def import_file(
        self,
        consent: Consent,
        content: bytes | Iterator[bytes],
        *,
        descriptor: object = None,
        token: str | None = None,
        headers: dict[str, str] | None = None,
        **claims: Any,
    ) -> httpx.Response:
        """Write by direct import; each argument replaces a piece of a good request."""
        payload = {"metadata": DESCRIPTOR if descriptor is None else descriptor}
        signed = {"access_token": consent.access_token} | claims
        return self.http.post(
            "permission-access/import",
            headers={
                **self.headers(consent.contract, **signed),
                "FileDescriptor": token or sign(consent.contract.private_key, payload),
                "Content-Type": "application/octet-stream",
                **(headers or {}),
            },
            content=content,
        )

    def stored(self, person: Consent) -> list[SandboxFile]:
        """Return what the person's library holds."""
        return [file for file in self.sandbox.files() if file.user_id == person.payload["sub"]]

    def session(self, reader: Consent) -> str:
        headers = self.headers(reader.contract, access_token=reader.access_token)
        answer = self.http.post("permission-access/trigger", headers=headers, json=AGENT)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["session"]["key"])

    def get(self, reader: Consent, path: str, *, method: str = "GET", **claims: Any) -> httpx.Response:
        headers = self.headers(reader.contract, **({"access_token": reader.access_token} | claims))
        return self.http.request(method, path, headers=headers)


def error_reply(answer: httpx.Response) -> tuple[int, str]:
    """Return status and code of a error_reply, once the headers mirror the body."""
    error = answer.json()["error"]
    assert error.keys() == {"code", "message", "reference"}
    assert answer.headers["X-Error-Code"] == error["code"]
    assert answer.headers["X-Error-Reference"] == error["reference"]
    assert answer.headers["X-Error-Message"]
    return answer.status_code, error["code"]


def port_of(sandbox: Sandbox) -> int:
    return urlsplit(sandbox.base_url).port or 0


def import_files(api: ProtocolClient, account_id: str, contents: Mapping[str, bytes]) -> None:
    """Put files into the library of a person who is approved of for that, all with the tag t1."""
    (made,) = api.sandbox.approve_all([account_id])
    person = api.consent(access_token=made.user_access_token.access_token.value)
    members = {"mimeType": "text/csv", "accounts": [{"accountId": account_id}], "tags": ["t1"]}
    for name, content in contents.items():
        reply = api.import_file(person, content, descriptor={**members, "reference": [name]})
        assert reply.status_code == 204
