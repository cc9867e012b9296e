"""The widget in JupyterLab in headless Chromium, as a person meets it, and what the saved notebook holds then."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.browser.browsers import CHROMIUM, FOLDERS, ROOT, needs_browser
from tests.common.ports import free_port
from tests.whole.documents.pages import README, blocks

playwright: Any = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = needs_browser("JupyterLab")
SETTINGS: dict[str, dict[str, Any]] = {
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyter-widgets/jupyterlab-manager/plugin": {"saveState": True},
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
}
SECONDS_TO_START = 60
MILLISECONDS_TO_RUN = 60_000
# Of each expectation, where none is named: playwright's own five seconds are too few on a busy machine.
playwright.expect.set_options(timeout=MILLISECONDS_TO_RUN)

# In the kernel: puts aside, for the test alone, every secret that comes by.
SETUP = """
import os, pathlib
from urllib.parse import parse_qs, urlsplit
import pandas as pd
import digime_pandas as digime
from digime_pandas._service.endpoints import Endpoints

client = digime.connect("sandbox")
aside = pathlib.Path(os.environ["ASIDE"])

def put_aside(*secrets):
    with aside.open("a") as file:
        file.writelines(f"{secret}\\n" for secret in secrets)

def exchange(self, *, code, code_verifier, ask=Endpoints.exchange):
    put_aside(code.reveal(), code_verifier.reveal())
    grant = ask(self, code=code, code_verifier=code_verifier)
    pair = grant.user_access_token
    put_aside(pair.access_token.value, pair.refresh_token.value)
    return grant

def begin(*args, ask=client.begin_authorization, **options):
    flow = ask(*args, **options)
    put_aside(flow.state, "link:" + parse_qs(urlsplit(flow.url).query)["code"][0])
    return flow

