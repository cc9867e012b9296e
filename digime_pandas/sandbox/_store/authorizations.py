"""Who may do what: consents asked for and given, tokens, postboxes, sessions, used nonces."""

from __future__ import annotations

import secrets
import sqlite3
from dataclasses import dataclass
from typing import Literal

from digime_pandas.sandbox._store.database import Database
from digime_pandas.sandbox._wire.error_replies import Refusal

# All in seconds and inferred. A person may leave the consent page open for a while.
REQUEST_LIFETIME = 3600.0
CODE_LIFETIME = 600.0
SESSION_LIFETIME = 3600.0

TokenType = Literal["access_token", "refresh_token", "authorization_code"]


@dataclass(frozen=True, slots=True)
class ConsentRequest:
    """What a client asked a person to agree to (a pre-authorization)."""

    client_id: str
    redirect_uri: str
    state: str | None
    challenge: str
    user_id: str | None
    session_key: str
    expires: float
    settled: bool


@dataclass(frozen=True, slots=True)
class Grant:
    """What a person agreed to, as an authorization code stands for it."""

    client_id: str
    user_id: str
    consent_id: str
    challenge: str
    redirect_uri: str
    expires: float


@dataclass(frozen=True, slots=True)
class IssuedTokens:
    """An access token and the refresh token that came with it; times in Unix seconds."""

    access_token: str
    refresh_token: str
    user_id: str
    consent_id: str
    access_expires: float
    refresh_expires: float


@dataclass(frozen=True, slots=True)
class Session:
    """What a reader was given to list and fetch files with."""

    client_id: str
    user_id: str | None
    expires: float


