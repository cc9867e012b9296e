"""The list of files in a person's library: session → list → description of each file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import TypeVar

from digime_pandas._client.library.file import LibraryFile, library_file
from digime_pandas._service.authorization import Authorization
from digime_pandas._service.download import Download
from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.messages import FileListing
from digime_pandas._service.oauth.authorizations import ContractAuthorizations
from digime_pandas.errors import (
    DigimeWarning,
    FileNotInLibraryError,
    ReadError,
    RefusedError,
    ReplyError,
    warn,
)

T = TypeVar("T")

_FINAL_STATES = {"partial", "completed"}
_FIRST_WAIT, _LONGEST_WAIT = 0.1, 3.0  # seconds between two requests for the list; the Node SDK always waits 3
_PARALLEL = 8
_SESSION_CODES = {"SessionInvalid", "SessionUsed", "SessionExpired", "InvalidSession"}


class _NotReadyError(ReadError):
    """The session is still collecting."""


def list_files(consents: ContractAuthorizations, authorization: Authorization, *, timeout: float) -> list[LibraryFile]:
    """Return the files of one person's library, newest first, each write once.

    Args:
        consents: The read contract's.
        authorization: The person's, for reading.
        timeout: Seconds the service may take to collect the files.

    Raises:
        ReadError: The service did not finish collecting in time.

    Warns:
        DigimeWarning: The service's reply about a file is not valid; the file is left out.
    """
    session = _Session(consents, authorization)
    listing = session.wait_for_listing(timeout)
    with ThreadPoolExecutor(min(_PARALLEL, max(1, len(listing.files)))) as threads:
        replies = [threads.submit(session.file, *item) for item in listing.files.items()]
    files = []
    for reply in replies:
        try:
            files.append(reply.result())
        except FileNotInLibraryError:
            continue
        except ReplyError as error:
            warn(f"A file is left out of the list: {error}", DigimeWarning)
    return _drop_repeated_writes(sorted(files, key=lambda file: (file.updated, file.file_id), reverse=True))


def select(
    files: Sequence[LibraryFile],
    *,
    reference: Collection[str],
    tags: Collection[str],
    mime_type: str | None,
) -> list[LibraryFile]:
    """Return the files that carry all these references and tags, and this media type."""
    return [
        file
        for file in files
        if set(reference) <= set(file.reference) and set(tags) <= set(file.tags) and mime_type in {None, file.mime_type}
    ]


class _Session:
    """A session at the service, in which one person's files are listed and fetched.

    Args:
        consents: The read contract's.
        authorization: The person's, for reading.
    """

    def __init__(self, consents: ContractAuthorizations, authorization: Authorization) -> None:
        self._consents = consents
        self._authorization = authorization
        self._key = self._begin()

    def wait_for_listing(self, timeout: float) -> FileListing:
        """Return the list of files once the service has collected them.

        Args:
            timeout: Seconds the service may take.

        Raises:
            ReadError: The service did not finish in time.
        """
        import stamina  # see Http.send

        try:
            for attempt in stamina.retry_context(
                on=_NotReadyError,
                attempts=None,
                timeout=timeout,
                wait_initial=_FIRST_WAIT,
                wait_max=_LONGEST_WAIT,
                wait_jitter=0.0,
            ):
                with attempt:
                    listing = self._call(lambda token: self._consents.api.list_files(self._key, token))
                    if listing.state not in _FINAL_STATES:
                        raise _NotReadyError(listing.state)
        except _NotReadyError as state:
            raise ReadError(
                f"The library was not ready within {timeout:g} seconds (state {state}). Try again, or pass a longer "
                "timeout="
            ) from None
        return listing

    def file(self, file_id: str, updated_ms: float) -> LibraryFile:
        """Return a file of the list.

        Args:
            file_id: The service's name for it.
            updated_ms: When it was last changed, in Unix milliseconds.

        Raises:
            FileNotInLibraryError: It was deleted since it was listed.
            ReplyError: What the service says about it is not valid.
        """
        try:
            found = self._call(lambda token: self._consents.api.describe_file(self._key, file_id, token))
        except RefusedError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            raise FileNotInLibraryError(f"There is no file {file_id!r} any more.") from error
        return library_file(file_id, updated_ms, found.metadata, lambda: self._fetch(file_id))

    def _fetch(self, file_id: str) -> Download:
        try:
            return self._read(self._key, file_id)
        except RefusedError as error:
            if error.code not in _SESSION_CODES:
                raise
            return self._read(self._begin(), file_id)  # a session ends before the file does

    def _read(self, key: Secret[str], file_id: str) -> Download:
        return self._call(lambda token: self._consents.api.read_file(key, file_id, token))

    def _begin(self) -> Secret[str]:
        return self._call(self._consents.api.trigger)

    def _call(self, call: Callable[[Secret[str]], T]) -> T:
        return self._consents.call_with_token(self._authorization, call)


def _drop_repeated_writes(files: Sequence[LibraryFile]) -> list[LibraryFile]:
    # By contract too: another contract's program can read a write id and give it to another file.
    kept: dict[tuple[str | None, str], LibraryFile] = {}
    for file in files:
        kept.setdefault((file.contract_id, file.write_id or file.file_id), file)
    return list(kept.values())
