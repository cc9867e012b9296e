"""A file in a person's library, and the ways to read it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BufferedReader
from typing import TYPE_CHECKING, Any

from digime_pandas._service.download import Download
from digime_pandas._service.receipt import SCHEMA_PREFIX, WRITE_ID_PREFIX
from digime_pandas._tabular.formats import Format, format_of
from digime_pandas._tabular.parse import parse, parse_batches
from digime_pandas.errors import DigestMismatchError, FormatError, InputError

if TYPE_CHECKING:
    import pandas as pd
import warnings
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

from digime_pandas._service.authorization import Authorization
from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.messages import FileListing
from digime_pandas._service.oauth.authorizations import ContractAuthorizations
from digime_pandas.errors import ReadError, RefusedError, ReplyError

BATCH_ROWS = 65_536
_SHA256 = re.compile("[0-9a-f]{64}")
_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryFile:
    """A file in a person's library.

    Attributes:
        name: The name it was written under (its first reference), or the service's own name where it has none.
        file_id: The service's own name for it.
        mime_type: Declared media type.
        accounts: Ids, in the writer's system, of the persons it is about.
        reference: Its references, a write id among them where it was written by this package.
        tags: Its tags.
        updated: When the service last changed it.
        contract_id: The contract that wrote it, as the service says; None where it does not say. Another contract may
            have given its file the same name, and even the same write id.
    """

    name: str
    file_id: str
    mime_type: str
    accounts: tuple[str, ...]
    reference: tuple[str, ...]
    tags: tuple[str, ...]
    updated: datetime
    contract_id: str | None
    fetch: Callable[[], Download] = field(repr=False, compare=False)

    @property
    def write_id(self) -> str | None:
        """The ``urn:uuid:…`` of its write; two files of one contract with the same one are one write, repeated."""
        return next((text for text in self.reference if text.startswith(WRITE_ID_PREFIX)), None)

    @property
    def schema(self) -> str | None:
        """The schema written beside a CSV or JSON file, which makes its frame come back typed, or None."""
        found = (text for text in self.reference if text.startswith(SCHEMA_PREFIX))
        return next((text.removeprefix(SCHEMA_PREFIX) for text in found), None)

    def read(self, *, sha256: str | None = None) -> bytes:
        """Fetch the file and return its bytes as they were written.

        Args:
            sha256: SHA-256 as hex digits, such as a receipt's, that the bytes must have.

        Raises:
            DigestMismatchError: They have another.
            SealedFileError: The file does not open.
            APIError: It cannot be fetched.
        """
        with closing(self._opened(sha256)) as opened:
            return opened.read()

    def to_frame(
        self, *, columns: Sequence[str] | None = None, limit: int | None = None, sha256: str | None = None
    ) -> pd.DataFrame:
        """Fetch the file and return it as a frame.

        Args:
            columns: Names of the columns that are wanted; the index comes in any case.
            limit: Rows that are wanted at most, from the first.
            sha256: As for `read`.

        Returns:
            The frame. Dtypes and index come back as they were where the format, or the schema written beside the
            file, says them; a file of others is read by plain rules.

        Raises:
            FormatError: It is neither CSV, JSON, NDJSON nor Parquet by its name and media type.
            ReadError: Its bytes are not of that format.
            DigimeError: As for `read`.
        """
        found = self._format()
        return parse(self.read(sha256=sha256), found, self.schema, columns=columns, limit=limit)

    def read_batches(
        self, *, columns: Sequence[str] | None = None, batch_rows: int = BATCH_ROWS, sha256: str | None = None
    ) -> Iterator[pd.DataFrame]:
        """Fetch the file and yield it as frames of `batch_rows` rows, in bounded memory.

        The file is fetched whole, at the first frame, into an encrypted temporary file.

        Args:
            columns: As for `to_frame`.
            batch_rows: Rows of each frame; the last one may have fewer. A file without rows gives one empty frame.
            sha256: As for `read`; compared before the first frame.

        Raises:
            DigimeError: As for `to_frame`.
        """
        found = self._format()
        with closing(self._opened(sha256)) as opened:
            stream = BufferedReader(opened.content, _PIECE_BYTES)
            yield from parse_batches(stream, found, self.schema, columns=columns, batch_rows=batch_rows)

    def _format(self) -> Format:
        found = format_of(self.name, self.mime_type)
        if found is None:
            raise FormatError(
                f"{self.name!r} is {self.mime_type}, which is no table this package reads. Use .read() for its bytes."
            )
        return found

    def _opened(self, sha256: str | None) -> Download:
        sha256 = check_sha256(sha256)
        opened = self.fetch()
        if sha256 not in {None, opened.sha256}:
            opened.close()
            raise DigestMismatchError(
                f"{self.name!r} was read and its SHA-256 is not the expected one: the newest file of that name is "
                "another one, or it was damaged on its way."
            )
        return opened


def check_sha256(sha256: str | None) -> str | None:
    """Return a SHA-256 in lower-case hex digits, or None.

    Raises:
        InputError: It is something else.
    """
    if sha256 is None:
        return None
    digest = sha256.strip().lower() if isinstance(sha256, str) else ""
    if not _SHA256.fullmatch(digest):
        raise InputError(f"sha256 is {sha256!r}; pass 64 hex digits, such as a receipt's sha256.")
    return digest


def library_file(
    file_id: str, updated_ms: float, metadata: Mapping[str, Any], fetch: Callable[[], Download]
) -> LibraryFile:
    """Make a LibraryFile of what the service says. Its names are lower case (observed): `mimetype`, `contractid`."""
    reference = _texts(metadata.get("reference"))
    accounts = metadata.get("accounts")
    contract_id = metadata.get("contractid")
    return LibraryFile(
        name=reference[0] if reference else file_id,
        file_id=file_id,
        mime_type=str(metadata.get("mimetype", "application/octet-stream")),
        accounts=_texts(
            [item.get("accountid") for item in accounts if isinstance(item, Mapping)]
            if isinstance(accounts, list)
            else None
        ),
        reference=reference,
        tags=_texts(metadata.get("tags")),
        updated=datetime.fromtimestamp(updated_ms / 1000, UTC),
        contract_id=contract_id if isinstance(contract_id, str) else None,
        fetch=fetch,
    )


def _texts(values: object) -> tuple[str, ...]:
    return tuple(value for value in values if isinstance(value, str)) if isinstance(values, list | tuple) else ()


_FINAL_STATES = {"partial", "completed"}
_FIRST_LOOK, _LONGEST_LOOK = 0.1, 3.0  # seconds; the Node SDK looks every 3
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
    """
    session = consents.use(authorization, consents.api.trigger)
    listing = _wait_for_listing(consents, authorization, session, timeout)
    with ThreadPoolExecutor(min(_PARALLEL, max(1, len(listing.files)))) as threads:
        found = list(
            threads.map(lambda item: _describe(consents, authorization, session, *item), listing.files.items())
        )
    files = [file for file in found if file is not None]
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