Endpoints.exchange, client.begin_authorization = exchange, begin
"""
WIDGET = 'widget = digime.AuthorizationWidget("patient-17")\nwidget'
SILENT = """
import socket
server = socket.create_server(("127.0.0.1", 0))
address = f"http://127.0.0.1:{server.getsockname()[1]}/v1.7/"
silent = digime.Client(client.contract, base_url=address, tokens=digime.MemoryTokenStore())
"""
WRITE = 'print(pd.DataFrame({"a": [1]}).digime.write("visits.csv", account_id="patient-17").status)'
SLOW_WRITE = """
client.sandbox.approve_all(["patient-17"], tokens=client.tokens)
client.sandbox.fail("upload", trickle="request", every=0.03)
receipt = pd.DataFrame({"value": range(1_500_000)}).digime.write("large.csv", "patient-17", progress=True)
"""


class Lab:
    """A running JupyterLab whose every folder is a temporary one."""

    def __init__(self, home: Path) -> None:
        self.notebooks = home / "notebooks"
        self.notebooks.mkdir()
        for name, values in SETTINGS.items():
            file = home / "jupyterlab_settings_dir" / f"{name}.jupyterlab-settings"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(values))
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.aside = home / "secrets.txt"
        environment = os.environ | {name: str(home / name.lower()) for name in FOLDERS}
        environment |= {"HOME": str(home), "ASIDE": str(self.aside), "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1"]
        command += [f"--port={port}", "--ServerApp.port_retries=0", "--IdentityProvider.token="]
        command += ["--ServerApp.disable_check_xsrf=True", f"--ServerApp.root_dir={self.notebooks}"]
        self._log: list[str] = []
        self._running = threading.Event()
        self._process = subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        if not self._running.wait(SECONDS_TO_START):
            self.close()
            pytest.fail(f"JupyterLab did not start:\n{''.join(self._log)}")

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._log.append(line)
                if "is running at" in line:
                    self._running.set()

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(SECONDS_TO_START)
        self._reader.join()


class Notebook:
    """A notebook in a tab, its kernel ready to listen."""

    def __init__(self, lab: Lab, context: Any, name: str, *sources: str) -> None:
        self._aside = lab.aside
        self._aside.write_text("")
        self.file = lab.notebooks / f"{name}.ipynb"
        blank: dict[str, Any] = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
        cells = [blank | {"source": source} for source in (SETUP, *sources)]
        self.file.write_text(json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 4}))
        self.page = context.new_page()
        # What is run before the kernel's channel carries frames is lost.
        with self.page.expect_event("websocket", lambda socket: "/channels" in socket.url) as channel:
            self.page.goto(f"{lab.url}/lab/workspaces/{name}/tree/{self.file.name}")
        channel.value.wait_for_event("framereceived", timeout=MILLISECONDS_TO_RUN)
        idle = self.page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").first
        idle.wait_for(timeout=MILLISECONDS_TO_RUN)
        self.run(0)

    def start(self, cell: int) -> Any:
        """Run a cell (counted from 0); return it at once."""
        where = self.page.locator(".jp-Notebook .jp-CodeCell").nth(cell)
        where.locator(".cm-content").click()
        self.page.locator(".lm-MenuBar-itemLabel", has_text="Run").click()
        self.page.locator('.lm-Menu-item[data-command="runmenu:run"]').click()
        return where

    def run(self, cell: int) -> Any:
        """Run a cell and wait until it is done."""
        where = self.start(cell)
        self.ends(where)
        return where

    def ends(self, where: Any) -> None:
        prompt = where.locator(".jp-InputPrompt")
        playwright.expect(prompt).to_have_text(re.compile(r"^\[\d+\]:$"), timeout=MILLISECONDS_TO_RUN)

    def shows(self, text: str | re.Pattern[str]) -> None:
        panel = self.page.locator(".digime-consent")
        playwright.expect(panel).to_contain_text(text, timeout=MILLISECONDS_TO_RUN)

    def follow_link(self) -> Any:
        with self.page.expect_popup() as tab:
            self.page.get_by_role("link", name="Open the consent page").click()
        return tab.value

    def box(self) -> Any:
        return self.page.get_by_role("textbox", name="Address")

    def save(self, *, waiting: bool = False) -> str:
        """Save the notebook and return the text of its file, which holds no secret.

        While the widget waits, its link is there to be clicked, and the link's own code with it; nothing else is.
        """
        with self.page.expect_response(lambda r: r.request.method == "PUT" and f"/contents/{self.file.name}" in r.url):
            self.page.locator(".lm-MenuBar-itemLabel", has_text="File").click()
            self.page.locator('.lm-Menu-item[data-command="docmanager:save"]').click()
        text = self.file.read_text()
        assert "application/vnd.jupyter.widget-state+json" in text
        secrets = self._aside.read_text().split()
        assert len(secrets) >= 2
        assert min(map(len, secrets)) > 20  # or what was put aside was masked
        if waiting:
            links = [secret for secret in secrets if secret.startswith("link:")]
            assert links[-1].removeprefix("link:") in text  # or this search would miss what the widget's state holds
            secrets = [secret for secret in secrets if secret not in links]
        assert [secret for secret in secrets if secret.removeprefix("link:") in text] == []
        assert "PRIVATE KEY" not in text
        return text


Opened = Callable[..., Notebook]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    running = Lab(tmp_path_factory.mktemp("lab"))
    yield running
    running.close()


@pytest.fixture(scope="module")
def context() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser.new_context(viewport={"width": 1100, "height": 1000})
        browser.close()


@pytest.fixture
def opened(lab: Lab, context: Any, request: pytest.FixtureRequest) -> Iterator[Opened]:
    """Opens a notebook of these cells; its tabs and its kernel end with the test."""
    yield lambda *sources: Notebook(lab, context, request.node.name, *sources)
    for session in context.request.get(f"{lab.url}/api/sessions").json():
        context.request.delete(f"{lab.url}/api/sessions/{session['id']}")
    for tab in context.pages:
        tab.close()


def approve_and_copy_address(tab: Any) -> str:
    """Approve where the browser cannot come back, as with a kernel on another computer; return what its tab shows."""
    session = tab.context.new_cdp_session(tab)
    session.on(
        "Fetch.requestPaused",
        lambda paused: session.send(
            "Fetch.failRequest", {"requestId": paused["requestId"], "errorReason": "ConnectionRefused"}
        ),
    )
    session.send("Fetch.enable", {"patterns": [{"urlPattern": "*/digime?*"}]})
    with tab.expect_event("requestfailed") as lost:
        tab.get_by_role("button", name="Approve").click()
    return str(lost.value.url)


def test_two_clicks_lead_from_nothing_to_a_delivered_file(opened: Opened) -> None:
    notebook = opened(WIDGET, WRITE)
    notebook.run(1)
    notebook.shows("Waiting for consent")
    tab = notebook.follow_link()
    tab.get_by_role("button", name="Approve").click()
    playwright.expect(tab.get_by_role("heading")).to_have_text("Consent received")
    playwright.expect(tab.locator("main")).to_contain_text("can now put files into your library")
    assert urlsplit(tab.url).query == ""  # the code and the state are out of the address bar
    notebook.shows("Valid until")
    assert "delivered" in notebook.run(2).inner_text()
    assert "Valid until" in notebook.save()


def test_where_the_browser_cannot_come_back_its_address_is_pasted(opened: Opened) -> None:
    notebook = opened(WIDGET, WRITE)
    notebook.run(1)
    address = approve_and_copy_address(notebook.follow_link())
    notebook.box().fill("http://127.0.0.1:1/digime?success=true&code=wr0ng-c0de&state=another")
    notebook.box().press("Enter")
    notebook.shows("belongs to another authorization")
    playwright.expect(notebook.box()).to_have_value("")
    assert "wr0ng-c0de" not in notebook.save(waiting=True)
    notebook.box().fill(address)
    notebook.page.get_by_role("button", name="Use this address").click()
    notebook.shows("Valid until")
    assert "delivered" in notebook.run(2).inner_text()
    assert "wr0ng-c0de" not in notebook.save()


def test_an_exchange_that_fails_says_so_and_saves_nothing(opened: Opened) -> None:
    notebook = opened(WIDGET)
    notebook.run(1)
    address = approve_and_copy_address(notebook.follow_link())
    code = parse_qs(urlsplit(address).query)["code"][0]
    notebook.box().fill(address.replace(code, code[::-1]))
    notebook.box().press("Enter")
    notebook.shows("That did not work")
    saved = notebook.save()
    assert code not in saved
    assert code[::-1] not in saved


def test_a_refusal_is_shown_and_can_be_followed_by_consent(opened: Opened) -> None:
    notebook = opened(WIDGET, 'client.forget("patient-17")')
    notebook.run(1)
    tab = notebook.follow_link()
    tab.get_by_role("button", name="Refuse").click()
    playwright.expect(tab.locator("main")).to_contain_text("You pressed cancel")
    notebook.shows("Consent was not given")
    notebook.shows("Run the cell again")
    notebook.save()
    notebook.run(1)
    notebook.follow_link().get_by_role("button", name="Approve").click()
    notebook.shows("lets you write until")
    notebook.page.locator("summary", has_text="Forget").click()
    playwright.expect(notebook.page.get_by_text('client.forget("patient-17")').last).to_be_visible()
    notebook.run(2)
    notebook.run(1)
    notebook.shows("Waiting for consent")
    notebook.save(waiting=True)


def restart_kernel(page: Any) -> None:
    page.locator(".lm-MenuBar-itemLabel", has_text="Kernel").click()
    page.locator('.lm-Menu-item[data-command="kernelmenu:restart"]').click()
    page.get_by_role("button", name="Confirm Kernel Restart").click()


def test_once_the_kernel_is_gone_a_line_says_so_and_a_result_stays_true(opened: Opened, lab: Lab) -> None:
    notebook = opened(WIDGET.replace("patient-17", "patient-18"), WIDGET)
    notebook.run(1)
    notebook.follow_link().get_by_role("button", name="Approve").click()
    notebook.shows("lets you write until")
    notebook.run(2)
    playwright.expect(notebook.page.locator(".digime-consent").last).to_contain_text("Waiting for consent")
    line = notebook.page.get_by_text("from an earlier kernel: run the cell again")
    playwright.expect(line).to_be_hidden()
    notebook.save(waiting=True)
    restart_kernel(notebook.page)
    playwright.expect(line).to_be_visible(timeout=MILLISECONDS_TO_RUN)
    for gone in (notebook.box(), notebook.page.get_by_role("link", name="Open the consent page")):
        playwright.expect(gone).to_be_hidden()
    playwright.expect(notebook.page.get_by_text("patient-18 lets you write until")).to_be_visible()
    saved = json.loads(notebook.file.read_text())
    assert [list(output["data"]) for output in saved["cells"][1]["outputs"]] == [["text/html", "text/plain"]] * 2
    # As in a front end that keeps no widgets, which is the default.
    del saved["metadata"]["widgets"]
    notebook.file.write_text(json.dumps(saved))
    for session in notebook.page.context.request.get(f"{lab.url}/api/sessions").json():
        notebook.page.context.request.delete(f"{lab.url}/api/sessions/{session['id']}")
    notebook.page.reload()
    playwright.expect(line).to_be_visible(timeout=MILLISECONDS_TO_RUN)
    for words in ("Error displaying widget", "Loading widget"):
        playwright.expect(notebook.page.get_by_text(words).first).to_be_hidden()


def test_a_service_that_does_not_answer_blocks_nothing_and_can_be_left(opened: Opened) -> None:
    notebook = opened(f"{SILENT}\nwidget = digime.AuthorizationWidget('patient-17', client=silent)\nwidget")
    notebook.run(1)
    notebook.shows("Asking the service for a consent link")
    notebook.page.get_by_role("button", name="Cancel").click()
    notebook.shows("Cancelled")
    notebook.shows("Run the cell again")


def test_time_out_is_shown_and_leaves_no_link(opened: Opened) -> None:
    notebook = opened(WIDGET.replace('"patient-17"', '"patient-17", timeout=0.5'))
    notebook.run(1)
    notebook.shows("Nobody came back")
    assert notebook.page.get_by_role("link", name="Open the consent page").count() == 0
    notebook.save()


def test_the_keyboard_alone_reaches_everything_in_reading_order(opened: Opened) -> None:
    notebook = opened(WIDGET)
    notebook.run(1)
    link = notebook.page.get_by_role("link", name="Open the consent page")
    link.focus()
    with notebook.page.expect_popup() as tab:
        notebook.page.keyboard.press("Enter")
    playwright.expect(tab.value.get_by_role("button", name="Approve")).to_be_visible()
    notebook.page.bring_to_front()
    link.focus()
    for role, name in (("textbox", "Address"), ("button", "Use this address"), ("button", "Cancel")):
        notebook.page.keyboard.press("Tab")
        playwright.expect(notebook.page.get_by_role(role, name=name)).to_be_focused()
    notebook.page.keyboard.press("Enter")
    notebook.shows("Cancelled")
    notebook.save()


def test_the_cell_run_again_and_a_second_account_live_side_by_side(opened: Opened) -> None:
    notebook = opened(WIDGET, WIDGET, WIDGET.replace("patient-17", "patient-18"))
    for cell in (1, 2, 3):
        notebook.run(cell)
    panels = notebook.page.locator(".digime-consent")
    for position, text in enumerate(("Begun again elsewhere", "Waiting for consent", "Waiting for consent")):
        playwright.expect(panels.nth(position)).to_contain_text(text)


def test_a_blocking_call_shows_the_link_and_takes_it_away(opened: Opened) -> None:
    notebook = opened('digime.authorize("patient-17", timeout=60)', WIDGET)
    cell = notebook.start(1)
    playwright.expect(cell).to_contain_text("left.")
    notebook.follow_link().get_by_role("button", name="Approve").click()
    notebook.ends(cell)
    playwright.expect(cell).to_contain_text("is authorized")
    notebook.run(2)
    notebook.shows("Authorized already")
    notebook.save()


def test_behind_jupyter_server_proxy_the_browser_comes_back(opened: Opened, lab: Lab) -> None:
    pytest.importorskip("jupyter_server_proxy", reason="jupyter-server-proxy is not installed")
    callback = f"{lab.url}/proxy/{free_port()}/digime"
    notebook = opened(WIDGET.replace('"patient-17"', f'"patient-17", callback="{callback}"'))
    notebook.run(1)
    tab = notebook.follow_link()
    tab.get_by_role("button", name="Approve").click()
    playwright.expect(tab.get_by_role("heading")).to_have_text("Consent received")
    assert tab.url.startswith(callback)
    notebook.shows("Valid until")
    notebook.save()


def test_progress_is_a_line_with_a_bar_that_is_replaced(opened: Opened) -> None:
    notebook = opened(SLOW_WRITE)
    cell = notebook.start(1)
    shown = cell.locator(".jp-OutputArea-output")
    bar = shown.get_by_role("progressbar", name="large.csv")
    playwright.expect(bar).to_have_attribute("max", "1500000", timeout=MILLISECONDS_TO_RUN)
    playwright.expect(shown).to_contain_text(re.compile(r"large\.csv: .* of 1,500,000 rows \(.* MB\), .* left"))
    notebook.ends(cell)
    playwright.expect(shown).to_have_count(1)
    playwright.expect(shown).to_contain_text(re.compile(r"large\.csv: sent 1,500,000 rows \(.* MB\) in .* s"))
    playwright.expect(bar).to_have_count(0)


def test_the_picture_in_readme_is_of_its_first_cells(opened: Opened, tmp_path: Path) -> None:
    first, second = (block.code.rstrip() for block in blocks(README, "python")[:2])
    notebook = opened(first, second.replace('receipt.status  # "delivered"', "receipt"))
    notebook.page.set_viewport_size({"width": 1220, "height": 1000})
    panel = notebook.run(1)
    notebook.shows("Waiting for consent")
    parts = [panel.screenshot()]
    notebook.follow_link().get_by_role("button", name="Approve").click()
    notebook.shows("Valid until")
    notebook.page.bring_to_front()
    receipt = notebook.run(2)
    playwright.expect(receipt).to_contain_text("Delivered")
    parts.append(receipt.screenshot())
    images = [f'<img style="display: block" src="data:image/png;base64,{b64encode(part).decode()}">' for part in parts]
    notebook.page.set_content(f'<div style="width: fit-content">{"".join(images)}</div>')
    picture = notebook.page.locator("div").screenshot()
    assert 10_000 < len(picture) < 150_000
    Path(os.environ.get("DIGIME_TEST_PICTURE", tmp_path / "picture.png")).write_bytes(picture)
