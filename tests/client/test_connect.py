from __future__ import annotations

import asyncio
import contextvars
import linecache
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from traceback import format_exception
from typing import Any, TypeVar

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from digime_pandas._client import connect as _connect
from digime_pandas._client.client import BASE_URL, ONBOARD_URL, Client
from digime_pandas._client.connect import connect, current_client, temporary_default
from digime_pandas._service.contract import Contract
from digime_pandas._service.oauth.token_store import MemoryTokenStore
from digime_pandas.errors import ConfigurationError, DigimeWarning, OptionError
from digime_pandas.sandbox import Sandbox

T = TypeVar("T")


@pytest.fixture(autouse=True)
def no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    for name in [name for name in os.environ if name.startswith("DIGIME_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(_connect, "_default", None)


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch, vendor_keys: dict[str, RSAPrivateKey]) -> Callable[..., None]:
    def configure(**more: str) -> None:
        pem = vendor_keys["contract_w"].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        variables = {"APPLICATION_ID": "app", "CONTRACT_ID": "w", "PRIVATE_KEY": pem.replace("\n", "\\n")} | more
        for name, value in variables.items():
            monkeypatch.setenv(f"DIGIME_{name}", value.replace("PEM", pem))

    return configure


@pytest.fixture
def closing() -> Iterator[list[Client]]:
    clients: list[Client] = []
    yield clients
    for client in clients:
        client.close()


def test_a_contract_is_that_contract_at_the_real_service(
    vendor_keys: dict[str, RSAPrivateKey], closing: list[Client]
) -> None:
    contract = Contract("app", "w", vendor_keys["contract_w"])
    client = connect(contract, tokens=MemoryTokenStore())
    closing.append(client)
    assert (client.contract, client.base_url, client.onboard_url) == (contract, BASE_URL, ONBOARD_URL)
    assert current_client() is client
    assert current_client(None) is client


def test_the_environment_is_the_default(configured: Callable[..., None], closing: list[Client]) -> None:
    configured()
    client = connect()
    closing.append(client)
    assert (client.contract.client_id, client.read_contract, client.base_url) == ("app_w", None, BASE_URL)
    configured(
        READ_CONTRACT_ID="r",
        READ_PRIVATE_KEY="PEM",
        BASE_URL="http://127.0.0.1:5/v1.7",
        ONBOARD_URL="http://127.0.0.1:5/apps/saas",
    )
    with pytest.warns(DigimeWarning):
        closing.append(connect())
    assert closing[1].read_contract is not None
    assert closing[1].read_contract.client_id == "app_r"
    assert closing[1].base_url == "http://127.0.0.1:5/v1.7/"
    with pytest.warns(DigimeWarning):
        closing.append(connect(base_url="http://127.0.0.1:6/"))
    assert closing[2].base_url == "http://127.0.0.1:6/"


def test_where_nothing_is_configured_the_way_on_is_named() -> None:
    for call in (connect, current_client):
        with pytest.raises(ConfigurationError, match=r"DIGIME_APPLICATION_ID.*connect\('sandbox'\)"):
            call()


@pytest.mark.parametrize("target", ["Sandbox", "", 17, b"sandbox"])
def test_any_other_target_is_an_error(target: object) -> None:
    with pytest.raises(ConfigurationError, match=r"^target is"):
        connect(target)  # type: ignore[arg-type] # wrong on purpose


def test_a_client_that_is_none_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="client is a str"):
        current_client("sandbox")  # type: ignore[arg-type] # wrong on purpose


def test_a_client_that_is_passed_is_the_one(client: Client) -> None:
    assert current_client(client) is client


def test_the_embedded_sandbox_is_started_once_and_keeps_its_consents(closing: list[Client]) -> None:
    one = connect("sandbox")
    two = connect("sandbox")
    closing += [one, two]
    assert one.sandbox is two.sandbox
    assert one.sandbox.base_url == one.base_url == two.base_url
    assert current_client() is two
    with one.begin_authorization("p") as flow:
        made = flow.complete(one.sandbox.approve(flow.url))
    assert two.authorization("p") == made


def test_threads_that_connect_at_once_share_one_sandbox(closing: list[Client]) -> None:
    start = threading.Barrier(4)

    def make(_: int) -> Client:
        start.wait(20)
        return connect("sandbox")

    with ThreadPoolExecutor(4) as threads:
        closing += threads.map(make, range(4))
    assert len({client.base_url for client in closing}) == 1


