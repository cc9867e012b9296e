"""The service's endpoints: one method each, for one contract. Replies become values here, by hand and strictly."""

from __future__ import annotations

import base64
import binascii
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Literal
from urllib.parse import quote

from digime_pandas._authorization import Postbox, Token, UserAccessToken
from digime_pandas._contract import Contract
from digime_pandas._descriptor import FileDescriptor
from digime_pandas._envelope import (
    BLOCK_BYTES,
    KEY_BYTES,
    Buffer,
    load_public_key,
    seal,
    seal_bytes,
    sealed_size,
    wrap_key,
)
from digime_pandas._http import Http, Reply, Request
from digime_pandas._sign import NONCE_BYTES, find_key, key_address, request_claims, same_origin, sign, verify
from digime_pandas.errors import ReplyError

_KEY_SET_SECONDS = 15 * 60  # as long as the iOS SDK keeps it
_OCTETS = "application/octet-stream"
Status = Literal["delivered", "pending"]


@dataclass(frozen=True, slots=True)
class Grant:
    """What the token endpoint gives for a code or a refresh token."""

    user_access_token: UserAccessToken
    user_id: str | None
    consent_id: str | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """What the service said to an upload."""

    status: Status
    expires: float | None
    attempts: int


@dataclass(frozen=True, slots=True)
class FileList:
    """One look at a session's files. `files` maps names to `updatedDate` (Unix milliseconds)."""

    state: str
    files: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file as the service returns it; `blob` is sealed for the read contract's key (None for headers alone)."""

    metadata: Mapping[str, Any]
    compression: str | None
    blob: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Agent:
    """The SDK name and version a client announces; the service can refuse those it does not know."""

    name: str
    version: str

    def to_dict(self) -> dict[str, Any]:
        """Return the nested form of the vendor's Node SDK (observed)."""
        return {"sdk": {"name": self.name, "version": self.version, "meta": {}}}


