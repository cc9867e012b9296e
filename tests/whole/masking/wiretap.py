"""A network that learns every secret that passes, and every way of printing an error with its local variables."""

from __future__ import annotations

import json
import traceback
from base64 import b64encode, urlsafe_b64decode
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any

import httpx
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from IPython.core.ultratb import VerboseTB

import digime_pandas
from digime_pandas._client.client import Client
from digime_pandas._service.contract import Contract

SECRET_CLAIMS = ("access_token", "refresh_token", "code", "code_verifier", "state", "iv", "preauthorization_code")
SHORTEST_SECRET = 16
PREFIX = 12  # of a secret; some tracebacks cut long texts

Trouble = Callable[[httpx.Request], httpx.Response | None]


class Wiretap(httpx.HTTPTransport):
    """The network; learns every secret that passes, and can make answers go wrong.

    Attributes:
        texts: What may not be found anywhere, whole.
        random: What may not be found even in part.
        trouble: Gives the answer in place of the network, or raises; None lets the request through.
    """

    def __init__(self) -> None:
        super().__init__()
        self.texts: set[str] = set()
        self.random: set[str] = set()
        self.trouble: Trouble = lambda _: None

    def listen_to(self, client: Client) -> None:
        """Learn the keys of the files that a client seals."""
        for consents in client._consents.values():
            consents.api._random = self.keeping(consents.api._random)

    def keeping(self, source: Callable[[int], bytes]) -> Callable[[int], bytes]:
        def keep(size: int) -> bytes:
            made = source(size)
            if size == 32:
                self.random |= {made.hex(), b64encode(made).decode(), repr(made)[2:-1]}
            return made

        return keep

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        for name in ("Authorization", "FileDescriptor"):
            if name in request.headers:
                self.learn_token(request.headers[name].removeprefix("Bearer "))
        parts = request.url.path.split("/")
        if "query" in parts:
            self.random.add(parts[parts.index("query") + 1])
        troubled = self.trouble(request)
        if troubled is not None:
            request.read()
            return troubled
        response = super().handle_request(request)
        content = response.read()
        with suppress(ValueError):
            document = json.loads(content)
            if "token" in document:
                self.learn_token(document["token"])
            if "key" in document.get("session", {}):
                self.random.add(document["session"]["key"])
        headers = [(name, value) for name, value in response.headers.raw if name.lower() != b"transfer-encoding"]
        return httpx.Response(response.status_code, headers=headers, content=content)

    def learn_token(self, token: str) -> None:
        payload = token.split(".")[1]
        self.texts |= {token, payload}
        self.random |= set(token.split(".")[2:])
        claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        for name in SECRET_CLAIMS:
            value = claims.get(name)
            self.random.add(value["value"] if isinstance(value, dict) else str(value))
        if "iv" in claims:
            self.random.add(repr(bytes.fromhex(claims["iv"]))[2:-1])


def key_lines(contract: Contract) -> set[str]:
    """The lines of a contract's private key, in both of its forms."""
    pems = [
        contract.private_key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()
        for form in (PrivateFormat.TraditionalOpenSSL, PrivateFormat.PKCS8)
    ]
    return {line for pem in pems for line in pem.splitlines()[1:-2]}


def found(text: str, tap: Wiretap, *more: str) -> set[str]:
    """The secrets that a text holds, shortened."""
    random = {secret for secret in tap.random | set(more) if len(secret) >= SHORTEST_SECRET}
    whole = {secret for secret in tap.texts if len(secret) >= SHORTEST_SECRET}
    return {f"{secret[:PREFIX]}…" for secret in random if secret[:PREFIX] in text} | {
        f"{secret[:PREFIX]}…{secret[-4:]}" for secret in whole if secret in text
    }


def shown(error: BaseException) -> str:
    """An error as programs show it that print local variables, and all that it is chained to, hidden or not.

    Frames before the first one of the package are the test's own.
    """
    texts: list[str] = []
    for each in chain(error):
        trace = within_package(each.__traceback__) if each is error else each.__traceback__
        texts.append(VerboseTB(theme_name="nocolor", include_vars=True).text(type(each), each, trace))
        each.__traceback__ = trace
        texts += traceback.TracebackException.from_exception(each, capture_locals=True).format()
        texts += [f"{name} = {value!r}" for frame in frames(trace) for name, value in frame.f_locals.items()]
        texts.append(repr(each) + repr(each.args) + repr(vars(each)))
    return "\n".join(texts)


def chain(error: BaseException) -> list[BaseException]:
    """An error, its causes, and all that was being handled when they were raised."""
    every: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is not None and not any(each is known for known in every):
            every.append(each)
            waiting += [each.__cause__, each.__context__]
    return every


def frames(trace: TracebackType | None) -> Iterator[Any]:
    while trace is not None:
        yield trace.tb_frame
        trace = trace.tb_next


def within_package(trace: TracebackType | None) -> TracebackType | None:
    while trace is not None and not str(trace.tb_frame.f_globals.get("__name__")).startswith(digime_pandas.__name__):
        trace = trace.tb_next
    return trace
