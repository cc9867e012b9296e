"""The command line, against a real sandbox over loopback."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import signal
import stat
import subprocess
import sys
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count, islice
from pathlib import Path
from urllib.request import urlopen

import dask.dataframe as dd
import pandas as pd
import pytest

import digime_pandas.dask  # noqa: F401 - registers the accessor
from digime_pandas import __main__ as command_line
from digime_pandas.__main__ import main
from digime_pandas._client import connect as _connect
from digime_pandas._client.client import Client
from digime_pandas._client.connect import connect
from digime_pandas._service.authorization import Access, Authorization
from digime_pandas._service.contract import Contract
from digime_pandas._service.descriptor import FileDescriptor
from digime_pandas._service.oauth.token_store import MemoryTokenStore
from digime_pandas.sandbox import Sandbox
from digime_pandas.sandbox._browser import submit_consent_form

pytestmark = pytest.mark.slow

ACCOUNT = "patient-17"
EXPORTS = 8
_PEOPLE = count(1)
CALLBACK = "http://127.0.0.1:65000/callback"
CONTENT = b"day,pulse\r\n2026-01-05,61\r\n"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture
def surroundings(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Point the DIGIME_* variables to the sandbox, as its command tells people to, and the tokens to a new folder."""
    monkeypatch.setattr(_connect, "_default", None)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    variables = exports(command_line._environment_exports(sandbox, sandbox._data_dir or Path()))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


