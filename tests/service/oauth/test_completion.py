"""An address is enough to complete what another client, with the same token store, began."""

from __future__ import annotations

import html
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from digime_pandas._client.client import Client
from digime_pandas._service.authorization import Authorization
from digime_pandas._service.contract import Contract
from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.oauth.token_store import FileTokenStore, MemoryTokenStore
from digime_pandas.errors import (
    AuthorizationError,
    AuthorizationTimeoutError,
    ConsentRefusedError,
    DigimeWarning,
    RedirectError,
    RefusedError,
    ServiceUnreachableError,
)
from digime_pandas.sandbox import Sandbox

Connected = Callable[..., Client]
CALLBACK = "http://127.0.0.1/callback"  # without a port, so that nothing listens there


@pytest.fixture
def tokens(tmp_path: Path) -> FileTokenStore:
    return FileTokenStore(tmp_path / "tokens")


@pytest.fixture
def two(sandbox: Sandbox, connected: Connected, tokens: FileTokenStore) -> tuple[Client, Client]:
    """Two clients, as two processes have them: of the same contracts and token store."""
    one, other = (connected(sandbox, tokens=FileTokenStore(tokens.path)) for _ in range(2))
    return one, other


def begun(sandbox: Sandbox, client: Client, account_id: str = "patient-17", **options: Any) -> str:
    """The address that comes back after a consent, of a flow that nothing holds any more."""
    return sandbox.approve(client.begin_authorization(account_id, callback=CALLBACK, **options).url)


class Passing:
    """A network of which the token endpoint can be out of order."""

    def __init__(self, client: Client) -> None:
        self.failures: list[BaseException] = []
        self.api = client._consents["write"].api
        self.inner = self.api.exchange
        self.calls = 0
        self.after = False
        self.api.exchange = self.exchange  # type: ignore[method-assign] # in the way

    def exchange(self, **claims: Any) -> Any:
        self.calls += 1
        if self.failures and not self.after:
            raise self.failures.pop(0)
        reply = self.inner(**claims)
        if self.failures:
            raise self.failures.pop(0)
        return reply


@pytest.mark.parametrize("access", ["write", "read"])
def test_another_client_completes_what_one_began(sandbox: Sandbox, two: tuple[Client, Client], access: Any) -> None:
    address = begun(sandbox, two[0], access=access)
    made = two[1].complete_authorization(address)
    assert (made.account_id, made.access) == ("patient-17", access)
    assert made == two[0].authorization("patient-17", access=access)
    assert two[0].complete_authorization(address) == made


def test_a_pasted_address_is_understood(sandbox: Sandbox, two: tuple[Client, Client]) -> None:
    address = html.escape(begun(sandbox, two[0]))
    pasted = f"it says:\n> {address[:70]}\n> {address[70:]}\nwhat now?"
    assert two[1].complete_authorization(pasted).account_id == "patient-17"


def test_flow_and_client_complete_the_same_authorization_once(sandbox: Sandbox, two: tuple[Client, Client]) -> None:
    flow = two[0].begin_authorization("patient-17")
    counted = Passing(two[0])
    address = sandbox.approve(flow.url)
    made = two[1].complete_authorization(address)
    assert flow.complete(address) == made
    assert counted.calls == 0
    flow.close()
    assert two[1].complete_authorization(address) == made


def test_what_a_flow_completed_is_used(sandbox: Sandbox, two: tuple[Client, Client]) -> None:
    with two[0].begin_authorization("patient-17") as flow:
        address = sandbox.approve(flow.url)
        made = flow.complete(address)
    assert two[1].complete_authorization(address) == made
    with pytest.raises(AuthorizationError, match="by another address"):
        two[1].complete_authorization(address.replace("code=", "code=0"))


def test_a_closed_flow_is_not_completed_elsewhere(sandbox: Sandbox, two: tuple[Client, Client]) -> None:
    with two[0].begin_authorization("patient-17") as flow:
        address = sandbox.approve(flow.url)
    with pytest.raises(RedirectError, match="cancelled"):
        two[1].complete_authorization(address)


def test_a_store_without_a_place_for_them_keeps_them_in_each_client(sandbox: Sandbox, connected: Connected) -> None:
    class Own:
        """A user's own store: the methods of `TokenStore`, and nothing more."""

        def __init__(self) -> None:
            inner = MemoryTokenStore()
            self.get, self.put, self.delete = inner.get, inner.put, inner.delete
            self.list, self.lock = inner.list, inner.lock

    own = Own()
    one, other = connected(sandbox, tokens=own), connected(sandbox, tokens=own)
    address = begun(sandbox, one)
    with pytest.raises(RedirectError, match="another token store"):
        other.complete_authorization(address)
    assert one.complete_authorization(address) == other.authorization("patient-17")
    assert list(one.consents()["status"]) == list(other.consents()["status"]) == ["given"]


