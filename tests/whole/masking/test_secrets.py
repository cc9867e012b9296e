"""Nothing secret prints: every face of every object, every log line and every error of a whole day is searched."""

from __future__ import annotations

import logging
import pickle
import traceback
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pandas as pd
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import digime_pandas
from digime_pandas._client.client import Client
from digime_pandas._client.write import write
from digime_pandas._service.authorization import Authorization, Postbox
from digime_pandas._service.contract import Contract
from digime_pandas._service.descriptor import FileDescriptor
from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.messages import TokenReply
from digime_pandas._service.oauth.redirect import RedirectResult, parse_redirect
from digime_pandas._service.oauth.token_store import FileTokenStore
from digime_pandas._service.receipt import Receipt
from digime_pandas.errors import APIError, DigimeError
from digime_pandas.sandbox import Sandbox

from .wiretap import SHORTEST_SECRET, Wiretap, key_lines

FRAME = pd.DataFrame({"day": ["2026-01-05"], "pulse": [61]})
DESCRIPTOR = FileDescriptor("text/plain", "p")

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_waiting")]


class Day:
    """Everything that was said in the course of a test."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self.caplog = caplog
        self.texts: list[str] = []
        self.errors: list[BaseException] = []

    def show(self, *things: object) -> None:
        """Look at things from every side that prints, and at their pickles where they can be pickled."""
        for thing in things:
            self.texts += [repr(thing), str(thing), f"{thing}", repr([thing]), repr({"x": thing})]
            if hasattr(thing, "_repr_html_"):
                self.texts.append(thing._repr_html_())
            for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
                try:
                    self.texts.append(pickle.dumps(thing, protocol).decode("latin-1"))
                except (DigimeError, TypeError, AttributeError, pickle.PicklingError) as refused:
                    self.texts.append(str(refused))

    def fail(self, call: Callable[[], object]) -> None:
        """Make a call that ends in an error of ours, and keep all that it says."""
        with pytest.raises(DigimeError) as raised:
            call()
        error = raised.value
        self.errors.append(error)
        self.texts.append("".join(traceback.format_exception(error)))
        chain: list[BaseException | None] = [error]
        while chain:
            # Some libraries pickle the whole chain of an error, hidden contexts included.
            if (each := chain.pop()) is not None:
                self.show(each)
                self.texts.append(repr(vars(each)))
                chain += [each.__cause__, each.__context__]

    def everything(self) -> str:
        # The sandbox's web server is the other side; pytest listens even where it was told to be silent.
        records = [record for record in self.caplog.records if not record.name.startswith("uvicorn")]
        logged = [f"{record.getMessage()} {vars(record)!r} {record.exc_text}" for record in records]
        return "\n".join(self.texts + logged)


@pytest.fixture
def day(caplog: pytest.LogCaptureFixture) -> Day:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "tenacity", "digime_pandas", "asyncio", "filelock"):
        caplog.set_level(logging.DEBUG, logger=name)
    return Day(caplog)


def key_texts(contract: Contract) -> set[str]:
    numbers = contract.private_key.private_numbers()
    return key_lines(contract) | {str(numbers.d), str(numbers.p), f"{numbers.p:x}"}


def search(day: Day, tap: Wiretap, client: Client, *more: str) -> None:
    """Assert that nothing secret is in anything that was said."""
    assert client.read_contract is not None
    known = tap.texts | tap.random | key_texts(client.contract) | key_texts(client.read_contract) | set(more)
    known = {secret for secret in known if len(secret) >= SHORTEST_SECRET}
    assert len(known) > 60
    said = day.everything()
    assert len(said) > 10_000
    assert {secret[:12] + "…" for secret in known if secret in said} == set()


def consent(sandbox: Sandbox, client: Client, day: Day, access: Any = "write") -> tuple[Authorization, set[str]]:
    """A person's whole way through consent, every station of it shown; and the secrets of the way."""
    with client.begin_authorization("p", access=access) as flow:
        day.show(flow)
        address = sandbox.approve(flow.url)
        reply = parse_redirect(Secret(address), state=Secret(flow.state))
        day.show(repr(reply), flow._listener)
        made = flow.complete(address)
        day.show(flow, made, made.user_access_token, made.user_access_token.access_token, made.postbox)
    return made, {reply.code, flow.state, parse_qs(urlsplit(flow.url).query)["code"][0]}


