from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import pytest

from digime_pandas._client.client import Client
from digime_pandas._client.read import read_frame
from digime_pandas._client.write_each import write_each
from digime_pandas._service.authorization import Authorization
from digime_pandas._service.oauth.token_store import FileTokenStore, MemoryTokenStore
from digime_pandas.errors import ConfigurationError, DigimeError, InputError, SecretError, TokenStoreError
from digime_pandas.sandbox import Sandbox
from tests.faults.forked import forked

pytestmark = pytest.mark.slow


@pytest.fixture(params=[True, False], ids=["postbox", "import"])
def own_sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with Sandbox(postbox=request.param) as sandbox:
        yield sandbox


def test_thousands_consent_at_once_and_each_gets_their_own_rows(
    own_sandbox: Sandbox, connected: Callable[..., Client]
) -> None:
    client = connected(own_sandbox)
    people = [f"patient-{number}" for number in range(10_000)]
    made = own_sandbox.approve_all(people, tokens=client.tokens)
    assert [each.account_id for each in made] == people
    assert len({each.user_id for each in made}) == len({each.consent_id for each in made}) == len(people)
    postboxes = {each.postbox and each.postbox.id for each in made}
    assert len(postboxes) == len(people) or postboxes == {None}
    assert [client.authorization(each) for each in people] == made
    own_sandbox.approve_all(people[:3], access="read", tokens=client.tokens)
    frame = pd.DataFrame({"patient": people[:3] * 2, "pulse": range(6)})
    assert set(write_each(frame, "patient", "pulse.csv", client=client)["status"]) == {"delivered"}
    for number, person in enumerate(people[:3]):
        found = read_frame("pulse.csv", account_id=person, client=client)
        assert found["pulse"].tolist() == [number, number + 3]


def test_what_is_made_is_what_a_flow_makes(own_sandbox: Sandbox, connected: Callable[..., Client]) -> None:
    client = connected(own_sandbox)
    with client.begin_authorization("p") as flow:
        by_flow = flow.complete(own_sandbox.approve(flow.url, account="p"))
    (made,) = own_sandbox.approve_all(["p"])
    assert client.authorization("p") == by_flow
    same = ("account_id", "access", "postbox", "user_id", "client_id", "key_thumbprint")
    assert [getattr(made, name) for name in same] == [getattr(by_flow, name) for name in same]
    assert made.user_access_token != by_flow.user_access_token
    assert client.refresh(made).user_id == made.user_id


@pytest.mark.parametrize("accounts", [["p", "q", "p"], pd.Series(["p", "q", "q"]), {"p": 1, "q": 2}], ids=type)
def test_each_account_is_taken_once(own_sandbox: Sandbox, accounts: Any) -> None:
    made = own_sandbox.approve_all(accounts)
    assert [each.account_id for each in made] == ["p", "q"]
    assert own_sandbox.approve_all([]) == []


def test_a_later_consent_is_of_the_same_person(own_sandbox: Sandbox) -> None:
    first = own_sandbox.approve_all(["p", "q"])
    again = own_sandbox.approve_all(["q", "r"], access="read")
    assert again[0].user_id == first[1].user_id
    assert again[1].user_id not in {each.user_id for each in first}
    assert {each.postbox for each in again} == {None}
    assert [each.access for each in again] == ["read", "read"]


@pytest.mark.parametrize(
    ("accounts", "access"),
    [([""], "write"), ([1.5], "write"), (None, "write"), (1.5, "write"), (["\ud800"], "write"), (["p"], "admin")],
    ids=repr,
)
def test_what_cannot_be_is_refused_and_nobody_is_added(own_sandbox: Sandbox, accounts: Any, access: Any) -> None:
    with pytest.raises(InputError, match=r"account_id|access is"):
        own_sandbox.approve_all(accounts, access=access)
    assert own_sandbox._require_running().context.library.count() == (0, 0)


def test_any_store_of_a_client_will_do(own_sandbox: Sandbox, connected: Callable[..., Client], tmp_path: Any) -> None:
    for tokens in (MemoryTokenStore(), FileTokenStore(tmp_path / "tokens")):
        (made,) = own_sandbox.approve_all(["p"], tokens=tokens)
        assert connected(own_sandbox, tokens=tokens).authorization("p") == made


def test_many_are_stored_at_a_time(own_sandbox: Sandbox) -> None:
    class WaitsForAnother(MemoryTokenStore):
        both = threading.Barrier(2)

        def put(self, environment: str, contract: str, authorization: Authorization) -> None:
            self.both.wait(timeout=10)
            super().put(environment, contract, authorization)

    tokens = WaitsForAnother()
    own_sandbox.approve_all([f"p{number}" for number in range(32)], tokens=tokens)
    assert len(tokens.list()) == 32


def test_a_store_that_fails_is_an_error(own_sandbox: Sandbox) -> None:
    class Full(MemoryTokenStore):
        def put(self, environment: str, contract: str, authorization: Authorization) -> None:
            if authorization.account_id == "q":
                raise TokenStoreError("full")
            super().put(environment, contract, authorization)

    with pytest.raises(TokenStoreError, match="full"):
        own_sandbox.approve_all(["p", "q", "r"], tokens=Full())


def test_no_token_shows(own_sandbox: Sandbox) -> None:
    made = own_sandbox.approve_all(["p"])
    (token,) = [each.user_access_token.access_token.value for each in made]
    assert token not in f"{made!r} {made[0]} {own_sandbox!r}"
    with pytest.raises(SecretError):
        pickle.dumps(made)


def test_it_is_done_where_the_sandbox_runs(own_sandbox: Sandbox) -> None:
    def in_child() -> str:
        try:
            own_sandbox.approve_all(["p"])
        except DigimeError as error:
            return type(error).__name__
        return "done"

    assert forked(in_child) == ConfigurationError.__name__
    with pytest.raises(ConfigurationError, match="not running"):
        Sandbox().approve_all(["p"])
