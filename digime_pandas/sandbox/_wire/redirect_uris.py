"""Redirect URIs: which of them the consent page may redirect a browser to, and how parameters are added."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

# Matched as a whole: an accepted address becomes part of a header of the consent page.
_LOOPBACK = re.compile(r"https?://(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?([/?][^\s#]*)?")


def is_registered(address: str, registered: str | None) -> bool:
    """Tell whether an address may be redirected to.

    Args:
        address: The requested address.
        registered: The address registered on the contract; None: there is none.

    Returns:
        True for the registered address itself, and for every http or https address on loopback with any port, path and
        query: the port of a notebook's listener is not known in advance.
    """
    return address == registered or (_LOOPBACK.fullmatch(address) is not None and address.isprintable())


def add_parameters(address: str, parameters: Mapping[str, str]) -> str:
    """Add query parameters to an address; its existing query is kept unchanged (digi.me API, SDK-observed)."""
    parts = urlsplit(address)
    query = "&".join(filter(None, (parts.query, urlencode(parameters, quote_via=quote))))
    return urlunsplit(parts._replace(query=query))


def origin_source(address: str) -> str:
    """Return the origin of an address as a source expression for a Content-Security-Policy.

    Chromium applies `form-action` to the redirect after a form too, so the page has to allow its destination.
    """
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"}:
        return f"{parts.scheme}:"
    return f"{parts.scheme}://{parts.netloc}"
