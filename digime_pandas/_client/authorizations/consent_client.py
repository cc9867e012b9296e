"""What a client does about people's consent: ask for it, complete it, and say how things stand."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from functools import partial

import pandas as pd

from digime_pandas._client.authorizations.invitations import check_invited, invitation_address, invite_all
from digime_pandas._client.authorizations.tables import consents_table
from digime_pandas._service.authorization import (
    ACCESSES,
    Access,
    Authorization,
    UserAccessToken,
    check_authorization,
)
from digime_pandas._service.descriptor import AccountId, check_accounts
from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.oauth.authorizations import ContractAuthorizations
from digime_pandas._service.oauth.completion import complete_redirect
from digime_pandas._service.oauth.consent_status import consent_statuses
from digime_pandas._service.oauth.flow import AuthorizationFlow
from digime_pandas._service.oauth.pending.stores import MemoryPendingStore, PendingStore
from digime_pandas._service.oauth.same_library import another_library_notice, usable_authorization
from digime_pandas._service.oauth.token_store import TokenStore
from digime_pandas.errors import (
    ConfigurationError,
    DescriptorError,
    DigimeWarning,
    InputError,
    InvalidTokenError,
    in_words,
    warn,
)
from digime_pandas.errors.calls.explained import explains_calls
from digime_pandas.errors.names import one_of

_VARIABLES = {"write": "DIGIME_REDIRECT_URI", "read": "DIGIME_READ_REDIRECT_URI"}


class ConsentClient:
    """The part of `Client` that is about people's consent."""

    base_url: str
    _consents: Mapping[Access, ContractAuthorizations]

    @explains_calls()
    def begin_authorization(
        self,
        account_id: str,
        *,
        access: Access = "write",
        callback: str | None = None,
        state: str | None = None,
        user_access_token: UserAccessToken | str | None = None,
        service_id: str | None = None,
        locale: str | None = None,
    ) -> AuthorizationFlow:
        """Begin the authorization of a person: ask the service for a consent link.

        Args:
            account_id: The person's id in your own system.
            access: ``"write"`` or ``"read"``: two contracts, two consents.
            callback: Address, registered on the contract, to which the consent page sends the person. Default: the
                contract's `redirect_uri`, else a free port of this machine. Where it is an address of this machine, a
                listener is started on it.
            state: Text that has to come back with the redirect, another one each time. Default: 32 random bytes as hex.
            user_access_token: Token of the same person, so that this consent is for the same library. Default: the
                account's stored write token, if there is one. It may have expired.
            service_id: Source to offer on the consent page.
            locale: Language of the consent page.

        Returns:
            The flow: open its `url` in the person's browser, then `wait` or `complete`. The authorization that these
            return is stored already. Where it opens another library than the account's stored authorization for the
            other access, they warn, and `notice` has the warning's text.

            It is kept in the token store until it is answered, closed or expired (after 7 days). So an address that
            comes back to another process, or another day, is completed by `complete_authorization` there. Do not close
            the flow then, nor use it in a ``with`` block: that cancels it.

        Raises:
            ConfigurationError: There is no contract for this access.
            InputError: The `state` was used before.
            TokenStoreError: It cannot be kept.
            APIError: The service did not accept the request.
        """
        asked_state, token = _masked(state), _access_token(user_access_token)
        del state, user_access_token  # a traceback that shows local variables would show them
        return self._begin(
            account_id,
            access,
            callback=callback,
            state=asked_state,
            token=token,
            service_id=service_id,
            locale=locale,
        )

    @explains_calls()
    def complete_authorization(self, address: str, *, state: str | None = None) -> Authorization:
        """Complete an authorization with the address that came back, in any process that shares the token store.

        An address is exchanged once, in whatever process and how often it arrives: a second call with the same address
        returns what is stored.

        Args:
            address: The full address to which the consent page sent the person, or only its query; as it was copied,
                with line breaks, quotes or words around it.
            state: The `state` of the flow, where you know who comes back, for instance from a cookie. Then an address
                with another one is refused, and a refusal, which digi.me may send without one, is noted for this
                person. Default: the one in the address.

        Returns:
            The authorization, stored already; its `account_id` says whose it is.

        Raises:
            RedirectError: Not an address that is waited for here: its `state` is not known in this store or belongs to
                another contract or environment, or something is missing in it.
            ConsentRefusedError: The person or the service said no.
            AuthorizationTimeoutError: The authorization was begun too long ago.
            AuthorizationError: It is complete by another address; or the tokens were lost, because an earlier exchange
                was cut off.
            TokenStoreError: The store cannot be used, or another process is at the same one for too long.
            APIError: The exchange failed; `outcome` says what is known. It may be tried again.

        Warns:
            DigimeWarning: It opens another library than the account's stored authorization for the other access.
        """
        redirected, expected = Secret(address), _masked(state)
        del address, state  # as in `begin_authorization`
        authorization = complete_redirect(self._consents, redirected, expected)
        notice = another_library_notice(self._consents, authorization)
        if notice is not None:
            warn(notice, DigimeWarning)
        return authorization

    @explains_calls()
    def invite(
        self, account_ids: Iterable[str], *, access: Access = "write", callback: str | None = None
    ) -> pd.DataFrame:
        """Make one consent link per person, to be sent to people who are elsewhere.

        Each link is for one person: whoever opens it gives consent for that account. How long the service keeps a link
        valid is not documented (1 hour in the sandbox). Where people answer later than that, send a link to a page of
        your own web application that calls `begin_authorization` when it is opened.

        Args:
            account_ids: The people's ids in your own system.
            access: As for `begin_authorization`.
            callback: Address of your own web application, registered on the contract, that passes what comes back to
                `complete_authorization`. Default: the contract's `redirect_uri`; in a sandbox, where there is none, an
                address of this computer at which nothing listens, and which the browser then shows in full.

        Returns:
            One row per account, in their order: `account_id`, `url`, `expires` (UTC; until when an answer is taken
            here) and `error`: why there is no link, missing where there is one. After 8 failures in a row the rest is
            not tried.

        Raises:
            InputError: An account id is not valid, or comes twice.
            ConfigurationError: There is no contract for this access, or people who are elsewhere cannot come back to
                the redirect address.
        """
        accounts = check_invited(account_ids)
        _check_texts(callback=callback)
        contract = self._for(access).api.contract
        given = callback or contract.redirect_uri
        address = invitation_address(given, base_url=self.base_url, variable=_VARIABLES[access])
        return invite_all(accounts, partial(self._begin, access=access, callback=address, listens=False))

    @explains_calls()
    def consents(self) -> pd.DataFrame:
        """Return how things stand with each person's consent, as far as the token store knows.

        Returns:
            One row per account and access, sorted: `account_id`, `access`, `status`, `until` (UTC) and `user_id` (the
            person's id at the service, where it is known). Without secrets; the dtypes are the same without rows.

            The status is ``"given"`` (tokens are stored; `until` they end, unless they are used before),
            ``"pending"`` (a link waits for an answer `until` then), ``"refused"`` (authorize again: the person said no,
            which is noted for 30 days beyond the link's time, or the service did not take the refresh token) or
            ``"expired"``: the tokens ended `until` then, or nobody answered in time. Of several, the first in this
            order counts.

        Raises:
            TokenStoreError: The store cannot be used.
        """
        return consents_table(consent_statuses(self._consents.values(), time.time))

    def _begin(
        self,
        account_id: str,
        access: Access,
        *,
        callback: str | None,
        state: Secret[str] | None = None,
        token: Secret[str] | None = None,
        service_id: str | None = None,
        locale: str | None = None,
        listens: bool = True,
    ) -> AuthorizationFlow:
        (account_id,) = one_account(account_id)
        _check_texts(callback=callback, service_id=service_id, locale=locale)
        consents = self._for(access)
        stored = self._consents["write"].get(account_id) if token is None else None
        begin = partial(
            consents.begin,
            account_id,
            callback=callback,
            state=state,
            service_id=service_id,
            locale=locale,
            notice=partial(another_library_notice, self._consents),
            listens=listens,
        )
        try:
            return begin(access_token=token if stored is None else _access_token(stored.user_access_token))
        except InvalidTokenError as error:
            if stored is not None and stored.refused:
                return begin(access_token=None)  # its tokens are over, so that they link no library any more
            if stored is not None:
                error.add_note(
                    f"The stored write authorization of account {account_id!r} is not known to the service any more. "
                    f"Call client.forget({account_id!r}), then authorize again, for writing first."
                )
            raise

    def was_refused(self, account_id: str, *, access: Access = "write") -> bool:
        """Tell whether the service refused the stored authorization of an account, so that a new one is needed."""
        stored = self._for(access).get(account_id)
        return stored is not None and stored.refused

    @explains_calls()
    def authorization(self, account_id: str, *, access: Access = "write") -> Authorization:
        """Return the stored authorization of an account.

        Raises:
            NotAuthorizedError: There is none; the message has the call that gets one.
            AuthorizationExpiredError: The service refused its refresh token: the person has to authorize again.
            ConfigurationError: There is no contract for this access.
        """
        # Every write passes here with an id that was checked: only what can be no id at all is explained, and any other
        # unusable one is simply not stored.
        if not isinstance(account_id, str) or not account_id.strip():
            (account_id,) = one_account(account_id)
        return self._for(access).require(account_id)

    def usable_authorization(self, account_id: str, *, access: Access = "write") -> Authorization | None:
        """Return the stored authorization of an account, or None where consent is needed.

        One that the service refused is not usable, nor one to read that opens another library than the stored one to
        write.

        Raises:
            ConfigurationError: There is no contract for this access.
        """
        (account_id,) = one_account(account_id)
        self._for(access)
        return usable_authorization(self._consents, account_id, access)

    @explains_calls()
    def forget(self, account_id: str, *, access: Access = "write") -> bool:
        """Forget the stored authorization of an account, and links of it that wait for an answer.

        The consent itself stays given. What a refresh or a write that is going on brings is not stored.

        Returns:
            Whether there was any.
        """
        return self._for(access).forget(*one_account(account_id))

    @explains_calls()
    def refresh(self, authorization: Authorization) -> Authorization:
        """Exchange the refresh token for a new pair of tokens.

        One refresh happens at a time, across threads and processes that share a token store: a second one returns
        what the first one stored.

        The keys that verify the answer are fetched, and its room in the store is taken, before the refresh token is
        sent, which is valid once. An answer that cannot be verified is kept in the store, and verified by the next
        call.

        Returns:
            The new authorization. It is stored already, unless the account was forgotten meanwhile; the old one must
            not be used any more.

        Raises:
            AuthorizationExpiredError: The refresh token is no longer valid; the person has to authorize again.
            TokenStoreError: The store has no room for the new one. The old one is still valid.
            APIError: The request to the service failed.

        Warns:
            DigimeWarning: The new one cannot be stored even so. This process goes on with it in its memory.
        """
        return self._for(check_authorization(authorization).access).refresh(authorization)

    def _for(self, access: Access) -> ContractAuthorizations:
        if access not in ACCESSES:
            remedy = f"{one_of(access, ACCESSES)} They are two contracts, with two consents."
            raise InputError(f"access is {access!r}.", remedy=remedy)
        consents = self._consents.get(access)
        if consents is None:
            raise ConfigurationError(
                "This client has no read contract, and reading back is a contract of its own.",
                remedy="Pass read_contract=, or set DIGIME_READ_CONTRACT_ID and DIGIME_READ_PRIVATE_KEY.",
                command="Set DIGIME_READ_CONTRACT_ID and DIGIME_READ_PRIVATE_KEY (or DIGIME_READ_PRIVATE_KEY_FILE).",
            )
        return consents


def _check_texts(**given: object) -> None:
    """Check arguments that are texts, or None."""
    for name, text in given.items():
        if text is not None and (not isinstance(text, str) or not text):
            raise InputError(f"{name} is {in_words(text)}.", remedy="Pass a text, or leave it out.")


def _access_token(given: UserAccessToken | str | None) -> Secret[str] | None:
    return given.access_token.secret if isinstance(given, UserAccessToken) else _masked(given)


def _masked(text: str | None) -> Secret[str] | None:
    return None if text is None else Secret(text)


def pending_store_of(tokens: TokenStore) -> PendingStore:
    """Return where a token store keeps what people have not answered yet, or a new store in memory."""
    own: PendingStore | None = getattr(tokens, "pending", None)
    return MemoryPendingStore() if own is None else own


def one_account(account_id: AccountId) -> tuple[str]:
    """Return the one account id that was passed.

    Raises:
        DescriptorError: It is none, or several.
    """
    accounts = check_accounts(account_id)
    if (isinstance(account_id, Iterable) and not isinstance(account_id, str)) or len(accounts) != 1:
        raise DescriptorError(f"account_id is {account_id!r}; an authorization is one person's, so pass one str.")
    return (accounts[0],)
