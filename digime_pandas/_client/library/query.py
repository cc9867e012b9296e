"""Which files of a library are wanted, and the session's scope that asks the service for them alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from digime_pandas._client.library.file import LibraryFile
from digime_pandas._service.descriptor import WRITE_ID_PREFIX
from digime_pandas._service.messages import Scope
from digime_pandas.errors import InputError

# A file with one reference or tag only does not show that a service looks for one among several.
_SEVERAL = 2


@dataclass(frozen=True, slots=True)
class FileQuery:
    """What a file has to be to be wanted; made by `of`, which checks it.

    Attributes:
        name: Its name, or None for any.
        reference: References, all of which it carries.
        tags: Tags, all of which it carries.
        mime_type: Its media type, or None for any.
        since: When it was changed at the earliest, or None.
    """

    name: str | None = None
    reference: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    mime_type: str | None = None
    since: datetime | None = None

    @classmethod
    def of(
        cls,
        *,
        name: str | None = None,
        reference: str | Iterable[str] | None = None,
        tags: str | Iterable[str] | None = None,
        mime_type: str | None = None,
        since: datetime | None = None,
    ) -> FileQuery:
        """Check the arguments of `Client.files`.

        Raises:
            InputError: One is not of its type, or `since` has no time zone.
        """
        for argument, value in (("name", name), ("mime_type", mime_type)):
            if value is not None and not isinstance(value, str):
                raise InputError(f"{argument} is {value!r}; pass one str.")
        if since is not None and (not isinstance(since, datetime) or since.tzinfo is None):
            raise InputError(
                f"since is {since!r}; pass a datetime or Timestamp with a time zone, such as "
                "pd.Timestamp('2026-01-05', tz='UTC')."
            )
        return cls(name, _texts("reference", reference), _texts("tags", tags), mime_type, since)

    @property
    def scope(self) -> Scope | None:
        """The scope that asks for these files, and perhaps for more; None where all are wanted."""
        if self == FileQuery():
            return None
        since = None if self.since is None else int(self.since.timestamp() // 1)
        return Scope(self._reference, next(iter(self.tags), None), self.mime_type, since)

    def scope_for(self, file: LibraryFile) -> Scope | None:
        """Return a scope of the same members that asks for a file that is known to be there.

        Returns:
            None where the file cannot show that a service lists what such a scope asks for.
        """
        like = self.scope or Scope()
        for wanted, has in ((like.reference, file.reference), (like.tag, file.tags)):
            if wanted is not None and len(set(has)) < _SEVERAL:
                return None
        return Scope(
            reference=like.reference and file.reference[-1],
            tag=like.tag and file.tags[-1],
            mime_type=like.mime_type and file.mime_type,
            since=like.since,
        )

    def may_be(self, updated_ms: float) -> bool:
        """Tell whether a file that was changed at a time (Unix milliseconds) may be one of these."""
        # Compared in whole milliseconds, which is all that the service tells.
        return self.since is None or updated_ms >= self.since.timestamp() * 1000 // 1

    def matches(self, file: LibraryFile) -> bool:
        """Tell whether a file is one of these, but for the time of its change."""
        return (
            self.name in {None, file.name}
            and set(self.reference) <= set(file.reference)
            and set(self.tags) <= set(file.tags)
            and self.mime_type in {None, file.mime_type}
        )

    @property
    def _reference(self) -> str | None:
        """The one reference that the fewest other files carry."""
        write_ids = (text for text in self.reference if text.startswith(WRITE_ID_PREFIX))
        return next(write_ids, None) or self.name or next(iter(self.reference), None)


def _texts(argument: str, values: str | Iterable[str] | None) -> tuple[str, ...]:
    if values is None or isinstance(values, str):
        return () if values is None else (values,)
    texts = tuple(values) if isinstance(values, Iterable) else (values,)
    if not all(isinstance(text, str) for text in texts):
        raise InputError(f"{argument} is {values!r}; pass one str or several.")
    return texts
