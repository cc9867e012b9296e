"""How pages are made of templates, and sent so that they can do nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from digime_pandas.sandbox._context import SandboxContext
from digime_pandas.sandbox._wire.redirect_uris import origin_source


class Pages:
    """Makes pages.

    Args:
        random_bytes: Returns the given number of random bytes, for the nonce of each page's styles.
    """

    def __init__(self, random_bytes: Callable[[int], bytes]) -> None:
        self._random_bytes = random_bytes
        self._templates = Environment(
            loader=PackageLoader("digime_pandas.sandbox"), autoescape=True, undefined=StrictUndefined
        )

    def render(
        self, template: str, page: Mapping[str, Any], *, status: int = 200, destinations: Iterable[str] = ()
    ) -> Response:
        """Return a page.

        Args:
            template: Its template's file name.
            page: What the template shows.
            status: HTTP status of the reply.
            destinations: Addresses that a form of the page may lead to.
        """
        nonce = self._random_bytes(16).hex()
        form_action = " ".join(dict.fromkeys(["'self'", *map(origin_source, destinations)]))
        policy = (
            f"default-src 'none'; style-src 'nonce-{nonce}'; form-action {form_action}; "
            "img-src data:; base-uri 'none'; frame-ancestors 'none'"
        )
        content = self._templates.get_template(template).render(page, nonce=nonce)
        headers = {
            "Cache-Control": "no-store",
            "Content-Security-Policy": policy,
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
        }
        return HTMLResponse(content, status, headers)


class PageEndpoint:
    """An endpoint that answers with pages.

    Args:
        context: What all endpoints share.
        pages: Makes the pages.
    """

    def __init__(self, context: SandboxContext, pages: Pages) -> None:
        self._context = context
        self._pages = pages
