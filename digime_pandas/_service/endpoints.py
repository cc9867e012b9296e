"""The service's endpoints as one contract sees them: one method each."""

from __future__ import annotations

import base64
import json
import os
import struct
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import quote

from digime_pandas._service.authorization import Postbox
from digime_pandas._service.contract import Contract
from digime_pandas._service.crypto.envelope import BLOCK_BYTES, KEY_BYTES, load_public_key, seal_description
from digime_pandas._service.crypto.jws import NONCE_BYTES, sign, sign_request
from digime_pandas._service.crypto.key_sets import KeySets
from digime_pandas._service.crypto.signed_upload import FileKey, SignedUpload
from digime_pandas._service.download import Download
from digime_pandas._service.http.request import Reply, Request
from digime_pandas._service.http.transport import Http
from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.messages import (
    Agent,
    FileListing,
    FileMetadata,
    ReadingSession,
    Scope,
    TokenReply,
    Upload,
    UploadReply,
    parse_document,
    parse_file_listing,
    parse_file_metadata,
    parse_import_reply,
    parse_session,
    parse_token_reply,
    parse_upload_reply,
    read_secret,
)
from digime_pandas._service.received.byte_limit import ByteLimit
from digime_pandas.errors import APIError, AuthorizationError, ReplyError

_JSON = "application/json"
_OCTETS = "application/octet-stream"
_NO_OPTIONS: Mapping[str, Any] = {}
# The AES key, the IV, the nonce and the boundary of one upload.
_DRAWN = struct.Struct(f"{KEY_BYTES}s{BLOCK_BYTES}s{NONCE_BYTES}s{NONCE_BYTES}s")
_FETCH_KEYS = "fetch the service's key set"
_SPENT_BY = {"authorization_code": "code", "refresh_token": "refresh_token"}


