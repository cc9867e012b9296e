"""How many requests it takes to find files, in libraries large and small, and whose session is used for whom."""

from __future__ import annotations

import json
import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import httpx
import pandas as pd
import pytest

from digime_pandas._client.client import Client
from digime_pandas._client.library import listing
from digime_pandas._client.library.query import FileQuery
from digime_pandas._client.read import read_batches, read_file, read_frame
from digime_pandas._service.authorization import Authorization
from digime_pandas._service.descriptor import FileDescriptor
from digime_pandas.errors import FileNotInLibraryError, RefusedError
from digime_pandas.sandbox import Sandbox
from tests.faults.forked import Child, forked

from .networks import Recording, access_token_of, kind_of, session_of

pytestmark = pytest.mark.slow

Connected = Callable[..., Client]
FIRST_MS = 1_700_000_000_000
MANY = 10_000
FEW_REQUESTS = 5


@pytest.fixture(scope="module", params=["applied", "ignored", "refused"])
def any_sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A service of each kind: one that knows scopes, one that does not, one that refuses them."""
    with Sandbox(scope=request.param) as sandbox:
        yield sandbox


@pytest.fixture
def network() -> Recording:
    return Recording()


@pytest.fixture
def client(sandbox: Sandbox, connected: Connected, network: Recording) -> Client:
    return connected(sandbox, transport=network)


def stocked(sandbox: Sandbox, client: Client, account_id: str, names: Sequence[str], **descriptor: Any) -> None:
    """Put a file of each name into a new person's library, oldest first, without a request, and let `client` read."""
    sandbox.approve_all([account_id], tokens=client.tokens)
    (reader,) = sandbox.approve_all([account_id], access="read", tokens=client.tokens)
    library = sandbox._require_running().context.library
    members = {"mimeType": "text/csv", "accounts": [{"accountId": account_id}], "tags": ["a", "b"]} | descriptor
    rows = []
    for number, name in enumerate(names):
        file_id = os.urandom(16).hex()
        text = json.dumps(members | {"reference": [name, f"urn:uuid:{file_id}"]})
        rows.append((file_id, reader.user_id, sandbox.contract.client_id, name, "import", text, 4, FIRST_MS + number))
        if number in {0, len(names) - 1}:
            (library._folder / file_id).write_bytes(b"a\n1\n")
    library._database.execute_many("INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)


def counted(network: Recording, call: Callable[[], object]) -> list[str]:
    """Return the requests that a call makes."""
    network.calls.clear()
    call()
    return network.calls


@pytest.mark.parametrize("wanted", ["first.csv", "last.csv"])
def test_a_named_file_of_ten_thousand_takes_four_requests(
    sandbox: Sandbox, client: Client, network: Recording, account_id: str, wanted: str
) -> None:
    names = ["first.csv", *(f"{number}.csv" for number in range(MANY - 2)), "last.csv"]
    stocked(sandbox, client, account_id, names)
    arguments: Any = {"account_id": account_id, "client": client}
    calls = counted(network, lambda: read_frame(wanted, **arguments))
    assert calls == ["POST trigger", "GET query", "HEAD query", "GET query"]
    for read in (read_frame, read_file, lambda *name, **given: list(read_batches(*name, **given))):
        assert counted(network, partial(read, wanted, **arguments)) == ["GET query", "GET query"]
    since = pd.Timestamp(FIRST_MS + MANY - 3, unit="ms", tz="UTC")
    assert len(counted(network, lambda: client.files(account_id, since=since))) <= FEW_REQUESTS


def test_the_newest_of_many_versions_is_described_alone(
    sandbox: Sandbox, client: Client, network: Recording, account_id: str
) -> None:
    stocked(sandbox, client, account_id, ["a.csv"] * 100)
    calls = counted(network, lambda: read_file("a.csv", account_id=account_id, client=client))
    assert calls == ["POST trigger", "GET query", "HEAD query", "GET query"]


def test_a_service_without_scopes_is_read_from_the_newest_file_on(
    any_sandbox: Sandbox, connected: Connected, network: Recording, account_id: str
) -> None:
    stocked(any_sandbox, client := connected(any_sandbox, transport=network), account_id, [*"abcdefghij"] * 20)
    calls = counted(network, lambda: read_file("j", account_id=account_id, client=client))
    assert len(calls) <= FEW_REQUESTS
    other = connected(any_sandbox, transport=network, tokens=client.tokens)
    found = other.library(account_id).newest(FileQuery.of(reference="f"), other.contract, 5)
    assert found is not None
    assert found.name == "f"
    # Files are looked at in parallel, a few more than are needed.
    assert network.calls.count("HEAD query") < 1 + 5 + 2 * listing._PARALLEL
    assert len(other.files(account_id, name="f")) == 20
    assert other.files(account_id, name="f", tags="c") == []


def test_a_service_that_refuses_a_scope_is_not_asked_with_one_again(connected: Connected, account_id: str) -> None:
    with Sandbox(scope="refused") as sandbox:
        client = connected(sandbox, transport=(network := Recording()))
        stocked(sandbox, client, account_id, ["a", "b"])
        assert len(client.files(account_id, name="a")) == 1
        client.note_written()
        assert len(client.files(account_id, name="b")) == 1
    assert ["scope" in body for body in network.bodies("trigger")] == [True, False, False]


def test_another_refusal_is_no_sign_of_missing_scopes(
    client: Client, reader: Authorization, network: Recording
) -> None:
    network.change = lambda *_: httpx.Response(403, json={"error": {"code": "SDKInvalid"}})
    with pytest.raises(RefusedError, match="SDKInvalid"):
        client.files(reader, name="a")
    assert network.calls.count("POST trigger") == 1


def test_without_scopes_a_file_of_the_own_contract_is_looked_for_behind_those_of_others(
    client: Client, reader: Authorization, other_writer: tuple[Client, Authorization], network: Recording
) -> None:
    descriptor = FileDescriptor("text/plain", "p", ["a"])
    client.write(b"ours", "a", descriptor, client.authorization(reader.account_id))
    other, consent = other_writer
    for _ in range(3):
        other.write(b"theirs", "a", descriptor, consent)
    client._libraries.give_up_scopes()
    assert read_file("a", account_id=reader.account_id, client=client) == b"ours"
    assert network.calls.count("HEAD query") == 4
    assert "scope" not in network.bodies("trigger")[0]


def test_what_is_not_there_is_known_after_one_file_was_found_by_a_scope_of_the_same_kind(
    sandbox: Sandbox, client: Client, network: Recording, account_id: str
) -> None:
    stocked(sandbox, client, account_id, [f"{number}" for number in range(50)])

    def missing() -> None:
        with pytest.raises(FileNotInLibraryError):
            read_file("gone", account_id=account_id, client=client)

    # The whole list, one file of it, that file asked for with a scope, and names that may have been meant.
    search = [*["POST trigger", "GET query"] * 2, "HEAD query", "POST trigger", "GET query"]
    assert counted(network, missing) == [*search, "GET query", *["HEAD query"] * 7]
    assert counted(network, missing) == ["GET query", "POST trigger", *["GET query"] * 2]
    assert counted(network, lambda: client.files(account_id, tags="gone"))[-2:] == ["POST trigger", "GET query"]
    assert network.calls.count("HEAD query") == 0


def test_an_empty_library_takes_no_look_at_files(client: Client, reader: Authorization, network: Recording) -> None:
    assert counted(network, lambda: client.files(reader, name="a")) == ["POST trigger", "GET query"] * 2


@pytest.mark.parametrize("references", [["a"], ["a", "urn:uuid:1"]], ids=["one reference", "several"])
def test_a_service_that_lists_too_few_files_for_a_scope_is_asked_without(
    client: Client, reader: Authorization, network: Recording, references: list[str]
) -> None:
    person = client.authorization(reader.account_id)
    for number in range(3):
        descriptor = FileDescriptor(
            "text/plain", "p", [*references[:1], *(f"{each}{number}" for each in references[1:])]
        )
        client.write(b"x", "a", descriptor, person)
    scoped: set[str] = set()

    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if kind_of(request) == "trigger" and b'"scope"' in request.content:
            scoped.add(httpx.Response(200, content=response.read()).json()["session"]["key"])
        elif kind_of(request) == "query" and request.method == "GET" and session_of(request) in scoped:
            return httpx.Response(200, json={"status": {"state": "completed"}, "fileList": []})
        return response

    network.change = change
    assert len(client.files(reader, name="a")) == 3
    assert read_file("a", account_id=reader.account_id, client=client) == b"x"
    assert len(scoped) <= 2
    client.note_written()
    before = len(scoped)
    assert len(client.files(reader, name="a")) == 3
    assert len(scoped) == before


def test_a_session_and_descriptions_are_kept_for_the_same_question(
    client: Client, reader: Authorization, network: Recording
) -> None:
    person = client.authorization(reader.account_id)
    for name in "abc":
        client.write(b"x", name, FileDescriptor("text/plain", "p", [name]), person)
    assert counted(network, lambda: client.files(reader)) == ["POST trigger", "GET query", *["HEAD query"] * 3]
    assert counted(network, lambda: client.files(reader)) == ["GET query"]
    assert counted(network, lambda: client.files(reader, name="b")) == ["POST trigger", "GET query"]
    assert [file.name for file in client.files(reader)] == ["c", "b", "a"]


def frozen(network: Recording) -> None:
    """Let each session list for ever what it listed first."""
    lists: dict[str, bytes] = {}

    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if request.method != "GET" or request.url.path.count("/") != 4:
            return response
        return httpx.Response(200, content=lists.setdefault(session_of(request), response.read()))

    network.change = change


def test_what_the_client_writes_is_found_even_where_a_session_lists_nothing_new(
    client: Client, reader: Authorization, network: Recording
) -> None:
    frozen(network)
    person = client.authorization(reader.account_id)
    for number in range(3):
        client.write(b"%d" % number, "a", FileDescriptor("text/plain", "p", ["a"]), person)
        assert len(client.files(reader)) == len(client.files(reader, name="a")) == number + 1
        assert read_file("a", account_id=reader.account_id, client=client) == b"%d" % number


def test_what_others_write_is_found_where_nothing_was_and_after_a_minute_in_any_case(
    sandbox: Sandbox, connected: Connected, client: Client, reader: Authorization, network: Recording
) -> None:
    frozen(network)
    times = [0.0]
    client._libraries = listing.Libraries(now=lambda: times[0] + 1_800_000_000)
    other = connected(sandbox, tokens=client.tokens)
    person = other.authorization(reader.account_id)
    for number in range(2):
        expected = [file.name for file in client.files(reader, name="a")]
        other.write(b"%d" % number, "a", FileDescriptor("text/plain", "p", ["a"]), person)
        assert len(expected) == number
        times[0] += 61 * number
    assert len(client.files(reader, name="a")) == 2


def test_a_changed_file_is_described_again_and_one_without_a_date_always(
    client: Client, reader: Authorization, network: Recording
) -> None:
    client.write(b"x", "a", FileDescriptor("text/plain", "p", ["a"]), client.authorization(reader.account_id))
    updated: list[float | None] = [1000.0]

    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if request.method != "GET" or request.url.path.count("/") != 4:
            return response
        document = json.loads(response.read())
        document["fileList"][0]["updatedDate"] = updated[0]
        return httpx.Response(200, json=document)

    network.change = change
    looks = []
    for updated[0] in (1000.0, 1000.0, 2000.0, 2000.0, None, None):
        looks.append(counted(network, lambda: client.files(reader)).count("HEAD query"))
    assert looks == [1, 0, 1, 0, 1, 1]


def test_since_leaves_out_what_was_changed_before(client: Client, reader: Authorization, network: Recording) -> None:
    person = client.authorization(reader.account_id)
    for name in "abc":
        client.write(b"x", name, FileDescriptor("text/plain", "p", [name]), person)
    first, second, third = reversed(client.files(reader))
    for since, expected in ((first, "cba"), (second, "cb"), (third, "c")):
        assert "".join(file.name for file in client.files(reader, since=since.updated)) == expected
    later = pd.Timestamp(third.updated) + pd.Timedelta(days=1)
    assert counted(network, lambda: client.files(reader, since=later)).count("HEAD query") == 0
    criteria = [body["scope"]["criteria"] for body in network.bodies("trigger") if "scope" in body]
    assert criteria[-1] == [{"from": int(later.timestamp())}]


class Owners:
    """Learns whose tokens are used in which session."""

    def __init__(self, network: Recording) -> None:
        self.tokens: dict[str, set[str]] = defaultdict(set)
        network.change = self.learn

    def learn(self, request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if kind_of(request) == "query":
            self.tokens[session_of(request)].add(access_token_of(request))
        return response


def test_no_session_and_no_description_is_used_for_another_person(
    sandbox: Sandbox, client: Client, network: Recording, account_id: str
) -> None:
    people = [f"{account_id}-{number}" for number in range(6)]
    for person in people:
        stocked(sandbox, client, person, ["same.csv", "other.csv"], tags=["a", person])
    owners = Owners(network)

    def look(person: str) -> list[tuple[str, ...]]:
        found = client.files(person, name="same.csv")
        read_file("same.csv", account_id=person, client=client)
        return [file.accounts for file in [*found, *client.files(person)]]

    with ThreadPoolExecutor(8) as threads:
        seen = list(threads.map(look, people * 8))
    assert seen == [[(person,)] * 3 for person in people * 8]
    assert len(owners.tokens) >= 2 * len(people)
    assert {len(tokens) for tokens in owners.tokens.values()} == {1}


def test_a_consent_given_anew_for_another_library_begins_with_nothing_kept(
    sandbox: Sandbox, client: Client, network: Recording, account_id: str
) -> None:
    stocked(sandbox, client, account_id, ["a.csv"])
    assert len(client.files(account_id)) == 1
    context = sandbox._require_running().context
    context.library.name_person(context.library.add_person(0), account_id)
    sandbox.approve_all([account_id], tokens=client.tokens)
    sandbox.approve_all([account_id], access="read", tokens=client.tokens)
    owners = Owners(network)
    assert client.files(account_id) == []
    assert {len(tokens) for tokens in owners.tokens.values()} == {1}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_parent_and_children_look_at_the_same_time_with_what_was_kept(
    sandbox: Sandbox, client: Client, account_id: str
) -> None:
    people = [f"{account_id}-{number}" for number in range(3)]
    for person in people:
        stocked(sandbox, client, person, ["a.csv", "b.csv"])
    expected = [[file.file_id for file in client.files(person)] for person in people]

    def look() -> list[list[str]]:
        return [[file.file_id for file in client.files(person)] for person in people]

    children = [Child(look) for _ in range(3)]
    assert look() == expected
    assert [child.result() for child in children] == [expected] * 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_lock_held_at_the_fork_is_free_in_the_child(sandbox: Sandbox, client: Client, account_id: str) -> None:
    stocked(sandbox, client, account_id, ["a.csv"])
    held = threading.Lock()
    client._libraries._sessions._lock = client._libraries._descriptions._lock = held
    with held:
        assert forked(lambda: len(client.files(account_id))) == 1
