"""Read back: session → list → decrypt → frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import PurePath
from shlex import quote
from typing import TYPE_CHECKING, Any, TypedDict, Unpack, cast

from digime_pandas._client.arguments import shows_arguments
from digime_pandas._client.authorizations.consent_client import one_account
from digime_pandas._client.client import Client
from digime_pandas._client.connect import current_client
from digime_pandas._client.dataset.manifest import DatasetName, is_dataset_name
from digime_pandas._client.dataset.reading import Dataset, find_dataset
from digime_pandas._client.library.digest import check_sha256
from digime_pandas._client.library.file import BATCH_ROWS, LibraryFile
from digime_pandas._client.library.file_list import LibraryFiles
from digime_pandas._client.library.limits import ReadLimits
from digime_pandas._client.library.listing import PersonLibrary
from digime_pandas._client.library.query import FileQuery
from digime_pandas._service.authorization import Authorization, check_authorization
from digime_pandas._service.contract import Contract
from digime_pandas._service.descriptor import AccountId, FileName, check_file_name
from digime_pandas._service.http.attempts.deadline import checked_timeout
from digime_pandas._tabular.reading.arguments import check_batch_rows, check_columns, check_limit
from digime_pandas.errors import DigimeError, FileNotInLibraryError, InputError, collected_warnings
from digime_pandas.errors.calls.explained import explains_calls
from digime_pandas.errors.names import did_you_mean

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_TIMEOUT = 60.0
_NAMES_SECONDS = 5.0  # in which an error waits for near names


class ReadArguments(TypedDict, total=False):
    """Arguments of every function that reads; `read_file` says what each means."""

    sha256: str | None
    client: Client | None
    authorization: Authorization | None
    timeout: float
    max_bytes: int | None


class FilesArguments(TypedDict, total=False):
    """Arguments of `digime_pandas.files` beside account and client."""

    name: str | None
    reference: str | Iterable[str] | None
    tags: str | Iterable[str] | None
    mime_type: str | None
    since: datetime | None
    timeout: float


_FILES_DEFAULTS: dict[str, object] = dict.fromkeys(FilesArguments.__annotations__) | {"timeout": 60.0}


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """The arguments of every function that reads, with their defaults."""

    file_name: str
    account_id: str
    sha256: str | None = None
    client: Client | None = None
    authorization: Authorization | None = None
    timeout: float = DEFAULT_TIMEOUT
    max_bytes: int | None = None
    max_rows: int | None = None

    def __post_init__(self) -> None:
        file_name = self.file_name.name if isinstance(self.file_name, PurePath) else self.file_name
        object.__setattr__(self, "file_name", file_name if is_dataset_name(file_name) else check_file_name(file_name))
        object.__setattr__(self, "account_id", *one_account(self.account_id))
        checked_timeout(self.timeout)

    @property
    def limits(self) -> ReadLimits:
        """How much may be read of each file."""
        limits = ReadLimits(self.max_bytes, self.max_rows)
        limits.of_frame()  # so that a limit that is none is refused before anything is fetched
        return limits


def read_request(file_name: FileName, account_id: AccountId, **arguments: Any) -> ReadRequest:
    """Return a request; name and account may be what stands for their texts."""
    return ReadRequest(cast(str, file_name), cast(str, account_id), **arguments)


shows_read_arguments = shows_arguments(
    ReadArguments,
    {each.name: each.default for each in fields(ReadRequest) if each.name in ReadArguments.__annotations__},
)


@explains_calls()
@shows_read_arguments
def read_file(file_name: FileName, account_id: AccountId, **arguments: Unpack[ReadArguments]) -> bytes:
    """Return the bytes of the newest file of a name in a person's library.

    A file of the client's own write contract is preferred. Only where that contract wrote none of the name, the newest
    one of others is taken.

    Args:
        file_name: The name it was written under: one of its references. With one ``*``: the rows of all files of the
            dataset that was written under this name, as one file of their format. CSV, JSON and NDJSON files are joined
            as they are; Parquet files are read and written as one. Where there is no such dataset, a file of this very
            name.
        account_id: The person's id in your own system.
        sha256: SHA-256 as hex digits, such as a receipt's, that the bytes must have.
        client: The client to use. Default: the one of `connect`.
        authorization: The consent to read. Default: the stored one of the account.
        timeout: Seconds the service may take to collect the files.
        max_bytes: Most bytes that a file may have, beyond which there is an error. Default: 2 GiB, and of a compressed
            file of more than 64 MiB, 1,000 times the bytes that were received.
        arguments: Those above that the signature does not name.

    Returns:
        The bytes; those of one file are as they were written.

    Raises:
        FileNotInLibraryError: There is no such file.
        DigestMismatchError: The bytes are not those of `sha256`, or of the manifest.
        DatasetError: Not all files of the dataset are there; the message names those that are missing.
        NotAuthorizedError: No read authorization is stored for the account.
        AuthorizationError: The stored read authorization opens another library than the stored write authorization;
            not checked where `authorization` is passed.
        ReadError: The file has more than `max_bytes`.
        SealedFileError: The file cannot be decrypted.
        APIError: The request to the service failed.
    """
    request = read_request(file_name, account_id, **arguments)
    if (dataset := dataset_if_any(request)) is not None:
        return dataset.read()
    with current_client(request.client).one_deadline():
        return _newest_file(request).read(sha256=request.sha256)


@explains_calls()
@shows_read_arguments
def read_frame(
    file_name: FileName,
    account_id: AccountId,
    *,
    columns: Sequence[str] | None = None,
    limit: int | None = None,
    max_rows: int | None = None,
    **arguments: Unpack[ReadArguments],
) -> pd.DataFrame:
    """Return the newest file of a name in a person's library as a frame. Which one that is, `read_file` says.

    Args:
        file_name: As for `read_file`. With one ``*``: all files of the dataset that was written under this name, one
            after the other.
        account_id: As for `read_file`.
        columns: Names of the wanted columns; the index is read in any case.
        limit: Most rows to return, from the first.
        max_rows: Most rows that a file may have, beyond which there is an error. Default: 100 million. With a `limit`,
            only the rows count that it leaves.
        arguments: As for `read_file`: `sha256`, `client`, `authorization`, `timeout` and `max_bytes`. The values of a
            file may take 8 times `max_bytes` while they are read, 2 GiB by default.

    Returns:
        The frame. Dtypes, nulls and index are as they were in the frame that this package wrote; for a CSV, JSON or
        NDJSON file of another program the dtypes are inferred.

    Raises:
        InputError: `columns` is no list of names of the file, or `limit` no number of rows.
        FormatError: The file is no table this package reads.
        ReadError: The file is not as its format has it, or has more than `max_bytes` or `max_rows`.
        DatasetError: Not all files of the dataset are there; the message names those that are missing.
        DigimeError: As for `read_file`.
    """
    request = read_request(file_name, account_id, max_rows=max_rows, **arguments)
    wanted, most = check_columns(columns), check_limit(limit)
    if (dataset := dataset_if_any(request)) is not None:
        return dataset.to_frame(wanted, most)
    with current_client(request.client).one_deadline():
        return _newest_file(request).to_frame(columns=wanted, limit=most, sha256=request.sha256)


@explains_calls()
@shows_read_arguments
def read_batches(
    file_name: FileName,
    account_id: AccountId,
    *,
    columns: Sequence[str] | None = None,
    batch_rows: int = BATCH_ROWS,
    max_rows: int | None = None,
    **arguments: Unpack[ReadArguments],
) -> Iterator[pd.DataFrame]:
    """Return the newest file of a name in a person's library frame by frame, for files that do not fit into memory.

    Which file that is, `read_file` says.

    Args:
        file_name: As for `read_frame`; the files of a dataset are fetched one after the other.
        account_id: As for `read_file`.
        columns: As for `read_frame`.
        batch_rows: Rows of each frame; the last one may have fewer. A file without rows gives one empty frame.
        max_rows: As for `read_frame`; frames may have been yielded before the error.
        arguments: As for `read_file`; `sha256` is compared before the first frame, and `max_bytes` is 16
            GiB by default.

    Returns:
        The frames, in order; dtypes as for `read_frame`. The file is searched for now, and fetched at the first frame.
        Whether all files of a dataset are there is found out now too.

    Raises:
        DigimeError: As for `read_frame`.
    """
    request = read_request(file_name, account_id, max_rows=max_rows, **arguments)
    wanted, rows = check_columns(columns), check_batch_rows(batch_rows)
    if (dataset := dataset_if_any(request)) is not None:
        return dataset.read_batches(wanted, rows)
    with current_client(request.client).one_deadline():
        file = _newest_file(request)
    return file.read_batches(columns=wanted, batch_rows=rows, sha256=request.sha256)


@explains_calls()
@shows_arguments(FilesArguments, _FILES_DEFAULTS)
def files(account_id: AccountId, *, client: Client | None = None, **query: Unpack[FilesArguments]) -> LibraryFiles:
    """List what is in a person's library.

    Args:
        account_id: The person's id in your own system, whose stored read authorization is used.
        client: The client to use. Default: the one of `connect`.
        query: As for `Client.files`: `name`, `reference`, `tags`, `mime_type`, `since` and `timeout`.

    Returns:
        The files, newest first; see `Client.files`, which raises the same errors.
    """
    return current_client(client).files(account_id, **query)


def dataset_of(request: ReadRequest) -> Dataset:
    """Return the newest dataset of a name, all files of which are there.

    Raises:
        DigimeError: As for `read_frame`.
    """
    if request.sha256 is not None:
        raise InputError("sha256 is of one file, and file_name names many; the manifest has the SHA-256 of each.")
    name = DatasetName(request.file_name)
    library, writer = _library(request)
    found = find_dataset(name, library, writer, request.timeout)
    if found is None:
        raise _not_there(request, library)
    limits = request.limits
    return replace(found, parts=tuple(replace(each, file=replace(each.file, limits=limits)) for each in found.parts))


def dataset_if_any(request: ReadRequest) -> Dataset | None:
    """Return the dataset of a name, or None where one file is to be read: a file may have a ``*`` in its name, too."""
    if not is_dataset_name(request.file_name):
        return None
    if request.sha256 is not None:
        with suppress(FileNotInLibraryError):
            _newest_file(request)
            return None
    try:
        return dataset_of(request)
    except FileNotInLibraryError:
        return None


def _newest_file(request: ReadRequest) -> LibraryFile:
    check_sha256(request.sha256)
    limits = request.limits
    library, writer = _library(request)
    found = library.newest(FileQuery.of(reference=request.file_name), writer, request.timeout)
    if found is None:
        raise _not_there(request, library)
    return replace(found, limits=limits)


def _library(request: ReadRequest) -> tuple[PersonLibrary, Contract]:
    """Return the person's library, and the contract whose files are preferred."""
    authorization, account_id = request.authorization, request.account_id
    if authorization is not None and check_authorization(authorization).account_id != account_id:
        raise InputError(
            f"authorization is account {authorization.account_id!r}'s and account_id is {account_id!r}: the file would "
            "come from another person's library. Pass the authorization of the same account."
        )
    client = current_client(request.client)
    return client.library(authorization or account_id), client.contract


def _not_there(request: ReadRequest, library: PersonLibrary) -> FileNotInLibraryError:
    account_id = request.account_id
    near = did_you_mean(request.file_name, _names_of_newest(library, request.timeout))
    return FileNotInLibraryError(
        f"There is no {request.file_name!r} in the library of account {account_id!r}.",
        remedy=f"{near} client.files({account_id!r}) lists what is there.".lstrip(),
        command=f"{near} This lists what is there: digime-pandas files --account {quote(account_id)}".lstrip(),
    )


def _names_of_newest(library: PersonLibrary, timeout: float) -> list[str]:
    """Return the names of the newest files, as far as they can be found out; no error is raised for them."""
    with collected_warnings(), suppress(DigimeError):
        return library.newest_names(min(timeout, _NAMES_SECONDS))
    return []
