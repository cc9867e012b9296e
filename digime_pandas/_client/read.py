"""Read back: session → list → decrypt → frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, TypedDict, Unpack

from digime_pandas._client.arguments import shows_arguments
from digime_pandas._client.client import Client
from digime_pandas._client.connect import current_client
from digime_pandas._client.dataset.manifest import DatasetName, is_dataset_name
from digime_pandas._client.dataset.reading import Dataset, find_dataset
from digime_pandas._client.library.file import BATCH_ROWS, LibraryFile, check_sha256
from digime_pandas._client.library.listing import PersonLibrary
from digime_pandas._client.library.query import FileQuery
from digime_pandas._service.authorization import Authorization, check_authorization
from digime_pandas._service.contract import Contract
from digime_pandas._service.descriptor import check_accounts, check_file_name
from digime_pandas._tabular.parse import check_batch_rows, check_columns, check_limit
from digime_pandas.errors import FileNotInLibraryError, InputError

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_TIMEOUT = 60.0


class ReadArguments(TypedDict, total=False):
    """Arguments of every function that reads; `read_file` says what each means."""

    sha256: str | None
    client: Client | None
    authorization: Authorization | None
    timeout: float


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


shows_read_arguments = shows_arguments(
    ReadArguments,
    {each.name: each.default for each in fields(ReadRequest) if each.name in ReadArguments.__annotations__},
)


@shows_read_arguments
def read_file(
    file_name: str,
    *,
    account_id: str,
    **arguments: Unpack[ReadArguments],
) -> bytes:
    """Return the bytes of the newest file of a name in a person's library.

    A file of the client's own write contract is preferred. Only where that contract wrote none of the name, the newest
    one of others is taken.

    Args:
        file_name: The name it was written under: one of its references.
        account_id: The person's id in your own system.
        sha256: SHA-256 as hex digits, such as a receipt's, that the bytes must have.
        client: The client to use. Default: the one of `connect`.
        authorization: The consent to read. Default: the stored one of the account.
        timeout: Seconds the service may take to collect the files.
        arguments: Those above that the signature does not name.

    Returns:
        The bytes as they were written.

    Raises:
        FileNotInLibraryError: There is no such file.
        DigestMismatchError: The bytes are not those of `sha256`.
        NotAuthorizedError: No read authorization is stored for the account.
        AuthorizationError: The stored read authorization opens another library than the stored write authorization;
            not checked where `authorization` is passed.
        SealedFileError: The file cannot be decrypted.
        APIError: The request to the service failed.
    """
    request = ReadRequest(file_name, account_id, **arguments)
    return _newest_file(request).read(sha256=request.sha256)


@shows_read_arguments
def read_frame(
    file_name: str,
    *,
    account_id: str,
    columns: Sequence[str] | None = None,
    limit: int | None = None,
    **arguments: Unpack[ReadArguments],
) -> pd.DataFrame:
    """Return the newest file of a name in a person's library as a frame. Which one that is, `read_file` says.

    Args:
        file_name: As for `read_file`. With one ``*``: all files of the dataset that was written under this name, one
            after the other.
        account_id: As for `read_file`.
        columns: Names of the wanted columns; the index is read in any case.
        limit: Most rows to return, from the first.
        arguments: As for `read_file`: `sha256`, `client`, `authorization` and `timeout`.

    Returns:
        The frame. Dtypes, nulls and index are as they were in the frame that this package wrote; for a CSV, JSON or
        NDJSON file of another program the dtypes are inferred.

    Raises:
        InputError: `columns` is no list of names of the file, or `limit` no number of rows.
        FormatError: The file is no table this package reads.
        ReadError: The file is not as its format has it.
        DatasetError: Not all files of the dataset are there; the message names those that are missing.
        DigimeError: As for `read_file`.
    """
    request = ReadRequest(file_name, account_id, **arguments)
    wanted, most = check_columns(columns), check_limit(limit)
    if is_dataset_name(file_name):
        return dataset_of(request).to_frame(wanted, most)
    return _newest_file(request).to_frame(columns=wanted, limit=most, sha256=request.sha256)


@shows_read_arguments
def read_batches(
    file_name: str,
    *,
    account_id: str,
    columns: Sequence[str] | None = None,
    batch_rows: int = BATCH_ROWS,
    **arguments: Unpack[ReadArguments],
) -> Iterator[pd.DataFrame]:
    """Return the newest file of a name in a person's library frame by frame, for files that do not fit into memory.

    Which file that is, `read_file` says.

    Args:
        file_name: As for `read_file`.
        account_id: As for `read_file`.
        columns: As for `read_frame`.
        batch_rows: Rows of each frame; the last one may have fewer. A file without rows gives one empty frame.
        arguments: As for `read_file`; `sha256` is compared before the first frame.

    Returns:
        The frames, in order; dtypes as for `read_frame`. The file is searched for now, and fetched at the first frame.

    Raises:
        DigimeError: As for `read_frame`.
    """
    request = ReadRequest(file_name, account_id, **arguments)
    wanted, rows = check_columns(columns), check_batch_rows(batch_rows)
    return _newest_file(request).read_batches(columns=wanted, batch_rows=rows, sha256=request.sha256)


@shows_arguments(FilesArguments, _FILES_DEFAULTS)
def files(account_id: str, *, client: Client | None = None, **query: Unpack[FilesArguments]) -> list[LibraryFile]:
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
        raise _not_there(request)
    return found


def _newest_file(request: ReadRequest) -> LibraryFile:
    check_sha256(request.sha256)
    library, writer = _library(request)
    found = library.newest(FileQuery.of(reference=request.file_name), writer, request.timeout)
    if found is None:
        raise _not_there(request)
    return found


def _library(request: ReadRequest) -> tuple[PersonLibrary, Contract]:
    """Return the person's library, and the contract whose files are preferred."""
    check_file_name(request.file_name)
    check_accounts(request.account_id)
    authorization, account_id = request.authorization, request.account_id
    if authorization is not None and check_authorization(authorization).account_id != account_id:
        raise InputError(
            f"authorization is account {authorization.account_id!r}'s and account_id is {account_id!r}: the file would "
            "come from another person's library. Pass the authorization of the same account."
        )
    client = current_client(request.client)
    return client.library(authorization or account_id), client.contract


def _not_there(request: ReadRequest) -> FileNotInLibraryError:
    return FileNotInLibraryError(
        f"There is no {request.file_name!r} in the library of account {request.account_id!r}. "
        f"client.files({request.account_id!r}) lists what is there."
    )
