"""A file in a person's library, and how its blob becomes bytes."""

from __future__ import annotations

import gzip
import hmac
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha512
from typing import TYPE_CHECKING, Any

import brotli
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from digime_pandas._envelope import open_blob
from digime_pandas._formats import format_of
from digime_pandas._parse import parse
from digime_pandas._receipt import SCHEMA_PREFIX, WRITE_ID_PREFIX
from digime_pandas._wire import StoredFile
from digime_pandas.errors import FormatError, SealedFileError

if TYPE_CHECKING:
    import pandas as pd

_SHA512_BYTES = 64


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
    """

    name: str
    file_id: str
    mime_type: str
    accounts: tuple[str, ...]
    reference: tuple[str, ...]
    tags: tuple[str, ...]
    updated: datetime
    fetch: Callable[[], bytes] = field(repr=False, compare=False)

    @property
    def write_id(self) -> str | None:
        """The ``urn:uuid:…`` of the write it came from; two files with the same one are one write, repeated."""
        return next((text for text in self.reference if text.startswith(WRITE_ID_PREFIX)), None)

    @property
    def schema(self) -> str | None:
        """The schema written beside a CSV or JSON file, which makes its frame come back typed, or None."""
        found = (text for text in self.reference if text.startswith(SCHEMA_PREFIX))
        return next((text.removeprefix(SCHEMA_PREFIX) for text in found), None)

    def read(self) -> bytes:
        """Fetch the file and return its bytes as they were written.

        Raises:
            SealedFileError: It does not open.
            APIError: It cannot be fetched.
        """
        return self.fetch()

    def to_frame(self, **options: Any) -> pd.DataFrame:
        """Fetch the file and return it as a frame.

        Args:
            options: As for `read_frame`, such as ``columns=`` and ``limit=``.

        Returns:
            The frame. Dtypes and index come back as they were where the format, or the schema written beside the
            file, says them; a file of others is read by plain rules.

        Raises:
            FormatError: It is neither CSV, JSON, NDJSON nor Parquet by its name and media type.
        """
        return self.parse(self.read(), **options)

    def parse(self, content: bytes, **options: Any) -> pd.DataFrame:
        """Return the file's bytes, fetched before, as a frame; see `to_frame`."""
        found = format_of(self.name, self.mime_type)
        if found is None:
            raise FormatError(
                f"{self.name!r} is {self.mime_type}, which is no table this package reads. Use .read() for its bytes."
            )
        return parse(content, found, self.schema, **options)


def described(file_id: str, updated_ms: float, metadata: Mapping[str, Any], fetch: Callable[[], bytes]) -> LibraryFile:
    """Make a LibraryFile of what the service says. Its names are lower case (observed): `mimetype`, `accountid`."""
    reference = _texts(metadata.get("reference"))
    accounts = metadata.get("accounts")
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
        fetch=fetch,
    )


def open_stored(stored: StoredFile, private_key: RSAPrivateKey, *, hashed: bool) -> bytes:
    """Decrypt and decompress a file.

    Args:
        stored: As the service returned it.
        private_key: The read contract's key.
        hashed: Whether the plain bytes begin with the SHA-512 of the rest, as they do on API v1.6 (observed).

    Raises:
        SealedFileError: It does not open.
    """
    plain = open_blob(stored.blob, private_key)
    if hashed:
        digest, plain = plain[:_SHA512_BYTES], plain[_SHA512_BYTES:]
        if not hmac.compare_digest(digest, sha512(plain).digest()):
            raise SealedFileError("The sealed file opens, but its SHA-512 differs: it was damaged.")
    if stored.compression == "gzip":
        return _gunzip(plain)
    if stored.compression == "brotli":
        return _unbrotli(plain)
    return plain


def _gunzip(data: bytes) -> bytes:
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        raise SealedFileError("The sealed file opens, but is not valid gzip.") from None


def _unbrotli(data: bytes) -> bytes:
    try:
        return bytes(brotli.decompress(data))
    except brotli.error:
        raise SealedFileError("The sealed file opens, but is not valid Brotli.") from None


def _texts(values: object) -> tuple[str, ...]:
    return tuple(value for value in values if isinstance(value, str)) if isinstance(values, list | tuple) else ()
