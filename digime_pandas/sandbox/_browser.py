"""The address of a sandbox, and what a person does there: submits the consent form over HTTP, as a browser does."""

from __future__ import annotations

import http.client
from abc import ABC, abstractmethod
from html.parser import HTMLParser
from typing import Literal
from urllib.parse import urlencode, urlsplit

from digime_pandas._service.contract import Contract
from digime_pandas._service.descriptor import check_accounts
from digime_pandas.errors import AuthorizationError, ConfigurationError, InputError, in_words
from digime_pandas.sandbox._app import CONSENT_PATH, VERSIONS
from digime_pandas.sandbox._server import HOST

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
        InputError: The address is not on `origin`, or no text.
        AuthorizationError: The page rejects the link.
        ConfigurationError: Nothing answers there.
    """
    if not isinstance(url, str):
        raise InputError(f"url is {in_words(url)}. Pass the `url` of a flow that was begun with this sandbox.")
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
    except (OSError, http.client.HTTPException) as error:
        raise ConfigurationError(f"No sandbox answers at {origin} ({error}). Start it again.") from error
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


def origin_of(port: int) -> str:
    """Return scheme, host and port of what is served on this computer."""
    return f"http://{HOST}:{port}"


def port_taken(data_dir: str, port: int) -> ConfigurationError:
    """Return the error of a folder whose port another program has."""
    return ConfigurationError(
        f"The sandbox of data_dir={data_dir!r} was at port {port}, which cannot be used now: another program may have "
        "it. End that program.",
        remedy="Or pass port= with another number, which is kept from then on; people consent anew there.",
        command="Or give --port another number, which is kept from then on; people consent anew there.",
    )


class SandboxAddress(ABC):
    """A sandbox, served by this process or another one of this computer."""

    @property
    @abstractmethod
    def is_running(self) -> bool:
        """Whether it is served."""

    @property
    @abstractmethod
    def contract(self) -> Contract:
        """The contract that writes."""

    @property
    @abstractmethod
    def read_contract(self) -> Contract:
        """The contract that reads."""

    @property
    @abstractmethod
    def origin(self) -> str:
        """Scheme, host and port, such as ``http://127.0.0.1:45439``."""

    @property
    def base_url(self) -> str:
        """Base URL of the API, an argument of `Client`."""
        return f"{self.origin}/{VERSIONS[0]}/"

    @property
    def onboard_url(self) -> str:
        """Base URL of the consent page, an argument of `Client`."""
        return f"{self.origin}{CONSENT_PATH}/"

    def approve(self, url: str, *, account: str | None = None) -> str:
        """Approve the request of a consent page, as a person does in a browser.

        Args:
            url: Address of the page.
            account: Id of the account that consent is for, which no request says. The pages name the person by it; one
                who has it already is the one who approves. None: it is known once a file is about it.

        Returns:
            The address that the browser is redirected to, which is not requested.

        Raises:
            InputError: The address is not on this sandbox, or the account is no text that can be an id.
            AuthorizationError: The link is unknown, used or expired.
        """
        if account is not None:
            check_accounts([account])
        return submit_consent_form(url, "approve", origin=self.origin, account_id=account)

    def refuse(self, url: str) -> str:
        """Refuse the request of a consent page, as a person does in a browser.

        Args:
            url: Address of the page.

        Returns:
            The address that the browser is redirected to, with ``success=false`` and the error code ``USER_CANCEL``:
            the page's `callback` when it has one, else the redirect URI. It is not requested.

        Raises:
            InputError: The address is not on this sandbox.
            AuthorizationError: The link is unknown, used or expired.
        """
        return submit_consent_form(url, "refuse", origin=self.origin)

    def _repr_html_(self) -> str:
        link = f'<a href="{self.origin}/" target="_blank" rel="noopener noreferrer">Its people and their files</a>'
        return f'<p style="margin:4px 0;padding:8px 16px">The embedded sandbox at {self.origin}. {link}</p>'
