from __future__ import annotations

import json
import os
import signal
import socket
import threading
import urllib.request
import webbrowser
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from digime_pandas._client.client import Client
from digime_pandas._client.consent import authorize as authorize_module
from digime_pandas._client.consent.authorize import authorize
from digime_pandas._service.oauth.token_store import MemoryTokenStore
from digime_pandas.errors import (
    AuthorizationError,
    AuthorizationTimeoutError,
    ConfigurationError,
    ConsentRefusedError,
    DigimeWarning,
)
from digime_pandas.sandbox import Sandbox

SOON = 20.0


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A sandbox of this file's own, since tests here let everybody's tokens expire."""
    with Sandbox() as opened:
        yield opened


class Browser:
    """Stands in for `webbrowser`: somebody follows the link, does `act` there, and is sent back."""

    def __init__(self, act: Callable[[str], str]) -> None:
        self.act = act
        self.opened: list[str] = []
        self.threads: list[threading.Thread] = []

    def open(self, url: str) -> bool:
        self.opened.append(url)
        self.threads.append(threading.Thread(target=self._follow, args=(url,)))
        self.threads[-1].start()
        return True

    def _follow(self, url: str) -> None:
        with urllib.request.urlopen(self.act(url), timeout=SOON) as page:
            page.read()


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> Iterator[Browser]:
    browser = Browser(sandbox.approve)
    monkeypatch.setattr(webbrowser, "open", browser.open)
    yield browser
    for thread in browser.threads:
        thread.join()


def test_the_browser_is_opened_and_the_authorization_returned_and_stored(
    client: Client, browser: Browser, capsys: pytest.CaptureFixture[str]
) -> None:
    authorization = authorize("patient-17", client=client, timeout=SOON)
    assert authorization == client.authorization("patient-17")
    printed = capsys.readouterr()
    assert printed.out == ""
    assert browser.opened[0] in printed.err
    assert "write files into the library of account 'patient-17'" in printed.err
    assert "is authorized" in printed.err


def test_a_stored_authorization_is_refreshed_and_nobody_is_asked_again(client: Client, browser: Browser) -> None:
    first = authorize("patient-17", client=client, timeout=SOON)
    second = authorize("patient-17", client=client, timeout=SOON)
    assert len(browser.opened) == 1
    assert second.user_id == first.user_id
    assert second.user_access_token != first.user_access_token
    assert client.authorization("patient-17") == second


def test_an_authorization_that_has_ended_is_asked_for_again(client: Client, browser: Browser, sandbox: Sandbox) -> None:
    authorize("patient-17", client=client, timeout=SOON)
    sandbox.expire_refresh_tokens()
    authorize("patient-17", client=client, timeout=SOON)
    assert len(browser.opened) == 2


def test_reading_is_a_consent_of_its_own_for_the_same_library(client: Client, browser: Browser) -> None:
    write = authorize("patient-17", client=client, timeout=SOON)
    read = authorize("patient-17", access="read", client=client, timeout=SOON)
    assert read.access == "read"
    assert read.user_id == write.user_id
    assert len(browser.opened) == 2


def test_writing_authorized_anew_for_another_library_is_told_and_reading_follows(
    client: Client, browser: Browser
) -> None:
    authorize("patient-17", client=client, timeout=SOON)
    old = authorize("patient-17", access="read", client=client, timeout=SOON)
    client.forget("patient-17")
    with pytest.warns(DigimeWarning, match=r"digime\.authorize\('patient-17', access='read'\)") as warned:
        write = authorize("patient-17", client=client, timeout=SOON)
    assert [warning.filename for warning in warned] == [__file__]
    assert write.user_id != old.user_id
    # The call that the warning names: the stored consent is not good any more, so the person is asked.
    read = authorize("patient-17", access="read", client=client, timeout=SOON)
    assert read.user_id == write.user_id
    assert len(browser.opened) == 4
    assert authorize("patient-17", access="read", client=client, timeout=SOON).user_id == write.user_id
    assert len(browser.opened) == 4


def test_a_refusal_raises(client: Client, browser: Browser, sandbox: Sandbox) -> None:
    browser.act = sandbox.refuse
    with pytest.raises(ConsentRefusedError) as caught:
        authorize("patient-17", client=client, timeout=SOON)
    assert caught.value.code == "USER_CANCEL"


@pytest.mark.timeout(30)
def test_the_deadline_names_the_widget_and_the_paste_path(client: Client) -> None:
    with pytest.raises(AuthorizationTimeoutError) as caught:
        authorize("patient-17", access="read", client=client, timeout=0.1, open_browser=False)
    message = str(caught.value)
    assert "within 0.1 seconds" in message
    assert "digime.AuthorizationWidget('patient-17', access='read')" in message
    assert "flow.complete(address)" in message


def test_an_interrupt_ends_it_and_leaves_no_thread(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(threading.enumerate())

    def interrupt(url: str) -> bool:
        thread = threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGINT))
        thread.start()
        thread.join()
        return True

    monkeypatch.setattr(webbrowser, "open", interrupt)
    # Programs that shells start in the background are born deaf to this signal.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            authorize("patient-17", client=client, timeout=SOON)
    finally:
        signal.signal(signal.SIGINT, handler)
    assert set(threading.enumerate()) <= before


def test_open_browser_false_only_shows_the_link(
    client: Client, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda _: pytest.fail("opened"))
    with pytest.raises(AuthorizationTimeoutError):
        authorize("patient-17", client=client, timeout=0.0, open_browser=False)
    assert client.onboard_url in capsys.readouterr().err


def test_a_redirect_that_leads_elsewhere_is_said_at_once(
    sandbox: Sandbox, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = client.begin_authorization
    monkeypatch.setattr(
        client,
        "begin_authorization",
        lambda *args, **options: begin(*args, **options, callback="http://localhost/back"),
    )
    with pytest.raises(AuthorizationError, match=r"redirect_uri.*flow\.complete"):
        authorize("patient-17", client=client, timeout=SOON)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_port_in_use_is_named_at_once(client: Client, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    begin = client.begin_authorization
    with socket.create_server(("127.0.0.1", 0)) as program:
        port = program.getsockname()[1]
        address = f"http://{host}:{port}/digime"
        monkeypatch.setattr(client, "begin_authorization", partial(begin, callback=address))
        with pytest.raises(AuthorizationError, match=rf"Port {port} .*in use by another program.*flow\.complete"):
            authorize("patient-17", client=client, timeout=SOON, open_browser=False)


def test_reading_without_a_read_contract_is_a_configuration_error(sandbox: Sandbox) -> None:
    with (
        Client(sandbox.contract, base_url=sandbox.base_url, tokens=MemoryTokenStore()) as client,
        pytest.raises(ConfigurationError, match="read contract"),
    ):
        authorize("patient-17", access="read", client=client, timeout=SOON)


class Kernel:
    def __init__(self, *, attended: bool) -> None:
        self._allow_stdin = attended


def test_in_an_unattended_kernel_it_says_at_once_what_works(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authorize_module, "running_kernel", lambda: Kernel(attended=False))
    with pytest.raises(AuthorizationError, match=r"unattended.*AuthorizationWidget\('patient-17'\).*DIGIME_"):
        authorize("patient-17", client=client, timeout=SOON)
    monkeypatch.setattr(client, "sandbox", object())
    with pytest.raises(AuthorizationError, match=r"client\.sandbox\.approve\(flow\.url\)"):
        authorize("patient-17", client=client, timeout=SOON)


def test_in_an_unattended_kernel_a_stored_authorization_is_found(
    client: Client, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    authorize("patient-17", client=client, timeout=SOON)
    monkeypatch.setattr(authorize_module, "running_kernel", lambda: Kernel(attended=False))
    assert authorize("patient-17", client=client, timeout=SOON).account_id == "patient-17"


NOTEBOOK = """
import threading, urllib.request
import digime_pandas._client.connect as connect
from digime_pandas._client.consent.authorize import authorize
client = connect.connect("sandbox")
"""


def run_notebook(*sources: str, attended: bool) -> Any:
    cells = [{"cell_type": "code", "source": source, "metadata": {}, "outputs": []} for source in sources]
    document = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    notebook = nbformat.from_dict(document)
    runner = NotebookClient(notebook, timeout=60, kernel_name="python3", allow_errors=True)
    with runner.setup_kernel():
        assert runner.kc is not None
        runner.kc.allow_stdin = attended
        for index, cell in enumerate(notebook.cells):
            runner.execute_cell(cell, index)
    return notebook


@pytest.mark.slow
@pytest.mark.kernel
def test_a_notebook_run_by_a_program_fails_at_once_with_the_call_that_works() -> None:
    notebook = run_notebook(NOTEBOOK, "authorize('patient-17')", attended=False)
    (error,) = notebook.cells[1].outputs
    assert error.ename == "AuthorizationError"
    assert "client.sandbox.approve(flow.url)" in error.evalue


@pytest.mark.slow
@pytest.mark.kernel
def test_below_a_cell_the_link_is_shown_and_nothing_of_it_is_saved() -> None:
    approve = """
begin = client.begin_authorization
def begin_authorization(*args, **options):
    flow = begin(*args, **options)
    def follow():
        urllib.request.urlopen(client.sandbox.approve(flow.url), timeout=20).close()
    threading.Thread(target=follow).start()
    return flow
client.begin_authorization = begin_authorization
authorization = authorize("patient-17", timeout=20)
"""
    notebook = run_notebook(NOTEBOOK, approve, attended=True)
    (output,) = notebook.cells[1].outputs
    assert output["data"]["text/plain"] == "Account 'patient-17' is authorized."
    assert "authorized" in output["data"]["text/html"]
    assert "code=" not in json.dumps(notebook.cells[1].outputs)
