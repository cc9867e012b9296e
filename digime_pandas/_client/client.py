"""The client: a contract at the service, the authorizations under it, and the files of the people."""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack
from datetime import datetime
from typing import Any, NoReturn, Self

from digime_pandas._client.authorizations.consent_client import ConsentClient, one_account, pending_store_of
from digime_pandas._client.display.client_card import client_card
from digime_pandas._client.journal.journal import JournalLike, opened_journal
from digime_pandas._client.library.file_list import LibraryFiles
from digime_pandas._client.library.listing import Libraries, PersonLibrary
from digime_pandas._client.library.query import FileQuery
from digime_pandas._service.authorization import ACCESSES, Authorization, check_authorization
from digime_pandas._service.contract import Contract
from digime_pandas._service.descriptor import AccountId, FileDescriptor
from digime_pandas._service.endpoints import Endpoints
from digime_pandas._service.grants.granting import grant_upload, settle_upload
from digime_pandas._service.grants.upload_grant import UploadGrant, UploadResult
from digime_pandas._service.http.attempts.deadline import checked_timeout
from digime_pandas._service.http.attempts.timing import Timing
from digime_pandas._service.http.environment import Route, route_to
from digime_pandas._service.http.lines import Transport
from digime_pandas._service.http.service_url import check_base_url
from digime_pandas._service.http.transport import DEFAULT_ATTEMPTS, DEFAULT_DEADLINE, DEFAULT_TIMEOUT, Http
from digime_pandas._service.journal.recording import send_file
from digime_pandas._service.journal.records import RunPart
from digime_pandas._service.messages import Agent, Upload
from digime_pandas._service.oauth.authorizations import ContractAuthorizations
from digime_pandas._service.oauth.same_library import authorization_to_read
from digime_pandas._service.oauth.token_store import FileTokenStore, TokenStore, check_token_store
from digime_pandas._service.receipt import Receipt
from digime_pandas._service.upload import FileData, as_upload
from digime_pandas._version import __version__
from digime_pandas.errors import (
    ConfigurationError,
    InputError,
    OptionError,
    SecretError,
    ServiceUnreachableError,
    in_words,
)
from digime_pandas.errors.calls.attributes import NearNames
from digime_pandas.errors.calls.explained import explains_calls

BASE_URL = "https://api.digi.me/v1.7/"
ONBOARD_URL = "https://api.digi.me/apps/saas/"
# What other files of this package call, and no user: it is not offered beside the rest.
_INTERNAL = frozenset(
    [
        "absence",
        "library",
        "note_written",
        "one_deadline",
        "upload",
        "usable_authorization",
        "was_refused",
        "write_consents",
    ]
)
_WRITES_BYTES = (
    "client.write sends ready bytes. A frame is written by digime.write(frame, 'visits.parquet', account_id=..., "
    "client=client), or by frame.digime.write(...)."
)


