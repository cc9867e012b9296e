"""A file of a person's library, and how it is read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from digime_pandas._client.library.digest import check_sha256, compare_sha256, sha256_compared
from digime_pandas._client.library.limits import ReadLimits
from digime_pandas._client.library.target_file import put_file
from digime_pandas._service.descriptor import SCHEMA_PREFIX, WRITE_ID_PREFIX
from digime_pandas._service.display import html
from digime_pandas._service.display.texts import count_text, size_text, time_text
from digime_pandas._service.download import Download
from digime_pandas._service.received.byte_limit import ByteLimit
from digime_pandas._tabular.formats import Format, format_of
from digime_pandas._tabular.parse import parse, parse_batches, reads_in_place
from digime_pandas._tabular.reading.arguments import check_batch_rows, check_columns, check_limit
from digime_pandas.errors import FormatError, InputError, SecretError, in_words, printable
from digime_pandas.errors.calls.attributes import NearNames
from digime_pandas.errors.calls.explained import explains_calls

if TYPE_CHECKING:
    import pandas as pd

BATCH_ROWS = 65_536
_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryFile(NearNames):
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
        rows: Its rows, where this client wrote it; else None, as the service does not tell.
        size: Its bytes, as `read` returns them, where this client wrote it. Else what follows from the size of its
            encrypted form: at most 15 more than it has; None where the service does not tell, or compresses it.
        size_is_exact: Whether `size` is no estimate.
        limits: What reading takes for `max_bytes` and `max_rows` where they are not given.
    """

    name: str
    file_id: str
    mime_type: str
    accounts: tuple[str, ...]
    reference: tuple[str, ...]
    tags: tuple[str, ...]
    updated: datetime
    contract_id: str | None
    fetch: Callable[[ByteLimit], Download] = field(repr=False, compare=False)
    rows: int | None = field(default=None, compare=False)
    size: int | None = field(default=None, compare=False)
    size_is_exact: bool = field(default=False, compare=False)
    limits: ReadLimits = field(default=ReadLimits(), repr=False, compare=False)

    @property
    def write_id(self) -> str | None:
        """The ``urn:uuid:…`` of its write; two files of one contract with the same one are one write, repeated."""
        return next((text for text in self.reference if text.startswith(WRITE_ID_PREFIX)), None)

    @property
    def schema(self) -> str | None:
        """The schema written beside a CSV or JSON file, from which its frame gets its dtypes, or None."""
        found = (text for text in self.reference if text.startswith(SCHEMA_PREFIX))
        return next((text.removeprefix(SCHEMA_PREFIX) for text in found), None)

    @property
    def size_text(self) -> str:
        """The size for people; empty where it is not known."""
        if self.size is None:
            return ""
        return size_text(self.size) if self.size_is_exact else f"about {size_text(self.size)}"

    def __repr__(self) -> str:
        tags = [f"tags={', '.join(self.tags)!r}"] if self.tags else []
        facts = [repr(self.name), *self._extent(), time_text(self.updated), *tags, f"contract_id={self.contract_id!r}"]
        return printable(f"<LibraryFile {', '.join(facts)}>")

    def _repr_html_(self) -> str:
        is_table = format_of(self.name, self.mime_type) is not None
        calls = ["file.to_frame()"] if is_table else ["file.read()"]
        return html.card(
            html.head("File", "plain", self.name),
            html.facts(
                {
                    "Content": ", ".join((*self._extent(), self.mime_type)),
                    "Changed": time_text(self.updated),
                    "Tags": ", ".join(self.tags),
                    "About": ", ".join(self.accounts),
                }
            ),
            html.line("With this file in a variable:"),
            html.code("\n".join((*calls, f"file.save({Path(self.name).name!r})"))),
            html.folded(
                "Details",
                html.facts(
                    {
                        "Contract": self.contract_id or "not known",
                        "Write id": self.write_id or "none",
                        "File id": self.file_id,
                    }
                ),
            ),
        )

    def _extent(self) -> list[str]:
        """Return rows and size, as far as they are known."""
        rows = [] if self.rows is None else [count_text(self.rows, "row")]
        return [*rows, self.size_text] if self.size_text else rows

    @explains_calls()
    def read(self, *, sha256: str | None = None, max_bytes: int | None = None) -> bytes:
        """Fetch the file and return its bytes as they were written.

        Args:
            sha256: SHA-256 as hex digits, such as a receipt's, that the bytes must have.
            max_bytes: Most bytes that it may have. Default: 2 GiB, and of a compressed file of more than 64 MiB, 1,000
                times the bytes that were received.

        Raises:
            DigestMismatchError: They have another.
            ReadError: It has more than `max_bytes`.
            SealedFileError: The file cannot be decrypted.
            APIError: It cannot be fetched.
        """
        limits = ReadLimits(max_bytes).or_else(self.limits)
        with closing(self._download(sha256, limits.of_file())) as download:
            return download.read()

    @explains_calls()
    def save(self, path: str | os.PathLike[str], *, sha256: str | None = None, max_bytes: int | None = None) -> Path:
        """Fetch the file and write its bytes to a file of yours, in bounded memory.

        It is there whole or not at all. Only you can read it, whatever could be done with a file that was there before.

        Args:
            path: Where to. A file that is there is replaced; a device or a pipe is written to.
            sha256: As for `read`; compared before anything is written.
            max_bytes: As for `read`. Default: 16 GiB, and what `read` says of compressed files.

        Returns:
            The path.

        Raises:
            InputError: It cannot be written there.
            DigimeError: As for `read`.
        """
        target = _target_of(path)
        limits = ReadLimits(max_bytes).or_else(self.limits)
        with closing(self._download(sha256, limits.of_file(in_pieces=True))) as download:
            put_file(target, download.content.pieces())
        return target

    @explains_calls()
    def to_frame(
        self,
        *,
        columns: Sequence[str] | None = None,
        limit: int | None = None,
        sha256: str | None = None,
        max_bytes: int | None = None,
        max_rows: int | None = None,
    ) -> pd.DataFrame:
        """Fetch the file and return it as a frame.

        Args:
            columns: Names of the wanted columns; the index is read in any case.
            limit: Most rows to return, from the first.
            sha256: As for `read`; compared before the frame is returned.
            max_bytes: As for `read`. Its values may take 8 times as many bytes while they are read, 2 GiB by default.
            max_rows: Most rows that it may have, beyond which there is an error. Default: 100 million. With a `limit`,
                only the rows count that it leaves.

        Returns:
            The frame. Dtypes and index are as they were where the format, or the schema written beside the file, stores
            them; for the files of other programs the dtypes are inferred.

        Raises:
            InputError: `columns` is no list of names, or another argument no number that it may be.
            FormatError: It is neither CSV, JSON, NDJSON nor Parquet by its name and media type.
            ReadError: Its bytes are not of that format, or it has more than may be read.
            DigimeError: As for `read`.
        """
        wanted, most = check_columns(columns), check_limit(limit)
        limits = ReadLimits(max_bytes, max_rows).or_else(self.limits)
        of_frame, found = limits.of_frame(), self._format()
        own, expected = self.write_id is not None, check_sha256(sha256)
        with (
            closing(self.fetch(limits.of_file(in_place=reads_in_place(found)))) as download,
            sha256_compared(self.name, download, expected),
        ):
            content = download.view()
            return parse(content, found, self.schema, columns=wanted, limit=most, own=own, limits=of_frame)

    @explains_calls()
    def read_batches(
        self,
        *,
        columns: Sequence[str] | None = None,
        batch_rows: int = BATCH_ROWS,
        sha256: str | None = None,
        max_bytes: int | None = None,
        max_rows: int | None = None,
    ) -> Iterator[pd.DataFrame]:
        """Fetch the file and yield it as frames of `batch_rows` rows, in bounded memory.

        The file is fetched whole, at the first frame, into an encrypted temporary file.

        Args:
            columns: As for `to_frame`.
            batch_rows: Rows of each frame; the last one may have fewer. A file without rows gives one empty frame.
            sha256: As for `read`; compared before the first frame.
            max_bytes: As for `save`. The values of each frame may take 8 times as many bytes while they are read, 2 GiB
                by default.
            max_rows: As for `to_frame`; frames may have been yielded before the error.

        Raises:
            DigimeError: As for `to_frame`.
        """
        wanted, rows = check_columns(columns), check_batch_rows(batch_rows)
        limits = ReadLimits(max_bytes, max_rows).or_else(self.limits)
        of_frame, found = limits.of_frame(), self._format()
        with closing(self._download(sha256, limits.of_file(in_pieces=True))) as download:
            stream = BufferedReader(download.content, _PIECE_BYTES)
            own = self.write_id is not None
            yield from parse_batches(
                stream, found, self.schema, columns=wanted, batch_rows=rows, own=own, limits=of_frame
            )

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
                f"{self.name!r} is {self.mime_type!r}, which is no table this package reads. Use .read() for its bytes."
            )
        return found

    def _download(self, sha256: str | None, limit: ByteLimit) -> Download:
        expected = check_sha256(sha256)
        download = self.fetch(limit)
        if expected is not None:
            try:
                compare_sha256(self.name, download.sha256, expected)
            except BaseException:
                download.close()
                raise
        return download