def test_a_good_day_says_nothing_secret(own_sandbox: Sandbox, tapped: Client, tap: Wiretap, day: Day) -> None:
    made, write_secrets = consent(own_sandbox, tapped, day)
    reading, read_secrets = consent(own_sandbox, tapped, day, "read")
    for suffix in ("csv", "parquet"):
        day.show(write(FRAME, f"visits.{suffix}", account_id="p", client=tapped))
    own_sandbox.expire_access_tokens()
    own_sandbox.pending_writes = 1
    receipt = tapped.write(b"hello", "hello.txt", DESCRIPTOR, made)
    files = tapped.files(reading)
    day.show(
        receipt,
        receipt.to_dict(),
        files,
        files[0],
        files[0].read(),
        digime_pandas.read_frame("visits.csv", account_id="p", client=tapped),
    )
    day.show(
        tapped, tapped.contract, tapped.read_contract, tapped.tokens, tapped.tokens.list(), tapped.refresh(reading)
    )
    day.show(
        tapped._http,
        tapped._consents["write"],
        tapped._consents["write"].api,
        TokenReply(made.user_access_token, "u", "c"),
    )
    search(day, tap, tapped, *write_secrets, *read_secrets)


def echoing(status: int, headers: dict[str, str] | None = None) -> Callable[[httpx.Request], httpx.Response | None]:
    """A service that answers with an error and repeats all it was told."""

    def answer(request: httpx.Request) -> httpx.Response:
        token = request.headers.get("Authorization", "")
        told = f"You said {token} and {request.url} and {request.headers}"
        code = urlsplit(str(request.url)).path.split("/")[-1]
        fields = {"X-Error-Code": token[-40:], "X-Error-Message": token} | (headers or {})
        body = {"error": {"code": code if len(code) >= 32 else "Odd", "message": told}}
        return httpx.Response(status, headers=fields, json=body)

    return answer


