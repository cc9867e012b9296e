"""Reading back: one person's library through a session of the read contract."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

from digime_pandas._authorization import Authorization
from digime_pandas._consents import Consents
from digime_pandas._library import LibraryFile, described
from digime_pandas._opening import Opening
from digime_pandas._secret import Secret
from digime_pandas._wire import FileList
from digime_pandas.errors import ReadError, RefusedError, ReplyError

_FINAL_STATES = {"partial", "completed"}
_FIRST_LOOK, _LONGEST_LOOK = 0.1, 3.0  # seconds; the Node SDK looks every 3
_PARALLEL = 8
_SESSION_CODES = {"SessionInvalid", "SessionUsed", "SessionExpired", "InvalidSession"}


class _NotReadyError(ReadError):
    """The session is still collecting."""


def list_library(consents: Consents, authorization: Authorization, *, timeout: float) -> list[LibraryFile]:
    """Return the files of one person's library, newest first, each write once.

    Args:
        consents: The read contract's.
        authorization: The person's, for reading.
        timeout: Seconds the service may take to collect the files.

    Raises:
        ReadError: The service did not finish collecting in time.
    """
    session = consents.use(authorization, consents.api.trigger)
    listing = _collected(consents, authorization, session, timeout)
    with ThreadPoolExecutor(min(_PARALLEL, max(1, len(listing.files)))) as threads:
        found = list(
            threads.map(lambda item: _describe(consents, authorization, session, *item), listing.files.items())
        )
    files = [file for file in found if file is not None]
    return _each_write_once(sorted(files, key=lambda file: (file.updated, file.file_id), reverse=True))


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


def _collected(consents: Consents, authorization: Authorization, session: Secret[str], timeout: float) -> FileList:
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
    consents: Consents, authorization: Authorization, session: Secret[str], file_id: str, updated_ms: float
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
    return described(file_id, updated_ms, found.metadata, lambda: _fetch(consents, authorization, session, file_id))


def _fetch(consents: Consents, authorization: Authorization, session: Secret[str], file_id: str) -> Opening:
    def read(key: Secret[str]) -> Opening:
        return consents.use(authorization, lambda token: consents.api.read_file(key, file_id, token))

    try:
        return read(session)
    except RefusedError as error:
        if error.code not in _SESSION_CODES:
            raise
        # Sessions end; the file does not.
        return read(consents.use(authorization, consents.api.trigger))


def _each_write_once(files: Sequence[LibraryFile]) -> list[LibraryFile]:
    # By contract too: a write id can be read by whoever reads the library, and given to another file.
    kept: dict[tuple[str | None, str], LibraryFile] = {}
    for file in files:
        kept.setdefault((file.contract_id, file.write_id or file.file_id), file)
    return list(kept.values())
