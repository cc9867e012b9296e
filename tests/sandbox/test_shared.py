"""A sandbox that stays: its folder keeps its port, and processes share it."""

from __future__ import annotations

import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import tenacity.nap
from filelock import FileLock

from digime_pandas._client import connect as _connect
from digime_pandas._client.client import Client
from digime_pandas._client.connect import connect
from digime_pandas._service.authorization import Authorization
from digime_pandas._service.descriptor import FileDescriptor
from digime_pandas.errors import ConfigurationError, ServiceUnreachableError
from digime_pandas.sandbox import Sandbox, SandboxElsewhere, shared_sandbox
from tests.common.ports import free_port

pytestmark = pytest.mark.slow

CONTENT = b"n\r\n1\r\n"
NOTEBOOK = """
    import sys
    import digime_pandas as digime
    client = digime.connect("sandbox", data_dir=sys.argv[1])
    print(client.base_url, client.contract.contract_id, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for a sandbox, and another one for the authorizations of this user."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.setattr(_connect, "_kept", {})
    yield tmp_path / "kept"
    for sandbox in _connect._kept.values():
        sandbox.close()


@pytest.fixture
def notebook(folder: Path) -> Iterator[Callable[[], tuple[subprocess.Popen[str], str]]]:
    """Begin another process that connects to the folder; what it printed."""
    begun: list[subprocess.Popen[str]] = []

    def begin() -> tuple[subprocess.Popen[str], str]:
        command = [sys.executable, "-c", textwrap.dedent(NOTEBOOK), str(folder)]
        begun.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        stdout = begun[-1].stdout
        assert stdout is not None
        return begun[-1], stdout.readline().strip()

    yield begin
    for process in begun:
        process.kill()
        process.communicate()


def consented(client: Client, account_id: str = "p") -> Authorization:
    with client.begin_authorization(account_id) as flow:
        return flow.complete(client.sandbox.approve(flow.url))


def test_a_folder_keeps_its_port(tmp_path: Path) -> None:
    with Sandbox(tmp_path) as sandbox:
        first = sandbox.base_url
    for _ in range(2):
        with Sandbox(tmp_path) as sandbox:
            assert sandbox.base_url == first


def test_another_port_is_kept_from_then_on(tmp_path: Path) -> None:
    with Sandbox(tmp_path) as sandbox:
        first = sandbox.origin
    port = free_port()
    with Sandbox(tmp_path, port=port) as sandbox:
        assert sandbox.origin != first
    with Sandbox(tmp_path) as sandbox:
        assert sandbox.origin == f"http://127.0.0.1:{port}"


def test_a_kept_port_that_another_program_has_is_an_error(tmp_path: Path) -> None:
    with Sandbox(tmp_path) as sandbox:
        port = int(sandbox.origin.rpartition(":")[2])
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(ConfigurationError, match=f"at port {port}") as caught,
    ):
        Sandbox(tmp_path).start()
    assert "--port" in caught.value.text("shell")
    with Sandbox(tmp_path):  # the folder is free again
        pass


@pytest.mark.parametrize("text", ["", "x", "-1", "0", "99999999", "\u00e9", "12 13"])
def test_a_damaged_note_of_the_port_is_ignored(tmp_path: Path, text: str) -> None:
    (tmp_path / "port").write_text(text, encoding="utf-8")
    with Sandbox(tmp_path) as sandbox:
        assert (tmp_path / "port").read_text(encoding="ascii").strip() == sandbox.origin.rpartition(":")[2]


def test_a_folder_that_cannot_be_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="data_dir="):
        Sandbox(tmp_path / "file" / "inside").start()


def test_people_and_authorizations_are_there_after_a_restart(folder: Path) -> None:
    with connect("sandbox", data_dir=folder) as client:
        made = consented(client)
        client.sandbox.close()
    with connect("sandbox", data_dir=str(folder)) as again:
        assert again.authorization("p") == made
        receipt = again.write(CONTENT, "n.csv", descriptor(), made)
        assert receipt.status == "delivered"
        assert [file.content for file in again.sandbox.files("p")] == [CONTENT]


def test_processes_share_one(folder: Path, notebook: Callable[[], tuple[subprocess.Popen[str], str]]) -> None:
    process, printed = notebook()
    with connect("sandbox", data_dir=folder) as client:
        assert f"{client.base_url} {client.contract.contract_id}" == printed
        assert isinstance(client.sandbox, SandboxElsewhere)
        assert client.write(CONTENT, "n.csv", descriptor(), consented(client)).status == "delivered"
        with pytest.raises(AttributeError, match="served by another process"):
            client.sandbox.files()
        assert not hasattr(client.sandbox, "nothing")
        _, second = notebook()
        assert second == printed
        process.communicate("\n", timeout=60)  # the one that served it ends
        with pytest.raises(ServiceUnreachableError, match="No sandbox runs at") as caught:
            client.write(CONTENT, "n.csv", descriptor(), client.authorization("p"))
        assert caught.value.attempts == 0
        assert repr(str(folder)) in str(caught.value)
        with connect("sandbox", data_dir=folder) as again:  # serves it itself, at the same place
            assert isinstance(again.sandbox, Sandbox)
            assert client.write(CONTENT, "n.csv", descriptor(), client.authorization("p")).status == "delivered"


def test_those_that_begin_at_once_share_one(folder: Path) -> None:
    command = [sys.executable, "-c", textwrap.dedent(NOTEBOOK), str(folder)]
    pipe = subprocess.PIPE
    begun = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(3)]
    try:
        assert len({process.stdout.readline() for process in begun if process.stdout}) == 1
    finally:
        for process in begun:
            process.kill()
            process.communicate()


def test_an_embedded_one_that_was_closed_is_told_of_at_once() -> None:
    with connect("sandbox") as client:
        authorization = consented(client)
        client.sandbox.close()
        with pytest.raises(ServiceUnreachableError, match="No sandbox runs") as caught:
            client.write(CONTENT, "n.csv", descriptor(), authorization)
        assert 'connect("sandbox")' in str(caught.value)


def test_a_running_one_that_refuses_connections_for_a_while_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with connect("sandbox") as client:
        authorization = consented(client)
        client.sandbox.fail("connect", refused=True)
        # It accepts them again while the client waits for its second attempt.
        monkeypatch.setattr(tenacity.nap, "time", SimpleNamespace(sleep=lambda _: client.sandbox.heal()))
        assert client.write(CONTENT, "n.csv", descriptor(), authorization).attempts == 2


def test_a_process_that_has_the_folder_and_does_not_answer_is_an_error(tmp_path: Path) -> None:
    times = iter(range(100))
    with (
        FileLock(tmp_path / "lock", thread_local=False),
        pytest.raises(ConfigurationError, match="does not answer"),
    ):
        shared_sandbox(tmp_path, sleep=lambda _: None, clock=lambda: float(next(times) * 10))


def test_a_folder_is_for_a_sandbox() -> None:
    with pytest.raises(ConfigurationError, match="data_dir is the folder of a sandbox"):
        connect(data_dir="somewhere")


def descriptor() -> FileDescriptor:
    return FileDescriptor("text/csv", "p", ["n.csv"])
