from __future__ import annotations

import asyncio
import socket
import stat
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import get_args
from urllib.parse import urlsplit

import httpx
import pytest

from digime_pandas.errors import ConfigurationError
from digime_pandas.sandbox import Sandbox
from digime_pandas.sandbox._wire.error_replies import STATUS, Code

from .wire import Consent, Wire, refusal


def port_of(sandbox: Sandbox) -> int:
    return urlsplit(sandbox.base_url).port or 0


def test_it_tells_where_it_is_and_who_may_use_it(wire: Wire) -> None:
    sandbox = wire.sandbox
    assert sandbox.base_url == f"http://127.0.0.1:{port_of(sandbox)}/v1.7/"
    assert sandbox.onboard_url == f"http://127.0.0.1:{port_of(sandbox)}/apps/saas/"
    assert sandbox.contract.client_id != sandbox.read_contract.client_id
    assert repr(sandbox) == f"<Sandbox {sandbox.base_url}>"


def test_files_can_be_asked_for_by_account(wire: Wire) -> None:
    person = wire.consent()
    for account in ("here", "there"):
        descriptor = {"mimeType": "text/csv", "accounts": [{"accountId": account}]}
        assert wire.import_file(person, account.encode(), descriptor=descriptor).status_code == 204
    assert [file.content for file in wire.sandbox.files("here")] == [b"here"]
    assert wire.sandbox.files("nowhere") == []


def test_it_starts_and_stops_quickly_and_leaves_nothing_behind(capfd: pytest.CaptureFixture[str]) -> None:
    threads = set(threading.enumerate())
    started = time.perf_counter()
    sandbox = Sandbox().start()
    ready = time.perf_counter()
    wire = Wire(sandbox)
    wire.import_file(wire.consent(), b"x")
    (file,) = sandbox.files()
    port = port_of(sandbox)
    sandbox.close()
    wire.http.close()
    assert ready - started < 3
    assert set(threading.enumerate()) == threads
    assert not file.path.parent.parent.exists()
    with socket.create_server(("127.0.0.1", port)):
        pass
    assert capfd.readouterr() == ("", "")


def test_start_and_close_may_be_repeated() -> None:
    sandbox = Sandbox()
    assert sandbox.start() is sandbox
    port = port_of(sandbox)
    assert port_of(sandbox.start()) == port
    sandbox.close()
    sandbox.close()
    with sandbox as again:
        assert again.files() == []


def test_what_needs_a_running_sandbox_says_so() -> None:
    sandbox = Sandbox()
    assert repr(sandbox) == "<Sandbox not running>"
    with pytest.raises(ConfigurationError, match="not running"):
        sandbox.files()
    with pytest.raises(ConfigurationError, match="not running"):
        _ = sandbox.contract


