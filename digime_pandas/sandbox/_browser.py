"""Submits the consent form over HTTP, as a browser does."""

from __future__ import annotations

import http.client
from html.parser import HTMLParser
from typing import Literal
from urllib.parse import urlencode, urlsplit

from digime_pandas.errors import AuthorizationError, InputError

_TIMEOUT = 10.0  # seconds


def submit_consent_form(
    url: str, decision: Literal["approve", "refuse"], *, origin: str, account_id: str | None = None
) -> str:
    """Load a consent page and submit its form.

    Args:
        url: Address of the page.
        decision: Value of the submit button.
        origin: Scheme, host and port that the page must have.
        account_id: The account that consent is for; None: it is not said.

    Returns:
        The address that the response redirects to, which is not requested.

    Raises:
        InputError: The address is not on `origin`.
        AuthorizationError: The page rejects the link.
    """
    parts = urlsplit(url)
    if f"{parts.scheme}://{parts.netloc}" != origin:
        raise InputError(f"url is not on this sandbox ({origin}). Pass the `url` of a flow that was begun with it.")
    connection = http.client.HTTPConnection(parts.netloc, timeout=_TIMEOUT)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}")
        page = _read_response(connection, 200)
        form = _Form()
        form.feed(page)
        fields = [*form.fields, ("decision", decision)]
        fields += [] if account_id is None else [("account", account_id)]
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", form.action or parts.path, urlencode(fields), headers)
        return _read_response(connection, 303)
    finally:
        connection.close()


def _read_response(connection: http.client.HTTPConnection, expected: int) -> str:
    """Return the address that the response redirects to, else its page."""
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
    """Collects what a browser would submit: the form's address, hidden fields and checked options."""

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
