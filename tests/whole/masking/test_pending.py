"""What is kept of consents that people have not given yet shows no secret: in values, errors, tracebacks and tables."""

from __future__ import annotations

import errno
import os
import pickle
from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from digime_pandas._client.client import Client
from digime_pandas._service.oauth.flow import AuthorizationFlow
from digime_pandas._service.oauth.token_store import FileTokenStore
from digime_pandas.errors import (
    AuthorizationError,
    AuthorizationTimeoutError,
    ConsentRefusedError,
    InputError,
    RedirectError,
    RefusedError,
    SecretError,
    TokenStoreError,
)
from digime_pandas.sandbox import Sandbox

from .wiretap import Wiretap, found, key_lines, shown

pytestmark = pytest.mark.slow

CALLBACK = "http://127.0.0.1/callback"  # without a port, so that nothing listens there


@pytest.fixture
def flow(tapped: Client, tap: Wiretap, account_id: str) -> AuthorizationFlow:
    """A flow whose secrets are known to the wiretap, the verifier among them."""
    flow = tapped.begin_authorization(account_id, callback=CALLBACK)
    assert tapped.read_contract is not None
    tap.texts |= key_lines(tapped.contract) | key_lines(tapped.read_contract)
    [(_, pending)] = tapped._consents["write"].pending.records()
    assert pending.verifier is not None
    tap.random |= {flow.state, pending.verifier.reveal(), *parse_qs(urlsplit(flow.url).query)["code"]}
    return flow


@pytest.fixture
def address(own_sandbox: Sandbox, flow: AuthorizationFlow, tap: Wiretap) -> str:
    """The address that comes back of it."""
    address = own_sandbox.approve(flow.url)
    tap.random |= {*parse_qs(urlsplit(address).query)["code"]}
    return address


def raised(kind: type[BaseException], call: Callable[[], object]) -> str:
    with pytest.raises(kind) as caught:
        call()
    return shown(caught.value)


def echo(request: httpx.Request) -> httpx.Response | None:
    """Refuses each code, and repeats all it was told."""
    if "oauth/token" not in request.url.path:
        return None
    return httpx.Response(400, json={"error": {"code": "Odd", "message": request.headers.get("Authorization")}})


def test_a_record_shows_nothing_however_it_is_taken_apart(
    tapped: Client, tap: Wiretap, flow: AuthorizationFlow
) -> None:
    [(_, pending)] = tapped._consents["write"].pending.records()
    faces = [repr(pending), repr(asdict(pending)), repr([getattr(pending, each.name) for each in fields(pending)])]
    assert found("\n".join(faces), tap) == set()
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(SecretError):
            pickle.dumps(pending, protocol)
    assert flow.account_id in faces[0]


def test_an_exchange_that_is_refused(tapped: Client, tap: Wiretap, address: str) -> None:
    tap.trouble = echo
    text = raised(RefusedError, lambda: tapped.complete_authorization(address))
    assert "_exchanged" in text
    assert found(text, tap) == set()


def test_one_that_was_cut_off(tapped: Client, tap: Wiretap, address: str) -> None:
    def interrupt(request: httpx.Request) -> httpx.Response:
        raise KeyboardInterrupt

    tap.trouble = interrupt
    text = raised(KeyboardInterrupt, lambda: tapped.complete_authorization(address))
    tap.trouble = echo
    text += raised(AuthorizationError, lambda: tapped.complete_authorization(address))
    assert "did not reach the store" in text
    assert found(text, tap) == set()


def test_one_that_is_complete(tapped: Client, tap: Wiretap, address: str) -> None:
    made = tapped.complete_authorization(address)
    text = raised(AuthorizationError, lambda: tapped.complete_authorization(address.replace("code=", "code=0")))
    assert found(text, tap, made.user_access_token.access_token.value) == set()


def test_one_that_comes_too_late(tapped: Client, tap: Wiretap, address: str) -> None:
    tapped._consents["write"].pending._now = lambda: 2.0**33
    text = raised(AuthorizationTimeoutError, lambda: tapped.complete_authorization(address))
    assert found(text, tap) == set()


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (("state=", "state=0"), RedirectError),
        (("code=", "c0de="), RedirectError),
        (("success=true", "success=false"), ConsentRefusedError),
        (("?", "?" + "a" * 20_000), RedirectError),
    ],
)
def test_an_address_that_is_not_taken(
    tapped: Client, tap: Wiretap, address: str, change: tuple[str, str], kind: type[Exception]
) -> None:
    (state,) = parse_qs(urlsplit(address).query)["state"]
    calls: list[Callable[[], object]] = [
        lambda: tapped.complete_authorization(address.replace(*change)),
        lambda: tapped.complete_authorization(address.replace(*change), state=state),
    ]
    for call in calls:
        assert found(raised(kind, call), tap) == set()


def test_a_state_that_was_used(tapped: Client, tap: Wiretap, flow: AuthorizationFlow) -> None:
    state = flow.state
    text = raised(InputError, lambda: tapped.begin_authorization("p", state=state, callback=CALLBACK))
    assert found(text, tap) == set()


@pytest.mark.parametrize("act", ["begin", "complete"])
def test_a_disk_that_is_full(
    tapped: Client, tap: Wiretap, address: str, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    def fsync(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)
    calls: dict[str, Callable[[], Any]] = {
        "begin": lambda: tapped.begin_authorization("p", callback=CALLBACK),
        "complete": lambda: tapped.complete_authorization(address),
    }
    assert found(raised(TokenStoreError, calls[act]), tap) == set()


@pytest.mark.parametrize("damage", ["cut", "kind"])
def test_a_file_that_is_damaged(tapped: Client, tap: Wiretap, address: str, damage: str) -> None:
    assert isinstance(tapped.tokens, FileTokenStore)
    (stored,) = (tapped.tokens.path / "pending").glob("*.pending")
    content = stored.read_text()
    stored.write_text(content[:-30] if damage == "cut" else content.replace('"begun": ', '"begun": "", "x": '))
    text = raised(TokenStoreError, lambda: tapped.complete_authorization(address))
    assert found(text, tap) == set()


def test_the_table_of_consents_shows_none_and_that_of_invitations_the_links_alone(
    tapped: Client, tap: Wiretap, address: str
) -> None:
    made = tapped.complete_authorization(address)
    pair = made.user_access_token
    tap.random |= {pair.access_token.value, pair.refresh_token.value}
    invited = tapped.invite(["one", "two"], callback=CALLBACK)
    tap.random |= {
        pending.verifier.reveal() for _, pending in tapped._consents["write"].pending.records() if pending.verifier
    }
    assert found(tapped.consents().to_csv() + tapped.consents().to_html(), tap) == set()
    assert found(invited.drop(columns="url").to_csv(), tap) == set()
    links = {code for url in invited["url"] for code in parse_qs(urlsplit(url).query)["code"]}
    tap.random -= links
    assert found(invited.to_csv(), tap) == set()
