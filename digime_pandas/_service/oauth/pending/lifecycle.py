"""The way of an authorization from its link to its answer, which is taken once in whatever process it arrives."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from digime_pandas._service.authorization import Access, Authorization
from digime_pandas._service.http.error_replies import is_retryable
from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.oauth.pending.record import LATEST, PendingAuthorization, digest
from digime_pandas._service.oauth.pending.stores import MemoryPendingStore, PendingStore, Records
from digime_pandas._service.oauth.private_folder import NoRoomError
from digime_pandas._service.oauth.redirect import RedirectResult
from digime_pandas.errors import (
    APIError,
    AuthorizationError,
    AuthorizationTimeoutError,
    InputError,
    RedirectError,
    RefusedError,
    TokenStoreError,
)

_DAY = 86_400.0
# How long the service's link lives is not documented. Letters and mails are answered within days.
KEPT_SECONDS = 7 * _DAY
# So that an answer, or that there was none, can still be told.
_REMEMBERED_SECONDS = 30 * _DAY
_REMEMBERED = {"pending", "exchanging", "refused"}
_SECONDS_BETWEEN_SWEEPS = 600.0

Exchange = Callable[[str, RedirectResult, Secret[str]], Authorization]


class PendingAuthorizations:
    """The authorizations of one contract that people were asked for.

    Args:
        store: Where they are kept; contracts and processes may share it.
        access: What the contract is for.
        environment: Base URL of the API.
        client_id: The contract's `client_id`.
        exchange: Exchanges the code of a redirect for the tokens of an account, with the verifier, and stores them.
        stored: Returns the stored authorization of an account, or None.
        timeout: Seconds to wait for another thread or process that completes the same one.
        now: Clock, Unix seconds.
    """

    def __init__(
        self,
        store: PendingStore,
        access: Access,
        environment: str,
        client_id: str,
        *,
        exchange: Exchange,
        stored: Callable[[str], Authorization | None],
        timeout: float,
        now: Callable[[], float],
    ) -> None:
        self.store = store
        self._access: Access = access
        self._environment, self._client_id = environment, client_id
        self._exchange = exchange
        self._stored = stored
        self._timeout = timeout
        self._now = now
        self._swept: float | None = None
        self._notes = MemoryPendingStore()  # which the store did not take

    def begin(self, account_id: str, state: Secret[str], verifier: Secret[str]) -> float:
        """Keep a new one; return until when its answer is taken, Unix seconds.

        Raises:
            InputError: There is one with the same `state` already.
        """
        if not isinstance(state.reveal(), str) or not state.reveal():
            raise InputError("state is empty or no str. Pass a text that nobody can guess, or leave it out.")
        self._sweep()
        pending = self._new(account_id, self._now() + KEPT_SECONDS)
        with self.store.lock(digest(state), self._timeout):
            if self.store.get(digest(state)) is not None:
                raise InputError(
                    "state was used before, and the person who comes back is known by it. Pass another one, or leave "
                    "it out: then 32 random bytes are used."
                )
            self.store.put(digest(state), replace(pending, verifier=verifier))
        return pending.expires

    def is_own(self, pending: PendingAuthorization) -> bool:
        """Tell whether a record is of this contract and environment."""
        return (pending.environment, pending.client_id) == (self._environment, self._client_id)

    def records(self) -> Records:
        """Return the records of this contract and environment, with their keys."""
        return [(key, pending) for key, pending in self.store.list() if self.is_own(pending)]

    def complete(self, state: Secret[str], result: RedirectResult) -> Authorization:
        """Exchange the code of a redirect, unless that was done.

        Returns:
            The authorization, stored already. Where the same code was exchanged before, the one that is stored now.

        Raises:
            RedirectError: Nothing is kept for this `state`.
            AuthorizationTimeoutError: It was begun too long ago.
            AuthorizationError: It is complete by another address, or its tokens were lost on the way here.
            TokenStoreError: The store cannot be used, or another thread or process is at it for too long.
            APIError: The exchange failed.
        """
        key = digest(state)
        with self.store.lock(key, self._timeout):
            pending = self.store.get(key)
            if pending is None or not self.is_own(pending):
                raise unknown_here()
            if pending.status == "given":
                return self._given_before(pending, digest(result.secret))
            return self._exchanged(key, pending, result, self._verifier(pending))

    def refuse(self, state: Secret[str]) -> None:
        """Note that the consent page said no."""
        key = digest(state)
        with suppress(TokenStoreError), self.store.lock(key, self._timeout):
            pending = self.store.get(key)
            if pending is not None and pending.status == "pending":
                self.store.put(key, replace(pending, status="refused"))

    def cancel(self, state: Secret[str]) -> None:
        """Take no answer any more, unless one is being taken. A refusal stays noted."""
        key = digest(state)
        with suppress(TokenStoreError), self.store.lock(key, 0.0):
            pending = self.store.get(key)
            if pending is not None and pending.status == "pending":
                self.store.delete(key)
            elif pending is not None and pending.status == "refused":
                self.store.put(key, replace(pending, verifier=None))

    def forget(self, account_id: str) -> bool:
        """Delete all records of an account; tell whether an answer could still have come."""
        own = [(key, pending) for key, pending in self.records() if pending.account_id == account_id]
        for key, _ in own:
            self.store.delete(key)
        return any(pending.verifier is not None for _, pending in own)

    def keep_answer(self, spent: Secret[str], answer: Secret[str]) -> None:
        """Keep an answer of the token endpoint that cannot be verified now.

        Args:
            spent: The code or refresh token that it answers, and that is used up.
            answer: The answer's token.
        """
        kept = replace(self._new("", self._now() + KEPT_SECONDS), status="unverified", answer=answer)
        self._put_note(spent, kept)

    def kept_answer(self, spent: Secret[str]) -> PendingAuthorization | None:
        """Return what is kept of the answer to a code or refresh token, or None; after a week it is given up."""
        note = self._note(spent)
        if note is None or note.status != "unverified" or note.answer is None or note.expires <= self._now():
            return None
        return note

    def forget_answer(self, spent: Secret[str]) -> None:
        """Delete an answer that was kept, which is stored by now."""
        self._notes.delete(digest(spent))
        with suppress(TokenStoreError):
            self.store.delete(digest(spent))

    def note_forgotten(self, authorization: Authorization) -> None:
        """Note that an authorization was forgotten, and what is made of it is not to be stored."""
        token = authorization.user_access_token.refresh_token
        self._put_note(
            token.secret, replace(self._new(authorization.account_id, float(token.expiry)), status="forgotten")
        )

    def is_forgotten(self, authorization: Authorization) -> bool:
        """Tell whether that was noted."""
        note = self._note(authorization.user_access_token.refresh_token.secret)
        return note is not None and note.status == "forgotten"

    def _put_note(self, secret: Secret[str], note: PendingAuthorization) -> None:
        try:
            self.store.put(digest(secret), note)
        except TokenStoreError:
            self._notes.put(digest(secret), note)

    def _note(self, secret: Secret[str]) -> PendingAuthorization | None:
        with suppress(TokenStoreError):
            return self.store.get(digest(secret)) or self._notes.get(digest(secret))
        return self._notes.get(digest(secret))

    def _new(self, account_id: str, expires: float) -> PendingAuthorization:
        return PendingAuthorization(
            account_id=account_id,
            access=self._access,
            environment=self._environment,
            client_id=self._client_id,
            begun=self._now(),
            expires=max(0.0, min(expires, LATEST)),
        )

    def _verifier(self, pending: PendingAuthorization) -> Secret[str]:
        if pending.verifier is not None and pending.expires > self._now():
            return pending.verifier
        if pending.status == "refused":
            raise AuthorizationError(
                f"The consent page of account {pending.account_id!r} said no, and this authorization was ended then. "
                "Begin a new one if the person agrees now."
            )
        raise AuthorizationTimeoutError(
            f"The consent link of account {pending.account_id!r} has expired: it was made on {_day(pending.begun)}, "
            f"and an answer was taken until {_day(pending.expires)}. Begin a new authorization."
        )

    def _given_before(self, pending: PendingAuthorization, code: str) -> Authorization:
        stored = self._stored(pending.account_id)
        if stored is None or pending.code != code:
            by = "by another address" if stored is not None else "and its tokens are not stored any more"
            raise AuthorizationError(
                f"This authorization of {pending.account_id!r} is complete, {by}. Begin a new one if it is needed."
            )
        return stored

    def _exchanged(
        self, key: str, pending: PendingAuthorization, result: RedirectResult, verifier: Secret[str]
    ) -> Authorization:
        code = digest(result.secret)
        cut_off = pending.status == "exchanging" and pending.code == code
        self.store.put(key, replace(pending, status="exchanging", code=code))
        try:
            authorization = self._exchange(pending.account_id, result, verifier)
        except (APIError, RedirectError) as error:
            if cut_off and isinstance(error, RefusedError) and not is_retryable(error):
                raise AuthorizationError(_lost(pending)) from error
            if not isinstance(error, APIError) or error.outcome != "unknown":
                self.store.put(key, pending)  # the code was not used up by this attempt
            raise
        except NoRoomError:
            with suppress(TokenStoreError):
                self.store.put(key, pending)  # as above
            raise
        except TokenStoreError as error:
            error.add_note(_lost(pending))
            raise
        # The authorization is stored, which is what counts.
        with suppress(TokenStoreError):
            self.store.put(key, replace(pending, status="given", code=code, verifier=None))
        return authorization

    def _sweep(self) -> None:
        """Drop the verifiers of what has expired, and delete what need not be remembered any longer."""
        now = self._now()
        if self._swept is not None and now - self._swept < _SECONDS_BETWEEN_SWEEPS:
            return
        self._swept = now
        for key, pending in self.store.list():
            if pending.expires > now:
                continue
            with suppress(TokenStoreError), self.store.lock(key, 0.0):
                if pending.status not in _REMEMBERED or pending.expires + _REMEMBERED_SECONDS <= now:
                    self.store.delete(key)
                elif pending.verifier is not None:
                    self.store.put(key, replace(pending, verifier=None))


def unknown_here() -> RedirectError:
    """Return the error about an address with whose `state` no authorization is kept, and why that may be."""
    return RedirectError(
        "No authorization that was begun here has the state of this address: it was begun with another token store, "
        "was cancelled, forgotten, or has long expired.",
        remedy="Use the token store it was begun with (processes share a FileTokenStore, not a MemoryTokenStore), or "
        "begin a new one.",
        command="Complete it as the user, and on the computer, that began it; or begin a new one: digime-pandas "
        "authorize --account ID",
    )


def _lost(pending: PendingAuthorization) -> str:
    return (
        f"The person behind {pending.account_id!r} gave consent, and the code of it was sent to the service, which "
        "exchanges each code once. But the tokens did not reach the store: the process was stopped, the answer was "
        "lost, or the store failed. Unless client.consents() shows the account as given, begin a new authorization."
    )


def _day(when: float) -> str:
    return f"{datetime.fromtimestamp(when, UTC):%Y-%m-%d}"
