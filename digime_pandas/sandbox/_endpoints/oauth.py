"""The OAuth endpoints: pre-authorization, tokens, the key set that verifies them, and removal of a person."""

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

from digime_pandas.sandbox._context import SandboxContext
from digime_pandas.sandbox._endpoints.request_bodies import read_json_object
from digime_pandas.sandbox._endpoints.request_checks import SignedRequest, check_any_user, check_signed, read_scope
from digime_pandas.sandbox._store.authorizations import expired_token, invalid_token
from digime_pandas.sandbox._store.keys import key_id, public_pem
from digime_pandas.sandbox._store.records import IssuedTokens
from digime_pandas.sandbox._wire.error_replies import ErrorReply
from digime_pandas.sandbox._wire.jws import sign_token

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_REQUIRED_CLAIMS = {"code_challenge_method": "S256", "response_mode": "query", "response_type": "code"}
_NO_STORE = {"Cache-Control": "no-store"}


class OAuth:
    """The OAuth endpoints of one API version.

    Args:
        context: What all endpoints share.
        version: The version's path segment, such as ``v1.7``.
    """

    def __init__(self, context: SandboxContext, version: str) -> None:
        self._context = context
        self._version = version
        self._kid = key_id(context.keys.signing)
        self._key_set = {"keys": [_jwk(context, self._kid)]}

    async def authorize(self, request: Request) -> Response:
        """Answer ``POST oauth/authorize``: a pre-authorization code for the consent page, and a session."""
        signed = check_signed(self._context, request.headers)
        now = self._context.now()
        for name, expected in _REQUIRED_CLAIMS.items():
            if signed.text(name) != expected:
                raise ErrorReply("InvalidClaim", f"The claim {name} is not {expected}")
        challenge = signed.text("code_challenge")
        if not _CHALLENGE.fullmatch(challenge):
            raise ErrorReply("InvalidClaim", "The claim code_challenge is not base64url of a SHA-256 (43 characters)")
        redirect_uri = signed.text("redirect_uri")
        if not self._context.may_redirect(redirect_uri, signed.registration.contract):
            raise ErrorReply("InvalidRedirectUri", "The redirect_uri is not registered on this contract")
        access_token = signed.optional_text("access_token")
        user_id = self._context.authorizations.linked_user(access_token) if access_token else None
        body = await read_json_object(request)
        _check_agent(body)
        scope = read_scope(self._context, body.get("actions", {}).get("pull", {}))
        session = self._context.authorizations.open_session(signed.client_id, None, now=now, scope=scope)
        code = self._context.authorizations.add_request(
            client_id=signed.client_id,
            redirect_uri=redirect_uri,
            state=signed.optional_text("state"),
            challenge=challenge,
            user_id=user_id,
            session_key=session.session_key,
            now=now,
        )
        token = self._sign(request, {"preauthorization_code": code})
        return JSONResponse({"token": token, "session": session.to_dict()}, headers=_NO_STORE)

    async def token(self, request: Request) -> Response:
        """Answer ``POST oauth/token``: an access and a refresh token for an authorization code or a refresh token."""
        signed = check_signed(self._context, request.headers)
        grant_type = signed.text("grant_type")
        if grant_type == "authorization_code":
            issued = self._exchange(signed)
        elif grant_type == "refresh_token":
            refresh_token = signed.text("refresh_token")
            issued = self._context.authorizations.refresh(refresh_token, signed.client_id, now=self._context.now())
        else:
            raise ErrorReply("InvalidClaim", "The claim grant_type is neither authorization_code nor refresh_token")
        return JSONResponse({"token": self._sign(request, _token_payload(issued))}, headers=_NO_STORE)

    async def key_set(self, request: Request) -> Response:  # noqa: ARG002 - the signature of an endpoint
        """Answer ``GET jwks/oauth``: the key set that verifies the sandbox's tokens."""
        return JSONResponse(self._key_set)

    async def remove_user(self, request: Request) -> Response:
        """Answer ``DELETE user``: remove the person with all files, tokens and sessions."""
        signed = check_signed(self._context, request.headers)
        self._context.library.remove_person(check_any_user(self._context, signed))
        return Response(status_code=204)

    def _exchange(self, signed: SignedRequest) -> IssuedTokens:
        code, verifier = signed.text("code"), signed.text("code_verifier")
        now = self._context.now()
        # Redeemed before it is checked: a verifier can be guessed once.
        redeemed = self._context.authorizations.redeem_code(code)
        if redeemed is None or redeemed.client_id != signed.client_id:
            raise invalid_token("authorization_code")
        if redeemed.expires <= now:
            raise expired_token("authorization_code")
        if not _VERIFIER.fullmatch(verifier) or not hmac.compare_digest(_challenge_of(verifier), redeemed.challenge):
            raise ErrorReply("InvalidClaim", "The code_verifier does not belong to the code_challenge")
        if signed.optional_text("redirect_uri") not in {None, redeemed.redirect_uri}:
            raise ErrorReply("InvalidRedirectUri", "The redirect_uri is not the one of the authorization")
        return self._context.authorizations.issue(redeemed.client_id, redeemed.user_id, redeemed.consent_id, now=now)

    def _sign(self, request: Request, payload: Mapping[str, Any]) -> str:
        # At the host of the request: clients fetch the key set only from the origin that they sent the request to.
        jku = f"{request.url.scheme}://{request.url.netloc}/{self._version}/jwks/oauth"
        return sign_token(payload, self._context.keys.signing, jku=jku, kid=self._kid)


def _jwk(context: SandboxContext, kid: str) -> dict[str, str]:
    jwk = RSAAlgorithm.to_jwk(context.keys.signing.public_key(), as_dict=True)
    return {"kid": kid, "kty": "RSA", "n": jwk["n"], "e": jwk["e"], "pem": public_pem(context.keys.signing)}


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
        raise ErrorReply("SDKInvalid", "The body names no SDK (agent.sdk.name)")
    if not isinstance(sdk.get("version"), str) or not sdk["version"]:
        raise ErrorReply("SDKVersionInvalid", "The body names no SDK version (agent.sdk.version)")
    actions = body.get("actions", {})
    if not isinstance(actions, dict) or not isinstance(actions.get("pull", {}), dict):
        raise ErrorReply("InvalidRequest", "actions.pull is not a JSON object")
