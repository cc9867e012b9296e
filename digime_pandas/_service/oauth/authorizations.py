"""The authorizations for one contract: begin one, get a stored one, keep its tokens valid."""

from __future__ import annotations

import os
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from hashlib import sha256
from typing import TypeVar
from urllib.parse import urlencode

from digime_pandas._service.authorization import Access, Authorization
from digime_pandas._service.crypto.envelope import load_public_key
from digime_pandas._service.endpoints import Endpoints
from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.messages import TokenReply
from digime_pandas._service.oauth.flow import AuthorizationFlow, listen_for
from digime_pandas._service.oauth.pending.lifecycle import PendingAuthorizations
from digime_pandas._service.oauth.pending.stores import PendingStore
from digime_pandas._service.oauth.redirect import RedirectResult
from digime_pandas._service.oauth.token_store import TokenStore
from digime_pandas.errors import (
    AuthorizationError,
    AuthorizationExpiredError,
    ContractError,
    InvalidTokenError,
    NotAuthorizedError,
    RedirectError,
)

T = TypeVar("T")
_STATE_BYTES = 32
VERIFIER_BYTES = 32
# `sourceType` of the consent page: newer Node SDKs always send it, iOS only for writing (observed).
_SOURCE_TYPES = {"write": "push", "read": "pull"}


