"""Read back: session → list → open → frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from digime_pandas._client.client import Client
from digime_pandas._client.connect import current_client
from digime_pandas._client.library import BATCH_ROWS, LibraryFile, check_sha256
from digime_pandas._service.authorization import Authorization, check_authorization
from digime_pandas._service.descriptor import check_accounts, check_file_name
from digime_pandas._service.receipt import written_by
from digime_pandas.errors import FileNotInLibraryError, InputError

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_TIMEOUT = 60.0


def read_file(
    file_name: str,
    *,
    account_id: str,
    sha256: str | None = None,
    client: Client | None = None,
    authorization: Authorization | None = None,
    timeout: float = DEFAULT_TIMEOUT,
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

    Returns:
        The bytes as they were written.

    Raises:
        FileNotInLibraryError: There is no such file.
        DigestMismatchError: The bytes are not those of `sha256`.
        NotAuthorizedError: No read authorization is stored for the account.
        AuthorizationError: The stored read authorization opens another library than the stored write authorization;
            not checked where `authorization` is passed.
        SealedFileError: The file does not open.
        APIError: The service could not be asked.
    """
    sha256 = check_sha256(sha256)
    return _newest(file_name, account_id, client, authorization, timeout).read(sha256=sha256)


def read_frame(
    file_name: str,
    *,
    account_id: str,
    sha256: str | None = None,
    client: Client | None = None,
    authorization: Authorization | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    columns: Sequence[str] | None = None,
    limit: int | None = None,
) -> pd.DataFrame:
    """Return the newest file of a name in a person's library as a frame. Which one that is, `read_file` says.

    Args:
        file_name: As for `read_file`.
        account_id: As for `read_file`.
        sha256: As for `read_file`.
        client: As for `read_file`.
        authorization: As for `read_file`.
        timeout: As for `read_file`.
        columns: Names of the columns that are wanted; the index comes in any case.
        limit: Rows that are wanted at most, from the first.

    Returns:
        The frame. Dtypes, nulls and index come back as they were written by this package; a CSV, JSON or NDJSON file
        of others is read by plain rules.

    Raises:
        FormatError: The file is no table this package reads.
        DigimeError: As for `read_file`.
    """
    sha256 = check_sha256(sha256)
    file = _newest(file_name, account_id, client, authorization, timeout)
    return file.to_frame(columns=columns, limit=limit, sha256=sha256)


def read_batches(
    file_name: str,
    *,
    account_id: str,
    sha256: str | None = None,
    client: Client | None = None,
    authorization: Authorization | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    columns: Sequence[str] | None = None,
    batch_rows: int = BATCH_ROWS,
) -> Iterator[pd.DataFrame]:
    """Return the newest file of a name in a person's library frame by frame, for files that do not fit into memory.

    Which file that is, `read_file` says.

    Args:
        file_name: As for `read_file`.
        account_id: As for `read_file`.
        sha256: As for `read_file`; compared before the first frame.
        client: As for `read_file`.
        authorization: As for `read_file`.
        timeout: As for `read_file`.
        columns: As for `read_frame`.
        batch_rows: Rows of each frame; the last one may have fewer. A file without rows gives one empty frame.

    Returns:
        The frames, in order; dtypes as for `read_frame`. The file is looked for now, and fetched at the first frame.

    Raises:
        DigimeError: As for `read_frame`.
    """
    sha256 = check_sha256(sha256)
    file = _newest(file_name, account_id, client, authorization, timeout)
    return file.read_batches(columns=columns, batch_rows=batch_rows, sha256=sha256)


def _newest(
    file_name: str, account_id: str, client: Client | None, authorization: Authorization | None, timeout: float
) -> LibraryFile:
    check_file_name(file_name)
    check_accounts(account_id)
    if authorization is not None and check_authorization(authorization).account_id != account_id:
        raise InputError(
            f"authorization is account {authorization.account_id!r}'s and account_id is {account_id!r}: the file would "
            "come from another person's library. Pass the authorization of the same account."
        )
    client = current_client(client)
    files = client.files(authorization or account_id, reference=file_name, timeout=timeout)
    if not files:
        raise FileNotInLibraryError(
            f"There is no {file_name!r} in the library of account {account_id!r}. "
            f"client.files({account_id!r}) lists what is there."
        )
    return written_by(client.contract, files)[0]