class Endpoints:
    """The endpoints as one contract sees them.

    Args:
        contract: The contract that signs the requests.
        http: Sends them.
        base_url: Versioned API base, with its trailing slash.
        agent: SDK name and version to announce.
        now: Clock, Unix seconds.
        random: Source of random bytes.

    Attributes:
        one_deadline: Returns a block all requests in which have one deadline; see `Http`.
        clock: Monotonic clock, in seconds.
        keep_unverified: Called with a code or refresh token that was used up, and with the token of the answer to it
            where that cannot be verified, for `verify_tokens`.
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
        self._client_id, self._private_key = contract.client_id, Secret(contract.private_key)
        self._http = http
        self.one_deadline, self.clock = http.one_deadline, http.clock
        self._agent = agent
        self._now = now
        self._random = random
        self.keep_unverified: Callable[[Secret[str], Secret[str]], object] = _keep_nothing
        self._key_sets = KeySets(self._fetch_key_set, base_url, now=now)

    def pre_authorize(
        self, *, code_challenge: str, redirect_uri: str, state: Secret[str], access_token: Secret[str] | None
    ) -> Secret[str]:
        """``POST oauth/authorize``: return the pre-authorization code for the consent page.

        Args:
            code_challenge: PKCE S256 challenge.
            redirect_uri: Address to which the consent page sends the person.
            state: Sent back with the redirect.
            access_token: A token of the same person, of any contract, expired or not: both then share one library.
        """
        what = "begin the authorization"
        claims: dict[str, Any] = {
            "code_challenge": code_challenge,
            "code_challenge_method": "S256",
            "redirect_uri": redirect_uri,
            "response_mode": "query",
            "response_type": "code",
            "state": state,
            "access_token": access_token,
        }
        with self.one_deadline():
            reply = self._post_json("oauth/authorize", what, **claims)
            token = read_secret(parse_document(reply.body, what), "token", what)
            return read_secret(self._verified(token, what), "preauthorization_code", what)

    def fetch_keys(self) -> None:
        """Fetch the keys that verify what the token endpoint answers, unless they are at hand.

        To be called before a code or a refresh token is sent, which is used up by that.

        Raises:
            APIError: They cannot be fetched.
        """
        try:
            self._key_sets.prepare()
        except APIError as error:
            error.outcome = "not sent"
            raise
        except ValueError as error:
            raise ReplyError(f"Could not {_FETCH_KEYS}: {error}. Try again later.", outcome="not sent") from None

    def exchange(self, *, code: Secret[str], code_verifier: Secret[str]) -> TokenReply:
        """``POST oauth/token``: return the tokens for an authorization code, which is used up."""
        return self._tokens("exchange the code", "authorization_code", code, code_verifier=code_verifier)

    def refresh(self, refresh_token: Secret[str]) -> TokenReply:
        """``POST oauth/token``: return a new pair of tokens; the old pair is to be forgotten."""
        return self._tokens("refresh the token", "refresh_token", refresh_token)

    def verify_tokens(self, answer: Secret[str], received: float) -> TokenReply:
        """Return the tokens of an answer that could not be verified when it came.

        Args:
            answer: What `keep_unverified` was called with.
            received: When it came, Unix seconds.

        Raises:
            ReplyError: It is not genuine, or that still cannot be known.
        """
        what = "verify the service's earlier answer"
        return parse_token_reply(self._verified(answer, what, received), what)

    def deliver_to_postbox(self, upload: Upload, postbox: Postbox, access_token: Secret[str]) -> UploadReply:
        """``POST permission-access/postbox/{id}``: encrypt and upload a file.

        Every attempt has its own AES key, IV and nonce; the descriptor is encrypted with the file's key and IV.

        Raises:
            AuthorizationError: The postbox's public key cannot be used. Nothing was sent.
        """
        what = f"deliver {upload.file_name!r}"
        reply = self._upload(upload, partial(self.sign_for_postbox, upload, postbox, access_token), what)
        return parse_upload_reply(reply.body, reply.attempts, what)

    def sign_for_postbox(self, upload: Upload, postbox: Postbox, access_token: Secret[str]) -> SignedUpload:
        """Return the request of one attempt to deliver to a postbox, with an AES key, IV and nonce of its own.

        Raises:
            AuthorizationError: The postbox's public key cannot be used.
        """
        try:
            public_key = load_public_key(postbox.public_key)
        except ValueError as error:
            raise AuthorizationError(f"The authorization cannot be used: {error}. Authorize again.") from None
        # Drawn in one call: while the system makes random bytes, another thread may take this one's turn.
        drawn = Secret(_DRAWN.unpack(self._random(_DRAWN.size)))
        (key, iv), (nonce, boundary) = map(Secret, drawn.reveal()[:2]), drawn.reveal()[2:]
        head = (
            f'--{boundary.hex()}\r\nContent-Disposition: form-data; name="file"; filename="{upload.file_name}"\r\n'
            f"Content-Type: {upload.descriptor.mime_type}\r\n\r\n"
        ).encode()
        sealed = seal_description(upload.descriptor.to_json().encode(), public_key, key=key, iv=iv)
        metadata, wrapped_key = (base64.b64encode(each).decode() for each in sealed)
        headers = self._signed(
            {"Content-Type": f"multipart/form-data; boundary={boundary.hex()}", "Accept": _JSON},
            nonce,
            access_token=access_token,
            iv=iv,
            metadata=metadata,
            symmetrical_key=wrapped_key,
        )
        url = f"{self.base_url}permission-access/postbox/{quote(postbox.id, safe='')}"
        return SignedUpload(url, headers, FileKey(key, iv), head, f"\r\n--{boundary.hex()}--\r\n".encode())

    def import_file(self, upload: Upload, access_token: Secret[str]) -> UploadReply:
        """``POST permission-access/import``: upload the plain bytes under TLS, the descriptor signed in a header.

        Any 2xx is a success and its body says nothing (observed), so the status is always ``"delivered"``.

        Raises:
            ReplyError: A web page came in place of the service's answer.
        """
        what = f"import {upload.file_name!r}"
        reply = self._upload(upload, partial(self.sign_import, upload, access_token), what)
        return parse_import_reply(reply.headers, reply.body, reply.attempts, what)

    def sign_import(self, upload: Upload, access_token: Secret[str]) -> SignedUpload:
        """Return the request of one attempt at a direct import: token and descriptor are signed, the file is not."""
        # Signed as it is, and no secret by itself: the token of the person is in another header.
        signed_descriptor = sign({"metadata": upload.descriptor.to_dict()}, self._private_key.reveal()).reveal()
        fields = {"FileDescriptor": signed_descriptor, "Content-Type": _OCTETS}
        headers = self._signed(fields, access_token=access_token)
        return SignedUpload(self.base_url + "permission-access/import", headers)

    def _upload(self, upload: Upload, sign_attempt: Callable[[], SignedUpload], what: str) -> Reply:
        def request() -> Request:
            signed = sign_attempt()
            body, size = signed.body(upload.content, upload.size, workers=upload.threads.encrypt)
            return Request("POST", signed.url, signed.headers, body, size, upload.progress)

        # Where nothing tells a repeated file from another one, it is not sent again that may be there.
        return self._http.send(request, what=what, repeats=lambda: upload.descriptor.write_id is not None)

    def trigger(self, access_token: Secret[str], scope: Scope | None = None) -> ReadingSession:
        """``POST permission-access/trigger``: return a new reading session.

        Args:
            access_token: The person's.
            scope: Which files it lists; None: all.

        Returns:
            The session. The person's sources are not refreshed for it (`sourceFetch` of the vendor's Node SDK 16,
            observed in its types).
        """
        what = "open a reading session"
        options: dict[str, Any] = {"sourceFetch": False} | ({} if scope is None else {"scope": scope.to_dict()})
        reply = self._post_json("permission-access/trigger", what, options, access_token=access_token)
        return parse_session(reply.body, what)

    def list_files(self, session: Secret[str], access_token: Secret[str]) -> FileListing:
        """``GET permission-access/query/{session}``: return the files that the session has collected so far."""
        what = "list the library"
        return parse_file_listing(self._query("GET", session, None, access_token, accept=_JSON, what=what).body, what)

    def read_file(
        self,
        session: Secret[str],
        name: str,
        access_token: Secret[str],
        limit: ByteLimit = ByteLimit(),  # noqa: B008 - a constant
    ) -> Download:
        """``GET permission-access/query/{session}/{name}``: fetch a file and decrypt it piece by piece."""

        def receive(headers: Mapping[str, str]) -> Download:
            return Download(headers, self._private_key.reveal(), hashed="/v1.6/" in self.base_url, limit=limit)

        reply = self._query("GET", session, name, access_token, accept=_OCTETS, what="read a file", receive=receive)
        download: Download = reply.received
        return download

    def describe_file(self, session: Secret[str], name: str, access_token: Secret[str]) -> FileMetadata:
        """``HEAD permission-access/query/{session}/{name}``: return the metadata of a file."""
        what = "read a file's description"
        reply = self._query("HEAD", session, name, access_token, accept=_JSON, what=what)
        return parse_file_metadata(reply.headers, what)

    def _query(
        self,
        method: str,
        session: Secret[str],
        name: str | None,
        access_token: Secret[str],
        *,
        accept: str,
        what: str,
        receive: Callable[[Mapping[str, str]], Download] | None = None,
    ) -> Reply:
        file = "" if name is None else f"/{quote(name, safe='')}"
        url = Secret(f"{self.base_url}permission-access/query/{quote(session.reveal(), safe='')}{file}")

        def request() -> Request:
            headers = self._signed({"Accept": accept}, access_token=access_token)
            return Request(method, url, headers, receive=receive)

        return self._http.send(request, what=what)

    def _post_json(self, path: str, what: str, options: Mapping[str, Any] = _NO_OPTIONS, **claims: object) -> Reply:
        body = json.dumps({**options, "agent": self._agent.to_dict()}).encode()

        def request() -> Request:
            headers = self._signed({"Content-Type": _JSON, "Accept": _JSON}, **claims)
            return Request("POST", self.base_url + path, headers, [body], len(body))

        return self._http.send(request, what=what)

    def _tokens(self, what: str, grant_type: str, spent: Secret[str], **claims: object) -> TokenReply:
        full = {"grant_type": grant_type, _SPENT_BY[grant_type]: spent, **claims}

        def request() -> Request:
            headers = self._signed({"Content-Type": _JSON, "Accept": _JSON}, **full)
            return Request("POST", self.base_url + "oauth/token", headers, [], 0)

        reply = self._http.send(request, what=what)
        token = read_secret(parse_document(reply.body, what), "token", what)
        try:
            payload = self._verified(token, what)
        except BaseException as error:
            self.keep_unverified(spent, token)
            if isinstance(error, APIError):
                error.outcome = "unknown"  # of this request, whatever it is of the one for the keys
            raise
        return parse_token_reply(payload, what)

    def _signed(
        self, fields: Mapping[str, str], nonce: bytes | None = None, /, **claims: object
    ) -> Secret[Mapping[str, str]]:
        """Return the headers of one attempt, `fields` among them: timestamp and nonce are new at each call."""
        nonce, timestamp = nonce or self._random(NONCE_BYTES), self._now()
        bearer = sign_request(self._private_key.reveal(), self._client_id, nonce=nonce, timestamp=timestamp, **claims)
        return Secret({"Authorization": f"Bearer {bearer.reveal()}", **fields})

    def _verified(self, token: Secret[str], what: str, received: float | None = None) -> Mapping[str, Any]:
        """Return the payload of a token, after checking the key's origin, the signature and the times."""
        try:
            return self._key_sets.verified(token, received)
        except APIError:
            raise
        except ValueError as error:
            raise _not_genuine(what, str(error)) from None

    def _fetch_key_set(self, url: str) -> object:
        reply = self._http.send(lambda: Request("GET", url, {"Accept": _JSON}), what=_FETCH_KEYS)
        return parse_document(reply.body, _FETCH_KEYS)


def _keep_nothing(_: Secret[str], __: Secret[str]) -> None:
    return None


def _not_genuine(what: str, reason: str) -> ReplyError:
    text = f"Could not {what}: the answer's token is not genuine: {reason.removesuffix('.')}."
    return ReplyError(text, outcome="unknown", remedy="Try again; where that does not help, check base_url.")
