"""What all tests share: a sandbox, clients of it, people who authorized, and guards around every test."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from itertools import count, cycle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tenacity.nap
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import load_der_private_key
from hypothesis import HealthCheck, settings
from pytest_socket import socket_allow_hosts

from digime_pandas._client import connect as _connect
from digime_pandas._client.client import Client
from digime_pandas._service.authorization import Access, Authorization
from digime_pandas._service.contract import Contract
from digime_pandas.sandbox import Sandbox
from digime_pandas.sandbox._context import Registration
from digime_pandas.sandbox._faults import changes as _changes
from digime_pandas.sandbox._store import keys as _keys
from tests.clients import client_of

Authorize = Callable[..., Authorization]

_ACCOUNTS = count(1)
_EVERYDAY_EXAMPLES = 10
_THREADS_END_SECONDS = 10.0
# The keys of three sandboxes, so that the same ones do not come again at once.
_DIFFERENT_KEYS = 12


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # As shells leave it for what they run in the background; tests of interrupts need what a terminal gives.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # The everyday run tries fewer examples of each property, instead of leaving the properties out.
    if "not slow" in config.option.markexpr:
        os.environ.setdefault("DIGIME_TEST_EXAMPLES", str(_EVERYDAY_EXAMPLES))
        settings.register_profile("everyday", max_examples=_EVERYDAY_EXAMPLES)
        settings.load_profile("everyday")
    # The first texts that a worker draws take long: tables of Unicode are made for them.
    settings.register_profile("patient", suppress_health_check=[HealthCheck.too_slow], deadline=None)
    settings.load_profile("patient")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    # What is slow as a whole file is not even imported in the everyday run.
    if collection_path.suffix == ".py" and config.option.markexpr == "not slow":
        return "\npytestmark = pytest.mark.slow\n" in collection_path.read_text(encoding="utf-8") or None
    return None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    # Of the matrix of faults, the count is a result.
    counts = {
        outcome: sum("faults/matrix/" in report.nodeid for report in terminalreporter.getreports(outcome))
        for outcome in ("passed", "xfailed", "failed", "xpassed", "error")
    }
    if any(counts.values()):
        said = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count)
        terminalreporter.write_line(f"The matrix of faults: {sum(counts.values())} cases, {said}")
    # And of the newcomer, the time.
    for report in terminalreporter.getreports("passed"):
        seconds = dict(report.user_properties).get("newcomer_seconds")
        if isinstance(seconds, float):
            terminalreporter.write_line(f"The newcomer: {seconds:.0f} s from `jupyter lab` to a frame read back")


def pytest_runtest_setup() -> None:
    # Lifted again by the plugin when the test ends. Binding a server is allowed anywhere, connecting is not.
    socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    """Every thread of this package that a test starts ends with it; sandboxes may be the session's."""
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        if thread.name.startswith("digime") and thread.name != "digime-sandbox":
            join(thread)
            assert not thread.is_alive(), f"{thread.name} was left behind"


def join(thread: threading.Thread) -> None:
    """Wait for a thread that another one may be about to start."""
    while True:
        with suppress(RuntimeError):  # it is not started yet
            return thread.join(_THREADS_END_SECONDS)
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def no_default_client(no_thread_stays: None) -> Iterator[None]:
    """The default client, and the sandbox of `connect`, end with the test that made them."""
    client, sandbox = _connect._default, _connect._sandbox
    own = _connect._context_default.get()
    yield
    made = (_connect._default, client), (_connect._context_default.get(), own), (_connect._sandbox, sandbox)
    _connect._default, _connect._sandbox = client, sandbox
    _connect._context_default.set(own)
    for after, before in made:
        if after is not None and after is not before:
            after.close()


@pytest.fixture(scope="session", autouse=True)
def keys_of_sandboxes_are_made_once() -> Iterator[None]:
    """Every sandbox in this process takes its new RSA keys from a few that are made at their first use."""
    make = generate_private_key
    made: list[RSAPrivateKey] = []
    again = cycle(made)

    def take(public_exponent: int, key_size: int) -> RSAPrivateKey:
        if len(made) < _DIFFERENT_KEYS:
            key = make(public_exponent, key_size)
            made.append(key)  # as other threads do meanwhile
            return key
        return next(again)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_keys, "generate_private_key", take)
        # The wrong key of a fault has to be none of these.
        patch.setattr(_changes, "new_key", cache(lambda: make(65_537, 2_048)))
        yield


@pytest.fixture(scope="session", autouse=True)
def certificates_are_loaded_once() -> Iterator[None]:
    """Every client in this process shares the authorities' certificates, which take 50 ms to load."""
    load = ssl.create_default_context
    shared = cache(load)

    def share(*args: Any, **options: Any) -> ssl.SSLContext:
        return shared(**options) if not args and {*options} in ({"cafile"}, {"capath"}) else load(*args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssl, "create_default_context", share)
        yield


