"""The authorizations for one contract: begin one, get a stored one, keep its tokens valid."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from functools import partial
from shlex import quote
from typing import TypeVar
from urllib.parse import urlencode

from digime_pandas._service.authorization import Access, Authorization
from digime_pandas._service.crypto.envelope import load_public_key
from digime_pandas._service.endpoints import Endpoints
from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.messages import TokenReply
from digime_pandas._service.oauth.flow import AuthorizationFlow, listen_for
from digime_pandas._service.oauth.pending.answers import verified_answer
from digime_pandas._service.oauth.pending.lifecycle import PendingAuthorizations
from digime_pandas._service.oauth.pending.stores import PendingStore
from digime_pandas._service.oauth.redirect import RedirectResult
from digime_pandas._service.oauth.token_store import PutAuthorization, TokenStore
from digime_pandas._service.oauth.tokens.advice import expired, refused, ways_to_authorize
from digime_pandas._service.oauth.tokens.pairs import pair_of, supersedes
from digime_pandas._service.oauth.tokens.pkce import VERIFIER_BYTES, code_challenge, code_verifier
from digime_pandas._service.oauth.tokens.unstored import UnstoredAuthorizations
from digime_pandas.errors import (
    AuthorizationError,
    ContractError,
    InvalidTokenError,
    NotAuthorizedError,
    RedirectError,
    RefusedError,
    TokenStoreError,
)

_log = logging.getLogger("digime_pandas")
T = TypeVar("T")
Reserve = Callable[[str, str, str], AbstractContextManager[PutAuthorization]]
_STATE_BYTES = 32
# Codes with which the service says that a refresh token is not valid; the second and third are named by the Android
# SDK. Anything else may be a passing fault.
_NOT_VALID = {"InvalidToken", "TokenInvalid", "InvalidRefreshToken"}
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
        self._unstored = UnstoredAuthorizations(
            partial(tokens.get, self._environment, self._client_id),
            partial(tokens.put, self._environment, self._client_id),
        )
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
        api.keep_unverified = self.pending.keep_answer

    def get(self, account_id: str) -> Authorization | None:
        """Return the stored authorization of an account, expired or not, or None."""
        if self._unstored.kept:
            return self._unstored.get(account_id)
        return self._tokens.get(self._environment, self._client_id, account_id)

    def require(self, account_id: str) -> Authorization:
        """Return the stored authorization of an account.

        Raises:
            NotAuthorizedError: There is none; the message has the call that gets one.
            AuthorizationExpiredError: The service refused its refresh token.
        """
        found = self.get(account_id)
        if found is None:
            raise NotAuthorizedError(
                f"No {self.access} authorization is stored for account {account_id!r} at {self._environment}.",
                **ways_to_authorize(account_id, self.access),
            )
        if found.refused:
            raise refused(account_id, self.access)
        return found

    def stored(self) -> Iterator[Authorization]:
        """Return the stored authorizations of all accounts, expired or not, by account."""
        accounts = {key.account_id for key in self._tokens.list(self._environment, self._client_id)}
        for account_id in sorted(accounts.union(self._unstored.kept)):
            found = self.get(account_id)
            if found is not None:
                yield found

    def forget(self, account_id: str) -> bool:
        """Delete what is stored of an account, and links that wait for an answer; tell whether there was any.

        It stays forgotten: what a refresh that is going on brings is not stored.
        """
        waited = self.pending.forget(account_id)
        found: Authorization | None = None
        with suppress(TokenStoreError):  # what is damaged is deleted too
            found = self.get(account_id)
        if found is not None:
            self.pending.note_forgotten(found)
        kept = self._unstored.forget(account_id)
        return self._tokens.delete(self._environment, self._client_id, account_id) or kept or waited

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
                "obtained with another key.",
                remedy="Check private_key; if the contract's key was replaced at digi.me, call "
                "client.refresh(authorization) once, which proves the new key and stores the result.",
                command="Check DIGIME_PRIVATE_KEY or DIGIME_PRIVATE_KEY_FILE (of the read contract, those with "
                "DIGIME_READ_); if the contract's key was replaced at digi.me, ask for consent again: digime-pandas "
                f"authorize --account {quote(authorization.account_id)}",
            )

    def _check_contract(self, authorization: Authorization) -> None:
        if authorization.access != self.access:
            raise AuthorizationError(
                f"authorization is for {authorization.access!r} and {self.access!r} is needed.",
                **ways_to_authorize(authorization.account_id, self.access),
            )
        if authorization.client_id not in {None, self._client_id}:
            raise AuthorizationError(
                f"authorization belongs to the contract {authorization.client_id!r}, not to {self._client_id!r}. "
                f"Use the client of that contract, or authorize again for this one."
            )

    def ensure_fresh(self, authorization: Authorization) -> Authorization:
        """Return an authorization whose access token is not known to have expired."""
        self.check(authorization)
        is_expired = authorization.user_access_token.access_token.is_expired(self._now())
        return self.refresh(authorization) if is_expired else authorization

    def call_with_token(self, authorization: Authorization, call: Callable[[Secret[str]], T]) -> T:
        """Call a function with the access token; refresh it once where the service says that it is not valid."""
        with self.api.one_deadline():
            authorization = self.ensure_fresh(authorization)
            try:
                return call(authorization.user_access_token.access_token.secret)
            except InvalidTokenError:
                return call(self.refresh(authorization).user_access_token.access_token.secret)

    def refresh(self, authorization: Authorization) -> Authorization:
        """Exchange the refresh token for a new pair; see `Client.refresh`."""
        self._check_contract(authorization)
        account_id = authorization.account_id
        key = self._environment, self._client_id, account_id
        with self.api.one_deadline() as end, self._tokens.lock(*key, end.at_most(self._refresh_timeout)):
            stored = self.get(account_id)
            if stored is not None and supersedes(stored, authorization):
                # Another thread or process refreshed first, and the given refresh token may no longer be valid.
                if stored.refused:
                    raise refused(account_id, self.access)
                if not stored.user_access_token.access_token.is_expired(self._now()):
                    return stored
                authorization = stored
            self._check_refreshable(authorization)
            with self._room(account_id) as put:
                return self._refreshed(authorization, stored, put)

    def _refreshed(self, before: Authorization, stored: Authorization | None, put: PutAuthorization) -> Authorization:
        spent = before.user_access_token.refresh_token.secret
        try:
            reply = verified_answer(self.api, self.pending, spent, partial(self.api.refresh, spent))
        except RefusedError as error:
            if error.code not in _NOT_VALID:
                raise
            return self._after_refusal(before, error)
        refreshed = self._authorization(before.account_id, reply, before)
        newest = self._newest(before.account_id, stored)
        if pair_of(newest) != pair_of(stored):
            if newest is None:  # forgotten meanwhile
                self.pending.note_forgotten(refreshed)
            return newest or refreshed  # or authorized anew
        self._store(refreshed, put)
        _log.info("refreshed: an access token to %s", self.access)
        # Looked at after it was stored: who forgets it notes that first, and deletes what is stored then.
        if self.pending.is_forgotten(before):
            self.pending.note_forgotten(refreshed)
            self._unstored.forget(before.account_id)
            self._tokens.delete(self._environment, self._client_id, before.account_id)
        self.pending.forget_answer(spent)
        return refreshed

    def _after_refusal(self, before: Authorization, error: RefusedError) -> Authorization:
        """Return the authorization that was stored meanwhile; where there is none, note the refusal and raise."""
        newest = self._newest(before.account_id, None)
        if newest is not None and newest.user_access_token == before.user_access_token:
            with suppress(TokenStoreError):
                self._tokens.put(self._environment, self._client_id, replace(newest, refused=True))
        elif newest is not None and supersedes(newest, before) and not newest.refused:
            return newest
        raise refused(before.account_id, self.access) from error

    def _newest(self, account_id: str, default: Authorization | None) -> Authorization | None:
        with suppress(TokenStoreError):
            return self.get(account_id)
        return default

    def _room(self, account_id: str) -> AbstractContextManager[PutAuthorization]:
        """Take the room that an authorization needs in the store, as far as the store can do that."""
        key = self._environment, self._client_id
        reserve: Reserve | None = getattr(self._tokens, "reserve", None)
        return nullcontext(partial(self._tokens.put, *key)) if reserve is None else reserve(*key, account_id)

    def _store(self, authorization: Authorization, put: PutAuthorization) -> None:
        try:
            put(authorization)
        except TokenStoreError as error:
            self._unstored.keep(authorization, error)
        else:
            self._unstored.forget(authorization.account_id)

    def _check_refreshable(self, authorization: Authorization) -> None:
        if authorization.user_access_token.refresh_token.is_expired(self._now()):
            raise expired(authorization.account_id, self.access)

    def _exchange(self, account_id: str, result: RedirectResult, verifier: Secret[str]) -> Authorization:
        postbox = result.postbox if self.access == "write" else None
        if postbox is not None:
            try:
                load_public_key(postbox.public_key)
            except ValueError as error:
                raise RedirectError(f"The redirected address is damaged: {error}. Authorize again.") from None
        with self.api.one_deadline(), self._room(account_id) as put:
            ask = partial(self.api.exchange, code=result.secret, code_verifier=verifier)
            reply = verified_answer(self.api, self.pending, result.secret, ask)
            before = self._newest(account_id, None)
            authorization = self._authorization(account_id, reply, None)
            serial = authorization.serial if before is None else max(authorization.serial, before.serial + 1)
            authorization = replace(authorization, postbox=postbox, serial=serial)
            self._store(authorization, put)
        self.pending.forget_answer(result.secret)
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
            # From the time on, so that after one that was forgotten the count goes on.
            serial=max(int(self._now() * 1000), 0 if before is None else before.serial + 1),
        )
