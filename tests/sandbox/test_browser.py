from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qsl

import pandas as pd
import pytest

from digime_pandas.errors import AuthorizationError, InputError
from digime_pandas.sandbox._browser import submit_consent_form

FORM = """<h1>Question</h1><form method="post" action="/decide">
<input type="hidden" name="code" value="a&amp;b"><input type="radio" name="person" value="new" checked>
<input type="radio" name="person" value="other"><input name="ignored" value="x">
<button name="decision" value="approve">Approve</button></form>"""


class _Page(BaseHTTPRequestHandler):
    submitted: list[tuple[str, list[tuple[str, str]]]] = []  # noqa: RUF012 - one server at a time

    def do_GET(self) -> None:
        status, page = (200, FORM) if self.path == "/page?code=x" else (410, "<p>no</p><h1> Used already </h1>")
        self.send_response(status)
        self.end_headers()
        self.wfile.write(page.encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.submitted.append((self.path, parse_qsl(body)))
        self.send_response(303)
        self.send_header("Location", "http://elsewhere.example/?success=true")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Print nothing."""


@pytest.fixture
def origin() -> Iterator[str]:
    _Page.submitted.clear()
    with HTTPServer(("127.0.0.1", 0), _Page) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(10)


def test_hidden_fields_checked_options_and_the_decision_are_submitted(origin: str) -> None:
    address = submit_consent_form(f"{origin}/page?code=x", "approve", origin=origin)
    assert address == "http://elsewhere.example/?success=true"
    assert _Page.submitted == [("/decide", [("code", "a&b"), ("person", "new"), ("decision", "approve")])]


def test_a_page_that_rejects_the_link_is_an_error_with_its_heading(origin: str) -> None:
    with pytest.raises(AuthorizationError, match=r"answered 410: Used already\."):
        submit_consent_form(f"{origin}/page?code=y", "refuse", origin=origin)
    assert _Page.submitted == []


@pytest.mark.parametrize("url", [None, 5, pd.NA, b"http://127.0.0.1/page"], ids=repr)
def test_what_is_no_address_is_an_error_of_input(origin: str, url: Any) -> None:
    with pytest.raises(InputError, match="url is"):
        submit_consent_form(url, "approve", origin=origin)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/page", "https://{origin}/page", "page", ""])
def test_an_address_elsewhere_is_not_requested(origin: str, url: str) -> None:
    with pytest.raises(InputError, match="not on this sandbox"):
        submit_consent_form(url.format(origin=origin.partition("//")[2]), "approve", origin=origin)
    assert _Page.submitted == []