def library_file(
    file_id: str, updated_ms: float, metadata: Mapping[str, Any], fetch: Callable[[ByteLimit], Download]
) -> LibraryFile:
    """Make a LibraryFile of what the service says. Its names are lower case (observed): `mimetype`, `contractid`."""
    reference = _texts(metadata.get("reference"))
    accounts = metadata.get("accounts")
    contract_id, mime_type = metadata.get("contractid"), metadata.get("mimetype")
    return LibraryFile(
        name=reference[0] if reference else file_id,
        file_id=file_id,
        mime_type=_text(mime_type) if isinstance(mime_type, str) else "application/octet-stream",
        accounts=_texts(
            [item.get("accountid") for item in accounts if isinstance(item, Mapping)]
            if isinstance(accounts, list)
            else None
        ),
        reference=reference,
        tags=_texts(metadata.get("tags")),
        updated=datetime.fromtimestamp(updated_ms / 1000, UTC),
        contract_id=_text(contract_id) if isinstance(contract_id, str) else None,
        fetch=fetch,
    )


def _texts(values: object) -> tuple[str, ...]:
    if not isinstance(values, list | tuple):
        return ()
    return tuple(_text(value) for value in values if isinstance(value, str))


def _text(value: str) -> str:
    """Return a text in which lone surrogates, which JSON can have and no encoding takes, are written as escapes."""
    return value.encode("utf-8", "backslashreplace").decode()


def _target_of(path: object) -> Path:
    """Return where a file is to be written, if it can be a path; nothing was fetched for it yet.

    Raises:
        InputError: It cannot.
    """
    if not isinstance(path, str | os.PathLike) or "\0" in os.fsdecode(path) or not os.fsdecode(path):
        raise InputError(f"path is {in_words(path)}.", remedy="Pass the path of a file to write.")
    return Path(os.fsdecode(path))
