"""The root page, which shows the people of the sandbox and their files."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from digime_pandas.sandbox._endpoints.pages import PageEndpoint

_PEOPLE_SHOWN = 50
_FILES_SHOWN = 20  # per person


class RootPage(PageEndpoint):
    """Shows who is there, and what their libraries hold: names and sizes, not contents."""

    async def show(self, request: Request) -> Response:  # noqa: ARG002 - the signature of an endpoint
        """Answer ``GET /``: the people added last, each with their newest files."""
        library = self._context.library
        people, files = library.count()
        shown = [(each, library.newest_files(each.user_id, _FILES_SHOWN)) for each in library.people(_PEOPLE_SHOWN)]
        contracts = [(each.contract, each.access) for each in self._context.registrations.values()]
        return self._pages.render(
            "root.html", {"people": people, "files": files, "shown": shown, "contracts": contracts}
        )