def _wait_for_listing(
    consents: ContractAuthorizations, authorization: Authorization, session: Secret[str], timeout: float
) -> FileListing:
    import stamina  # see Http.send

    try:
        for look in stamina.retry_context(
            on=_NotReadyError,
            attempts=None,
            timeout=timeout,
            wait_initial=_FIRST_LOOK,
            wait_max=_LONGEST_LOOK,
            wait_jitter=0.0,
        ):
            with look:
                listing = consents.use(authorization, lambda token: consents.api.list_files(session, token))
                if listing.state not in _FINAL_STATES:
                    raise _NotReadyError(listing.state)
    except _NotReadyError as state:
        raise ReadError(
            f"The library was not ready within {timeout:g} seconds (state {state}). Try again, or pass a longer "
            "timeout="
        ) from None
    return listing


def _describe(
    consents: ContractAuthorizations,
    authorization: Authorization,
    session: Secret[str],
    file_id: str,
    updated_ms: float,
) -> LibraryFile | None:
    """Return a file of the list, or None where it is gone by now or nothing can be told of it."""
    try:
        found = consents.use(authorization, lambda token: consents.api.describe_file(session, file_id, token))
    except RefusedError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        return None
    except ReplyError as error:
        warnings.warn(f"A file is left out of the list: {error}", stacklevel=2)
        return None
    return library_file(file_id, updated_ms, found.metadata, lambda: _fetch(consents, authorization, session, file_id))


def _fetch(
    consents: ContractAuthorizations, authorization: Authorization, session: Secret[str], file_id: str
) -> Download:
    def read(key: Secret[str]) -> Download:
        return consents.use(authorization, lambda token: consents.api.read_file(key, file_id, token))

    try:
        return read(session)
    except RefusedError as error:
        if error.code not in _SESSION_CODES:
            raise
        # Sessions end; the file does not.
        return read(consents.use(authorization, consents.api.trigger))


def _drop_repeated_writes(files: Sequence[LibraryFile]) -> list[LibraryFile]:
    # By contract too: a write id can be read by whoever reads the library, and given to another file.
    kept: dict[tuple[str | None, str], LibraryFile] = {}
    for file in files:
        kept.setdefault((file.contract_id, file.write_id or file.file_id), file)
    return list(kept.values())