class Client(NearNames, ConsentClient):
    """Writes into people's libraries under one contract, and reads back under another.

    Use it as a context manager, or call `close` when it is no longer needed. Threads may share one.

    Args:
        contract: The contract that writes.
        read_contract: The contract that reads back. None: nothing can be read back.
        base_url: Versioned base of the API (observed: ``https://api.digi.me/v1.7/``).
        onboard_url: Base of the consent page (observed: ``https://api.digi.me/apps/saas/``).
        tokens: The store that keeps authorizations. Default: `FileTokenStore()`, a folder of this user.
        timeout: Seconds one network step (connecting, a read, a write) may take.
        deadline: Seconds in which a call ends, whatever it waits for: connections, uploads, downloads, new tokens.
            Default: 300, which each answer and each 64 KiB of a file move by a second.
        max_attempts: Attempts of a call while the network or the service fails, the first included.
        agent: SDK name and version to announce. The service can refuse names it does not know (inferred).
        transport: An `httpx` transport instead of the network, for tests and special routing.
        ca: Whom to trust: the path of a file (PEM) or folder with certificates of authorities, or an `ssl.SSLContext`.
            Default: what the variable ``SSL_CERT_FILE`` or ``SSL_CERT_DIR`` names, else the authorities of certifi.
            Grants that other processes send, as Dask does, trust what the variables name there.
        journal: A `Journal` that records every write, or the path of one, which is opened and closed with the client.

    Attributes:
        sandbox: The embedded `Sandbox` this client was connected to by ``connect("sandbox")``, else None.

    Raises:
        ConfigurationError: An argument cannot be used; plain http is for this machine's own addresses only.
    """

    sandbox: Any = None
    _timing = Timing()  # of a subclass, for tests
    # Returns why there is no service, where that is known, so that no call tries again and again.
    absence: Callable[[], ServiceUnreachableError | None] = staticmethod(lambda: None)

    @explains_calls(kind=OptionError)
    def __init__(
        self,
        contract: Contract,
        *,
        read_contract: Contract | None = None,
        base_url: str = BASE_URL,
        onboard_url: str = ONBOARD_URL,
        tokens: TokenStore | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        deadline: float | None = None,
        max_attempts: int = DEFAULT_ATTEMPTS,
        agent: tuple[str, str] = ("digime-pandas", __version__),
        transport: Transport | None = None,
        ca: str | os.PathLike[str] | ssl.SSLContext | None = None,
        journal: JournalLike | None = None,
    ) -> None:
        for name, value in (("contract", contract), ("read_contract", read_contract)):
            if not isinstance(value, Contract) and (value is not None or name == "contract"):
                raise ConfigurationError(f"{name} is {in_words(value, may_be_secret=True)}.", remedy="Pass a Contract.")
        announced = Agent.of(agent)
        self.contract = contract
        self.read_contract = read_contract
        self.base_url = check_base_url("base_url", base_url)
        self.onboard_url = check_base_url("onboard_url", onboard_url)
        if tokens is not None:
            check_token_store(tokens)
        self.tokens = FileTokenStore() if tokens is None else tokens
        if transport is not None and not hasattr(transport, "handle_request"):
            raise ConfigurationError(f"transport is {in_words(transport)}.", remedy="Pass an httpx.BaseTransport.")
        if ca is not None and transport is not None:
            raise ConfigurationError("ca and transport are given; pass one: a transport trusts whom it was told to.")
        clocks = self._timing
        self._http = Http(
            timeout=timeout,
            deadline=deadline,
            max_attempts=max_attempts,
            transport=transport,
            route=route_to(self.base_url, ca) if transport is None else Route(),
            absence=lambda: self.absence(),  # noqa: PLW0108 - it may be set later
            clock=clocks.clock,
            now=clocks.now,
            sleep=clocks.sleep,
            chance=clocks.chance,
        )
        pending = pending_store_of(self.tokens)
        self._consents = {
            access: ContractAuthorizations(
                Endpoints(used, self._http, self.base_url, announced, now=clocks.now),
                self.tokens,
                pending,
                access,
                self.onboard_url,
                refresh_timeout=deadline or DEFAULT_DEADLINE,
                now=clocks.now,
            )
            for access, used in zip(ACCESSES, (contract, read_contract), strict=True)
            if used is not None
        }
        # What signs uploads one by one; a plain attribute, since every write takes it.
        self.write_consents = self._consents["write"]
        self._libraries = Libraries(now=clocks.now, clock=clocks.clock, sleep=clocks.sleep or time.sleep)
        self._own = ExitStack()
        self.journal = opened_journal(journal, self._own)

    def close(self) -> None:
        """Close the connections. The client must not be used afterwards."""
        self._http.close()
        self._own.close()

    @explains_calls(of_frames=_WRITES_BYTES)
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
            file_descriptor: Its media type, accounts, references and tags. Where no reference is a write id
                (``urn:uuid:...``), a file that may be in the library already is not sent again, but after ``pending``.
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
        if hasattr(file_data, "__arrow_c_stream__"):
            raise InputError(f"file_data is a {type(file_data).__name__}.", remedy=_WRITES_BYTES)
        check_authorization(authorization)
        with as_upload(file_data, file_name, file_descriptor) as file:
            return self.upload(file, authorization, journal=journal)

    def upload(
        self, file: Upload, authorization: Authorization, *, journal: JournalLike | None, part: RunPart | None = None
    ) -> Receipt:
        """Send a file under an authorization; `write` for what is already an `Upload`, see also `send_file`."""
        with ExitStack() as resources:
            used = self.journal if journal is None else opened_journal(journal, resources)
            resources.callback(self.note_written)
            return self._noted(send_file(self.write_consents, file, authorization, journal=used, part=part))

    def one_deadline(self) -> AbstractContextManager[object]:
        """Return a block all requests in which have one deadline: a call of the user's own that takes several."""
        return self._http.one_deadline()

    def note_written(self) -> None:
        """Note that files were written, also by other processes, which listings that are kept do not have."""
        self._libraries.last_write = object()

    @explains_calls()
    def grant(self, file_name: str, file_descriptor: FileDescriptor, authorization: Authorization) -> UploadGrant:
        """Sign one upload that another process, which has no key and no tokens, sends within the next minutes.

        Args:
            file_name: As for `write`.
            file_descriptor: As for `write`.
            authorization: As for `write`; refreshed here where its access token has expired.

        Returns:
            The grant, for `UploadGrant.send`. Its pickle is a secret: it holds the person's access token.

        Raises:
            InputError: An argument is not valid.
            AuthorizationError: The authorization cannot be used (any longer).
            JournalError: The client has a journal, and the intent cannot be recorded.
        """
        check_authorization(authorization)
        return grant_upload(self.write_consents, file_name, file_descriptor, authorization, self.journal)

    def settle(self, grant: UploadGrant, result: UploadResult, *, rows: int | None = None) -> Receipt:
        """Take back what came of a grant: record it in the client's journal, where it has one, once.

        Args:
            grant: What `grant` returned.
            result: What its `send` returned.
            rows: Rows of the file, for the receipt.

        Raises:
            DigimeError: Why the file was not delivered; the same file can be granted anew.
        """
        self.note_written()
        return self._noted(settle_upload(grant, result, self.journal, rows))

    def _noted(self, receipt: Receipt) -> Receipt:
        """Return a receipt; rows and size of its file are kept for listings, which the service does not tell."""
        file = receipt.contract_id, receipt.descriptor.reference
        self._libraries.written.append((file, (receipt.rows, receipt.size)))
        return receipt

    @explains_calls()
    def files(
        self,
        account: AccountId | Authorization,
        *,
        name: str | None = None,
        reference: str | Iterable[str] | None = None,
        tags: str | Iterable[str] | None = None,
        mime_type: str | None = None,
        since: datetime | None = None,
        timeout: float = 60.0,
    ) -> LibraryFiles:
        """List what is in a person's library. The service is asked for the wanted files alone, where it allows that.

        Args:
            account: Account id whose stored read authorization is used, or an authorization to read, used as it is.
            name: Name of the files: the first reference of each.
            reference: One reference or several, all of which a file has to carry.
            tags: One tag or several, all of which a file has to carry.
            mime_type: Media type a file has to have.
            since: Time, with its zone, at or after which a file was changed.
            timeout: Seconds the service may take to collect the files.

        Returns:
            The files of all contracts, newest first, as a list that shows a table and has `to_frame`; of several copies
            of one write, which a repeated upload can leave, the newest. What others write may be missing for a minute
            after the same files were asked for.

        Raises:
            InputError: An argument is not valid.
            NotAuthorizedError: No read authorization is stored for the account.
            AuthorizationError: The stored one opens another library than the stored one to write.
            ConfigurationError: The client has no read contract.
            ReadError: The service did not finish collecting in time.
        """
        query = FileQuery.of(name=name, reference=reference, tags=tags, mime_type=mime_type, since=since)
        with self.one_deadline():
            return LibraryFiles(self.library(account).files(query, checked_timeout(timeout)))

    def library(self, account: AccountId | Authorization) -> PersonLibrary:
        """Return what finds the files of a person; `account` as for `files`."""
        consents = self._for("read")
        if not isinstance(account, Authorization):
            account = authorization_to_read(self._consents, *one_account(account))
        return self._libraries.of(consents, account)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if name not in _INTERNAL]

    def __repr__(self) -> str:
        if not hasattr(self, "onboard_url"):  # a traceback may show a client whose making failed
            return "<Client>"
        reads = "" if self.read_contract is None else f" read_contract_id={self.read_contract.contract_id!r}"
        return f"<Client contract_id={self.contract.contract_id!r}{reads} base_url={self.base_url!r}>"

    def _repr_html_(self) -> str:
        return client_card(self)

    def __reduce__(self) -> NoReturn:
        raise SecretError("A Client holds private keys and is not pickled; make one where it is used, with connect().")
