"""Consent requests, authorization codes, tokens, postboxes, sessions and used nonces."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from digime_pandas.sandbox._store.database import Database
from digime_pandas.sandbox._store.records import AuthorizationCode, ConsentRequest, IssuedTokens, Session
from digime_pandas.sandbox._wire.error_replies import ErrorReply, ExpiredTokenReply
from digime_pandas.sandbox._wire.session_scopes import SessionScope

# Seconds, inferred. The lifetime of a request is the time that a person has to decide on the consent page.
REQUEST_LIFETIME = 3600.0
CODE_LIFETIME = 600.0
SESSION_LIFETIME = 3600.0

TokenType = Literal["access_token", "refresh_token", "authorization_code"]


class AuthorizationStore:
    """Stores consent requests, authorization codes, tokens, postboxes, sessions and nonces.

    All times are Unix seconds.

    Args:
        database: Where they are stored.
        access_lifetime: Of access tokens, seconds.
        refresh_lifetime: Of refresh tokens, seconds.
        random_bytes: Returns the given number of random bytes, for codes, tokens and ids.
    """

    def __init__(
        self,
        database: Database,
        *,
        access_lifetime: float,
        refresh_lifetime: float,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._database = database
        self._access_lifetime = access_lifetime
        self._refresh_lifetime = refresh_lifetime
        self._random_bytes = random_bytes

    def use_nonce(self, client_id: str, nonce: str, *, expires: float, now: float) -> bool:
        """Record the use of a nonce, until `expires`.

        Returns:
            True when it is new; False when the contract has used it before.
        """
        self._database.execute("DELETE FROM nonces WHERE expires < ?", now)
        inserted = self._database.execute(
            "INSERT INTO nonces VALUES (?, ?, ?) ON CONFLICT DO NOTHING RETURNING 1", client_id, nonce, expires
        )
        return bool(inserted)

    # Consent

    def add_request(
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
        """Store a request for consent.

        Args:
            client_id: The contract that requests it.
            redirect_uri: Where the browser is redirected to after the decision.
            state: Returned to the client unchanged.
            challenge: PKCE code challenge.
            user_id: The person whose consent is requested; None: any.
            session_key: The session that shows the person's files once the person has consented.
            now: The time.

        Returns:
            The pre-authorization code.
        """
        code = self._random_hex(24)
        expires = now + REQUEST_LIFETIME
        self._database.execute(
            "INSERT INTO requests VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)",
            *(code, client_id, redirect_uri, state, challenge, user_id, session_key, expires),
        )
        return code

    def request(self, code: str) -> ConsentRequest | None:
        """Return the request of a pre-authorization code, or None when there is none."""
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

    def mark_settled(self, code: str) -> None:
        """Record that a person has decided on a request."""
        self._database.execute("UPDATE requests SET settled = 1 WHERE code = ?", code)

    def add_code(self, request: ConsentRequest, user_id: str, *, now: float) -> str:
        """Store a person's consent to a request, and open the request's session to the person's files.

        Returns:
            The authorization code.
        """
        code = self._random_hex(24)
        self._database.execute(
            "INSERT INTO grants VALUES (?, ?, ?, ?, ?, ?, ?)",
            *(code, request.client_id, user_id, self._random_hex(16)),
            *(request.challenge, request.redirect_uri, now + CODE_LIFETIME),
        )
        self._database.execute("UPDATE sessions SET user_id = ? WHERE session_key = ?", user_id, request.session_key)
        return code

    def redeem_code(self, code: str) -> AuthorizationCode | None:
        """Delete an authorization code; return what it stood for, or None when it is unknown."""
        rows = self._database.execute("DELETE FROM grants WHERE code = ? RETURNING *", code)
        return AuthorizationCode(*tuple(rows[0])[1:]) if rows else None

    # Tokens

    def issue(self, client_id: str, user_id: str, consent_id: str, *, now: float) -> IssuedTokens:
        """Issue an access and a refresh token: hexadecimal texts of 160 characters (digi.me API, SDK-observed)."""
        return self._issue(client_id, [(user_id, consent_id)], now)[0]

    def issue_all(self, client_id: str, user_ids: Iterable[str], *, now: float) -> list[IssuedTokens]:
        """Issue tokens for new consents of many people at once, in their order."""
        return self._issue(client_id, [(user_id, self._random_hex(16)) for user_id in user_ids], now)

    def _issue(self, client_id: str, consents: Iterable[tuple[str, str]], now: float) -> list[IssuedTokens]:
        issued = [
            IssuedTokens(
                access_token=self._random_hex(80),
                refresh_token=self._random_hex(80),
                user_id=user_id,
                consent_id=consent_id,
                access_expires=now + self._access_lifetime,
                refresh_expires=now + self._refresh_lifetime,
            )
            for user_id, consent_id in consents
        ]
        self._database.execute_many(
            "INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?, ?, 0)",
            (
                (
                    *(each.access_token, each.refresh_token, client_id, each.user_id, each.consent_id),
                    *(each.access_expires, each.refresh_expires),
                )
                for each in issued
            ),
        )
        return issued

    def refresh(self, refresh_token: str, client_id: str, *, now: float) -> IssuedTokens:
        """Exchange a refresh token for a new pair of tokens.

        A refresh token can be used once. The access token issued with it stays valid until it expires, so that a
        request under way is not rejected (both inferred).

        Raises:
            ErrorReply: ``InvalidToken``: the refresh token is unknown, another contract's, used, or expired.
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
        """Return the person whose consent an access token stands for.

        Raises:
            ErrorReply: ``InvalidToken``: the token is unknown, another contract's, or expired.
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
        """Return the person of an access token of any contract, expired or not.

        A client that requests consent again names the person by a token that may have expired (SDK-observed).

        Raises:
            ErrorReply: ``InvalidToken``: the token is unknown, or the person was removed.
        """
        rows = self._database.execute("SELECT user_id FROM tokens WHERE access_token = ?", access_token)
        if not rows:
            raise invalid_token("access_token")
        return str(rows[0]["user_id"])

    def consents_of(self, user_id: str) -> dict[str, float]:
        """Return until when a person's consents last, by the client ids of their contracts."""
        rows = self._database.execute(
            "SELECT client_id, MAX(refresh_expires) AS until FROM tokens WHERE user_id = ? AND refreshed = 0"
            " GROUP BY client_id ORDER BY MIN(rowid)",
            user_id,
        )
        return {row["client_id"]: row["until"] for row in rows}

    def expire_access_tokens(self, now: float) -> None:
        """Make every access token issued so far expire now."""
        self._database.execute("UPDATE tokens SET access_expires = MIN(access_expires, ?)", now)

    def expire_refresh_tokens(self, now: float) -> None:
        """Make every refresh token issued so far expire now."""
        self._database.execute("UPDATE tokens SET refresh_expires = MIN(refresh_expires, ?)", now)

    # Postboxes and sessions

    def postbox_id(self, client_id: str, user_id: str) -> str:
        """Return the id of the postbox through which a contract writes to a person; created at the first call."""
        return self.postbox_ids(client_id, [user_id])[0]

    def postbox_ids(self, client_id: str, user_ids: Sequence[str]) -> list[str]:
        """Return the ids of the postboxes of many people, in their order; see `postbox_id`."""
        self._database.execute_many(
            "INSERT INTO postboxes VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            ((self._random_hex(16), user_id, client_id) for user_id in user_ids),
        )
        statement = "SELECT postbox_id FROM postboxes WHERE client_id = ? AND user_id = ?"
        return [str(self._database.execute(statement, client_id, user_id)[0]["postbox_id"]) for user_id in user_ids]

    def open_session(
        self, client_id: str, user_id: str | None, *, now: float, scope: SessionScope | None = None
    ) -> Session:
        """Open a session.

        Args:
            client_id: The contract.
            user_id: The person whose files it shows; None: no person's until `add_code`.
            now: The time.
            scope: Which files it lists; None: all.

        Returns:
            The session.
        """
        session = Session(self._random_hex(32), client_id, user_id, now + SESSION_LIFETIME, scope)
        self._database.execute(
            "INSERT INTO sessions VALUES (?, ?, ?, ?)", session.session_key, client_id, user_id, session.expires
        )
        if scope is not None:
            self._database.execute("INSERT INTO session_scopes VALUES (?, ?)", session.session_key, scope.to_json())
        return session

    def session(self, session_key: str) -> Session | None:
        """Return the session of a key, or None when there is none."""
        rows = self._database.execute(
            "SELECT sessions.*, criteria FROM sessions LEFT JOIN session_scopes USING (session_key)"
            " WHERE session_key = ?",
            session_key,
        )
        if not rows:
            return None
        row = rows[0]
        scope = None if row["criteria"] is None else SessionScope.from_json(row["criteria"])
        return Session(session_key, row["client_id"], row["user_id"], row["expires"], scope)

    def _random_hex(self, size: int) -> str:
        return self._random_bytes(size).hex()


def invalid_token(kind: TokenType) -> ErrorReply:
    """Return the reply to an unknown token (digi.me API, SDK-observed text)."""
    return ErrorReply("InvalidToken", f"The token ({kind}) is invalid")


def expired_token(kind: TokenType) -> ExpiredTokenReply:
    """Return the reply to an expired token (digi.me API, SDK-observed text)."""
    return ExpiredTokenReply("InvalidToken", f"The token ({kind}) is expired")
