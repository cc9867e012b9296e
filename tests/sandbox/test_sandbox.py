from __future__ import annotations

import socket
import stat
import subprocess
import sys
import textwrap
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from digime_pandas.errors import ConfigurationError
from digime_pandas.sandbox import Sandbox
from digime_pandas.sandbox._store import keys
from tests.common.threads import left_since

from .endpoints.protocol_client import Consent, ProtocolClient, error_reply, port_of

pytestmark = pytest.mark.slow


def test_it_tells_where_it_is_and_who_may_use_it(api: ProtocolClient) -> None:
    sandbox = api.sandbox
    assert sandbox.base_url == f"http://127.0.0.1:{port_of(sandbox)}/v1.7/"
    assert sandbox.onboard_url == f"http://127.0.0.1:{port_of(sandbox)}/apps/saas/"
    assert sandbox.contract.client_id != sandbox.read_contract.client_id
    assert repr(sandbox) == f"<Sandbox {sandbox.base_url}>"


def test_files_can_be_asked_for_by_account(api: ProtocolClient) -> None:
    person = api.consent()
    for account in ("here", "there"):
        descriptor = {"mimeType": "text/csv", "accounts": [{"accountId": account}]}
        assert api.import_file(person, account.encode(), descriptor=descriptor).status_code == 204
    assert [file.content for file in api.sandbox.files("here")] == [b"here"]
    assert api.sandbox.files("nowhere") == []


def test_it_leaves_nothing_behind(capfd: pytest.CaptureFixture[str]) -> None:
    threads = set(threading.enumerate())
    sandbox = Sandbox().start()
    api = ProtocolClient(sandbox)
    api.import_file(api.consent(), b"x")
    (file,) = sandbox.files()
    port = port_of(sandbox)
    sandbox.close()
    api.http.close()
    assert left_since(threads) == []
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
        api = ProtocolClient(sandbox)
        person = api.consent()
        assert api.post_file(person, b"kept").status_code == 200
        claims = api.headers(person.contract, grant_type="refresh_token", refresh_token="x")
        api.http.post("oauth/token", headers=claims)
        api.http.close()
    with Sandbox(folder) as sandbox:
        api = ProtocolClient(sandbox)
        assert sandbox.contract.client_id == person.contract.client_id
        assert [file.content for file in sandbox.files()] == [b"kept"]
        again = Consent(sandbox.contract, person.redirected, person.payload)
        assert api.post_file(again, b"more").status_code == 200
        assert error_reply(api.http.post("oauth/token", headers=claims)) == (401, "NonceReused")
        assert len(sandbox.files()) == 2
        api.http.close()


def test_what_is_kept_can_be_read_by_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "sandbox"
    with Sandbox(folder) as sandbox:
        api = ProtocolClient(sandbox)
        api.import_file(api.consent(), b"x")
        api.http.close()
        for path in (folder, folder / "keys", folder / "files"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o700
        for path in [*folder.glob("index.sqlite*"), *folder.glob("keys/*.pem")]:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_half_received_files_of_an_earlier_run_are_removed(tmp_path: Path) -> None:
    with Sandbox(tmp_path):
        pass
    (tmp_path / "files" / "0123.part").write_bytes(b"half")
    with Sandbox(tmp_path) as sandbox:
        assert sandbox.files() == []
    assert list((tmp_path / "files").iterdir()) == []


def test_an_unknown_compression_is_refused_before_anything_starts() -> None:
    with pytest.raises(ConfigurationError, match="zstd"):
        Sandbox(compression="zstd")  # type: ignore[arg-type] # what a caller without types may pass


def test_two_sandboxes_know_nothing_of_each_other(api: ProtocolClient, monkeypatch: pytest.MonkeyPatch) -> None:
    # The tests' sandboxes share a few keys, and a contract's id is made from its key.
    monkeypatch.setattr(keys, "generate_private_key", generate_private_key)
    with ExitStack() as closed_at_the_end:
        other = closed_at_the_end.enter_context(Sandbox())
        stranger = ProtocolClient(other)
        closed_at_the_end.callback(stranger.http.close)
        person = stranger.consent()
        stranger.import_file(person, b"x")
        assert error_reply(api.import_file(person, b"x")) == (401, "InvalidClient")
        assert other.files()[0].file_id not in {file.file_id for file in api.sandbox.files()}


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
        print(sandbox._running.context.library._folder)
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
