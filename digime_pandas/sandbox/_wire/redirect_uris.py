"""Redirect URIs: which of them the consent page may redirect a browser to, and how parameters are added."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from digime_pandas.errors import ConfigurationError

# Matched as a whole: an accepted address becomes part of a header of the consent page.
_LOOPBACK = re.compile(r"https?://(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?([/?][^\s#]*)?")
# Schemes are free, since phone applications have their own (digime-ca://callback, SDK-observed).
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!$-;=?-Z_a-z~\[\]]+")
# Of http and https. It becomes part of a header, too.
_HOST_AND_PORT = re.compile(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?")


def is_registered(address: str, registered: Collection[str]) -> bool:
    """Tell whether an address may be redirected to.

    Args:
        address: The requested address.
        registered: The addresses that are registered.

    Returns:
        True for each registered address itself, compared as text (the vendor documents no other rule), and for every
        http or https address on loopback with any port, path and query: the port of a notebook's listener is not known
        in advance.
    """
    return address in registered or (_LOOPBACK.fullmatch(address) is not None and address.isprintable())


def check_redirects(redirects: Iterable[str]) -> frozenset[str]:
    """Return the addresses to register beside those of the contracts.

    Raises:
        ConfigurationError: It is no list, or one of them is no absolute address of printable ASCII without a fragment.
    """
    if isinstance(redirects, str | bytes) or not isinstance(redirects, Iterable):
        raise ConfigurationError(f"redirects is {redirects!r}; pass a list of addresses.")
    addresses = list(redirects)
    for address in addresses:
        if not isinstance(address, str) or not _ABSOLUTE.fullmatch(address) or not _has_host(address):
            raise ConfigurationError(
                f"redirects holds {address!r}; pass absolute addresses such as 'https://app.example.test/callback', "
                "percent-encoded and without a fragment (#)."
            )
    return frozenset(addresses)


def _has_host(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:  # of an IPv6 address
        return False
    return parts.scheme not in {"http", "https"} or _HOST_AND_PORT.fullmatch(parts.netloc) is not None


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