class TestAddressesThatAreNotTaken:
    @pytest.mark.parametrize(
        ("address", "message"),
        [
            ("", "is empty"),
            ("http://127.0.0.1:1/digime", "neither success=true nor an error code"),
            ("http://127.0.0.1:1/digime?success=true&code=1234", "holds no state"),
            ("http://127.0.0.1:1/digime?success=true&code=1234&state=of-another", "another token store"),
            ("?state=of-another", "neither success=true nor an error code"),
            (17, "is a int"),
        ],
    )
    def test_what_is_wrong_is_said(self, client: Client, address: Any, message: str) -> None:
        with pytest.raises(RedirectError, match=message):
            client.complete_authorization(address)

    def test_one_of_another_contract_or_environment_is_named_and_stays(
        self,
        sandbox: Sandbox,
        import_sandbox: Sandbox,
        connected: Connected,
        tokens: FileTokenStore,
        other_contract: Contract,
    ) -> None:
        client = connected(sandbox, tokens=tokens)
        address = begun(sandbox, client)
        for stranger in (
            connected(sandbox, tokens=tokens, contract=other_contract),
            connected(import_sandbox, tokens=tokens),
        ):
            with pytest.raises(RedirectError, match="'patient-17'") as raised:
                stranger.complete_authorization(address)
            assert repr(sandbox.contract.client_id) in str(raised.value)
            assert sandbox.base_url in str(raised.value)
        assert client.complete_authorization(address).account_id == "patient-17"

    def test_a_damaged_one_leaves_it_open(self, sandbox: Sandbox, two: tuple[Client, Client]) -> None:
        address = begun(sandbox, two[0])
        with pytest.raises(RedirectError, match="holds no code"):
            two[1].complete_authorization(address.replace("code=", "c0de="))
        assert two[1].complete_authorization(address).account_id == "patient-17"

    def test_one_that_is_too_old(self, sandbox: Sandbox, two: tuple[Client, Client]) -> None:
        address = begun(sandbox, two[0])
        two[1]._consents["write"].pending._now = lambda: 2**33
        with pytest.raises(AuthorizationTimeoutError, match="'patient-17' has expired"):
            two[1].complete_authorization(address)


class TestState:
    def test_the_expected_one_completes_and_another_does_not(
        self, sandbox: Sandbox, two: tuple[Client, Client]
    ) -> None:
        flows = [
            two[0].begin_authorization(account_id, callback=CALLBACK) for account_id in ("patient-17", "patient-18")
        ]
        address = sandbox.approve(flows[0].url)
        with pytest.raises(RedirectError, match="its state differs"):
            two[1].complete_authorization(address, state=flows[1].state)
        assert two[1].complete_authorization(address, state=flows[0].state).account_id == "patient-17"

    def test_a_refusal_without_a_state_says_what_is_needed_and_with_it_is_noted(
        self, sandbox: Sandbox, two: tuple[Client, Client]
    ) -> None:
        flow = two[0].begin_authorization("patient-17", callback=CALLBACK)
        address = sandbox.refuse(flow.url)
        assert "state" not in parse_qs(urlsplit(address).query)
        with pytest.raises(ConsentRefusedError, match="pressed cancel") as raised:
            two[1].complete_authorization(address)
        assert "pass state=" in raised.value.__notes__[0]
        assert list(two[0].consents()["status"]) == ["pending"]
        for options, bringing in (({"state": flow.state}, address), ({}, f"{address}&state={flow.state}")):
            with pytest.raises(ConsentRefusedError) as raised:
                two[1].complete_authorization(bringing, **options)
            assert raised.value.code == "USER_CANCEL"
            assert not hasattr(raised.value, "__notes__")
            assert list(two[0].consents()["status"]) == ["refused"]

    @pytest.mark.parametrize("way", ["flow", "browser"])
    def test_a_refusal_that_a_flow_gets_is_noted(self, sandbox: Sandbox, client: Client, way: str) -> None:
        with client.begin_authorization("patient-17") as flow:
            address = sandbox.refuse(flow.url)
            if way == "browser":
                assert flow._listener is not None
                flow._listener._awaited.settle(flow._listener._awaited.handler(Secret(address)))
                flow._listener._awaited.arrived.set()
            with pytest.raises(ConsentRefusedError):
                _ = flow.complete(address) if way == "flow" else flow.wait(10)
        assert list(client.consents()["status"]) == ["refused"]


