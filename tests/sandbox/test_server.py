from __future__ import annotations

import asyncio
import socket
import threading
from pathlib import Path

import httpx
import pytest

from digime_pandas.errors import ConfigurationError
from digime_pandas.sandbox import Sandbox
from digime_pandas.sandbox._server import is_listening
from tests.common.ports import free_port
from tests.common.threads import left_since

from .endpoints.protocol_client import ProtocolClient, port_of

pytestmark = pytest.mark.slow


def test_a_port_that_is_taken_is_named_and_everything_else_is_given_back(tmp_path: Path) -> None:
    with Sandbox() as first, pytest.raises(ConfigurationError, match=f"port={port_of(first)}"):
        Sandbox(tmp_path, port=port_of(first)).start()
    with Sandbox(tmp_path):
        pass


def test_a_port_can_be_chosen() -> None:
    port = free_port()
    with Sandbox(port=port) as sandbox:
        assert port_of(sandbox) == port


def test_connections_left_open_do_not_hold_up_the_end() -> None:
    threads = set(threading.enumerate())
    sandbox = Sandbox().start()
    address = ("127.0.0.1", port_of(sandbox))
    idle = httpx.Client(base_url=sandbox.base_url, trust_env=False)
    idle.get("jwks/oauth")
    with socket.create_connection(address) as silent, socket.create_connection(address) as half:
        half.sendall(b"POST /v1.7/permission-access/trigger HTTP/1.1\r\nHost: loc")
        sandbox.close()
        assert left_since(threads) == []
        silent.settimeout(20)
        assert silent.recv(1) == b""
    idle.close()


def test_a_request_that_never_ends_does_not_hold_up_the_end(capfd: pytest.CaptureFixture[str]) -> None:
    threads = set(threading.enumerate())
    sandbox = Sandbox().start()
    api = ProtocolClient(sandbox)
    reader = api.reader(api.consent())
    signed = api.headers(reader.contract, access_token=reader.access_token)["Authorization"]
    with socket.create_connection(("127.0.0.1", port_of(sandbox))) as stalled:
        head = (
            "POST /v1.7/permission-access/trigger HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: {signed}\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n\r\n"
        )
        stalled.sendall(head.encode())
        assert stalled.recv(100).startswith(b"HTTP/1.1 100 ")  # so the request is under way
        sandbox.close()
        assert left_since(threads) == []
    api.http.close()
    assert capfd.readouterr().err == ""


def test_it_runs_beside_a_running_event_loop() -> None:
    async def notebook() -> int:
        with Sandbox() as sandbox:
            async with httpx.AsyncClient(trust_env=False) as client:
                return (await client.get(f"{sandbox.base_url}jwks/oauth")).status_code

    assert asyncio.run(notebook()) == 200


def test_a_port_is_listened_at_while_the_sandbox_runs() -> None:
    with Sandbox() as sandbox:
        port = port_of(sandbox)
        assert is_listening(port)
    assert not is_listening(port)