def test_a_sandbox_that_was_closed_is_started_again(closing: list[Client]) -> None:
    closing.append(connect("sandbox"))
    closing[0].sandbox.close()
    closing.append(connect("sandbox"))
    with closing[1].begin_authorization("p") as flow:
        assert flow.complete(closing[1].sandbox.approve(flow.url)).account_id == "p"


def test_options_reach_the_client(closing: list[Client]) -> None:
    tokens = MemoryTokenStore()
    closing.append(connect("sandbox", tokens=tokens, max_attempts=1))
    assert closing[0].tokens is tokens
    with pytest.raises(ConfigurationError, match="timeout"):
        connect("sandbox", timeout=-1)
    assert current_client() is closing[0]


@pytest.fixture
def contracts(vendor_keys: dict[str, RSAPrivateKey]) -> list[Contract]:
    return [Contract("app", name, vendor_keys["contract_w"]) for name in ("one", "two")]


def made(contract: Contract, closing: list[Client], **options: Any) -> Client:
    """Connect, in memory and at an address of this computer where nothing is."""
    defaults: dict[str, Any] = {"tokens": MemoryTokenStore(), "base_url": "http://127.0.0.1:5/"}
    closing.append(connect(contract, **(defaults | options)))
    return closing[-1]


def in_thread(call: Callable[[], T]) -> T:
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(call).result(20)


class TestSessions:
    """What one process serves to several at once."""

    def test_threads_that_connect_keep_their_own(self, contracts: list[Contract], closing: list[Client]) -> None:
        start, done = threading.Barrier(2), threading.Barrier(2)

        def session(contract: Contract) -> tuple[Client, Client]:
            start.wait(20)
            client = made(contract, closing)
            done.wait(20)
            return client, current_client()

        with pytest.warns(DigimeWarning) as warned, ThreadPoolExecutor(2) as threads:
            found = list(threads.map(session, contracts))
        assert len(warned) == 1, "whoever came second replaced the process's default"
        assert [client.contract for client, _ in found] == contracts
        assert all(used is client for client, used in found)

    def test_tasks_that_connect_keep_their_own(self, contracts: list[Contract], closing: list[Client]) -> None:
        async def session(contract: Contract, turn: asyncio.Event, other: asyncio.Event) -> bool:
            client = made(contract, closing)
            turn.set()
            await asyncio.wait_for(other.wait(), 20)
            return current_client() is client and await asyncio.to_thread(current_client) is client

        async def sessions() -> list[bool]:
            one, two = asyncio.Event(), asyncio.Event()
            return list(await asyncio.gather(session(contracts[0], one, two), session(contracts[1], two, one)))

        with pytest.warns(DigimeWarning):
            assert asyncio.run(sessions()) == [True, True]

    def test_a_context_that_did_not_connect_uses_the_latest_of_the_process(
        self, contracts: list[Contract], closing: list[Client]
    ) -> None:
        client = made(contracts[0], closing)
        assert in_thread(current_client) is client
        newer = in_thread(lambda: made(contracts[0], closing))
        assert in_thread(current_client) is newer
        assert current_client() is client
        # As in a notebook, whose cells may each run in a copy of one context.
        with pytest.warns(DigimeWarning):
            in_cell = contextvars.Context().run(made, contracts[1], closing)
        assert contextvars.Context().run(current_client) is in_cell

    def test_what_is_made_of_the_environment_is_the_process_s_and_gives_way(
        self, configured: Callable[..., None], contracts: list[Contract], closing: list[Client]
    ) -> None:
        configured()
        closing.append(in_thread(current_client))
        assert current_client() is closing[0]
        with pytest.warns(DigimeWarning):
            newer = in_thread(lambda: made(contracts[0], closing))
        assert current_client() is newer

    @pytest.mark.parametrize(
        ("number", "options", "named"),
        [
            (1, {}, "'two' (application 'app', no read contract) at http://127.0.0.1:5/ the default"),
            (
                0,
                {"base_url": "http://127.0.0.1:6/"},
                "'one' (application 'app', no read contract) at http://127.0.0.1:6/ the default",
            ),
            (
                0,
                {"read_contract": 1},
                "'one' (application 'app', read contract 'two') at http://127.0.0.1:5/ the default",
            ),
        ],
    )
    def test_another_contract_or_environment_is_told_at_the_callers_line(
        self, contracts: list[Contract], closing: list[Client], number: int, options: dict[str, Any], named: str
    ) -> None:
        made(contracts[0], closing)
        if "read_contract" in options:
            options = {"read_contract": contracts[options["read_contract"]]}
        arguments: dict[str, Any] = {"tokens": MemoryTokenStore(), "base_url": "http://127.0.0.1:5/"} | options
        with pytest.warns(DigimeWarning) as warned:
            closing.append(connect(contracts[number], **arguments))
        (warning,) = warned
        message = str(warning.message)
        assert named in message
        assert "in place of the client of contract 'one' (application 'app', no read contract) at http" in message
        assert "client=" in message
        assert "PRIVATE" not in message
        assert warning.filename == __file__
        assert linecache.getline(warning.filename, warning.lineno).strip().startswith("closing.append(connect(")

    def test_the_same_contract_and_environment_are_replaced_in_silence(
        self, contracts: list[Contract], closing: list[Client]
    ) -> None:
        first = made(contracts[0], closing)
        assert made(contracts[0], closing, max_attempts=1) is current_client() is not first