class AuthorizationStore:
    """The index's record of consents, tokens, postboxes, sessions and nonces.

    Args:
        database: The index.
        access_lifetime: Of access tokens, seconds.
        refresh_lifetime: Of refresh tokens, seconds.
    """

    def __init__(self, database: Database, *, access_lifetime: float, refresh_lifetime: float) -> None:
        self._database = database
        self._access_lifetime = access_lifetime
        self._refresh_lifetime = refresh_lifetime

    def use_nonce(self, client_id: str, nonce: str, *, expires: float, now: float) -> bool:
        """Use a nonce up; False when it was used before. It is remembered until `expires`."""
        self._database.execute("DELETE FROM nonces WHERE expires < ?", now)
        fresh = self._database.execute(
            "INSERT INTO nonces VALUES (?, ?, ?) ON CONFLICT DO NOTHING RETURNING 1", client_id, nonce, expires
        )
        return bool(fresh)

    # Consent

    def ask(
        self,
        *,
        client_id: str,
        redirect_uri: str,
        state: str | None,
        challenge: str,
        user_id: str | None,
        session_key: str,
        now: float,
    ) -> str:
        """Keep a request for consent; returns the pre-authorization code."""
        code = secrets.token_hex(24)
        expires = now + REQUEST_LIFETIME
        self._database.execute(
            "INSERT INTO requests VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)",
            *(code, client_id, redirect_uri, state, challenge, user_id, session_key, expires),
        )
        return code

    def request(self, code: str) -> ConsentRequest | None:
        """Return the request that a pre-authorization code stands for."""
        rows = self._database.execute("SELECT * FROM requests WHERE code = ?", code)
        if not rows:
            return None
        row = rows[0]
        return ConsentRequest(
            client_id=row["client_id"],
            redirect_uri=row["redirect_uri"],
            state=row["state"],
            challenge=row["challenge"],
            user_id=row["user_id"],
            session_key=row["session_key"],
            expires=row["expires"],
            settled=bool(row["settled"]),
        )

    def settle(self, code: str) -> None:
        """Mark a request as answered."""
        self._database.execute("UPDATE requests SET settled = 1 WHERE code = ?", code)

    def grant(self, request: ConsentRequest, user_id: str, *, now: float) -> str:
        """Record a person's consent; returns the authorization code."""
        code = secrets.token_hex(24)
        self._database.execute(
            "INSERT INTO grants VALUES (?, ?, ?, ?, ?, ?, ?)",
            *(code, request.client_id, user_id, secrets.token_hex(16)),
            *(request.challenge, request.redirect_uri, now + CODE_LIFETIME),
        )
        self._database.execute("UPDATE sessions SET user_id = ? WHERE session_key = ?", user_id, request.session_key)
        return code

    def take(self, code: str) -> Grant | None:
        """Return what an authorization code stands for, and use the code up."""
        rows = self._database.execute("DELETE FROM grants WHERE code = ? RETURNING *", code)
        return Grant(*tuple(rows[0])[1:]) if rows else None

    # Tokens

    def issue(self, client_id: str, user_id: str, consent_id: str, *, now: float) -> IssuedTokens:
        """Issue a pair of tokens: opaque hexadecimal texts of 160 characters (digi.me API, SDK-observed)."""
        issued = IssuedTokens(
            access_token=secrets.token_hex(80),
            refresh_token=secrets.token_hex(80),
            user_id=user_id,
            consent_id=consent_id,
            access_expires=now + self._access_lifetime,
            refresh_expires=now + self._refresh_lifetime,
        )
        self._database.execute(
            "INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?, ?, 0)",
            *(issued.access_token, issued.refresh_token, client_id, user_id, consent_id),
            *(issued.access_expires, issued.refresh_expires),
        )
        return issued

    def refresh(self, refresh_token: str, client_id: str, *, now: float) -> IssuedTokens:
        """Exchange a refresh token for a new pair.

        A refresh token works once. The access token that came with it lives on until its own end, so that a request
        already on its way is not cut off (both inferred).

        Raises:
            Refusal: ``InvalidToken``: unknown, another contract's, used before, or expired.
        """
        rows = self._database.execute(
            "SELECT * FROM tokens WHERE refresh_token = ? AND client_id = ? AND refreshed = 0",
            *(refresh_token, client_id),
        )
        if not rows:
            raise invalid_token("refresh_token")
        if rows[0]["refresh_expires"] <= now:
            raise expired_token("refresh_token")
        self._database.execute("UPDATE tokens SET refreshed = 1 WHERE refresh_token = ?", refresh_token)
        return self.issue(client_id, rows[0]["user_id"], rows[0]["consent_id"], now=now)

    def user_of(self, access_token: str, client_id: str, *, now: float) -> str:
        """Return whose access token this is.

        Raises:
            Refusal: ``InvalidToken``: unknown, another contract's, or expired.
        """
        rows = self._database.execute(
            "SELECT * FROM tokens WHERE access_token = ? AND client_id = ?", access_token, client_id
        )
        if not rows:
            raise invalid_token("access_token")
        if rows[0]["access_expires"] <= now:
            raise expired_token("access_token")
        return str(rows[0]["user_id"])

    def linked_user(self, access_token: str) -> str:
        """Return whose access token this is, of whatever contract, expired or not.

        A client that asks for consent again names the person by a token that has ended (SDK-observed).

        Raises:
            Refusal: ``InvalidToken``: never issued here, or the person was removed.
        """
        rows = self._database.execute("SELECT user_id FROM tokens WHERE access_token = ?", access_token)
        if not rows:
            raise invalid_token("access_token")
        return str(rows[0]["user_id"])

    def expire_access_tokens(self, now: float) -> None:
        """End every access token issued so far."""
        self._database.execute("UPDATE tokens SET access_expires = MIN(access_expires, ?)", now)

    def expire_refresh_tokens(self, now: float) -> None:
        """End every refresh token issued so far."""
        self._database.execute("UPDATE tokens SET refresh_expires = MIN(refresh_expires, ?)", now)

    # Postboxes and sessions

    def postbox(self, client_id: str, user_id: str) -> str:
        """Return the id of the postbox through which a contract writes to a person; made at the first call."""
        self._database.execute(
            "INSERT INTO postboxes VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            *(secrets.token_hex(16), user_id, client_id),
        )
        rows = self._database.execute(
            "SELECT postbox_id FROM postboxes WHERE client_id = ? AND user_id = ?", client_id, user_id
        )
        return str(rows[0]["postbox_id"])

    def open_session(self, client_id: str, user_id: str | None, *, now: float) -> tuple[str, float]:
        """Open a session; returns its key and when it ends. Without a user it waits for a consent."""
        session_key, expires = secrets.token_hex(32), now + SESSION_LIFETIME
        self._database.execute("INSERT INTO sessions VALUES (?, ?, ?, ?)", session_key, client_id, user_id, expires)
        return session_key, expires

    def session(self, session_key: str) -> Session | None:
        """Return the session of this key."""
        rows = self._database.execute("SELECT * FROM sessions WHERE session_key = ?", session_key)
        return _session(rows[0]) if rows else None


def invalid_token(kind: TokenType) -> Refusal:
    """Return the refusal of an unknown token (digi.me API, SDK-observed text)."""
    return Refusal("InvalidToken", f"The token ({kind}) is invalid")


def expired_token(kind: TokenType) -> Refusal:
    """Return the refusal of an expired token (digi.me API, SDK-observed text)."""
    return Refusal("InvalidToken", f"The token ({kind}) is expired")


def _session(row: sqlite3.Row) -> Session:
    return Session(row["client_id"], row["user_id"], row["expires"])
