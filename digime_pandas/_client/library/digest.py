"""The SHA-256 that a file is expected to have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from digime_pandas._service.download import Download
from digime_pandas.errors import DigestMismatchError, InputError

_SHA256 = re.compile("[0-9a-f]{64}")


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


def compare_sha256(name: str, found: str, expected: str) -> None:
    """Compare the SHA-256 that a file has with the expected one.

    Raises:
        DigestMismatchError: They differ.
    """
    if found != expected:
        raise DigestMismatchError(
            f"{name!r} was read and its SHA-256 is not the expected one: the newest file of that name is "
            "another one, or it was damaged on its way.",
            remedy="Without sha256= the newest is read; client.files(account_id, name=...) lists all of that name.",
        ) from None


@contextmanager
def sha256_compared(name: str, download: Download, expected: str | None) -> Iterator[None]:
    """Compare the SHA-256 of a file while a ``with`` block does something with it.

    Raises:
        DigestMismatchError: It is not the expected one. This takes the place of an error in the block, which may come
            of what is different.
    """
    if expected is None:
        yield
        return
    found = download.begin_sha256()
    try:
        yield
    except Exception:
        compare_sha256(name, found(), expected)
        raise
    compare_sha256(name, found(), expected)
