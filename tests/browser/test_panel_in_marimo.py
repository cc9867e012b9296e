"""The panel in marimo in headless Chromium: it is live, and cells that depend on it run again."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.browsers import CHROMIUM, ROOT, needs_browser
from tests.common.ports import free_port

playwright: Any = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = needs_browser("marimo", " (pip install marimo)")
SECONDS_TO_START = 60
MILLISECONDS = 60_000
# Of each expectation, where none is named: playwright's own five seconds are too few on a busy machine.
playwright.expect.set_options(timeout=MILLISECONDS)
NOTEBOOK = """
import marimo

app = marimo.App()

@app.cell
def _():
    import marimo as mo
    import pandas as pd
    import digime_pandas as digime
    from digime_pandas.anywidget import AuthorizationWidget
    client = digime.connect("sandbox", tokens=digime.MemoryTokenStore())
    return AuthorizationWidget, client, mo, pd

@app.cell
def _(AuthorizationWidget, client, mo):
    consent = mo.ui.anywidget(AuthorizationWidget("patient-17", client=client))
    consent
    return (consent,)

@app.cell
def _(client, consent, mo, pd):
    if consent.value["seen"] == "done":
        receipt = pd.DataFrame({"a": [1]}).digime.write("visits.csv", account_id="patient-17", client=client)
        said = f"cell below: {receipt.status}"
    else:
        said = f"cell below: {consent.stage}"
    mo.md(said)
    return

if __name__ == "__main__":
    app.run()
"""


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Any]:
    """The notebook, run as an application, in a tab."""
    (tmp_path / "consent.py").write_text(NOTEBOOK)
    port = free_port()
    command = [sys.executable, "-m", "marimo", "-q", "run", "consent.py", "--headless", "--no-token", "-p", str(port)]
    environment = os.environ | {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    with (tmp_path / "log.txt").open("w") as log:
        server = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_for(port, server)
        with playwright.sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
            tab = browser.new_page()
            tab.goto(f"http://127.0.0.1:{port}")
            yield tab
            browser.close()
    finally:
        server.terminate()
        server.wait(SECONDS_TO_START)


def wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + SECONDS_TO_START
    while server.poll() is None and time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("marimo did not start")


def shows(page: Any, words: str) -> None:
    playwright.expect(page.get_by_text(words)).to_be_visible(timeout=MILLISECONDS)


def test_the_panel_is_live_and_cells_that_use_it_run_again(page: Any) -> None:
    shows(page, "Waiting for consent")
    shows(page, "cell below: waiting")
    box = page.get_by_role("textbox", name="Address")
    box.fill("http://127.0.0.1:1/digime?success=true&code=wr0ng-c0de&state=another")
    box.press("Enter")
    shows(page, "belongs to another authorization")
    playwright.expect(box).to_have_value("")
    with page.expect_popup() as tab:
        page.get_by_role("link", name="Open the consent page").click()
    tab.value.get_by_role("button", name="Approve").click()
    shows(page, "patient-17 lets you write until")
    shows(page, "cell below: delivered")
    playwright.expect(box).to_be_hidden()
    page.get_by_role("button", name="Forget").click()
    shows(page, "was forgotten")
    shows(page, "cell below: forgotten")
    page.get_by_role("button", name="Start again").click()
    shows(page, "cell below: waiting")