class TestExchange:
    def test_one_that_failed_can_be_tried_again(self, sandbox: Sandbox, two: tuple[Client, Client]) -> None:
        address = begun(sandbox, two[0])
        Passing(two[1]).failures = [ServiceUnreachableError("No network.", outcome="not sent")]
        with pytest.raises(ServiceUnreachableError):
            two[1].complete_authorization(address)
        assert two[1].complete_authorization(address).account_id == "patient-17"

    def test_one_whose_process_ends_before_it_is_stored_is_said_to_be_lost(
        self, sandbox: Sandbox, two: tuple[Client, Client]
    ) -> None:
        address = begun(sandbox, two[0])
        ending = Passing(two[0])
        ending.after, ending.failures = True, [KeyboardInterrupt()]
        with pytest.raises(KeyboardInterrupt):
            two[0].complete_authorization(address)
        with pytest.raises(AuthorizationError, match="the process was stopped, the answer was lost") as raised:
            two[1].complete_authorization(address)
        assert isinstance(raised.value.__cause__, RefusedError)
        assert two[1].complete_authorization(begun(sandbox, two[1])).account_id == "patient-17"

    def test_another_library_is_warned_of_at_the_callers_line(
        self, sandbox: Sandbox, client: Client, reader: Authorization
    ) -> None:
        client.forget(reader.account_id)
        address = begun(sandbox, client, reader.account_id)
        with pytest.warns(DigimeWarning, match="opens another library") as warned:
            client.complete_authorization(address)
        assert [warning.filename for warning in warned] == [__file__]


@pytest.fixture
def own(tmp_path: Path) -> Iterator[tuple[Sandbox, tuple[Any, ...]]]:
    """A sandbox, and what other processes need for a client of it."""
    with Sandbox(tmp_path / "own") as sandbox:
        contract = (sandbox.contract.application_id, sandbox.contract.contract_id, tmp_path / "own/keys/write.pem")
        yield sandbox, (contract, sandbox.base_url, sandbox.onboard_url, tmp_path / "tokens")


def client_of(contract: tuple[str, str, Path], base_url: str, onboard_url: str, tokens: Path) -> Client:
    return Client(Contract(*contract), base_url=base_url, onboard_url=onboard_url, tokens=FileTokenStore(tokens))


@pytest.mark.slow
def test_two_processes_with_one_address_at_the_same_time_exchange_once(own: tuple[Sandbox, tuple[Any, ...]]) -> None:
    sandbox, arguments = own
    with client_of(*arguments) as client:
        address = begun(sandbox, client)
    spawn = multiprocessing.get_context("spawn")
    start, results = spawn.Barrier(2), spawn.Queue()
    processes = [spawn.Process(target=complete_at_once, args=(arguments, address, start, results)) for _ in range(2)]
    for process in processes:
        process.start()
    found = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert sorted(calls for calls, _ in found) == [0, 1]
    assert len({token for _, token in found}) == 1


def complete_at_once(arguments: tuple[Any, ...], address: str, start: Barrier, results: Any) -> None:
    with client_of(*arguments) as client:
        counted = Passing(client)
        start.wait(60)
        made = client.complete_authorization(address)
        results.put((counted.calls, made.user_access_token.access_token.value))


@pytest.mark.slow
def test_a_process_that_is_killed_between_exchange_and_store_is_told_of(own: tuple[Sandbox, tuple[Any, ...]]) -> None:
    sandbox, arguments = own
    with client_of(*arguments) as client:
        address = begun(sandbox, client)
        killed = multiprocessing.get_context("spawn").Process(target=be_killed_on_the_way, args=(arguments, address))
        killed.start()
        killed.join(60)
        assert killed.exitcode == -signal.SIGKILL
        assert list(client.consents()["status"]) == ["pending"]
        with pytest.raises(AuthorizationError, match=r"the process was stopped.*begin a new authorization"):
            client.complete_authorization(address)
        client.complete_authorization(begun(sandbox, client))
        assert list(client.consents()["status"]) == ["given"]


def be_killed_on_the_way(arguments: tuple[Any, ...], address: str) -> None:
    with client_of(*arguments) as client:
        client._consents["write"]._store = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign] # the end
        client.complete_authorization(address)