@pytest.fixture
def consent(surroundings: dict[str, str], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Authorize the account to write and to read, by the command; a browser that approves stands for the person."""
    approve_in_browser(sandbox, monkeypatch)
    assert main(["authorize", "--account", ACCOUNT]) == 0
    assert main(["authorize", "--account", ACCOUNT, "--access", "read"]) == 0


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "visits.csv"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def in_folder(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(source.parent)


def exports(text: str) -> dict[str, str]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(line.startswith("export ") for line in lines)
    return dict(shlex.split(line)[1].split("=", 1) for line in lines)


def approve_in_browser(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def browse(url: str) -> bool:
        with urlopen(sandbox.approve(url), timeout=10) as page:
            return bool(page.status == 200)

    monkeypatch.setattr(webbrowser, "open", browse)


@contextmanager
def start_sandbox(temporary: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the sandbox command; give it and the lines it prints."""
    command = [sys.executable, "-m", "digime_pandas", "sandbox", *arguments]
    environment = os.environ | {"TMPDIR": str(temporary)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            lines = list(islice(process.stdout, EXPORTS + 2))
            yield process, "".join(lines)
        finally:
            process.kill()


def authorize(variables: dict[str, str], access: Access) -> Authorization:
    contracts = [Contract.from_env(prefix, variables) for prefix in ("DIGIME_", "DIGIME_READ_")]
    origin = variables["DIGIME_BASE_URL"].removesuffix("/v1.7/")
    with Client(
        contracts[0],
        read_contract=contracts[1],
        base_url=variables["DIGIME_BASE_URL"],
        onboard_url=variables["DIGIME_ONBOARD_URL"],
        tokens=MemoryTokenStore(),
    ) as client:
        flow = client.begin_authorization("someone", access=access)
        return flow.complete(submit_consent_form(flow.url, "approve", origin=origin))


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "digime_pandas", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.usefixtures("consent")
def test_a_file_is_written_as_the_bytes_it_is_and_read_back(
    source: Path, tmp_path: Path, sandbox: Sandbox, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main(["write", str(source), "--account", ACCOUNT, "--tag", "visits", "--tag", "2026"]) == 0
    assert capfdbinary.readouterr().out.startswith(b"delivered: visits.csv, text/csv, 26 bytes, SHA-256 ")
    stored = sandbox.files(ACCOUNT)[-1]
    assert stored.content == CONTENT
    assert (stored.mime_type, stored.tags) == ("text/csv", ("visits", "2026"))
    assert main(["read", "visits.csv", "--account", ACCOUNT]) == 0
    assert capfdbinary.readouterr().out == CONTENT
    assert main(["read", "visits.csv", "--account", ACCOUNT, "-o", str(tmp_path / "copy")]) == 0
    assert (tmp_path / "copy").read_bytes() == CONTENT
    assert capfdbinary.readouterr().out == b""


@pytest.mark.usefixtures("consent")
def test_a_written_file_is_found_by_its_name_and_a_write_id(source: Path, sandbox: Sandbox) -> None:
    assert main(["write", str(source), "--account", ACCOUNT, "--name", "other", "--format", "ndjson"]) == 0
    stored = sandbox.files(ACCOUNT)[-1]
    assert stored.mime_type == "application/x-ndjson"
    name, write_id = stored.reference
    assert name == "other"
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", write_id)


@pytest.mark.usefixtures("consent")
def test_files_are_listed_newest_first_with_their_tags(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("first.csv", "second.csv"):
        assert main(["write", str(source), "--account", ACCOUNT, "--name", name, "--tag", "x y"]) == 0
    capsys.readouterr()
    assert main(["files", "--account", ACCOUNT]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["name", "type", "updated", "tags"]
    assert [row.split()[0] for row in rows][:2] == ["second.csv", "first.csv"]
    assert rows[0].endswith("  x y")


@pytest.mark.usefixtures("consent")
def test_names_given_by_others_cannot_control_the_terminal(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    with _connect.connect() as client:
        descriptor = FileDescriptor("text/plain", ACCOUNT, ["\x1b[2Jgone\nfake row", "second"])
        client.write(b"x", "x.txt", descriptor, client.authorization(ACCOUNT))
    capsys.readouterr()
    assert main(["files", "--account", ACCOUNT]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert r"\x1b[2Jgone\nfake row" in out


@pytest.mark.usefixtures("consent")
@pytest.mark.parametrize("content", [b"PAR1\x00\xff", b"\x1b]0;title\x07", "col\u202egnp\n".encode()])
def test_what_is_not_plain_text_is_not_written_to_a_terminal(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "odd.csv").write_bytes(content)
    assert main(["write", str(tmp_path / "odd.csv"), "--account", ACCOUNT]) == 0
    capsys.readouterr()
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["read", "odd.csv", "--account", ACCOUNT]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "-o" in err


@pytest.mark.usefixtures("consent")
def test_plain_text_is_written_to_a_terminal(
    source: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["write", str(source), "--account", ACCOUNT]) == 0
    capsys.readouterr()
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["read", "visits.csv", "--account", ACCOUNT]) == 0
    assert "2026-01-05,61" in capsys.readouterr().out


@pytest.mark.usefixtures("consent")
def test_a_read_file_must_have_the_digest_that_is_asked_for(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["write", str(source), "--account", ACCOUNT]) == 0
    digest = re.search(r"SHA-256 ([0-9a-f]{64})", capsys.readouterr().out)
    assert digest is not None
    assert main(["read", "visits.csv", "--account", ACCOUNT, "--sha256", digest[1]]) == 0
    assert main(["read", "visits.csv", "--account", ACCOUNT, "--sha256", "0" * 64]) == 1


@pytest.mark.usefixtures("consent")
def test_forget_forgets_both_accesses_or_the_named_one(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["forget", "--account", ACCOUNT, "--access", "read"]) == 0
    assert main(["files", "--account", ACCOUNT]) == 1
    assert main(["write", str(source), "--account", ACCOUNT]) == 0
    assert main(["forget", "--account", ACCOUNT]) == 0
    assert main(["write", str(source), "--account", ACCOUNT]) == 1
    out = capsys.readouterr().out
    assert out.count("forgotten here") == 2
    assert out.count("nothing was stored") == 1


@pytest.mark.usefixtures("surroundings")
def test_without_consent_the_command_that_gets_it_is_named(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["write", str(source), "--account", "new one"]) == 1
    assert "digime-pandas authorize --account 'new one'\n" in capsys.readouterr().err
    assert main(["read", "visits.csv", "--account", "new one"]) == 1
    assert "digime-pandas authorize --account 'new one' --access read\n" in capsys.readouterr().err


@pytest.mark.usefixtures("consent", "in_folder")
@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["write", "visits.txt"], "visits.txt"),
        (["write", "missing.csv"], "missing.csv: No such file"),
        (["write", "visits.csv", "--format", "parquet"], "disagree"),
        (["write", "visits.csv", "--name", "a/b.csv"], "a/b.csv"),
        (["write", "visits.csv", "--tag", ""], "--tag holds an empty"),
        (["write", "."], "Give files"),
        (["read", "nothing.csv"], "nothing.csv"),
    ],
)
def test_a_failure_is_one_line_on_standard_error_and_sends_nothing(
    arguments: list[str],
    named: str,
    sandbox: Sandbox,
    capsys: pytest.CaptureFixture[str],
) -> None:
    capsys.readouterr()
    before = len(sandbox.files())
    assert main([*arguments, "--account", ACCOUNT]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"digime-pandas: [^\n]+\n", err)
    assert named in err
    assert len(sandbox.files()) == before


def test_what_is_not_configured_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], source: Path
) -> None:
    for name in [name for name in os.environ if name.startswith("DIGIME_")]:
        monkeypatch.delenv(name)
    assert main(["write", str(source), "--account", ACCOUNT]) == 1
    assert "DIGIME_APPLICATION_ID" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["write"], ["files"], ["sandbox", "--port", "x"], ["fly"]])