class ContractAuthorizations:
    """The authorizations for one contract.

    Args:
        api: The contract's endpoints.
        tokens: Where authorizations are stored.
        pending: Where those are kept that people have not answered yet.
        access: What the contract is for.
        onboard_url: Base of the consent page, with its trailing slash.
        refresh_timeout: Seconds to wait for another thread or process that refreshes the same tokens.
        now: Clock, Unix seconds.
        random: Source of random bytes.
    """

    def __init__(
        self,
        api: Endpoints,
        tokens: TokenStore,
        pending: PendingStore,
        access: Access,
        onboard_url: str,
        *,
        refresh_timeout: float,
        now: Callable[[], float] = time.time,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.api = api
        self.access: Access = access
        self._tokens = tokens
        self._onboard_url = onboard_url
        self._refresh_timeout = refresh_timeout
        self._now = now
        self._random = random
        self._environment, self._client_id = api.base_url, api.contract.client_id
        self.pending = PendingAuthorizations(
            pending,
            access,
            self._environment,
            self._client_id,
            exchange=self._exchange,
            stored=self.get,
            timeout=refresh_timeout,
            now=now,
        )

    def get(self, account_id: str) -> Authorization | None:
        """Return the stored authorization of an account, expired or not, or None."""
        return self._tokens.get(self._environment, self._client_id, account_id)

    def require(self, account_id: str) -> Authorization:
        """Return the stored authorization of an account.

        Raises:
            NotAuthorizedError: There is none; the message has the call that gets one.
        """
        found = self.get(account_id)
        if found is None:
            raise NotAuthorizedError(
                f"No {self.access} authorization is stored for account {account_id!r} at {self._environment}. "
                f"{_how_to_authorize(account_id, self.access)}"
            )
        return found

    def stored(self) -> Iterator[Authorization]:
        """Return the stored authorizations of all accounts, expired or not, by account."""
        for key in self._tokens.list(self._environment, self._client_id):
            found = self.get(key.account_id)
            if found is not None:
                yield found

    def forget(self, account_id: str) -> bool:
        """Delete what is stored of an account, and links that wait for an answer; tell whether there was any."""
        waited = self.pending.forget(account_id)
        return self._tokens.delete(self._environment, self._client_id, account_id) or waited

    def begin(
        self,
        account_id: str,
        *,
        callback: str | None,
        state: Secret[str] | None,
        access_token: Secret[str] | None,
        service_id: str | None,
        locale: str | None,
        notice: Callable[[Authorization], str | None],
        listens: bool = True,
    ) -> AuthorizationFlow:
        """Begin an authorization; see `Client.begin_authorization`.

        Without `listens`, the browser comes back to another process at the registered address.
        """
        verifier = code_verifier(self._random(VERIFIER_BYTES))
        state = Secret(self._random(_STATE_BYTES).hex()) if state is None else state
        address = callback or self.api.contract.redirect_uri
        listener, not_listening = listen_for(state.reveal(), address) if listens else (None, "")
        redirect_uri = address or (listener.url if listener else "")
        try:
            code = self.api.pre_authorize(
                code_challenge=code_challenge(verifier),
                redirect_uri=redirect_uri,
                state=state,
                access_token=access_token,
            )
            expires = self.pending.begin(account_id, state, verifier)
        except BaseException:
            if listener is not None:
                listener.close()
            raise
        # Older SDKs' page sends failures to `callback`, the newer one's to `redirect_uri`: here they are the same.
        query = {"callback": redirect_uri, "sourceType": _SOURCE_TYPES[self.access]}
        query |= {name: value for name, value in (("service", service_id), ("lng", locale)) if value}

        return AuthorizationFlow(
            account_id=account_id,
            access=self.access,
            url=f"{self._onboard_url}authorize?{urlencode({'code': code.reveal()} | query)}",
            state=state.reveal(),
            listener=listener,
            expires=expires,
            exchange=partial(self.pending.complete, state),
            refused=partial(self.pending.refuse, state),
            cancelled=partial(self.pending.cancel, state),
            not_listening=not_listening,
            notice=notice,
        )

    def check(self, authorization: Authorization) -> None:
        """Check that an authorization is this contract's, and that this contract's key obtained it.

        Raises:
            AuthorizationError: It is for the other access, or of another contract.
            ContractError: The contract's private key is not the one that obtained it.
        """
        self._check_contract(authorization)
        if authorization.key_thumbprint not in {None, self.api.contract.key_thumbprint}:
            raise ContractError(
                f"The private key does not match: the authorization of account {authorization.account_id!r} was "
                "obtained with another key. Check private_key; if the contract's key was replaced at digi.me, call "
                "client.refresh(authorization) once, which proves the new key and stores the result."
            )

    def _check_contract(self, authorization: Authorization) -> None:
        if authorization.access != self.access:
            raise AuthorizationError(
                f"authorization is for {authorization.access!r} and {self.access!r} is needed. "
                f"{_how_to_authorize(authorization.account_id, self.access)}"
            )
        if authorization.client_id not in {None, self._client_id}:
            raise AuthorizationError(
                f"authorization belongs to the contract {authorization.client_id!r}, not to {self._client_id!r}. "
                f"Use the client of that contract, or authorize again for this one."
            )

    def ensure_fresh(self, authorization: Authorization) -> Authorization:
        """Return an authorization whose access token is not known to have expired."""
        self.check(authorization)
        expired = authorization.user_access_token.access_token.is_expired(self._now())
        return self.refresh(authorization) if expired else authorization

    def call_with_token(self, authorization: Authorization, call: Callable[[Secret[str]], T]) -> T:
        """Call a function with the access token; refresh it once where the service says that it is not valid."""
        authorization = self.ensure_fresh(authorization)
        try:
            return call(authorization.user_access_token.access_token.secret)
        except InvalidTokenError:
            return call(self.refresh(authorization).user_access_token.access_token.secret)

    def refresh(self, authorization: Authorization) -> Authorization:
        """Exchange the refresh token for a new pair; see `Client.refresh`."""
        self._check_contract(authorization)
        self._check_refreshable(authorization)
        account_id = authorization.account_id
        with self._tokens.lock(self._environment, self._client_id, account_id, self._refresh_timeout):
            stored = self.get(account_id)
            if stored is not None and _supersedes(stored, authorization):
                # Another thread or process refreshed first, and the given refresh token may no longer be valid.
                if not stored.user_access_token.access_token.is_expired(self._now()):
                    return stored
                authorization = stored
                self._check_refreshable(authorization)
            try:
                reply = self.api.refresh(authorization.user_access_token.refresh_token.secret)
            except InvalidTokenError as error:
                self.pending.note_ended(authorization)
                raise AuthorizationExpiredError(
                    f"The authorization of account {account_id!r} is no longer valid: the service refused its refresh "
                    f"token. {_how_to_authorize(account_id, self.access)}"
                ) from error
            refreshed = self._authorization(account_id, reply, authorization)
            self._tokens.put(self._environment, self._client_id, refreshed)
            self.pending.note_alive(authorization)
            return refreshed

    def _check_refreshable(self, authorization: Authorization) -> None:
        if authorization.user_access_token.refresh_token.is_expired(self._now()):
            raise AuthorizationExpiredError(
                f"The authorization of account {authorization.account_id!r} has expired (its refresh token too). "
                f"{_how_to_authorize(authorization.account_id, self.access)}"
            )

    def _exchange(self, account_id: str, result: RedirectResult, verifier: Secret[str]) -> Authorization:
        postbox = result.postbox if self.access == "write" else None
        if postbox is not None:
            try:
                load_public_key(postbox.public_key)
            except ValueError as error:
                raise RedirectError(f"The redirected address is damaged: {error}. Authorize again.") from None
        reply = self.api.exchange(code=result.secret, code_verifier=verifier)
        authorization = replace(self._authorization(account_id, reply, None), postbox=postbox)
        self._tokens.put(self._environment, self._client_id, authorization)
        return authorization

    def _authorization(self, account_id: str, reply: TokenReply, before: Authorization | None) -> Authorization:
        return Authorization(
            account_id=account_id,
            access=self.access,
            user_access_token=reply.user_access_token,
            postbox=before.postbox if before else None,
            user_id=reply.user_id or (before.user_id if before else None),
            consent_id=reply.consent_id or (before.consent_id if before else None),
            client_id=self._client_id,
            key_thumbprint=self.api.contract.key_thumbprint,
        )


def _supersedes(stored: Authorization, given: Authorization) -> bool:
    # Expiry is in whole seconds, so a pair refreshed within one second may have the same.
    pairs = stored.user_access_token, given.user_access_token
    return pairs[0] != pairs[1] and pairs[0].access_token.expiry >= pairs[1].access_token.expiry


def _how_to_authorize(account_id: str, access: Access) -> str:
    options = "" if access == "write" else f", access={access!r}"
    return (
        f"Run digime.AuthorizationWidget({account_id!r}{options}) in a notebook cell, "
        f"or digime.authorize({account_id!r}{options}) elsewhere."
    )


def code_verifier(random: bytes) -> Secret[str]:
    """Return the code verifier for one authorization.

    Args:
        random: 32 bytes from a cryptographic source, as RFC 7636 section 4.1 recommends.

    Returns:
        43 characters of base64url without padding. A secret: it is kept beside the tokens until the code is exchanged.

    Raises:
        ValueError: There are not exactly 32 bytes.
    """
    if len(random) != VERIFIER_BYTES:
        raise ValueError(f"A code verifier is made of {VERIFIER_BYTES} random bytes, not {len(random)}.")
    return Secret(_base64url(random))


def code_challenge(verifier: Secret[str]) -> str:
    """Return the S256 code challenge of a verifier.

    Args:
        verifier: What `code_verifier` returned. Its ASCII text is hashed, not the bytes it was made of.

    Returns:
        43 characters of base64url without padding (`code_challenge` of the digi.me API, SDK-observed).
    """
    return _base64url(sha256(verifier.reveal().encode("ascii")).digest())


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
