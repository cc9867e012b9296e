"""A session at the service, in which one person's files are listed and fetched."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import NoReturn, TypeVar

from digime_pandas._service.authorization import Authorization
from digime_pandas._service.download import Download
from digime_pandas._service.endpoints import Endpoints
from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.messages import FileListing, FileMetadata, ReadingSession, Scope
from digime_pandas._service.oauth.authorizations import ContractAuthorizations
from digime_pandas._service.received.byte_limit import ByteLimit
from digime_pandas.errors import FileNotInLibraryError, ReadError, RefusedError, SecretError

T = TypeVar("T")
InSession = Callable[[Endpoints, Secret[str], Secret[str]], T]

_FINAL_STATES = {"partial", "completed"}
_FIRST_WAIT, _LONGEST_WAIT = 0.1, 3.0  # seconds between two requests for the list; the Node SDK always waits 3
_SESSION_CODES = {"SessionInvalid", "SessionUsed", "SessionExpired", "InvalidSession"}
# Seconds. Whether the list of a session goes on with what is written after it was complete is not known.
_LIST_STAYS_CURRENT = 60.0
_log = logging.getLogger("digime_pandas")


class Session:
    """A session of one person, which is begun anew when the service says that it has ended.

    Threads may share one. The files of a list can be fetched for as long as the session object lives.

    Args:
        consents: The read contract's.
        authorization: The person's, for reading.
        scope: Which files it lists; None: all.
        now: Clock, Unix seconds.
        clock: Monotonic clock, in seconds.
        sleep: Waits so many seconds.
    """

    def __init__(
        self,
        consents: ContractAuthorizations,
        authorization: Authorization,
        scope: Scope | None,
        now: Callable[[], float],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._consents = consents
        self._authorization = authorization
        self._scope = scope
        self._now = now
        self._clock = clock
        self._sleep = sleep
        self._current = self._begin()

    def is_current(self) -> bool:
        """Tell whether the session has not ended, and what it lists now is taken for what the library holds now."""
        expires = self._current.expires
        is_recent = 0 <= self._now() - self._begun < _LIST_STAYS_CURRENT
        return is_recent and (expires is None or self._now() < expires)

    def wait_for_listing(self, timeout: float) -> FileListing:
        """Return the list of files once the service has collected them.

        Args:
            timeout: Seconds the service may take.

        Raises:
            ReadError: The service did not finish in time.
        """
        end, wait = self._clock() + timeout, _FIRST_WAIT
        with self._consents.api.one_deadline() as deadline:
            while True:
                listing = self._call(lambda api, key, token: api.list_files(key, token))
                if listing.state in _FINAL_STATES:
                    return listing
                left = min(end - self._clock(), deadline.left())
                if left <= 0:
                    raise ReadError(
                        f"The library was not ready within {timeout:g} seconds (state {listing.state}).",
                        remedy="Try again, or pass a longer timeout=.",
                    )
                _log.info("The library is not ready (%s): asked again in %.1f seconds.", listing.state, wait)
                self._sleep(min(wait, left))
                wait = min(2 * wait, _LONGEST_WAIT)

    def describe(self, file_id: str) -> FileMetadata:
        """Return what the service says of a file.

        Raises:
            FileNotInLibraryError: It was deleted since it was listed.
            ReplyError: What the service says is not valid.
        """
        try:
            return self._call(lambda api, key, token: api.describe_file(key, file_id, token))
        except RefusedError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            raise FileNotInLibraryError(f"There is no file {file_id!r} any more.") from error

    def fetch(self, file_id: str, limit: ByteLimit = ByteLimit()) -> Download:  # noqa: B008 - a constant
        """Fetch a file and decrypt it; `limit` is how many bytes it may have."""
        return self._call(lambda api, key, token: api.read_file(key, file_id, token, limit))

    def __reduce__(self) -> NoReturn:
        raise SecretError("A reading session holds tokens and is not pickled.")

    def _begin(self) -> ReadingSession:
        self._begun = self._now()
        return self._with_token(lambda token: self._consents.api.trigger(token, self._scope))

    def _call(self, call: InSession[T]) -> T:
        used = self._current
        with self._consents.api.one_deadline():
            try:
                return self._with_token(lambda token: call(self._consents.api, used.key, token))
            except RefusedError as error:
                if error.code not in _SESSION_CODES:
                    raise
            if self._current is used:  # else another thread has begun one meanwhile
                self._current = self._begin()
            return self._with_token(lambda token: call(self._consents.api, self._current.key, token))

    def _with_token(self, call: Callable[[Secret[str]], T]) -> T:
        return self._consents.call_with_token(self._authorization, call)
