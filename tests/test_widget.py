from __future__ import annotations

import html
import json
import threading
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import ipywidgets
import nbformat
import pytest
from nbclient import NotebookClient

import digime_pandas
from digime_pandas._client.client import Client
from digime_pandas._service.authorization import Authorization
from digime_pandas._service.oauth.flow import AuthorizationFlow
from digime_pandas.errors import (
    AuthorizationExpiredError,
    AuthorizationTimeoutError,
    ConfigurationError,
    ConsentRefusedError,
)
from digime_pandas.sandbox import Sandbox
from digime_pandas.widget import AuthorizationWidget
from tests.common.threads import join_named, left_since

SOON = 20.0
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
Show = Callable[..., AuthorizationWidget]


@pytest.fixture
def show(client: Client, account_id: str) -> Iterator[Show]:
    """Shows a widget that has its link, or needs none; to make one waits for that for a moment only."""
    made: list[AuthorizationWidget] = []

    def make(account_id: str = account_id, **options: Any) -> AuthorizationWidget:
        made.append(AuthorizationWidget(account_id, client=client, **options))
        made[-1]._session.wait_for_start(SOON)
        return made[-1]

    yield make
    for widget in made:
        widget.close()


def flow_of(widget: AuthorizationWidget) -> AuthorizationFlow:
    assert widget.flow is not None
    return widget.flow


def visit(url: str) -> None:
    urllib.request.urlopen(url, timeout=SOON).close()


def is_shown(part: Any) -> bool:
    return bool(part.layout.display != "none")


def state() -> str:
    """What a notebook that keeps widget state would keep now."""
    return json.dumps(ipywidgets.Widget.get_manager_state())


def test_it_is_handed_out_by_the_package() -> None:
    assert digime_pandas.AuthorizationWidget is AuthorizationWidget


def test_unknown_keywords_are_refused(client: Client) -> None:
    with pytest.raises(TypeError, match="acess"):
        AuthorizationWidget("patient-17", client=client, acess="read")  # type: ignore[call-arg]  # a slip


def test_without_a_client_it_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DIGIME_APPLICATION_ID", "DIGIME_CONTRACT_ID", "DIGIME_PRIVATE_KEY", "DIGIME_PRIVATE_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigurationError, match="sandbox"):
        AuthorizationWidget("patient-17")


def test_every_step_is_a_plain_call(show: Show, sandbox: Sandbox, client: Client, account_id: str) -> None:
    widget = show()
    assert widget.authorization is None
    authorization = flow_of(widget).complete(sandbox.approve(flow_of(widget).url))
    assert widget.result(SOON) is authorization
    assert widget.authorization is authorization
    assert client.authorization(account_id) == authorization


def test_the_browser_coming_back_finishes_it(show: Show, sandbox: Sandbox) -> None:
    widget = show()
    visit(sandbox.approve(flow_of(widget).url))
    assert widget.result(SOON).access == "write"
    assert "Valid until" in widget._result.value
    assert "href" not in widget._link.value


