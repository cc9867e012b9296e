"""How files are found in people's libraries: session, list, description of each file, newest first.

A library may hold many thousands of files, and the description of each is a request. So the session is asked for the
wanted files alone. What a service makes of that is inferred: it may list more files, refuse, or, worst, list fewer.
What it lists is compared again; where it lists none, it is found out whether it can be believed.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from contextvars import copy_context
from dataclasses import dataclass, fields, replace
from functools import partial
from http import HTTPStatus
from itertools import islice

from digime_pandas._client.library.cache import BoundedCache
from digime_pandas._client.library.file import LibraryFile, library_file
from digime_pandas._client.library.query import FileQuery
from digime_pandas._client.library.session import Session
from digime_pandas._service.authorization import Authorization
from digime_pandas._service.contract import Contract
from digime_pandas._service.crypto.envelope import most_plain_bytes
from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.messages import FileMetadata, Scope
from digime_pandas._service.oauth.authorizations import ContractAuthorizations
from digime_pandas._service.received.decompression import is_compressed
from digime_pandas._service.streams import closing_iterator, run_in_order
from digime_pandas.errors import DigimeWarning, FileNotInLibraryError, RefusedError, ReplyError, warn

_PARALLEL = 8
_SESSIONS = 256
_WRITTEN = 16_384
_DESCRIPTIONS = 16_384  # of a KiB or two each
_PROBES = 8  # newest files that show whether the service lists what a scope asks for, and what else there is


class Libraries:
    """Finds files in the libraries of all people who let one contract read. Threads may share one.

    Sessions and descriptions are kept by the access token they were asked for with, and so never used for another
    person.

    Args:
        now: Clock, Unix seconds.
        clock: Monotonic clock, in seconds.
        sleep: Waits so many seconds.

    Attributes:
        written: Contract and references of the files written last by this client, with their rows and sizes in bytes.
        last_write: Another object after each write, which sessions that were begun before it may not list.
        takes_scopes: False once the service refused a scope, or listed fewer files for one than there are.
    """

    def __init__(
        self,
        *,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._begin = partial(Session, now=now, clock=clock, sleep=sleep)
        self._sessions: BoundedCache[tuple[Secret[str], Scope | None], tuple[object, Session]] = BoundedCache(_SESSIONS)
        self._descriptions: BoundedCache[tuple[Secret[str], str, float], FileMetadata] = BoundedCache(_DESCRIPTIONS)
        self.written: deque[tuple[tuple[str | None, tuple[str, ...]], tuple[int | None, int]]] = deque(maxlen=_WRITTEN)
        self.last_write = object()
        self._believed: set[frozenset[str]] = {frozenset()}  # what is asked for without a scope
        self.takes_scopes = True

    def of(self, consents: ContractAuthorizations, authorization: Authorization) -> PersonLibrary:
        """Return one person's library.

        Args:
            consents: The read contract's.
            authorization: The person's, for reading.
        """
        return PersonLibrary(self, consents, authorization)

    def with_facts(self, files: Sequence[LibraryFile]) -> list[LibraryFile]:
        """Return files with the rows and sizes of those that were written here, of each the latest."""
        known = dict(self.written)
        facts = (known.get((file.contract_id, file.reference)) if file.write_id else None for file in files)
        return [
            file if written is None else replace(file, rows=written[0], size=written[1], size_is_exact=True)
            for file, written in zip(files, facts, strict=True)
        ]

    def sessions(self, person: PersonLibrary, scope: Scope | None) -> Iterator[Session]:
        """Yield the session that is kept, where it is still current, and then a new one."""
        last_write, kept = self._sessions.get((person.token, scope)) or (None, None)
        if kept is not None and last_write is self.last_write and kept.is_current():
            yield kept
        yield self.new_session(person, scope)

    def new_session(self, person: PersonLibrary, scope: Scope | None) -> Session:
        """Begin a session, which is kept."""
        last_write = self.last_write
        begun = self._begin(person.consents, person.authorization, scope)
        self._sessions.put((person.token, scope), (last_write, begun))
        return begun

    def scope_of(self, query: FileQuery) -> Scope | None:
        """Return the scope to ask with; None where all files are wanted or the service refuses scopes."""
        return query.scope if self.takes_scopes else None

    def give_up_scopes(self) -> None:
        """Ask without scopes from now on: the service refuses them, or lists fewer files than there are."""
        self.takes_scopes = False

    def believes(self, scope: Scope | None) -> bool:
        """Tell whether the service was seen to list what scopes with the same members ask for."""
        return _members(scope) in self._believed

    def believe(self, scope: Scope | None) -> None:
        """Note that the service listed what a scope asked for."""
        self._believed.add(_members(scope))

    def describe(self, token: Secret[str], session: Session, file_id: str, updated_ms: float) -> FileMetadata:
        """Return the metadata of a file, which is asked for once as long as the file does not change."""
        key = token, file_id, updated_ms
        known = self._descriptions.get(key)
        if known is None:
            known = session.describe(file_id)
            if updated_ms:  # else a change would not be noticed
                self._descriptions.put(key, known)
        return known


@dataclass(frozen=True, slots=True)
class _View:
    """What one session lists.

    Attributes:
        session: The session.
        files: Ids and times of the last change (Unix milliseconds), newest first.
    """

    session: Session
    files: Sequence[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class PersonLibrary:
    """The library of one person; made by `Libraries.of`.

    Attributes:
        libraries: What is kept between calls.
        consents: The read contract's.
        authorization: The person's, for reading.
    """

    libraries: Libraries
    consents: ContractAuthorizations
    authorization: Authorization

    @property
    def token(self) -> Secret[str]:
        """The access token, by which what belongs to this person is kept."""
        return self.authorization.user_access_token.access_token.secret

    def files(self, query: FileQuery, timeout: float) -> list[LibraryFile]:
        """Return the wanted files, newest first, each write once.

        Args:
            query: Which files.
            timeout: Seconds the service may take to collect the files of a session.

        Raises:
            ReadError: The service did not finish collecting in time.

        Warns:
            DigimeWarning: The service's reply about a file is not valid; the file is left out.
        """
        return self.libraries.with_facts(_drop_repeated_writes(self._search(query, timeout)))

    def newest(self, query: FileQuery, preferred: Contract, timeout: float) -> LibraryFile | None:
        """Return the newest of the wanted files, without looking at more files than that takes.

        Args:
            query: Which files.
            preferred: The contract whose files come before those of others, however old they are.
            timeout: As for `files`.

        Returns:
            The file, or None.
        """
        others: LibraryFile | None = None
        with closing(self._search(query, timeout)) as found:
            for file in found:
                if file.contract_id == preferred.contract_id:
                    return file
                others = others or file
        return others

    def newest_names(self, timeout: float) -> list[str]:
        """Return the names of the newest files, a few, to be compared with one that is not there.

        Args:
            timeout: As for `files`.
        """
        view = self._view(next(self.libraries.sessions(self, None)), FileQuery(), timeout)
        with closing(self._described(replace(view, files=view.files[:_PROBES]))) as newest:
            return [file.name for file in newest]

    def _search(self, query: FileQuery, timeout: float) -> Generator[LibraryFile, None, None]:
        """Yield the wanted files, newest first, from the first session that lists any."""
        scope = self.libraries.scope_of(query)
        for session in self._sessions(scope):
            found = self._matching(self._view(session, query, timeout), query)
            first = next(found, None)
            if first is not None:
                self.libraries.believe(scope)
                yield first
                yield from found
                return
        if self.libraries.takes_scopes and not self.libraries.believes(scope):
            yield from self._search_everywhere(query, timeout)

    def _search_everywhere(self, query: FileQuery, timeout: float) -> Iterator[LibraryFile]:
        """Yield the wanted files where a scope listed none; none where the service is found to be right."""
        view = self._view(self.libraries.new_session(self, None), query, timeout)
        if self._shows_that_scopes_work(view, query, timeout):
            return
        for file in self._matching(view, query):
            self.libraries.give_up_scopes()
            yield file

    def _shows_that_scopes_work(self, view: _View, query: FileQuery, timeout: float) -> bool:
        """Ask for a file that is there with a scope of the same members; tell whether the service lists it."""
        with closing(self._described(replace(view, files=view.files[:_PROBES]))) as newest:
            probes = ((file, query.scope_for(file)) for file in newest)
            file, scope = next((each for each in probes if each[1] is not None), (None, None))
        if file is None:
            return False
        works = file.file_id in self.libraries.new_session(self, scope).wait_for_listing(timeout).files
        if works:
            self.libraries.believe(scope)
        return works

    def _sessions(self, scope: Scope | None) -> Iterator[Session]:
        try:
            yield from self.libraries.sessions(self, scope)
        except RefusedError as error:
            if scope is None or error.status != HTTPStatus.BAD_REQUEST:
                raise
        else:
            return
        session = self.libraries.new_session(self, None)
        self.libraries.give_up_scopes()
        yield session

    def _view(self, session: Session, query: FileQuery, timeout: float) -> _View:
        listed = session.wait_for_listing(timeout).files.items()
        files = [(file_id, updated_ms) for file_id, updated_ms in listed if query.may_be(updated_ms)]
        return _View(session, sorted(files, key=lambda file: file[::-1], reverse=True))

    def _matching(self, view: _View, query: FileQuery) -> Iterator[LibraryFile]:
        return (file for file in self._described(view) if query.matches(file))

    def _described(self, view: _View) -> Generator[LibraryFile, None, None]:
        """Yield the files of a view with what the service says of them. The first one is asked for alone."""
        # With the deadline of this call, which threads of their own do not have.
        tasks = (partial(copy_context().run, partial(self._describe, view.session, *file)) for file in view.files)
        yield from _usable(task() for task in islice(tasks, 1))
        yield from _usable(run_in_order(tasks, workers=_PARALLEL))

    def _describe(self, session: Session, file_id: str, updated_ms: float) -> LibraryFile | ReplyError | None:
        try:
            metadata = self.libraries.describe(self.token, session, file_id, updated_ms)
        except FileNotInLibraryError:
            return None
        except ReplyError as error:
            return error
        file = library_file(file_id, updated_ms, metadata.metadata, partial(session.fetch, file_id))
        if metadata.stored_size is None or is_compressed(metadata.compression):
            return file
        return replace(file, size=most_plain_bytes(metadata.stored_size))


def _usable(described: Iterator[LibraryFile | ReplyError | None]) -> Iterator[LibraryFile]:
    with closing_iterator(described) as replies:
        for reply in replies:
            if isinstance(reply, LibraryFile):
                yield reply
            elif reply is not None:
                warn(f"A file is left out of the list: {reply}", DigimeWarning)


def _members(scope: Scope | None) -> frozenset[str]:
    return frozenset(each.name for each in fields(Scope) if scope and getattr(scope, each.name) is not None)


def _drop_repeated_writes(files: Iterable[LibraryFile]) -> list[LibraryFile]:
    # By contract too: another contract's program can read a write id and give it to another file.
    kept: dict[tuple[str | None, str], LibraryFile] = {}
    for file in files:
        kept.setdefault((file.contract_id, file.write_id or file.file_id), file)
    return list(kept.values())
