"""What every signed request must satisfy before anything is done for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request

from digime_pandas.sandbox._context import Access, Registration, Service
from digime_pandas.sandbox._store.authorizations import invalid_token
from digime_pandas.sandbox._wire.error_replies import Refusal
from digime_pandas.sandbox._wire.jws import parse_token

_NONCE_LENGTH = 32
_SCHEME = "Bearer "


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request whose token is genuine, fresh and new.

    Args:
        registration: The contract that signed it.
        claims: What it claims.
    """

    registration: Registration
    claims: Mapping[str, Any]

    @property
    def client_id(self) -> str:
        """The contract's client id."""
        return self.registration.contract.client_id

    def text(self, name: str) -> str:
        """Return a claim that must be there and be text.

        Raises:
            Refusal: ``InvalidClaim``.
        """
        value = self.optional_text(name)
        if value is None:
            raise Refusal("InvalidClaim", f"The claim {name} is missing")
        return value

    def optional_text(self, name: str) -> str | None:
        """Return a claim that must be text when it is there.

        Raises:
            Refusal: ``InvalidClaim``.
        """
        value = self.claims.get(name)
        if value is not None and not isinstance(value, str):
            raise Refusal("InvalidClaim", f"The claim {name} is not a string")
        return value


def check_signed(service: Service, headers: Headers) -> SignedRequest:
    """Check the signed token of a request and use its nonce up.

    Raises:
        Refusal: ``TokenInvalid`` (form), ``InvalidClient``, ``InvalidSignature``, ``InvalidClaim``,
            ``TimestampOutOfRange`` or ``NonceReused``.
    """
    authorization = headers.get("authorization", "")
    if not authorization.startswith(_SCHEME):
        raise Refusal("TokenInvalid", "The request carries no `Authorization: Bearer` with a signed token")
    token = parse_token(authorization.removeprefix(_SCHEME))
    registration = service.registrations.get(str(token.claims.get("client_id")))
    if registration is None:
        raise Refusal("InvalidClient", "No contract is known under this client_id")
    request = SignedRequest(registration, token.verify(registration.contract.private_key.public_key()))
    for name, value in request.claims.items():
        if value is None:
            raise Refusal("InvalidClaim", f"The claim {name} is null; a claim without a value is left out")
    _check_fresh(service, request)
    return request


def check_user(service: Service, request: SignedRequest, access: Access) -> str:
    """Return the user id that the request's access token stands for.

    Args:
        service: The service.
        request: The signed request.
        access: What the contract must be for.

    Raises:
        Refusal: ``InvalidContractDataRequest`` (a contract of the other kind) or ``InvalidToken``.
    """
    if request.registration.access != access:
        raise Refusal(
            "InvalidContractDataRequest",
            f"This is a {request.registration.access} contract; the call is for a {access} contract",
        )
    return check_any_user(service, request)


def check_any_user(service: Service, request: SignedRequest) -> str:
    """Return the user id that the request's access token stands for, whatever the contract is for.

    Raises:
        Refusal: ``InvalidToken``.
    """
    access_token = request.optional_text("access_token")
    if not access_token:
        raise invalid_token("access_token")
    return service.grants.user_of(access_token, request.client_id, now=service.now())


async def read_json_object(request: Request) -> Mapping[str, Any]:
    """Return the body of a request, a JSON object.

    Raises:
        Refusal: ``InvalidRequest``.
    """
    try:
        body = json.loads(await request.body())
    except ValueError:
        raise Refusal("InvalidRequest", "The body is not JSON") from None
    if not isinstance(body, dict):
        raise Refusal("InvalidRequest", "The body is not a JSON object")
    return body


def _check_fresh(service: Service, request: SignedRequest) -> None:
    timestamp = request.claims.get("timestamp")
    if not isinstance(timestamp, int) or isinstance(timestamp, bool):
        raise Refusal("InvalidClaim", "The claim timestamp is not an integer (Unix time in milliseconds)")
    now = service.now()
    # Compared as integers: a timestamp may be too large for a float.
    if abs(round(now * 1000) - timestamp) > service.settings.clock_window * 1000:
        raise Refusal(
            "TimestampOutOfRange",
            f"The timestamp is more than {service.settings.clock_window:g} s away from the service's clock",
        )
    nonce = request.text("nonce")
    if len(nonce) != _NONCE_LENGTH:
        raise Refusal("InvalidClaim", f"The claim nonce is not {_NONCE_LENGTH} characters long")
    # Remembered for as long as its timestamp would pass.
    expires = timestamp / 1000 + service.settings.clock_window
    if not service.grants.use_nonce(request.client_id, nonce, expires=expires, now=now):
        raise Refusal("NonceReused", "This nonce was used before; every request needs a new one")
