"""Addresses to which the consent page may send a browser."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

# Matched as a whole: what is let through here ends up in a header of the consent page.
_LOOPBACK = re.compile(r"https?://(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?([/?][^\s#]*)?")


def is_registered(address: str, registered: str | None) -> bool:
    """Tell whether an address may be redirected to.

    Args:
        address: The address asked for.
        registered: The one that is registered on the contract, if any.

    Returns:
        True for the registered address itself, and for any address on this computer (http or https on loopback,
        whatever the port, path and query): a notebook's listener does not know its port in advance.
    """
    return address == registered or (_LOOPBACK.fullmatch(address) is not None and address.isprintable())


def add_parameters(address: str, parameters: Mapping[str, str]) -> str:
    """Add parameters to an address, whose own query stays as it is (digi.me API, SDK-observed)."""
    parts = urlsplit(address)
    query = "&".join(filter(None, (parts.query, urlencode(parameters, quote_via=quote))))
    return urlunsplit(parts._replace(query=query))


def origin_source(address: str) -> str:
    """Return the origin of an address as a source expression for a Content-Security-Policy.

    Chromium applies `form-action` to the redirect that follows a form too, so the page has to name its destination.
    """
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"}:
        return f"{parts.scheme}:"
    return f"{parts.scheme}://{parts.netloc}"
