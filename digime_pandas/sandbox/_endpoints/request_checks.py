"""The checks of signed requests: signature, claims, timestamp, nonce, access token, and the options of a session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers

from digime_pandas.sandbox._context import Access, Registration, SandboxContext
from digime_pandas.sandbox._store.authorizations import invalid_token
from digime_pandas.sandbox._wire.error_replies import ErrorReply
from digime_pandas.sandbox._wire.jws import parse_token
from digime_pandas.sandbox._wire.session_scopes import SessionScope, parse_scope

_NONCE_LENGTH = 32
_SCHEME = "Bearer "


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request that passed `check_signed`.

    Args:
        registration: The contract that signed it.
        claims: The payload of its token.
    """

    registration: Registration
    claims: Mapping[str, Any]

    @property
    def client_id(self) -> str:
        """The contract's client id."""
        return self.registration.contract.client_id

    def text(self, name: str) -> str:
        """Return the value of a required claim, a str.

        Raises:
            ErrorReply: ``InvalidClaim``: it is missing, or not a str.
        """
        value = self.optional_text(name)
        if value is None:
            raise ErrorReply("InvalidClaim", f"The claim {name} is missing")
        return value

    def optional_text(self, name: str) -> str | None:
        """Return the value of a claim, a str, or None when it is missing.

        Raises:
            ErrorReply: ``InvalidClaim``: it is not a str, or holds a lone surrogate, which cannot be stored.
        """
        value = self.claims.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise ErrorReply("InvalidClaim", f"The claim {name} is not a string")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ErrorReply("InvalidClaim", f"The claim {name} holds a lone surrogate") from None
        return value


def check_signed(context: SandboxContext, headers: Headers) -> SignedRequest:
    """Check the signed token of a request, and record the use of its nonce.

    Args:
        context: What all endpoints share.
        headers: Of the request.

    Returns:
        The request.

    Raises:
        ErrorReply: ``TokenInvalid`` (form), ``InvalidClient``, ``InvalidSignature``, ``InvalidClaim``,
            ``TimestampOutOfRange`` or ``NonceReused``.
    """
    authorization = headers.get("authorization", "")
    if not authorization.startswith(_SCHEME):
        raise ErrorReply("TokenInvalid", "The request carries no `Authorization: Bearer` with a signed token")
    token = parse_token(authorization.removeprefix(_SCHEME))
    registration = context.registrations.get(str(token.claims.get("client_id")))
    if registration is None:
        raise ErrorReply("InvalidClient", "No contract is known under this client_id")
    request = SignedRequest(registration, token.verify(registration.contract.private_key.public_key()))
    for name, value in request.claims.items():
        if value is None:
            raise ErrorReply("InvalidClaim", f"The claim {name} is null; a claim without a value is left out")
    _check_timestamp_and_nonce(context, request)
    return request


def check_user(context: SandboxContext, request: SignedRequest, access: Access) -> str:
    """Return the user id of the request's access token.

    Args:
        context: What all endpoints share.
        request: The signed request.
        access: What the contract must be registered for.

    Raises:
        ErrorReply: ``InvalidContractDataRequest`` (a contract of the other kind) or ``InvalidToken``.
    """
    if request.registration.access != access:
        raise ErrorReply(
            "InvalidContractDataRequest",
            f"This is a {request.registration.access} contract; the call is for a {access} contract",
        )
    return check_any_user(context, request)


def check_any_user(context: SandboxContext, request: SignedRequest) -> str:
    """Return the user id of the request's access token, for a write or a read contract.

    Raises:
        ErrorReply: ``InvalidToken``.
    """
    access_token = request.optional_text("access_token")
    if not access_token:
        raise invalid_token("access_token")
    return context.authorizations.user_of(access_token, request.client_id, now=context.now())


def read_scope(context: SandboxContext, options: Mapping[str, Any]) -> SessionScope | None:
    """Return which files a session lists, by the options it is asked for with; None: all.

    Raises:
        ErrorReply: ``ScopeOutOfBounds`` or ``InvalidRequest``.
    """
    if not isinstance(options.get("sourceFetch", True), bool):
        raise ErrorReply("InvalidRequest", "sourceFetch is neither true nor false")
    if context.settings.scope == "refused" and "scope" in options:
        raise ErrorReply("ScopeOutOfBounds", "This sandbox refuses scopes, as its option says")
    scope = parse_scope(options)
    return scope if context.settings.scope == "applied" else None


def _check_timestamp_and_nonce(context: SandboxContext, request: SignedRequest) -> None:
    timestamp = request.claims.get("timestamp")
    if not isinstance(timestamp, int) or isinstance(timestamp, bool):
        raise ErrorReply("InvalidClaim", "The claim timestamp is not an integer (Unix time in milliseconds)")
    now = context.now()
    # Compared as integers: a timestamp may be too large for a float.
    if abs(round(now * 1000) - timestamp) > context.settings.clock_window * 1000:
        raise ErrorReply(
            "TimestampOutOfRange",
            f"The timestamp is more than {context.settings.clock_window:g} s away from the service's clock",
        )
    nonce = request.text("nonce")
    if len(nonce) != _NONCE_LENGTH:
        raise ErrorReply("InvalidClaim", f"The claim nonce is not {_NONCE_LENGTH} characters long")
    # Recorded for as long as its timestamp is accepted.
    expires = timestamp / 1000 + context.settings.clock_window
    if not context.authorizations.use_nonce(request.client_id, nonce, expires=expires, now=now):
        raise ErrorReply("NonceReused", "This nonce was used before; every request needs a new one")
