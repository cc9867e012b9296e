"""The root page, which shows the people of the sandbox and their files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from digime_pandas.sandbox._context import Registration
from digime_pandas.sandbox._endpoints.pages import PageEndpoint

_PEOPLE_SHOWN = 50
_FILES_SHOWN = 20  # per person


@dataclass(frozen=True, slots=True)
class Consent:
    """What a person consented to.

    Attributes:
        registration: The contract; None: one that is no longer registered.
        until: When it ends if it is not used (UTC).
        ended: Whether it has ended.
    """

    registration: Registration | None
    until: datetime
    ended: bool


class RootPage(PageEndpoint):
    """Shows who is there, what they consented to, and what their libraries hold; contents are on pages of their own."""

    async def show(self, request: Request) -> Response:  # noqa: ARG002 - the signature of an endpoint
        """Answer ``GET /``: the people added last, each with their consents and newest files."""
        library = self._context.library
        people, files = library.count()
        shown = [
            (each, self._consents_of(each.user_id), library.newest_files(each.user_id, _FILES_SHOWN))
            for each in library.people(_PEOPLE_SHOWN)
        ]
        contracts = [(each.contract, each.access) for each in self._context.registrations.values()]
        return self._pages.render(
            "root.html", {"people": people, "files": files, "shown": shown, "contracts": contracts}
        )

    def _consents_of(self, user_id: str) -> list[Consent]:
        now = self._context.now()
        return [
            Consent(self._context.registrations.get(client_id), datetime.fromtimestamp(until, UTC), until <= now)
            for client_id, until in self._context.authorizations.consents_of(user_id).items()
        ]