def lost(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadError("connection reset", request=request)


TROUBLES: dict[str, Callable[[httpx.Request], httpx.Response | None]] = {
    "400": echoing(400),
    "401": echoing(401),
    "403": echoing(403),
    "429": echoing(429, {"Retry-After": "9999"}),
    "500": echoing(500),
    "502": lambda _: httpx.Response(502, content=b"<html>Bad Gateway</html>"),
    "301": lambda request: httpx.Response(301, headers={"Location": str(request.url)}),
    "lost": lost,
    "no JSON": lambda request: httpx.Response(200, content=str(request.headers).encode()),
    "odd JSON": lambda request: httpx.Response(
        200, json={"token": request.headers.get("Authorization"), "status": "x"}
    ),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_bad_day_says_nothing_secret(
    own_sandbox: Sandbox, tapped: Client, tap: Wiretap, day: Day, trouble: str
) -> None:
    made, secrets = consent(own_sandbox, tapped, day)
    reading, more = consent(own_sandbox, tapped, day, "read")
    tapped.write(b"hello", "hello.txt", DESCRIPTOR, made)
    (file,) = tapped.files(reading)
    flow = tapped.begin_authorization("p")
    address = own_sandbox.approve(flow.url)
    tap.trouble = TROUBLES[trouble]
    calls: list[Callable[[], object]] = [
        lambda: flow.complete(address),
        lambda: tapped.begin_authorization("p"),
        lambda: tapped.refresh(made),
        lambda: tapped.files(reading),
        file.read,
    ]
    if made.postbox is not None or trouble not in {"no JSON", "odd JSON"}:
        calls.append(lambda: tapped.write(b"hello", "hello.txt", DESCRIPTOR, made))
    for call in calls:
        day.fail(call)
    flow.close()
    assert all(isinstance(error, APIError | DigimeError) for error in day.errors)
    search(day, tap, tapped, *secrets, *more, flow.state, *parse_qs(urlsplit(address).query)["code"])


def test_misuse_says_nothing_secret(
    own_sandbox: Sandbox, tapped: Client, tap: Wiretap, day: Day, vendor_keys: dict[str, RSAPrivateKey]
) -> None:
    made, secrets = consent(own_sandbox, tapped, day)
    reading, more = consent(own_sandbox, tapped, day, "read")
    pair = made.user_access_token
    ended = replace(
        pair, access_token=replace(pair.access_token, expiry=1), refresh_token=replace(pair.refresh_token, expiry=1)
    )
    pem = vendor_keys["contract_w"].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    tapped.write(b"hello", "hello.txt", DESCRIPTOR, made)
    calls: list[Callable[[], object]] = [
        lambda: tapped.write(b"", "a", DESCRIPTOR, reading),
        lambda: tapped.write(b"", "a", DESCRIPTOR, replace(made, client_id="other")),
        lambda: tapped.write(b"", "a", DESCRIPTOR, replace(made, key_thumbprint="0" * 64)),
        lambda: write(FRAME, "a.csv", account_id="q", client=tapped, authorization=made),
        lambda: digime_pandas.read_file("a", account_id="q", client=tapped, authorization=reading),
        lambda: digime_pandas.read_file("visits.csv", account_id="p", client=tapped),
        lambda: tapped.authorization("nobody"),
        lambda: Contract("a", "b", "".join(pem.splitlines()[1:-1])),
        lambda: Contract("a", "b", pem[:400]),
        lambda: Contract.from_env(
            environ={"DIGIME_APPLICATION_ID": "a", "DIGIME_CONTRACT_ID": "c", "DIGIME_PRIVATE_KEY": pem[60:]}
        ),
        lambda: Client(tapped.contract, base_url="http://evil.test/"),
        lambda: Authorization.from_dict(made.to_dict() | {"access": "x"}),
        lambda: Authorization.from_dict(made.to_dict() | {"postbox": pair.access_token.value}),
    ]
    if made.postbox is not None:
        calls.append(lambda: tapped.write(b"", "a", DESCRIPTOR, replace(made, postbox=Postbox("box", pem))))
    with tapped.begin_authorization("p") as flow:
        address = own_sandbox.approve(flow.url)
        calls += [
            lambda: flow.complete(address.replace("state=", "state=0")),
            lambda: flow.complete(address.replace("code=", "c0de=")),
            lambda: flow.complete(address + "&code=" + "9" * 48),
        ]
        for call in calls:
            day.fail(call)
    assert isinstance(tapped.tokens, FileTokenStore)
    stored = next(tapped.tokens.path.glob("*.json"))
    stored.write_bytes(stored.read_bytes()[:-30])
    day.fail(tapped.tokens.list)
    tapped.tokens.put(tapped.base_url, tapped.contract.client_id, replace(made, user_access_token=ended))
    day.fail(lambda: tapped.write(b"", "a", DESCRIPTOR, replace(made, user_access_token=ended)))
    body = pem.splitlines()[1:-2]
    search(day, tap, tapped, *secrets, *more, *body, flow.state, *parse_qs(urlsplit(address).query)["code"])


def test_warnings_and_output_say_nothing_secret(
    own_sandbox: Sandbox, tapped: Client, tap: Wiretap, day: Day, capfd: pytest.CaptureFixture[str]
) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        _, secrets = consent(own_sandbox, tapped, day)
        own_sandbox.expire_access_tokens()
        day.show(write(FRAME, "visits.csv", account_id="p", client=tapped, progress=True))
    out, err = capfd.readouterr()
    day.texts += [out, err, *(str(warning.message) for warning in caught)]
    assert err
    consent(own_sandbox, tapped, day, "read")
    day.show(tapped.files("p"))
    search(day, tap, tapped, *secrets)


def test_values_that_are_shown_do_say_what_is_not_secret() -> None:
    """The other side: masking is not done by showing nothing."""
    assert "patient-17" in repr(RedirectResult("c0de", Postbox("patient-17", "key")))
    assert "c0de" not in repr(RedirectResult("c0de", None))
    assert {"status", "sha256", "descriptor"} <= set(Receipt.__slots__)
