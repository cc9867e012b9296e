"""The base address of a service, as a caller gives it."""

from __future__ import annotations

from urllib.parse import urlsplit

from digime_pandas._service.http.environment import is_loopback_url
from digime_pandas._service.http.lines import is_url
from digime_pandas.errors import ConfigurationError


def check_base_url(name: str, url: object) -> str:
    """Return a base address with its trailing slash.

    Raises:
        ConfigurationError: It is not absolute, or is plain HTTP to another machine: tokens could be read.
    """
    if not isinstance(url, str):
        raise ConfigurationError(f"{name} is a {type(url).__name__}; pass an absolute address.")
    url = url.strip()
    if "@" in url:
        raise ConfigurationError(f"{name} holds an '@'; leave user information out (and write %40 for one in a path).")
    if not is_url(url):
        raise ConfigurationError(f"{name} is {url!r}, which is no address that can be used.")
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ConfigurationError(f"{name} is {url!r}; pass an absolute address such as 'https://api.digi.me/v1.7/'.")
    if parts.scheme == "http" and not is_loopback_url(url):
        raise ConfigurationError(f"{name} is plain http to another machine ({parts.hostname}); use https.")
    return parts.geturl().rstrip("/") + "/"
