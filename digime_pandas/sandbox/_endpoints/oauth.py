"""Authorization: pre-authorization, exchange and refresh of tokens, and the key set that verifies them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any

from jwt.algorithms import RSAAlgorithm
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from digime_pandas.sandbox._context import Service
from digime_pandas.sandbox._endpoints.request_checks import (
    SignedRequest,
    check_any_user,
    check_signed,
    read_json_object,
)
from digime_pandas.sandbox._store.authorizations import IssuedTokens, expired_token, invalid_token
from digime_pandas.sandbox._store.keys import key_id, public_pem
from digime_pandas.sandbox._wire.error_replies import Refusal
from digime_pandas.sandbox._wire.jws import issue_token
from digime_pandas.sandbox._wire.redirect_uris import is_registered

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_EXPECTED = {"code_challenge_method": "S256", "response_mode": "query", "response_type": "code"}
_NO_STORE = {"Cache-Control": "no-store"}


class OAuth:
    """The authorization endpoints of one API version.

    Args:
        service: The service.
        version: Path of the version, such as ``v1.7``.
    """

    def __init__(self, service: Service, version: str) -> None:
        self._service = service
        self._version = version
        self._kid = key_id(service.keys.signing)
        self._key_set = {"keys": [_public_key(service, self._kid)]}

    async def authorize(self, request: Request) -> Response:
        """Answer ``POST oauth/authorize``: a pre-authorization code for the consent page, and a session."""
        signed = check_signed(self._service, request.headers)
        now = self._service.now()
        for name, expected in _EXPECTED.items():
            if signed.text(name) != expected:
                raise Refusal("InvalidClaim", f"The claim {name} is not {expected}")
        challenge = signed.text("code_challenge")
        if not _CHALLENGE.fullmatch(challenge):
            raise Refusal("InvalidClaim", "The claim code_challenge is not base64url of a SHA-256 (43 characters)")
        redirect_uri = signed.text("redirect_uri")
        if not is_registered(redirect_uri, signed.registration.contract.redirect_uri):
            raise Refusal("InvalidRedirectUri", "The redirect_uri is not registered on this contract")
        access_token = signed.optional_text("access_token")
        user_id = self._service.grants.linked_user(access_token) if access_token else None
        _check_agent(await read_json_object(request))
        session_key, expires = self._service.grants.open_session(signed.client_id, None, now=now)
        code = self._service.grants.ask(
            client_id=signed.client_id,
            redirect_uri=redirect_uri,
            state=signed.optional_text("state"),
            challenge=challenge,
            user_id=user_id,
            session_key=session_key,
            now=now,
        )
        token = self._issue(request, {"preauthorization_code": code})
        session = {"key": session_key, "expiry": round(expires * 1000)}
        return JSONResponse({"token": token, "session": session}, headers=_NO_STORE)

    async def token(self, request: Request) -> Response:
        """Answer ``POST oauth/token``: a pair of tokens for an authorization code or a refresh token."""
        signed = check_signed(self._service, request.headers)
        grant_type = signed.text("grant_type")
        if grant_type == "authorization_code":
            issued = self._exchange(signed)
        elif grant_type == "refresh_token":
            refresh_token = signed.text("refresh_token")
            issued = self._service.grants.refresh(refresh_token, signed.client_id, now=self._service.now())
        else:
            raise Refusal("InvalidClaim", "The claim grant_type is neither authorization_code nor refresh_token")
        return JSONResponse({"token": self._issue(request, _token_payload(issued))}, headers=_NO_STORE)

    async def key_set(self, request: Request) -> Response:  # noqa: ARG002 - the shape of an endpoint
        """Answer ``GET jwks/oauth``: the key that verifies this service's tokens."""
        return JSONResponse(self._key_set)

    async def remove_user(self, request: Request) -> Response:
        """Answer ``DELETE user``: the person and everything of theirs is gone."""
        signed = check_signed(self._service, request.headers)
        self._service.library.remove_person(check_any_user(self._service, signed))
        return Response(status_code=204)

    def _exchange(self, signed: SignedRequest) -> IssuedTokens:
        code, verifier = signed.text("code"), signed.text("code_verifier")
        now = self._service.now()
        # The code is used up whatever comes next: a guess at the verifier is made once.
        grant = self._service.grants.take(code)
        if grant is None or grant.client_id != signed.client_id:
            raise invalid_token("authorization_code")
        if grant.expires <= now:
            raise expired_token("authorization_code")
        if not _VERIFIER.fullmatch(verifier) or not hmac.compare_digest(_challenge_of(verifier), grant.challenge):
            raise Refusal("InvalidClaim", "The code_verifier does not belong to the code_challenge")
        if signed.optional_text("redirect_uri") not in {None, grant.redirect_uri}:
            raise Refusal("InvalidRedirectUri", "The redirect_uri is not the one of the authorization")
        return self._service.grants.issue(grant.client_id, grant.user_id, grant.consent_id, now=now)

    def _issue(self, request: Request, payload: Mapping[str, Any]) -> str:
        # Under the name by which the client came here, so that it finds the key set at the origin it trusts.
        jku = f"{request.url.scheme}://{request.url.netloc}/{self._version}/jwks/oauth"
        return issue_token(payload, self._service.keys.signing, jku=jku, kid=self._kid)


def _public_key(service: Service, kid: str) -> dict[str, str]:
    jwk = RSAAlgorithm.to_jwk(service.keys.signing.public_key(), as_dict=True)
    return {"kid": kid, "kty": "RSA", "n": jwk["n"], "e": jwk["e"], "pem": public_pem(service.keys.signing)}


def _token_payload(issued: IssuedTokens) -> dict[str, Any]:
    return {
        "access_token": {"value": issued.access_token, "expires_on": int(issued.access_expires)},
        "refresh_token": {"value": issued.refresh_token, "expires_on": int(issued.refresh_expires)},
        "sub": issued.user_id,
        "consentid": issued.consent_id,
        "identifier": {"id": issued.user_id},
        "token_type": "Bearer",
    }


def _challenge_of(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _check_agent(body: Mapping[str, Any]) -> None:
    # Nested in {"sdk": ...} by the Node SDKs, flat on iOS (SDK-observed).
    agent = body.get("agent")
    sdk = agent.get("sdk", agent) if isinstance(agent, dict) else None
    if not isinstance(sdk, dict) or not isinstance(sdk.get("name"), str) or not sdk["name"]:
        raise Refusal("SDKInvalid", "The body names no SDK (agent.sdk.name)")
    if not isinstance(sdk.get("version"), str) or not sdk["version"]:
        raise Refusal("SDKVersionInvalid", "The body names no SDK version (agent.sdk.version)")
    actions = body.get("actions", {})
    if not isinstance(actions, dict) or not isinstance(actions.get("pull", {}), dict):
        raise Refusal("InvalidRequest", "actions.pull is not a JSON object")