def test_a_restart_keeps_contracts_people_tokens_files_and_used_nonces(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "sandbox"
    with Sandbox(folder) as sandbox:
        wire = Wire(sandbox)
        person = wire.consent()
        assert wire.post_file(person, b"kept").status_code == 200
        claims = wire.headers(person.contract, grant_type="refresh_token", refresh_token="x")
        wire.http.post("oauth/token", headers=claims)
        wire.http.close()
    with Sandbox(folder) as sandbox:
        wire = Wire(sandbox)
        assert sandbox.contract.client_id == person.contract.client_id
        assert [file.content for file in sandbox.files()] == [b"kept"]
        again = Consent(sandbox.contract, person.redirected, person.payload)
        assert wire.post_file(again, b"more").status_code == 200
        assert refusal(wire.http.post("oauth/token", headers=claims)) == (401, "NonceReused")
        assert len(sandbox.files()) == 2
        wire.http.close()


def test_what_is_kept_can_be_read_by_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "sandbox"
    with Sandbox(folder) as sandbox:
        wire = Wire(sandbox)
        wire.import_file(wire.consent(), b"x")
        wire.http.close()
        for path in (folder, folder / "keys", folder / "files"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o700
        for path in [*folder.glob("index.sqlite*"), *folder.glob("keys/*.pem")]:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_keys_are_kept_in_a_form_that_openssl_reads(tmp_path: Path) -> None:
    with Sandbox(tmp_path):
        for name in ("write", "read", "signing", "postbox"):
            check = ["openssl", "rsa", "-in", str(tmp_path / "keys" / f"{name}.pem"), "-check", "-noout"]
            assert b"RSA key ok" in subprocess.run(check, capture_output=True, check=True).stdout


def test_half_received_files_of_an_earlier_run_are_removed(tmp_path: Path) -> None:
    with Sandbox(tmp_path):
        pass
    (tmp_path / "files" / "0123.part").write_bytes(b"half")
    with Sandbox(tmp_path) as sandbox:
        assert sandbox.files() == []
    assert list((tmp_path / "files").iterdir()) == []


def test_a_key_file_that_is_no_key_is_named(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "write.pem").write_text("nonsense")
    with pytest.raises(ConfigurationError, match=r"write\.pem"):
        Sandbox(tmp_path).start()


def test_a_folder_serves_one_sandbox_at_a_time(tmp_path: Path) -> None:
    with Sandbox(tmp_path), pytest.raises(ConfigurationError, match="in use"):
        Sandbox(tmp_path).start()
    with Sandbox(tmp_path):
        pass


def test_a_port_that_is_taken_is_named_and_everything_else_is_given_back(tmp_path: Path) -> None:
    with Sandbox() as first, pytest.raises(ConfigurationError, match=f"port={port_of(first)}"):
        Sandbox(tmp_path, port=port_of(first)).start()
    with Sandbox(tmp_path):
        pass


def test_a_port_can_be_chosen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with Sandbox(port=port) as sandbox:
        assert port_of(sandbox) == port


def test_an_unknown_compression_is_refused_before_anything_starts() -> None:
    with pytest.raises(ConfigurationError, match="zstd"):
        Sandbox(compression="zstd")  # type: ignore[arg-type] # what a caller without types may pass


def test_connections_left_open_do_not_hold_up_the_end() -> None:
    sandbox = Sandbox().start()
    address = ("127.0.0.1", port_of(sandbox))
    idle = httpx.Client(base_url=sandbox.base_url, trust_env=False)
    idle.get("jwks/oauth")
    with socket.create_connection(address) as silent, socket.create_connection(address) as half:
        half.sendall(b"POST /v1.7/permission-access/trigger HTTP/1.1\r\nHost: loc")
        started = time.perf_counter()
        sandbox.close()
        assert time.perf_counter() - started < 5
        silent.settimeout(5)
        assert silent.recv(1) == b""
    idle.close()


def test_a_request_that_never_ends_does_not_hold_up_the_end(capfd: pytest.CaptureFixture[str]) -> None:
    sandbox = Sandbox().start()
    wire = Wire(sandbox)
    reader = wire.reader(wire.consent())
    signed = wire.headers(reader.contract, access_token=reader.access_token)["Authorization"]
    with socket.create_connection(("127.0.0.1", port_of(sandbox))) as stalled:
        head = (
            "POST /v1.7/permission-access/trigger HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: {signed}\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n\r\n"
        )
        stalled.sendall(head.encode())
        assert stalled.recv(100).startswith(b"HTTP/1.1 100 ")  # so the request is under way
        threads = threading.active_count()
        sandbox.close()
        assert threading.active_count() < threads
    wire.http.close()
    assert capfd.readouterr().err == ""


def test_it_runs_beside_a_running_event_loop() -> None:
    async def notebook() -> int:
        with Sandbox() as sandbox:
            async with httpx.AsyncClient(trust_env=False) as client:
                return (await client.get(f"{sandbox.base_url}jwks/oauth")).status_code

    assert asyncio.run(notebook()) == 200


def test_it_may_be_closed_by_another_thread(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path).start()
    thread = threading.Thread(target=sandbox.close)
    thread.start()
    thread.join(10)
    with Sandbox(tmp_path):
        pass


def test_two_sandboxes_know_nothing_of_each_other(wire: Wire) -> None:
    with Sandbox() as other:
        stranger = Wire(other)
        person = stranger.consent()
        stranger.import_file(person, b"x")
        assert refusal(wire.import_file(person, b"x")) == (401, "InvalidClient")
        assert other.files()[0].file_id not in {file.file_id for file in wire.sandbox.files()}
        stranger.http.close()


def run_python(program: str, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *flags, "-c", textwrap.dedent(program)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_sandbox_nobody_closes_ends_with_the_interpreter() -> None:
    ended = run_python(
        """
        from pathlib import Path
        from urllib.request import urlopen
        from digime_pandas.sandbox import Sandbox
        sandbox = Sandbox().start()
        urlopen(sandbox.base_url + "jwks/oauth").read()
        print(sandbox._running.service.library._folder)
        """,
        "-W",
        "error",
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    assert not Path(ended.stdout.strip()).exists()


@pytest.mark.parametrize("missing", ["starlette", "uvicorn", "python_multipart", "jinja2"])
def test_a_missing_part_is_named_with_the_command_that_installs_it(missing: str) -> None:
    ended = run_python(
        f"""
        import sys
        sys.modules[{missing!r}] = None
        from digime_pandas.errors import ConfigurationError
        try:
            import digime_pandas.sandbox
        except ConfigurationError as error:
            assert isinstance(error.__cause__, ImportError)
            print(error)
        """
    )
    assert "pip install 'digime-pandas[sandbox]'" in ended.stdout, ended.stderr


def test_a_failure_of_its_own_is_answered_in_the_same_form_and_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Sandbox(tmp_path) as sandbox:
        wire = Wire(sandbox)
        person = wire.consent()
        wire.import_file(person, b"x")
        reader = wire.reader(person)
        session = wire.session(reader)
        (tmp_path / "index.sqlite").chmod(0o600)
        sandbox._require_running().service.library._database.execute("DROP TABLE files")
        answer = wire.get(reader, f"permission-access/query/{session}")
        assert refusal(answer) == (500, "ServerError")
        assert [record.name for record in caplog.records] == ["digime_pandas.sandbox"]
        assert reader.access_token not in caplog.text
        wire.http.close()


def test_every_code_has_a_status() -> None:
    assert set(STATUS) == set(get_args(Code))