FORKED = """
import os, threading, time
from digime_pandas._client import connect as _connect

held, ended = threading.Event(), threading.Event()
def hold():
    with _connect._lock:
        held.set()
        ended.wait()
threading.Thread(target=hold, daemon=True).start()
held.wait()
child = os.fork()
if child == 0:
    try:
        _connect.current_client()
    except _connect.ConfigurationError:
        os._exit(7)
    os._exit(8)
end = time.monotonic() + 20
while (ended_child := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < end:
    time.sleep(0.01)
if ended_child == (0, 0):
    os.kill(child, 9)
    os.waitpid(child, 0)
ended.set()
print(os.waitstatus_to_exitcode(ended_child[1]) if ended_child[0] else "stuck")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.slow
def test_a_forked_process_does_not_wait_for_a_thread_it_does_not_have() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "7\n"


@pytest.mark.parametrize("variable", ["DIGIME_BASE_URL", "DIGIME_ONBOARD_URL"])
@pytest.mark.parametrize(
    "value",
    ["api.digi.me", "https://", "https://api.digi.me:x", "https://a:hunter2@[", "ftp://a", "http://a/", "https://a..b"],
)
def test_an_address_that_cannot_be_used_is_named_by_its_variable(
    configured: Callable[..., None], variable: str, value: str
) -> None:
    configured(**{variable.removeprefix("DIGIME_"): value})
    with pytest.raises(ConfigurationError, match=f"^{variable} ") as caught:
        connect(tokens=MemoryTokenStore())
    assert "hunter2" not in "".join(format_exception(caught.value))


def test_a_variable_that_an_option_replaces_is_not_looked_at(
    configured: Callable[..., None], closing: list[Client]
) -> None:
    configured(BASE_URL="nonsense")
    closing.append(connect(base_url=" http://127.0.0.1:1/v1.7 ", tokens=MemoryTokenStore()))
    assert closing[0].base_url == "http://127.0.0.1:1/v1.7/"


@pytest.mark.parametrize("connects", [False, True], ids=["nothing else", "another connect"])
def test_a_default_for_a_while_ends_with_its_block_whatever_happens_in_it(
    sandbox: Sandbox, client: Client, connects: bool
) -> None:
    _connect._set_default(client)
    with suppress(LookupError), temporary_default(sandbox, tokens=MemoryTokenStore()) as temporary:
        assert current_client() is temporary
        assert temporary.sandbox is sandbox
        with ThreadPoolExecutor(1) as thread:
            assert thread.submit(current_client).result() is temporary
        if connects:
            _connect._set_default(temporary)
        raise LookupError
    assert current_client() is client
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(current_client).result() is client


def test_an_unknown_option_is_answered_with_each_that_there_is_once() -> None:
    with pytest.raises(OptionError, match=r"Options are (.*)\.$") as caught:
        connect("sandbox", zzz=5)
    named = str(caught.value).partition("Options are ")[2].rstrip(".").split(", ")
    assert len(named) == len(set(named))
    assert {"read_contract", "data_dir", "tokens"} <= set(named)
    assert "target" not in named
