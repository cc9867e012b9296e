from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import digime_pandas
from digime_pandas import Client, FileTokenStore, Receipt
from digime_pandas.errors import DigimeError
from digime_pandas.sandbox import Sandbox, SandboxFile
from digime_pandas.sandbox.faults import InjectedFault
from tests.clients import client_of

from .cases import Case, Step
from .rules import MAX_ATTEMPTS, Protocol, expected
from .times import TIME, TimedClient

# Seconds. The short one has to pass in cases of silence.
TIMEOUT, SHORT_TIMEOUT, DEADLINE, LIFETIME = 20.0, 1.5, 60.0, 86_400.0


@dataclass
class World:
    """One person, one client with its tokens on disk, and the sandbox that faults are arranged at.

    Attributes:
        sandbox: The sandbox.
        client: The client.
        account_id: The person's account.
        folder: Where the tokens are.
    """

    sandbox: Sandbox
    client: Client
    account_id: str
    folder: Path

    def arrange(self, case: Case) -> list[InjectedFault]:
        if case.is_warm:
            self.client.refresh(self.client.authorization(self.account_id))
        if case.tokens == "known to have ended":
            TIME.pass_by(LIFETIME)
        if case.tokens == "ended":
            self.sandbox.expire_access_tokens()
        return [self._fail(each) for each in case.steps]

    def write(self, frame: object, file_name: str) -> Receipt | DigimeError:
        TIME.forget_waits()
        try:
            return digime_pandas.write(frame, file_name, self.account_id, client=self.client, progress=False)
        except DigimeError as error:
            return error

    def stored(self) -> list[SandboxFile]:
        return self.sandbox.files(self.account_id)

    def connections(self) -> int:
        return len(self.sandbox._require_running().server._server.server_state.connections)

    def _fail(self, step: Step) -> InjectedFault:
        return self.sandbox.fail(step.call, times=step.times, **step.what)


def result_of(came: Receipt | DigimeError) -> str | None:
    return came.status if isinstance(came, Receipt) else getattr(came, "outcome", None)


def check(world: World, case: Case, protocol: Protocol, came: Receipt | DigimeError) -> None:
    """Compare what came of a write with the rule, and with what the service knows."""
    rule = expected(case, protocol)
    assert result_of(came) in rule.results, f"{came!r}"
    if rule.waits is not None:
        assert pytest.approx(rule.waits) == TIME.waits
    if isinstance(came, Receipt) and case.tokens != "known to have ended":  # else the refresh came before
        assert came.elapsed == pytest.approx(sum(TIME.waits))  # nothing else took time
    assert sum(TIME.waits) < DEADLINE
    stored = world.stored()
    if result_of(came) in {"not sent", "refused"}:
        assert stored == []
    if result_of(came) == "delivered":
        assert isinstance(came, Receipt)
        assert {hashlib.sha256(file.content).hexdigest() for file in stored} == {came.sha256}
        world.sandbox.heal()
        [seen] = world.client.files(world.account_id)
        assert (seen.write_id, seen.name) == (came.write_id, came.file_name)


@pytest.fixture(scope="session")
def timed_postbox_sandbox() -> Iterator[Sandbox]:
    with Sandbox(clock=TIME.now, access_token_lifetime=LIFETIME) as running:
        yield running


@pytest.fixture(scope="session")
def timed_import_sandbox() -> Iterator[Sandbox]:
    with Sandbox(clock=TIME.now, access_token_lifetime=LIFETIME, postbox=False) as running:
        yield running


@pytest.fixture
def world(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    account_id: str,
    client_class: type[Client],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    """A world of the protocol and the case of the test; nothing is left of it."""
    protocol, case = request.getfixturevalue("protocol"), request.getfixturevalue("case")
    sandbox: Sandbox = request.getfixturevalue(f"timed_{protocol}_sandbox")
    spool = tmp_path / "temporary"
    spool.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(spool))
    tokens = FileTokenStore(tmp_path / "tokens")
    options: dict[str, Any] = {"timeout": SHORT_TIMEOUT if case.is_slow else TIMEOUT, "deadline": DEADLINE}
    client = client_of(sandbox, client_class, tokens=tokens, max_attempts=MAX_ATTEMPTS, **options)
    for access in ("write", "read"):
        sandbox.approve_all([account_id], access=access, tokens=tokens)
    made = World(sandbox, client, account_id, tmp_path / "tokens")
    yield made
    sandbox.heal()
    client.close()
    _wait_for_connections(made)
    assert list(spool.iterdir()) == [], "temporary files were left behind"
    assert [path for path in made.folder.rglob("*") if path.name.startswith(".new-")] == []


def _wait_for_connections(made: World) -> None:
    # The server notices in its own time that a connection was closed.
    end = time.monotonic() + TIMEOUT
    while made.connections():
        assert time.monotonic() < end, "connections were left open"
        made.sandbox._require_running().server.close_idle_connections()


@pytest.fixture
def client_class(request: pytest.FixtureRequest) -> type[Client]:
    found: type[Client] = getattr(request, "param", TimedClient)
    return found


@pytest.fixture
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


@pytest.fixture
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)
