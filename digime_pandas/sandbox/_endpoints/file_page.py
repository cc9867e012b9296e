"""The page of one file, which shows how its content begins."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from digime_pandas.sandbox._endpoints.contents import beginning_of
from digime_pandas.sandbox._endpoints.pages import PageEndpoint
from digime_pandas.sandbox._endpoints.worker_threads import in_worker_thread


class FilePage(PageEndpoint):
    """Shows a file under an address that cannot be guessed, and that the root page leads to."""

    async def show(self, request: Request) -> Response:
        """Answer ``GET /files/{file_id}``."""
        file = self._context.library.file_of_anyone(request.path_params["file_id"])
        if file is None:
            page = {"title": "This file is not here", "advice": "It was removed, or the sandbox was started anew."}
            return self._pages.render("error.html", page, status=404)
        beginning = await in_worker_thread(beginning_of, file)
        return self._pages.render("file.html", {"file": file, "beginning": beginning})
