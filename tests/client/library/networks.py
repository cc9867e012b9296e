"""The network of the sandbox, as tests watch it and change its answers."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from typing import Any

import httpx


class Recording(httpx.HTTPTransport):
    """The network, with what it answers changed by a function.

    Attributes:
        calls: Method and kind of each request.
        requests: The requests, whose bodies were read.
        change: Returns the answer in place of the network's.
    """

    def __init__(self, change: Callable[[httpx.Request, httpx.Response], httpx.Response] | None = None) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.requests: list[httpx.Request] = []
        self.change = change

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(f"{request.method} {kind_of(request)}")
        if kind_of(request) == "trigger":
            request.read()
        self.requests.append(request)
        response = super().handle_request(request)
        return self.change(request, response) if self.change else response

    def bodies(self, kind: str) -> list[dict[str, Any]]:
        """Return the JSON bodies of the requests of one kind."""
        return [json.loads(request.content) for request in self.requests if kind_of(request) == kind]


def kind_of(request: httpx.Request) -> str:
    return request.url.path.removeprefix("/v1.7/").removeprefix("permission-access/").partition("/")[0]


def session_of(request: httpx.Request) -> str:
    """Return the key of the session that a request names."""
    return request.url.path.split("/")[4]


def access_token_of(request: httpx.Request) -> str:
    payload = request.headers["Authorization"].split(".")[1]
    return str(json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["access_token"])
