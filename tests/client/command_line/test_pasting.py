"""Consent on a machine without a browser: the address that another computer's browser ends at is pasted."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import time
import webbrowser

import pytest

from digime_pandas.__main__ import main
from digime_pandas._client.command_line.trial import sandbox_variables
from digime_pandas._client.connect import connect
from digime_pandas.sandbox import Sandbox

pytestmark = pytest.mark.slow

_LINK = re.compile(r"http://\S+/authorize\?\S+")
_ELSEWHERE = "https://app.example.test/callback"


class Terminal(io.StringIO):
    """A terminal: what is entered there depends on what standard error showed before.

    It has a standard error of its own: pytest's may not be read in one thread while another one writes to it.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox, *before: str) -> None:
        super().__init__()
        self.error = io.StringIO()
        self._sandbox = sandbox
        self._before = before
        monkeypatch.setattr(sys, "stdin", self)
        monkeypatch.setattr(sys, "stderr", self.error)

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        raise io.UnsupportedOperation

    def __iter__(self) -> Terminal:  # type: ignore[override] # the lines that are entered
        self._lines = iter([*self._before, ""])
        return self

    def __next__(self) -> str:  # type: ignore[override] # of text
        line = next(self._lines)
        if line:
            return line
        while not (link := _LINK.search(self.error.getvalue())):
            time.sleep(0.01)
        return f"  {self._sandbox.approve(link[0])}  \n"


@pytest.mark.parametrize("options", [[], ["--no-browser"]], ids=str)
@pytest.mark.parametrize("before", [(), ("rubbish\n", "http://127.0.0.1/?code=1&state=2&success=true\n")])
def test_a_pasted_address_completes(
    configured: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    before: tuple[str, ...],
) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda _: False)
    terminal = Terminal(monkeypatch, configured, *before)
    account_id = f"pasted-{len(before)}-{len(options)}"
    assert main(["authorize", "--account", account_id, *options]) == 0
    assert f"Account '{account_id}' is authorized to write by postbox." in capsys.readouterr().out
    assert terminal.error.getvalue().count("digime-pandas: ") >= len(before)
    with connect() as client:
        assert client.authorization(account_id).account_id == account_id


def test_a_program_can_paste_through_a_pipe(configured: Sandbox) -> None:
    command = [sys.executable, "-m", "digime_pandas", "authorize", "--account", "piped", "--no-browser", "--json"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stderr is not None
        link = next(found for line in process.stderr if (found := _LINK.search(line)))
        out, _ = process.communicate(f"{configured.approve(link[0])}\n", timeout=60)
    assert process.returncode == 0
    assert json.loads(out)["account_id"] == "piped"
    with connect() as client:
        assert client.authorization("piped").account_id == "piped"


def test_input_that_ends_leaves_the_browser_to_wait_for(
    configured: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert main(["authorize", "--account", "nobody", "--no-browser", "--timeout", "0.6"]) == 1
    err = capsys.readouterr().err
    assert "within 0.6 seconds" in err
    assert "digime-pandas authorize --address -" in err


def test_where_the_browser_goes_elsewhere_an_address_is_needed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    with Sandbox(tmp_path_factory.mktemp("elsewhere"), redirects=[_ELSEWHERE]) as sandbox:
        configure(sandbox, monkeypatch)
        monkeypatch.setenv("DIGIME_REDIRECT_URI", _ELSEWHERE)
        monkeypatch.setattr(sys, "stdin", io.StringIO(""))
        assert main(["authorize", "--account", "p", "--timeout", "30"]) == 1
        assert "standard input ended" in capsys.readouterr().err
        Terminal(monkeypatch, sandbox)
        assert main(["authorize", "--account", "p", "--timeout", "30"]) == 0


def configure(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sandbox.data_dir is not None
    monkeypatch.setenv("XDG_DATA_HOME", str(sandbox.data_dir / "share"))
    for name, value in sandbox_variables(sandbox, sandbox.data_dir).items():
        monkeypatch.setenv(name, value)
