"""The client: a contract at the service, the authorizations under it, and the files of the people."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial
from typing import Any, NoReturn, Self

from digime_pandas._client.journal.journal import JournalLike, opened_journal
from digime_pandas._client.library.file import LibraryFile
from digime_pandas._client.library.listing import list_files, select
from digime_pandas._service.authorization import ACCESSES, Access, Authorization, UserAccessToken, check_authorization
from digime_pandas._service.contract import Contract
from digime_pandas._service.descriptor import FileDescriptor, check_accounts
from digime_pandas._service.endpoints import Endpoints
from digime_pandas._service.http.environment import Route, route_to
from digime_pandas._service.http.transport import (
    DEFAULT_ATTEMPTS,
    DEFAULT_DEADLINE,
    DEFAULT_TIMEOUT,
    Http,
    Transport,
    check_base_url,
)
from digime_pandas._service.journal.recording import send_file
from digime_pandas._service.journal.records import RunPart
from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.messages import Agent, Upload
from digime_pandas._service.oauth.authorizations import ContractAuthorizations
from digime_pandas._service.oauth.flow import AuthorizationFlow
from digime_pandas._service.oauth.same_library import (
    another_library_notice,
    authorization_to_read,
    usable_authorization,
)
from digime_pandas._service.oauth.token_store import FileTokenStore, TokenStore
from digime_pandas._service.receipt import Receipt
from digime_pandas._service.upload import FileData, as_upload
from digime_pandas._version import __version__
from digime_pandas.errors import ConfigurationError, DescriptorError, InputError, InvalidTokenError, SecretError

BASE_URL = "https://api.digi.me/v1.7/"
ONBOARD_URL = "https://api.digi.me/apps/saas/"


class Client:
    """Writes into people's libraries under one contract, and reads back under another.

    Use it as a context manager, or call `close` when it is no longer needed. Threads may share one.

    Args:
        contract: The contract that writes.
        read_contract: The contract that reads back. None: nothing can be read back.
        base_url: Versioned base of the API (observed: ``https://api.digi.me/v1.7/``).
        onboard_url: Base of the consent page (observed: ``https://api.digi.me/apps/saas/``).
        tokens: The store that keeps authorizations. Default: `FileTokenStore()`, a folder of this user.
        timeout: Seconds one network step (connecting, a read, a write) may take.
        deadline: Seconds after which a call makes no further attempt.
        max_attempts: Attempts of a call while the network or the service fails, the first included.
        agent: SDK name and version to announce. The service can refuse names it does not know (inferred).
        transport: An `httpx` transport instead of the network, for tests and special routing.
        journal: A `Journal` that records every write, or the path of one, which is opened and closed with the client.

    Attributes:
        sandbox: The embedded `Sandbox` this client was connected to by ``connect("sandbox")``, else None.

    Raises:
        ConfigurationError: An argument cannot be used; plain http is for this machine's own addresses only.
    """

    sandbox: Any = None

    def __init__(
        self,
        contract: Contract,
        *,
        read_contract: Contract | None = None,
        base_url: str = BASE_URL,
        onboard_url: str = ONBOARD_URL,
        tokens: TokenStore | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        deadline: float = DEFAULT_DEADLINE,
        max_attempts: int = DEFAULT_ATTEMPTS,
        agent: tuple[str, str] = ("digime-pandas", __version__),
        transport: Transport | None = None,
        journal: JournalLike | None = None,
    ) -> None:
        for name, value in (("contract", contract), ("read_contract", read_contract)):
            if not isinstance(value, Contract) and (value is not None or name == "contract"):
                raise ConfigurationError(f"{name} is a {type(value).__name__}; pass a Contract.")
        announced = Agent.of(agent)
        self.contract = contract
        self.read_contract = read_contract
        self.base_url = check_base_url("base_url", base_url)
        self.onboard_url = check_base_url("onboard_url", onboard_url)
        self.tokens = FileTokenStore() if tokens is None else tokens
        self._http = Http(
            timeout=timeout,
            deadline=deadline,
            max_attempts=max_attempts,
            transport=transport,
            route=route_to(self.base_url) if transport is None else Route(),
        )
        self._consents: dict[Access, ContractAuthorizations] = {
            access: ContractAuthorizations(
                Endpoints(used, self._http, self.base_url, announced),
                self.tokens,
                access,
                self.onboard_url,
                refresh_timeout=deadline,
            )
            for access, used in zip(ACCESSES, (contract, read_contract), strict=True)
            if used is not None
        }

        self._own = ExitStack()
        self.journal = opened_journal(journal, self._own)

    def close(self) -> None:
        """Close the connections. The client must not be used afterwards."""
        self._http.close()
        self._own.close()

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
            state: Text that has to come back with the redirect. Default: 32 random bytes as hex.
            user_access_token: Token of the same person, so that this consent is for the same library. Default: the
                account's stored write token, if there is one. It may have expired.
            service_id: Source to offer on the consent page.
            locale: Language of the consent page.

        Returns:
            The flow: open its `url` in the person's browser, then `wait` or `complete`. The authorization that these
            return is stored already. Where it opens another library than the account's stored authorization for the
            other access, they warn, and `notice` has the warning's text.

        Raises:
            ConfigurationError: There is no contract for this access.
            APIError: The service did not accept the request.
        """
        (account_id,) = _one_account(account_id)
        asked_state, token = _masked(state), _access_token(user_access_token)
        del state, user_access_token  # a traceback that shows local variables would show them
        consents = self._for(access)
        stored = self._consents["write"].get(account_id) if token is None else None
        try:
            return consents.begin(
                account_id,
                callback=callback,
                state=asked_state,
                access_token=token if stored is None else _access_token(stored.user_access_token),
                service_id=service_id,
                locale=locale,
                notice=partial(another_library_notice, self._consents),
            )
        except InvalidTokenError as error:
            if stored is not None:
                error.add_note(
                    f"The stored write authorization of account {account_id!r} is not known to the service any more. "
                    f"Call client.forget({account_id!r}), then authorize again, for writing first."
                )
            raise

    def authorization(self, account_id: str, *, access: Access = "write") -> Authorization:
        """Return the stored authorization of an account.

        Raises:
            NotAuthorizedError: There is none; the message has the call that gets one.
            ConfigurationError: There is no contract for this access.
        """
        # Every write passes here with an id that was checked: only what can be no id at all is explained, and any other
        # unusable one is simply not stored.
        if not isinstance(account_id, str) or not account_id.strip():
            _one_account(account_id)
        return self._for(access).require(account_id)

    def usable_authorization(self, account_id: str, *, access: Access = "write") -> Authorization | None:
        """Return the stored authorization of an account, or None where consent is needed.

        One to read that opens another library than the stored one to write is not usable.

        Raises:
            ConfigurationError: There is no contract for this access.
        """
        (account_id,) = _one_account(account_id)
        self._for(access)
        return usable_authorization(self._consents, account_id, access)

    def forget(self, account_id: str, *, access: Access = "write") -> bool:
        """Forget the stored authorization of an account; the consent itself stays given.

        Returns:
            Whether one was stored.
        """
        return self._for(access).forget(account_id)

    def refresh(self, authorization: Authorization) -> Authorization:
        """Exchange the refresh token for a new pair of tokens.

        One refresh happens at a time, across threads and processes that share a token store: a second one returns
        what the first one stored.

        Returns:
            The new authorization. It is stored already; the old one must not be used any more.

        Raises:
            AuthorizationExpiredError: The refresh token is no longer valid; the person has to authorize again.
            APIError: The request to the service failed.
        """
        return self._for(authorization.access).refresh(authorization)

    def write(
        self,
        file_data: FileData,
        file_name: str,
        file_descriptor: FileDescriptor,
        authorization: Authorization,
        *,
        journal: JournalLike | None = None,
    ) -> Receipt:
        """Write one file: what `write` of the vendor's Node SDK does, one to one.

        Args:
            file_data: Bytes, a binary file (read from its current position) or an iterable of bytes. A file or an
                iterable is kept, encrypted where it is large, for a second attempt.
            file_name: Its name; direct import does not send it, so that a reader finds the file by a reference only.
            file_descriptor: Its media type, accounts, references and tags.
            authorization: The person's consent to write.
            journal: As for `Client`, for this write alone.

        Returns:
            The receipt, with the authorization that worked: its tokens may be new, and are stored already.

        Raises:
            InputError: An argument is not valid. Nothing was sent.
            AuthorizationError: The authorization cannot be used (any longer).
            JournalError: The write cannot be recorded. Nothing was sent.
            APIError: The file was not delivered, or it is not known whether it was: see `outcome`.
        """
        check_authorization(authorization)
        with as_upload(file_data, file_name, file_descriptor) as file:
            return self.upload(file, authorization, journal=journal)

    def upload(
        self, file: Upload, authorization: Authorization, *, journal: JournalLike | None, part: RunPart | None = None
    ) -> Receipt:
        """Send a file under an authorization; `write` for what is already an `Upload`, see also `send_file`."""
        with ExitStack() as resources:
            used = opened_journal(journal, resources) or self.journal
            return send_file(self._for("write"), file, authorization, journal=used, part=part)

    def files(
        self,
        account: str | Authorization,
        *,
        reference: str | Iterable[str] | None = None,
        tags: str | Iterable[str] | None = None,
        mime_type: str | None = None,
        timeout: float = 60.0,
    ) -> list[LibraryFile]:
        """List what is in a person's library.

        Args:
            account: Account id whose stored read authorization is used, or an authorization to read.
            reference: One reference or several, all of which a file has to carry.
            tags: One tag or several, all of which a file has to carry.
            mime_type: Media type a file has to have.
            timeout: Seconds the service may take to collect the files.

        Returns:
            The files of all contracts, newest first. A write of which the library holds several copies, which a
            repeated upload can leave, is listed once.

        Raises:
            NotAuthorizedError: No read authorization is stored for the account.
            AuthorizationError: The stored one opens another library than the stored one to write. An authorization
                that is passed is used as it is.
            ConfigurationError: The client has no read contract.
            ReadError: The service did not finish collecting in time.
        """
        consents = self._for("read")
        if isinstance(account, Authorization):
            authorization = account
        else:
            authorization = authorization_to_read(self._consents, *_one_account(account))
        listed = list_files(consents, authorization, timeout=timeout)
        return select(listed, reference=_texts(reference), tags=_texts(tags), mime_type=mime_type)

    def _for(self, access: Access) -> ContractAuthorizations:
        if access not in ACCESSES:
            raise InputError(f"access is {access!r}; pass 'write' or 'read'.")
        consents = self._consents.get(access)
        if consents is None:
            raise ConfigurationError(
                "This client has no read contract, and reading back is a contract of its own. Pass read_contract=, or "
                "set DIGIME_READ_CONTRACT_ID and DIGIME_READ_PRIVATE_KEY."
            )
        return consents

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        if not hasattr(self, "onboard_url"):  # a traceback may show a client whose making failed
            return "<Client>"
        reads = "" if self.read_contract is None else f" read_contract_id={self.read_contract.contract_id!r}"
        return f"<Client contract_id={self.contract.contract_id!r}{reads} base_url={self.base_url!r}>"

    def __reduce__(self) -> NoReturn:
        raise SecretError("A Client holds private keys and is not pickled; make one where it is used, with connect().")


def _access_token(given: UserAccessToken | str | None) -> Secret[str] | None:
    return given.access_token.secret if isinstance(given, UserAccessToken) else _masked(given)


def _masked(text: str | None) -> Secret[str] | None:
    return None if text is None else Secret(text)


def _one_account(account_id: str) -> tuple[str]:
    accounts = check_accounts(account_id)
    if not isinstance(account_id, str) or len(accounts) != 1:
        raise DescriptorError(f"account_id is {account_id!r}; an authorization is one person's, so pass one str.")
    return (account_id,)


def _texts(values: str | Iterable[str] | None) -> tuple[str, ...]:
    return () if values is None else (values,) if isinstance(values, str) else tuple(values)