def test_wrong_usage_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("usage: digime-pandas")


@pytest.mark.usefixtures("surroundings")
def test_an_interrupt_exits_with_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(url: str) -> bool:
        raise KeyboardInterrupt(url)

    monkeypatch.setattr(webbrowser, "open", interrupt)
    assert main(["authorize", "--account", "someone"]) == 130
    assert capsys.readouterr().err.endswith("digime-pandas: interrupted\n")


@pytest.mark.usefixtures("consent")
def test_a_reader_that_goes_away_gets_no_complaint() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        command = [sys.executable, "-m", "digime_pandas", "files", "--account", ACCOUNT]
        ended = subprocess.run(command, stdout=closed, stderr=subprocess.PIPE, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (1, b"")


@pytest.mark.usefixtures("consent")
def test_no_command_prints_a_secret(
    source: Path, tmp_path: Path, surroundings: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (
        ["authorize"],
        ["write", str(source)],
        ["files"],
        ["read", "visits.csv"],
        ["read", "none.csv"],
        ["forget", "--access", "read"],
    ):
        main([*arguments, "--account", ACCOUNT])
    shown = "".join(capsys.readouterr())
    (kept,) = [path.read_text() for path in (tmp_path / "share").rglob("*.json")]
    keys = [Path(path).read_text() for name, path in surroundings.items() if name.endswith("_FILE")]
    secrets = re.findall(r'"value": ?"([^"]+)"', kept) + [line for key in keys for line in key.splitlines()[1:-1]]
    assert len(secrets) > 30
    assert not [secret for secret in secrets if secret in shown]


def test_the_sandbox_prints_what_another_program_needs_and_stops_cleanly(tmp_path: Path) -> None:
    with start_sandbox(tmp_path) as (process, text):
        assert "-----BEGIN" not in text
        variables = exports(text)
        keys = [Path(path) for name, path in variables.items() if name.endswith("_FILE")]
        assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}
        assert authorize(variables, "write").postbox is not None
        assert authorize(variables, "read").postbox is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert list(tmp_path.iterdir()) == []


def test_the_sandbox_keeps_its_folder_and_can_do_without_postboxes(tmp_path: Path) -> None:
    found = []
    for _ in range(2):
        with start_sandbox(tmp_path, "--data-dir", str(tmp_path / "kept"), "--import") as (process, text):
            found.append(exports(text))
            assert authorize(found[-1], "write").postbox is None
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
    assert found[0] == found[1]  # its port, too
    assert found[0]["DIGIME_PRIVATE_KEY_FILE"] == str(tmp_path / "kept" / "keys" / "write.pem")


def test_the_sandbox_says_for_machines_where_it_is(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "digime_pandas", "sandbox", "--data-dir", str(tmp_path / "kept"), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = json.loads("".join(iter(process.stdout.readline, "}\n")) + "}")
            assert said["data_dir"] == str(tmp_path / "kept")
            assert said["environment"]["DIGIME_BASE_URL"] == f"{said['origin']}/v1.7/"
            assert authorize(said["environment"], "write").account_id == "someone"
        finally:
            process.kill()


def test_a_taken_port_is_an_error_in_words(sandbox: Sandbox) -> None:
    port = sandbox.origin.rpartition(":")[2]
    ended = run("sandbox", "--port", port)
    assert ended.returncode == 1
    assert re.fullmatch(rf"digime-pandas: --port {port} [^\n]+\n", ended.stderr)


@pytest.fixture
def links(surroundings: dict[str, str], capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Invite two people, by the command."""
    assert main(["invite", "patient-1", "patient 2", "--callback", CALLBACK]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return dict(line.split("  ") for line in out.splitlines())


class TestPeopleElsewhere:
    """Commands for people who do not come back to this process."""

    def test_each_gets_a_link_and_the_address_that_comes_back_completes_it(
        self,
        links: dict[str, str],
        sandbox: Sandbox,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        assert list(links) == ["patient-1", "patient 2"]
        first, second = (sandbox.approve(url) for url in links.values())
        assert main(["authorize", "--address", first]) == 0
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{second}\n"))
        assert main(["authorize", "--address", "-"]) == 0
        out = capsys.readouterr().out
        assert "Account 'patient-1' is authorized to write by postbox." in out
        assert "Account 'patient 2' is authorized to write by postbox." in out
        assert not [code for each in (first, second) for code in re.findall(r"code=([^&]+)", each) if code in out]

    def test_consents_say_how_things_stand(
        self, links: dict[str, str], sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["authorize", "--address", sandbox.approve(links["patient-1"])]) == 0
        capsys.readouterr()
        assert main(["consents"]) == 0
        head, *rows = capsys.readouterr().out.splitlines()
        assert head.split() == ["account", "access", "status", "until"]
        assert [re.split(r" {2,}", row)[:3] for row in rows] == [
            ["patient 2", "write", "pending"],
            ["patient-1", "write", "given"],
        ]
        assert main(["consents", "--json"]) == 0
        waiting, given = json.loads(capsys.readouterr().out)
        assert (waiting["account_id"], waiting["status"], waiting["user_id"]) == ("patient 2", "pending", None)
        assert datetime.fromisoformat(given["until"]) > datetime.fromisoformat(waiting["until"]) > datetime.now(UTC)
        assert set(given) == {"account_id", "access", "status", "until", "user_id"}

    @pytest.mark.usefixtures("surroundings")
    def test_without_anybody_there_is_a_head_or_an_empty_list(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["consents"]) == main(["consents", "--json"]) == 0
        assert capsys.readouterr().out == "account  access  status  until\n[]\n"

    @pytest.mark.usefixtures("surroundings")
    def test_invitations_for_machines_have_their_errors_beside_them(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["invite", "p", "--callback", CALLBACK, "--access", "read", "--json"]) == 0
        (row,) = json.loads(capsys.readouterr().out)
        assert (row["account_id"], row["error"]) == ("p", None)
        assert row["url"].startswith("http://127.0.0.1:")
        elsewhere = ["invite", "p", "--callback", "https://elsewhere.example.test/"]
        assert main([*elsewhere, "--json"]) == 1
        (row,) = json.loads(capsys.readouterr().out)
        assert (row["url"], "InvalidRedirectUri" in row["error"]) == (None, True)
        assert main(elsewhere) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert re.fullmatch(r"digime-pandas: p: [^\n]*InvalidRedirectUri[^\n]*\n", err)

    @pytest.mark.usefixtures("surroundings")
    @pytest.mark.parametrize(
        ("arguments", "named"),
        [
            (["invite", "p", "p", "--callback", CALLBACK], "'p' twice"),
            (["authorize", "--address", f"{CALLBACK}?success=true&code=1234&state=of-another"], "another token store"),
            (["authorize", "--address", ""], "is empty"),
        ],
    )
    def test_what_is_wrong_is_one_line(
        self, arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(arguments) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert re.fullmatch(r"digime-pandas: [^\n]+\n", err)
        assert named in err

    @pytest.mark.parametrize("arguments", [[], ["--account", "p", "--address", "x"]])
    def test_an_account_or_an_address_is_named(self, arguments: list[str]) -> None:
        with pytest.raises(SystemExit) as caught:
            main(["authorize", *arguments])
        assert caught.value.code == 2


@pytest.fixture
def library(surroundings: dict[str, str], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> str:
    """A person of their own, with two single files and a dataset of two."""
    account_id = f"person-{next(_PEOPLE)}"
    approve_in_browser(sandbox, monkeypatch)
    for access in ("write", "read"):
        assert main(["authorize", "--account", account_id, "--access", access]) == 0
    with connect() as client:
        for name, tags in (("a.csv", ["x"]), ("b.csv", ["x", "y"])):
            pd.DataFrame({"n": [1]}).digime.write(name, account_id, tags=tags, client=client)
        ddf = dd.from_pandas(pd.DataFrame({"n": [1, 2, 3, 4]}), npartitions=2)
        ddf.digime.write("d-*.csv", account_id, client=client)
    return account_id


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--name", "b.csv"], ["b.csv"]),
        (["--tag", "x"], ["a.csv", "b.csv"]),
        (["--tag", "x", "--tag", "y"], ["b.csv"]),
        (["--since", "2999-01-01"], []),
        (["--since", "2020-01-01T10:00", "--tag", "x"], ["a.csv", "b.csv"]),
        (["--since", "2020-01-01T10:00+02:00", "--name", "none"], []),
    ],
    ids=str,
)
def test_the_wanted_files_are_listed(
    library: str, capsys: pytest.CaptureFixture[str], options: list[str], names: list[str]
) -> None:
    capsys.readouterr()
    assert main(["files", "--account", library, *options]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["name", "type", "updated", "tags"]
    assert sorted(row.split()[0] for row in rows) == names
    assert main(["files", "--account", library, *options, "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert sorted(each["name"] for each in listed) == names
    for each in listed:
        assert datetime.fromisoformat(each["updated"]).tzinfo is not None
        assert each["mime_type"] == "text/csv"
        assert each["accounts"] == [library]
        assert each["write_id"] in each["reference"]


def test_a_time_that_is_none_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["files", "--account", "p", "--since", "yesterday"])
    assert "'yesterday' is no time such as 2026-01-05" in capsys.readouterr().err


def test_a_dataset_is_read_as_one_file_or_file_by_file(
    library: str, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    capfdbinary.readouterr()
    assert main(["read", "d-*.csv", "--account", library]) == 0
    assert capfdbinary.readouterr().out.split() == [b"n", b"1", b"2", b"3", b"4"]
    assert main(["read", "d-*.csv", "--account", library, "-o", str(tmp_path / "whole.csv")]) == 0
    assert (tmp_path / "whole.csv").read_bytes().split() == [b"n", b"1", b"2", b"3", b"4"]
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("d-*.csv", "a.csv"):
        assert main(["read", name, "--account", library, "-o", str(folder)]) == 0
    assert {path.name: path.read_bytes().split() for path in folder.iterdir()} == {
        "a.csv": [b"n", b"1"],
        "d-00000-of-00002.csv": [b"n", b"1", b"2"],
        "d-00001-of-00002.csv": [b"n", b"3", b"4"],
    }
    assert main(["read", "e-*.csv", "--account", library, "-o", str(folder)]) == 1
    assert b"There is no 'e-*.csv'" in capfdbinary.readouterr().err
