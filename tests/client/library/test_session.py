from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import httpx
import pytest

from digime_pandas._client.client import Client
from digime_pandas._client.library.session import Session
from digime_pandas._service.authorization import Authorization
from digime_pandas._service.descriptor import FileDescriptor
from digime_pandas._service.messages import Scope
from digime_pandas.errors import FileNotInLibraryError, RefusedError, SecretError
from digime_pandas.sandbox import Sandbox

from .networks import Recording

pytestmark = pytest.mark.slow

NOW = 1_800_000_000.0
Connected = Callable[..., Client]


@pytest.fixture
def network() -> Recording:
    return Recording()


@pytest.fixture
def client(sandbox: Sandbox, connected: Connected, network: Recording) -> Client:
    return connected(sandbox, transport=network)


def begun(client: Client, reader: Authorization, scope: Scope | None = None, now: float = NOW) -> Session:
    return Session(client._for("read"), reader, scope, lambda: now)


def expiring(seconds: float | None) -> Callable[[httpx.Request, httpx.Response], httpx.Response]:
    """The service's answers, with sessions that end so many seconds after now; None: it does not say when."""

    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if not request.url.path.endswith("/trigger"):
            return response
        key = httpx.Response(200, content=response.read()).json()["session"]["key"]
        expiry = {} if seconds is None else {"expiry": (NOW + seconds) * 1000}
        return httpx.Response(200, json={"session": {"key": key, **expiry}})

    return change


@pytest.mark.parametrize(
    ("lasts", "later"),
    [
        (3600, {0: True, 59: True, 60: False, -1: False}),
        (30, {29: True, 30: False}),
        (-1, {0: False}),
        (None, {59: True, 60: False}),
    ],
)
def test_a_list_is_current_for_a_minute_within_the_session(
    client: Client, reader: Authorization, network: Recording, lasts: float | None, later: dict[float, bool]
) -> None:
    network.change = expiring(lasts)
    time = [NOW]
    session = Session(client._for("read"), reader, None, lambda: time[0])
    for seconds, is_current in later.items():
        time[0] = NOW + seconds
        assert session.is_current() is is_current


def test_the_scope_is_asked_for_and_sources_are_not_refreshed(
    client: Client, reader: Authorization, network: Recording
) -> None:
    begun(client, reader, Scope("r", "t", "text/csv", 17))
    begun(client, reader)
    scoped, plain = network.bodies("trigger")
    assert scoped["scope"] == {
        "criteria": [{"from": 17, "metadata": {"reference": ["r"], "tags": ["t"], "mimeType": ["text/csv"]}}]
    }
    assert "scope" not in plain
    assert scoped["sourceFetch"] is plain["sourceFetch"] is False
    assert scoped["agent"] == plain["agent"]


def test_only_what_is_given_is_in_a_scope() -> None:
    assert Scope(tag="t").to_dict() == {"criteria": [{"metadata": {"tags": ["t"]}}]}
    assert Scope(since=0).to_dict() == {"criteria": [{"from": 0}]}


@pytest.mark.parametrize("code", ["SessionInvalid", "SessionUsed"])
def test_an_ended_session_is_begun_anew_with_its_scope_whatever_is_asked(
    client: Client, reader: Authorization, network: Recording, code: str
) -> None:
    client.write(b"x", "a", FileDescriptor("text/plain", "p", ["a", "b"]), client.authorization(reader.account_id))
    session = begun(client, reader, Scope("a"))
    ((file_id, _),) = session.wait_for_listing(5).files.items()
    calls: list[tuple[str, Callable[[], object]]] = [
        ("GET query", lambda: session.wait_for_listing(5)),
        ("HEAD query", lambda: session.describe(file_id)),
        ("GET query", lambda: session.fetch(file_id).close()),
    ]
    for request, call in calls:
        ended = iter([httpx.Response(400, headers={"X-Error-Code": code}, json={"error": {"code": code}})])
        network.change = lambda _, response, ended=ended: next(ended, response)
        network.calls.clear()
        call()
        assert network.calls == [request, "POST trigger", request]
    assert {str(body["scope"]) for body in network.bodies("trigger")} == {str(Scope("a").to_dict())}


def test_a_session_that_ends_again_at_once_is_an_error(
    client: Client, reader: Authorization, network: Recording
) -> None:
    session = begun(client, reader)

    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        is_trigger = request.url.path.endswith("/trigger")
        return response if is_trigger else httpx.Response(400, json={"error": {"code": "SessionInvalid"}})

    network.change = change
    network.calls.clear()
    with pytest.raises(RefusedError, match="SessionInvalid"):
        session.wait_for_listing(5)
    assert network.calls == ["GET query", "POST trigger", "GET query"]


def test_a_file_outside_of_the_scope_is_not_there(client: Client, reader: Authorization) -> None:
    person = client.authorization(reader.account_id)
    for name in ("a", "b"):
        client.write(b"x", name, FileDescriptor("text/plain", "p", [name]), person)
    (wanted,) = begun(client, reader, Scope("a")).wait_for_listing(5).files
    (other,) = {*begun(client, reader).wait_for_listing(5).files} - {wanted}
    with pytest.raises(FileNotInLibraryError, match=other):
        begun(client, reader, Scope("a")).describe(other)


def test_neither_a_session_nor_a_file_leaves_the_process(client: Client, reader: Authorization) -> None:
    client.write(b"x", "a", FileDescriptor("text/plain", "p", ["a"]), client.authorization(reader.account_id))
    (file,) = client.files(reader)
    with pytest.raises(SecretError, match=r"not pickled.*read\(\)"):
        pickle.dumps(file)
    with pytest.raises(SecretError, match="not pickled"):
        pickle.dumps(begun(client, reader))
    assert copy.copy(file) is copy.deepcopy(file) is file
