"""What is stored of consents: requests, codes, tokens and sessions, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from digime_pandas.sandbox._wire.session_scopes import SessionScope


@dataclass(frozen=True, slots=True)
class ConsentRequest:
    """A request for a person's consent (a pre-authorization).

    Attributes:
        client_id: The contract that requests it.
        redirect_uri: Where the browser is redirected to after the decision.
        state: Returned to the client unchanged; None: there is none.
        challenge: PKCE code challenge.
        user_id: The person whose access token the request holds; None: the person is chosen on the consent page.
        session_key: The session that shows the person's files once the person has consented.
        expires: Unix seconds.
        settled: Whether a person has decided.
    """

    client_id: str
    redirect_uri: str
    state: str | None
    challenge: str
    user_id: str | None
    session_key: str
    expires: float
    settled: bool


@dataclass(frozen=True, slots=True)
class AuthorizationCode:
    """What an authorization code stands for: a person's consent to a contract.

    Attributes:
        client_id: The contract.
        user_id: The person.
        consent_id: Id of the consent.
        challenge: PKCE code challenge of the request.
        redirect_uri: The request's.
        expires: Unix seconds.
    """

    client_id: str
    user_id: str
    consent_id: str
    challenge: str
    redirect_uri: str
    expires: float


@dataclass(frozen=True, slots=True)
class IssuedTokens:
    """An access token and its refresh token; times in Unix seconds."""

    access_token: str
    refresh_token: str
    user_id: str
    consent_id: str
    access_expires: float
    refresh_expires: float


@dataclass(frozen=True, slots=True)
class Session:
    """A session, in which files are listed and downloaded.

    Attributes:
        session_key: Names the session in requests.
        client_id: The contract that opened it.
        user_id: The person whose files it shows; None: no person has consented yet.
        expires: Unix seconds.
        scope: Which files it lists; None: all.
    """

    session_key: str
    client_id: str
    user_id: str | None
    expires: float
    scope: SessionScope | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; the expiry is in Unix milliseconds (inferred)."""
        return {"key": self.session_key, "expiry": round(self.expires * 1000)}
