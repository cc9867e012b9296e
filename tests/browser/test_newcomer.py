"""A newcomer who has README alone: JupyterLab by its command, all cells run, consent given, a frame read back."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.browsers import CHROMIUM, FOLDERS, ROOT, needs_browser

playwright: Any = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = needs_browser("JupyterLab")
README = (ROOT / "README.md").read_text(encoding="utf-8")
# What README tells to press, in its order.
MENU, ITEM, LINK, BUTTON = "Run", "Run All Cells", "Open the consent page", "Approve"
SECONDS_TO_START = 60
MILLISECONDS = 60_000
# Of each expectation, where none is named: playwright's own five seconds are too few on a busy machine.
playwright.expect.set_options(timeout=MILLISECONDS)


def readme_command() -> list[str]:
    """Return the words of README's command that opens the first notebook."""
    (line,) = re.findall(r"^\.venv/bin/pip install .*jupyter lab.*$", README, flags=re.MULTILINE)
    return shlex.split(line.partition(" && ")[2])


@pytest.fixture
def start() -> float:
    return time.monotonic()


@pytest.fixture
def address(start: float, tmp_path: Path) -> Iterator[str]:
    """What README's command, in a copy of the notebooks, opens in the browser."""
    program, lab, notebook = readme_command()
    assert (program, lab) == (".venv/bin/jupyter", "lab")
    shutil.copytree(ROOT / "notebooks", tmp_path / "clone" / "notebooks")
    opened = tmp_path / "opened.txt"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf "%s\\n" "$1" > {shlex.quote(str(opened))}\n')
    browser.chmod(0o700)
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    environment |= {name: str(tmp_path / name.lower()) for name in FOLDERS}
    environment |= {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "BROWSER": f"{browser} %s"}
    command = [sys.executable, "-m", "jupyterlab", notebook, "--allow-root", "--ip=127.0.0.1"]
    with (tmp_path / "log.txt").open("w") as log:
        server = subprocess.Popen(
            command, cwd=tmp_path / "clone", env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        yield wait_for(opened, server)
    finally:
        server.terminate()
        server.wait(SECONDS_TO_START)


def wait_for(opened: Path, server: subprocess.Popen[bytes]) -> str:
    until = time.monotonic() + SECONDS_TO_START
    while server.poll() is None and time.monotonic() < until:
        if opened.exists() and (line := opened.read_text()).endswith("\n"):
            return line.strip()
        time.sleep(0.1)
    pytest.fail(f"JupyterLab opened no browser:\n{(opened.parent / 'log.txt').read_text()}")


@pytest.fixture
def page() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser.new_context(viewport={"width": 1100, "height": 1000}).new_page()
        browser.close()


def open_notebook(page: Any, address: str) -> None:
    # JupyterLab asks for a kernel where cells are run before its channel carries frames.
    with page.expect_event("websocket", lambda socket: "/channels" in socket.url, timeout=MILLISECONDS) as channel:
        page.goto(address)
    channel.value.wait_for_event("framereceived", timeout=MILLISECONDS)


def run_all_cells(page: Any) -> None:
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").first.wait_for(timeout=MILLISECONDS)
    page.locator(".lm-MenuBar-itemLabel", has_text=re.compile(f"^{MENU}$")).click()
    page.locator(".lm-Menu-itemLabel", has_text=re.compile(f"^{ITEM}$")).click()


def output_of(page: Any, source: str) -> Any:
    return page.locator(".jp-CodeCell", has_text=source).locator(".jp-OutputArea").first


def test_readme_says_what_to_press() -> None:
    _, _, after = README.partition("jupyter lab notebooks/")
    places = [after.find(f"*{words}*") for words in (ITEM, MENU, LINK, BUTTON)]
    assert -1 < places[0] < places[1] < places[2] < places[3] < 400


def test_two_clicks_of_consent_lead_to_a_frame_that_is_read_back(
    start: float, address: str, page: Any, record_property: Callable[[str, object], None]
) -> None:
    open_notebook(page, address)
    run_all_cells(page)
    # JupyterLab shows the end of the notebook then.
    page.get_by_role("link", name="two clicks").click()
    link = page.get_by_role("link", name=LINK)
    playwright.expect(link).to_be_in_viewport(timeout=MILLISECONDS)
    waiting = output_of(page, "widget.result(timeout=600)")
    playwright.expect(waiting).to_contain_text(f'Press "{LINK}" above, and "{BUTTON}"', timeout=MILLISECONDS)
    with page.expect_popup() as tab:
        link.click()
    tab.value.get_by_role("button", name=BUTTON).click()
    playwright.expect(tab.value.get_by_role("heading")).to_have_text("Consent received")
    last = page.locator(".jp-CodeCell").last.locator(".jp-InputPrompt")
    playwright.expect(last).to_have_text(re.compile(r"^\[\d+\]:$"), timeout=MILLISECONDS)
    record_property("newcomer_seconds", time.monotonic() - start)
    shown = [
        ("visits.digime.write(", "Delivered"),
        ("back = digime.read_frame(", 'said "better", went home'),
        ("table = penguins()", "penguins.parquet"),
    ]
    for source, words in shown:
        playwright.expect(output_of(page, source)).to_contain_text(words)
    playwright.expect(page.locator("[data-mime-type='application/vnd.jupyter.error']")).to_have_count(0)
