"""A file of a person's library, and how it is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BufferedReader
from typing import TYPE_CHECKING, Any, NoReturn

from digime_pandas._service.descriptor import SCHEMA_PREFIX, WRITE_ID_PREFIX
from digime_pandas._service.download import Download
from digime_pandas._tabular.formats import Format, format_of
from digime_pandas._tabular.parse import check_batch_rows, check_columns, check_limit, parse, parse_batches
from digime_pandas.errors import DigestMismatchError, FormatError, InputError, SecretError

if TYPE_CHECKING:
    import pandas as pd

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
        """The schema written beside a CSV or JSON file, from which its frame gets its dtypes, or None."""
        found = (text for text in self.reference if text.startswith(SCHEMA_PREFIX))
        return next((text.removeprefix(SCHEMA_PREFIX) for text in found), None)

    def read(self, *, sha256: str | None = None) -> bytes:
        """Fetch the file and return its bytes as they were written.

        Args:
            sha256: SHA-256 as hex digits, such as a receipt's, that the bytes must have.

        Raises:
            DigestMismatchError: They have another.
            SealedFileError: The file cannot be decrypted.
            APIError: It cannot be fetched.
        """
        with closing(self._download(sha256)) as download:
            return download.read()

    def to_frame(
        self, *, columns: Sequence[str] | None = None, limit: int | None = None, sha256: str | None = None
    ) -> pd.DataFrame:
        """Fetch the file and return it as a frame.

        Args:
            columns: Names of the wanted columns; the index is read in any case.
            limit: Most rows to return, from the first.
            sha256: As for `read`.

        Returns:
            The frame. Dtypes and index are as they were where the format, or the schema written beside the file, stores
            them; for the files of other programs the dtypes are inferred.

        Raises:
            InputError: `columns` is no list of names, or `limit` no number of rows.
            FormatError: It is neither CSV, JSON, NDJSON nor Parquet by its name and media type.
            ReadError: Its bytes are not of that format.
            DigimeError: As for `read`.
        """
        wanted, most = check_columns(columns), check_limit(limit)
        found = self._format()
        return parse(
            self.read(sha256=sha256), found, self.schema, columns=wanted, limit=most, own=self.write_id is not None
        )

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
        wanted, rows = check_columns(columns), check_batch_rows(batch_rows)
        found = self._format()
        with closing(self._download(sha256)) as download:
            stream = BufferedReader(download.content, _PIECE_BYTES)
            own = self.write_id is not None
            yield from parse_batches(stream, found, self.schema, columns=wanted, batch_rows=rows, own=own)

    def __reduce__(self) -> NoReturn:
        raise SecretError(
            "A LibraryFile is read with the keys and tokens of its client and is not pickled. Pass on what read() or "
            "to_frame() returns, or list the files where they are read."
        )

    def __copy__(self) -> LibraryFile:
        return self

    def __deepcopy__(self, memo: object) -> LibraryFile:
        return self

    def _format(self) -> Format:
        found = format_of(self.name, self.mime_type)
        if found is None:
            raise FormatError(
                f"{self.name!r} is {self.mime_type}, which is no table this package reads. Use .read() for its bytes."
            )
        return found

    def _download(self, sha256: str | None) -> Download:
        sha256 = check_sha256(sha256)
        download = self.fetch()
        if sha256 not in {None, download.sha256}:
            download.close()
            raise DigestMismatchError(
                f"{self.name!r} was read and its SHA-256 is not the expected one: the newest file of that name is "
                "another one, or it was damaged on its way."
            )
        return download


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