@pytest.fixture
def no_waiting() -> Iterator[None]:
    """Attempts follow each other at once; how many there are stays as it is."""
    with pytest.MonkeyPatch.context() as patch:
        # Other threads have their turn all the same: those of servers, which close connections.
        patch.setattr(tenacity.nap, "time", SimpleNamespace(sleep=lambda _: time.sleep(0)))
        yield


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """One sandbox that answers a write consent with a postbox; each test brings people of its own."""
    with Sandbox() as running:
        yield running


@pytest.fixture(scope="session")
def import_sandbox() -> Iterator[Sandbox]:
    """One sandbox without postboxes: files are written by direct import."""
    with Sandbox(postbox=False) as running:
        yield running


@pytest.fixture(params=["postbox", "import"])
def either_sandbox(request: pytest.FixtureRequest) -> Sandbox:
    """Each of the two, one after the other, so that a rule is shown for both protocols."""
    name = "sandbox" if request.param == "postbox" else "import_sandbox"
    found: Sandbox = request.getfixturevalue(name)
    return found


@pytest.fixture
def connected() -> Iterator[Callable[..., Client]]:
    """Makes clients of a sandbox that keep authorizations in memory."""
    made: list[Client] = []

    def connect(running: Sandbox, **options: Any) -> Client:
        made.append(client_of(running, **options))
        return made[-1]

    yield connect
    for client in made:
        client.close()


@pytest.fixture
def client(sandbox: Sandbox, connected: Callable[..., Client]) -> Client:
    return connected(sandbox)


@pytest.fixture
def either_client(either_sandbox: Sandbox, connected: Callable[..., Client]) -> Client:
    return connected(either_sandbox)


@pytest.fixture
def authorize() -> Authorize:
    """Asks a sandbox's person for consent, who gives it."""

    def ask(running: Sandbox, client: Client, account_id: str, access: Access = "write") -> Authorization:
        with client.begin_authorization(account_id, access=access) as flow:
            return flow.complete(running.approve(flow.url))

    return ask


@pytest.fixture
def account_id() -> str:
    """An account that no other test uses."""
    return f"patient-{next(_ACCOUNTS)}"


@pytest.fixture
def person(sandbox: Sandbox, client: Client, authorize: Authorize, account_id: str) -> Authorization:
    """Someone who lets `client` write to the postbox of their library."""
    return authorize(sandbox, client, account_id)


@pytest.fixture
def reader(sandbox: Sandbox, client: Client, authorize: Authorize, person: Authorization) -> Authorization:
    """The same person, who lets `client` read back too."""
    return authorize(sandbox, client, person.account_id, "read")


@pytest.fixture(scope="session")
def other_contract(sandbox: Sandbox) -> Contract:
    """Another application's contract, which may write into the libraries of the shared sandbox too."""
    contract = Contract("another-application", "another-contract", generate_private_key(65537, 2048))
    registrations = sandbox._require_running().context.registrations
    assert isinstance(registrations, dict)
    registrations[contract.client_id] = Registration(contract, "write")
    return contract


@pytest.fixture
def other_writer(
    sandbox: Sandbox, other_contract: Contract, connected: Callable[..., Client], person: Authorization
) -> tuple[Client, Authorization]:
    """A client of that contract, and the same person's consent to it."""
    client = connected(sandbox, contract=other_contract)
    with client.begin_authorization(person.account_id, user_access_token=person.user_access_token) as flow:
        authorization = flow.complete(sandbox.approve(flow.url))
    assert authorization.user_id == person.user_id
    return client, authorization


@pytest.fixture
def either_person(
    either_sandbox: Sandbox, either_client: Client, authorize: Authorize, account_id: str
) -> Authorization:
    """Someone who lets `either_client` write and read."""
    found = authorize(either_sandbox, either_client, account_id)
    authorize(either_sandbox, either_client, account_id, "read")
    return found


@pytest.fixture(scope="session")
def vector() -> Callable[[str], Any]:
    """Loads what was recorded of the vendor's programs; see vectors/README.md."""
    return lambda name: json.loads((Path(__file__).parent / "vectors" / f"{name}.json").read_bytes())


@pytest.fixture(scope="session")
def vendor_keys(vector: Callable[[str], Any]) -> dict[str, RSAPrivateKey]:
    """The recordings' private keys, by name."""
    loaded = {name: load_der_private_key(b64decode(text), password=None) for name, text in vector("keys").items()}
    return {name: key for name, key in loaded.items() if isinstance(key, RSAPrivateKey)}


@pytest.fixture(scope="session")
def openssl() -> Callable[..., bytes]:
    """Runs the openssl command line, an implementation that shares nothing with ours, and returns its output."""

    def run(*arguments: str | Path, stdin: bytes = b"") -> bytes:
        return subprocess.run(["openssl", *arguments], input=stdin, capture_output=True, check=True).stdout

    return run