class Api:
    """The endpoints as one contract sees them.

    Args:
        contract: Whose requests these are.
        http: Sends them.
        base_url: Versioned API base, with its trailing slash.
        agent: What to announce.
        now: Clock, Unix seconds.
        random: Source of random bytes.
    """

    def __init__(
        self,
        contract: Contract,
        http: Http,
        base_url: str,
        agent: Agent,
        *,
        now: Callable[[], float] = time.time,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.contract = contract
        self.base_url = base_url
        self.agent = agent
        self._http = http
        self._now = now
        self._random = random
        self._key_sets: dict[str, tuple[float, Any]] = {}

    def pre_authorize(self, *, code_challenge: str, redirect_uri: str, state: str, access_token: str | None) -> str:
        """``POST oauth/authorize``: return the pre-authorization code for the consent page.

        Args:
            code_challenge: PKCE S256 challenge.
            redirect_uri: Where the consent page shall send the person.
            state: Comes back with the redirect.
            access_token: A token of the same person, of any contract, expired or not: both then share one library.
        """
        what = "begin the authorization"
        body = json.dumps({"agent": self.agent.to_dict()}).encode()

        def request() -> Request:
            headers = self._signed(
                code_challenge=code_challenge,
                code_challenge_method="S256",
                redirect_uri=redirect_uri,
                response_mode="query",
                response_type="code",
                state=state,
                access_token=access_token,
            )
            headers |= {"Content-Type": "application/json", "Accept": "application/json"}
            return Request("POST", self.base_url + "oauth/authorize", headers, [body], len(body))

        payload = self._server_token(self._http.send(request, what=what), what)
        return _text(payload, "preauthorization_code", what)

    def exchange(self, *, code: str, code_verifier: str) -> Grant:
        """``POST oauth/token``: return the tokens for an authorization code."""
        return self._grant("exchange the code", grant_type="authorization_code", code=code, code_verifier=code_verifier)

    def refresh(self, refresh_token: str) -> Grant:
        """``POST oauth/token``: return a new pair of tokens; the old pair is to be forgotten."""
        return self._grant("refresh the token", grant_type="refresh_token", refresh_token=refresh_token)

    def deliver_to_postbox(
        self,
        postbox: Postbox,
        chunks: Callable[[], Iterable[Buffer]],
        size: int | None,
        file_name: str,
        descriptor: FileDescriptor,
        access_token: str,
    ) -> Delivery:
        """``POST permission-access/postbox/{id}``: seal and upload a file.

        Args:
            postbox: Where to, and the key to seal with.
            chunks: Gives the plain bytes anew at each attempt; every attempt has its own key, IV and nonce.
            size: Plain size in bytes, where known: the body then has a Content-Length, else it is chunked.
            file_name: Goes into the multipart header as it is, so it must be checked before.
            descriptor: Sealed with the file's key and IV.
            access_token: The person's.
        """
        what = f"deliver {file_name!r}"
        public_key = load_public_key(postbox.public_key)
        metadata = descriptor.to_json().encode()

        def request() -> Request:
            key, iv = self._random(KEY_BYTES), self._random(BLOCK_BYTES)
            boundary = self._random(NONCE_BYTES).hex()
            head = (
                f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{file_name}"\r\n'
                f"Content-Type: {descriptor.mime_type}\r\n\r\n"
            ).encode()
            tail = f"\r\n--{boundary}--\r\n".encode()
            headers = self._signed(
                access_token=access_token,
                iv=iv.hex(),
                metadata=base64.b64encode(seal_bytes(metadata, key=key, iv=iv)).decode(),
                symmetrical_key=base64.b64encode(wrap_key(key, public_key)).decode(),
            )
            headers |= {"Content-Type": f"multipart/form-data; boundary={boundary}", "Accept": "application/json"}
            body = chain([head], seal(chunks(), key=key, iv=iv), [tail])
            length = None if size is None else len(head) + sealed_size(size) + len(tail)
            url = f"{self.base_url}permission-access/postbox/{quote(postbox.id, safe='')}"
            return Request("POST", url, headers, body, length)

        reply = self._http.send(request, what=what)
        document = _document(reply, what)
        status = document.get("status")
        if status not in {"delivered", "pending"}:
            raise ReplyError(
                f"Could not {what}: the answer has no status 'delivered' or 'pending'.",
                outcome="unknown",
                attempts=reply.attempts,
            )
        return Delivery(status, _number_or_none(document.get("expires")), reply.attempts)

    def import_file(
        self,
        chunks: Callable[[], Iterable[Buffer]],
        size: int | None,
        file_name: str,
        descriptor: FileDescriptor,
        access_token: str,
    ) -> Delivery:
        """``POST permission-access/import``: upload the plain bytes under TLS, the descriptor signed in a header.

        Any 2xx is a success and its body says nothing (observed), so the status is always ``"delivered"``.
        """

        def request() -> Request:
            headers = self._signed(access_token=access_token)
            headers["FileDescriptor"] = sign({"metadata": descriptor.to_dict()}, self.contract.private_key)
            headers["Content-Type"] = _OCTETS
            return Request("POST", self.base_url + "permission-access/import", headers, chunks(), size)

        return Delivery("delivered", None, self._http.send(request, what=f"import {file_name!r}").attempts)

    def trigger(self, access_token: str) -> str:
        """``POST permission-access/trigger``: return the key of a new reading session."""
        what = "open a reading session"
        body = json.dumps({"agent": self.agent.to_dict()}).encode()

        def request() -> Request:
            headers = self._signed(access_token=access_token)
            headers |= {"Content-Type": "application/json", "Accept": "application/json"}
            return Request("POST", self.base_url + "permission-access/trigger", headers, [body], len(body))

        session = _document(self._http.send(request, what=what), what).get("session")
        return _text(session if isinstance(session, Mapping) else {}, "key", what)

    def list_files(self, session: str, access_token: str) -> FileList:
        """``GET permission-access/query/{session}``: return what the session shows by now."""
        what = "list the library"
        document = _document(self._get(session, None, access_token, "application/json", what), what)
        status, listed = document.get("status"), document.get("fileList") or []
        state = _text(status if isinstance(status, Mapping) else {}, "state", what)
        if not isinstance(listed, list):
            raise _reply_error(what, "a list 'fileList'")
        files = {_text(item, "name", what): _number_or_none(item.get("updatedDate")) or 0.0 for item in listed}
        return FileList(state, files)

    def read_file(self, session: str, name: str, access_token: str, *, headers_only: bool = False) -> StoredFile:
        """``GET`` or ``HEAD permission-access/query/{session}/{name}``: return a file and what is known of it."""
        what = "read a file's description" if headers_only else "read a file"
        reply = self._get(session, name, access_token, _OCTETS, what, method="HEAD" if headers_only else "GET")
        text = reply.headers.get("x-metadata", "")
        try:
            document = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            metadata = document["metadata"]
        except (ValueError, binascii.Error, KeyError, TypeError):
            raise _reply_error(what, "a readable header 'X-Metadata'") from None
        if not isinstance(metadata, Mapping):
            raise _reply_error(what, "an object 'metadata' in its header 'X-Metadata'")
        return StoredFile(metadata, document.get("compression"), None if headers_only else reply.body)

    def _get(
        self, session: str, name: str | None, access_token: str, accept: str, what: str, method: str = "GET"
    ) -> Reply:
        path = "/".join(quote(part, safe="") for part in (session, name) if part is not None)

        def request() -> Request:
            headers = self._signed(access_token=access_token) | {"Accept": accept}
            return Request(method, f"{self.base_url}permission-access/query/{path}", headers)

        return self._http.send(request, what=what)

    def _signed(self, **claims: object) -> dict[str, str]:
        """Return the headers of one attempt: nonce and timestamp are new at each call."""
        full = request_claims(self.contract.client_id, nonce=self._random(NONCE_BYTES), timestamp=self._now(), **claims)
        return {"Authorization": f"Bearer {sign(full, self.contract.private_key)}"}

    def _grant(self, what: str, **claims: object) -> Grant:
        def request() -> Request:
            headers = self._signed(**claims) | {"Content-Type": "application/json", "Accept": "application/json"}
            return Request("POST", self.base_url + "oauth/token", headers, [], 0)

        payload = self._server_token(self._http.send(request, what=what), what)
        return Grant(
            UserAccessToken(_token(payload, "access_token", what), _token(payload, "refresh_token", what)),
            user_id=_text_or_none(payload.get("sub")),
            consent_id=_text_or_none(payload.get("consentid")),
        )

    def _server_token(self, reply: Reply, what: str) -> Mapping[str, Any]:
        """Return the payload of the answer's `token`, once its signature and the key's origin are proven."""
        token = _text(_document(reply, what), "token", what)
        try:
            jku, kid = key_address(token)
            if not same_origin(jku, self.base_url):
                raise ValueError("its key set (jku) is at another address than the API")
            key = find_key(self._key_set(jku), kid) or find_key(self._key_set(jku, fresh=True), kid)
            if key is None:
                raise ValueError("its key set has no such key (kid)")
            return verify(token, key)
        except ValueError as error:
            if isinstance(error, ReplyError):
                raise
            raise ReplyError(
                f"Could not {what}: the answer's token is not genuine: {error}.", outcome="unknown"
            ) from None

    def _key_set(self, url: str, *, fresh: bool = False) -> object:
        fetched, key_set = self._key_sets.get(url, (0.0, None))
        if fresh or key_set is None or self._now() - fetched > _KEY_SET_SECONDS:
            what = "fetch the service's key set"
            reply = self._http.send(lambda: Request("GET", url, {"Accept": "application/json"}), what=what)
            key_set = _document(reply, what)
            self._key_sets[url] = (self._now(), key_set)
        return key_set


def _document(reply: Reply, what: str) -> Mapping[str, Any]:
    try:
        document = json.loads(reply.body)
    except ValueError:
        document = None
    if not isinstance(document, Mapping):
        raise _reply_error(what, "a JSON object")
    return document


def _text(members: Mapping[str, Any], name: str, what: str) -> str:
    value = members.get(name) if isinstance(members, Mapping) else None
    if not isinstance(value, str) or not value:
        raise _reply_error(what, f"a text {name!r}")
    return value


def _token(members: Mapping[str, Any], name: str, what: str) -> Token:
    pair = members.get(name)
    expiry = _number_or_none(pair.get("expires_on")) if isinstance(pair, Mapping) else None
    if not isinstance(pair, Mapping) or expiry is None:
        raise _reply_error(what, f"{name!r} with 'value' and 'expires_on'")
    return Token(_text(pair, "value", what), int(expiry))


def _number_or_none(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _reply_error(what: str, lacking: str) -> ReplyError:
    return ReplyError(f"Could not {what}: the answer lacks {lacking}. Is base_url the digi.me API?", outcome="unknown")
