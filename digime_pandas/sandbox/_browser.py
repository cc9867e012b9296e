"""A stand-in for the person at the browser: opens the consent page and presses a button."""

from __future__ import annotations

import http.client
from html.parser import HTMLParser
from typing import Literal
from urllib.parse import urlencode, urlsplit

from digime_pandas.errors import AuthorizationError, InputError

_TIMEOUT = 10.0


def submit_consent_form(url: str, decision: Literal["approve", "refuse"], *, origin: str) -> str:
    """Open a consent page and press one of its buttons.

    Args:
        url: Address of the page.
        decision: Which button.
        origin: Scheme, host and port that the page must be on.

    Returns:
        The address that the browser is sent to. It is not visited.

    Raises:
        InputError: The address is not on `origin`.
        AuthorizationError: The page says that the link cannot be used.
    """
    parts = urlsplit(url)
    if f"{parts.scheme}://{parts.netloc}" != origin:
        raise InputError(f"url is not on this sandbox ({origin}). Pass the `url` of a flow that was begun with it.")
    connection = http.client.HTTPConnection(parts.netloc, timeout=_TIMEOUT)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}")
        page = _answer(connection, 200)
        form = _Form()
        form.feed(page)
        fields = [*form.fields, ("decision", decision)]
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", form.action or parts.path, urlencode(fields), headers)
        return _answer(connection, 303)
    finally:
        connection.close()


def _answer(connection: http.client.HTTPConnection, expected: int) -> str:
    """Return the page, or the address that it redirects to."""
    response = connection.getresponse()
    page = response.read().decode()
    if response.status != expected:
        form = _Form()
        form.feed(page)
        raise AuthorizationError(
            f"The consent page answered {response.status}: {form.title}. Begin a new authorization."
        )
    return response.getheader("Location", page)


class _Form(HTMLParser):
    """Finds what a browser would submit: the form's address, its hidden fields and checked choices."""

    def __init__(self) -> None:
        super().__init__()
        self.action = ""
        self.fields: list[tuple[str, str]] = []
        self.title = ""
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self._in_title = tag == "h1"
        if tag == "form":
            self.action = attributes.get("action") or ""
        if tag == "input" and (attributes.get("type") == "hidden" or "checked" in attributes):
            self.fields.append((attributes.get("name") or "", attributes.get("value") or ""))

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data.strip()

    def handle_endtag(self, tag: str) -> None:
        if tag == "h1":
            self._in_title = False