def test_a_paste_is_cleared_before_anything_else_happens(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    widget = show()
    seen: list[tuple[str, str]] = []

    def paste(address: str) -> None:
        seen.append((address, widget._address.value))

    monkeypatch.setattr(widget._session, "paste", paste)
    widget._address.value = "http://127.0.0.1/digime?code=s3cr3t"
    assert seen == [("http://127.0.0.1/digime?code=s3cr3t", "")]
    assert "s3cr3t" not in state()


def test_a_blank_paste_and_a_click_without_one_are_nothing(show: Show) -> None:
    widget = show()
    widget._address.value = "   "
    widget._paste.children[1].click()
    assert "alert" not in widget._wait.value
    assert widget._address.value == ""


def test_a_paste_finishes_it(show: Show, sandbox: Sandbox) -> None:
    widget = show()
    widget._address.value = sandbox.approve(flow_of(widget).url)
    assert widget.result(SOON).access == "write"


def test_each_stage_offers_what_can_be_done_in_it(show: Show, sandbox: Sandbox) -> None:
    widget = show()
    controls = (widget._paste, widget._cancel, widget._again, widget._forget)
    assert [is_shown(part) for part in controls] == [True, True, False, False]
    widget._cancel.click()
    assert [is_shown(part) for part in controls] == [False, False, True, False]
    assert widget._again.description == "Start again"
    widget._session.start()
    flow_of(widget).complete(sandbox.approve(flow_of(widget).url))
    widget.result(SOON)
    assert [is_shown(part) for part in controls] == [False, False, True, True]
    assert widget._again.description == "Authorize again"
    widget._forget.click()
    assert [is_shown(part) for part in controls] == [False, False, True, False]


def test_start_again_begins_a_new_flow_without_holding_up_the_click(show: Show, sandbox: Sandbox) -> None:
    widget = show()
    first = flow_of(widget)
    widget._cancel.click()
    widget._again.click()
    assert flow_of(widget) is not first
    visit(sandbox.approve(flow_of(widget).url))
    assert widget.result(SOON).access == "write"


def test_an_authorization_that_is_there_is_said_and_used(show: Show, sandbox: Sandbox) -> None:
    first = show()
    flow_of(first).complete(sandbox.approve(flow_of(first).url))
    first.result(SOON)
    second = show()
    assert second.flow is None
    assert second.authorization == first.authorization
    assert "Authorized already" in second._result.value
    assert is_shown(second._again)


def test_a_widget_that_is_shown_again_does_not_say_authorized_of_tokens_that_were_refused(
    show: Show, sandbox: Sandbox, client: Client
) -> None:
    first = show()
    flow_of(first).complete(sandbox.approve(flow_of(first).url))
    made = first.result(SOON)
    second = show()
    assert "Authorized already" in second._result.value
    client.tokens.put(client.base_url, client.contract.client_id, replace(made, refused=True))
    with pytest.raises(AuthorizationExpiredError, match="refused: authorize again"):
        second.result(SOON)
    assert "Authorized already" not in second._result.value
    assert "refused: authorize again" in second._wait.value
    assert is_shown(second._again)
    assert "refused: authorize again" in show()._wait.value


def test_refusal_and_time_out_are_shown_and_raised_by_result(show: Show, sandbox: Sandbox, account_id: str) -> None:
    refused, late = show(), show(f"{account_id}-late", timeout=0.05)
    visit(sandbox.refuse(flow_of(refused).url))
    with pytest.raises(ConsentRefusedError):
        refused.result(SOON)
    with pytest.raises(AuthorizationTimeoutError):
        late.result(SOON)
    assert "Consent was not given" in refused._wait.value
    assert "Nobody came back" in late._wait.value


def test_closing_takes_away_every_part_its_thread_and_its_port(client: Client, account_id: str) -> None:
    threads, models = set(threading.enumerate()), len(json.loads(state())["state"])
    widget = AuthorizationWidget(account_id, client=client)
    url = flow_of(widget).url
    # What starts it goes on for a moment when there is a link, and begins to watch for the answer then.
    join_named("digime-start")
    assert "digime-consent" in {thread.name for thread in threading.enumerate()}
    widget.close()
    widget.close()
    assert left_since(threads) == []
    assert len(json.loads(state())["state"]) == models
    callback = parse_qs(urlsplit(url).query)["callback"][0]
    with pytest.raises(OSError, match="refused"):
        visit(callback)


def test_it_shows_without_widgets_as_text_and_html_and_never_as_a_raw_repr(show: Show) -> None:
    widget = show()
    bundle = widget._repr_mimebundle_()
    assert bundle[WIDGET_VIEW]["model_id"] == widget.model_id
    for kind in ("text/plain", "text/html"):
        assert "VBox" not in bundle[kind]
        assert "widget.result(timeout=300)" in bundle[kind]
    assert flow_of(widget).url in bundle["text/plain"]


def test_in_marimo_it_shows_the_link_and_what_to_use_there(show: Show) -> None:
    widget = show()
    shown = str(widget._display_().data)
    assert html.escape(flow_of(widget).url) in shown
    assert "from digime_pandas.anywidget import AuthorizationWidget" in shown


def test_what_is_settled_is_displayed_as_html_and_no_widget(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs: dict[str, dict[str, str]] = {}

    def publish(bundle: dict[str, str], *, raw: bool, display_id: str) -> None:
        assert raw
        outputs[display_id] = bundle

    for name in ("display", "update_display"):
        monkeypatch.setattr(f"digime_pandas.widget.{name}", publish)
    widget = show()
    widget._ipython_display_()
    panel, line = outputs
    assert WIDGET_VIEW in outputs[panel]
    assert "from an earlier kernel: run the cell again" in outputs[line]["text/html"]
    widget._cancel.click()
    assert list(outputs) == [panel, line]
    assert outputs[panel].keys() == {"text/plain", "text/html"}
    assert "Run the cell again for a new link" in outputs[panel]["text/html"]
    assert "Start again" not in outputs[panel]["text/html"]
    assert set(outputs[line].values()) == {""}
    widget._ipython_display_()
    assert len(outputs) == 3


def test_its_repr_holds_neither_link_nor_state(show: Show, account_id: str) -> None:
    widget = show()
    assert repr(widget) == f"<AuthorizationWidget account_id={account_id!r} access='write' waiting>"


def test_widget_state_holds_no_secret_once_it_is_done(show: Show, sandbox: Sandbox) -> None:
    widget = show()
    back = sandbox.approve(flow_of(widget).url)
    link = parse_qs(urlsplit(flow_of(widget).url).query)["code"][0]
    assert link in state(), "or this search would miss what the state holds"
    widget._address.value = back
    pair = widget.result(SOON).user_access_token
    code = parse_qs(urlsplit(back).query)["code"][0]
    secrets = (pair.access_token.value, pair.refresh_token.value, code, flow_of(widget).state, link)
    assert [secret for secret in secrets if secret in state()] == []


CELLS = (
    """
import os, pathlib
from urllib.parse import parse_qs, urlsplit
import digime_pandas as digime
from digime_pandas._service.endpoints import Endpoints

client = digime.connect("sandbox")

def put_aside(*secrets):
    with pathlib.Path(os.environ["ASIDE"]).open("a") as file:
        file.writelines(f"{secret}\\n" for secret in secrets)

def exchange(self, *, code, code_verifier, ask=Endpoints.exchange):
    put_aside(code.reveal(), code_verifier.reveal())
    grant = ask(self, code=code, code_verifier=code_verifier)
    put_aside(grant.user_access_token.access_token.value, grant.user_access_token.refresh_token.value)
    return grant

Endpoints.exchange = exchange
""",
    'good, bad = digime.AuthorizationWidget("good"), digime.AuthorizationWidget("bad")\ngood',
    "bad",
    """
put_aside(*(parse_qs(urlsplit(widget.flow.url).query)["code"][0] for widget in (good, bad)))
put_aside(good.flow.state, bad.flow.state, "wr0ng-c0de")
good._address.value = "?success=true&code=wr0ng-c0de&state=wrong"
good._address.value = client.sandbox.approve(good.flow.url)
address = client.sandbox.approve(bad.flow.url)
code = parse_qs(urlsplit(address).query)["code"][0]
put_aside(code)
bad._address.value = address.replace(code, code[::-1])
""",
    "good.result(timeout=20)",
    "bad.result(timeout=20)",
    "%xmode Verbose",
    "bad.result(timeout=20)",
    'digime.AuthorizationWidget("good")',
)


@pytest.mark.slow
@pytest.mark.kernel
def test_a_saved_notebook_holds_no_secret_after_a_wrong_paste_a_failed_exchange_and_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aside = tmp_path / "secrets.txt"
    monkeypatch.setenv("ASIDE", str(aside))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    cells = [{"cell_type": "code", "source": source, "metadata": {}, "outputs": []} for source in CELLS]
    notebook = nbformat.from_dict({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4})
    NotebookClient(notebook, timeout=60, kernel_name="python3", store_widget_state=True, allow_errors=True).execute()
    saved = json.dumps(notebook)
    secrets = aside.read_text().split()
    assert len(secrets) >= 11
    assert [secret for secret in secrets if secret in saved.replace(json.dumps(CELLS[3]), "")] == []
    assert "PRIVATE KEY" not in saved
    assert "Consent" in json.dumps(notebook.metadata["widgets"])
    assert [WIDGET_VIEW in cell.outputs[0].data for cell in notebook.cells[1:3] + notebook.cells[8:]] == [False] * 3
    shown = [cell.outputs[0].data["text/plain"] for cell in (notebook.cells[1], notebook.cells[2], notebook.cells[8])]
    assert "Authorized." in shown[0]
    assert "That did not work" in shown[1]
    assert "Authorized." in shown[2]
    assert "account_id='good'" in json.dumps(notebook.cells[4].outputs)
    assert notebook.cells[5].outputs[0].ename == notebook.cells[7].outputs[0].ename != ""


def test_a_consent_for_another_library_is_said_in_the_panel(
    show: Show, client: Client, sandbox: Sandbox, reader: Authorization
) -> None:
    client.forget(reader.account_id)
    widget = show(reader.account_id)
    visit(sandbox.approve(flow_of(widget).url))
    assert widget.result(SOON).user_id != reader.user_id
    assert 'role="alert"' in widget._result.value
    for shown in (widget._result.value, *widget._repr_mimebundle_().values()):
        if isinstance(shown, str):
            assert "another library" in shown
            assert "access=" in shown
