"""The web application of its page, run by two worker processes: a person comes back to the one that did not begin."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from digime_pandas.__main__ import _environment_exports
from digime_pandas._client.client import Client
from digime_pandas._service.oauth.token_store import FileTokenStore
from digime_pandas.sandbox import Sandbox

APPLICATION = Path(__file__).with_name("consent_app.py")
PAGE = Path(__file__).parents[2] / "notebooks" / "docs" / "how-to" / "web_application.md"
CALLBACK = "http://app.example.test/callback"
START_SECONDS = 60.0

pytestmark = pytest.mark.slow


@contextmanager
def worker(environment: dict[str, str]) -> Iterator[httpx.Client]:
    """One process that serves the application, and a browser at it."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        command = [sys.executable, "-m", "uvicorn", "consent_app:app", "--fd", str(listening.fileno())]
        process = subprocess.Popen(
            [*command, "--app-dir", str(APPLICATION.parent), "--log-level", "error"],
            env=environment,
            pass_fds=[listening.fileno()],
        )
        origin = f"http://127.0.0.1:{listening.getsockname()[1]}"
    try:
        # The socket listens already, so that the first request waits until the application is there.
        with httpx.Client(base_url=origin, timeout=START_SECONDS, trust_env=False) as browser:
            yield browser
    finally:
        process.terminate()
        process.wait(START_SECONDS)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(tmp_path_factory.mktemp("sandbox"), redirects=[CALLBACK]) as running:
        yield running


@pytest.fixture(scope="module")
def share(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("share")


@pytest.fixture(scope="module")
def workers(sandbox: Sandbox, share: Path) -> Iterator[list[httpx.Client]]:
    """Two processes that share nothing but the variables and the folder of the tokens."""
    exports = _environment_exports(sandbox, sandbox._data_dir or Path()).splitlines()
    variables = dict(shlex.split(line)[1].split("=", 1) for line in exports if line.startswith("export "))
    environment = os.environ | variables | {"DIGIME_REDIRECT_URI": CALLBACK, "XDG_DATA_HOME": str(share)}
    with ExitStack() as running:
        yield [running.enter_context(worker(environment)) for _ in range(2)]


@pytest.fixture
def looking(sandbox: Sandbox, share: Path) -> Iterator[Client]:
    """A client of the same token store, in a third process."""
    tokens = FileTokenStore(share / "digime-pandas" / "authorizations")
    with Client(sandbox.contract, base_url=sandbox.base_url, onboard_url=sandbox.onboard_url, tokens=tokens) as client:
        yield client


def connect(browser: httpx.Client, account_id: str) -> tuple[str, dict[str, str]]:
    """Where the application sends a person, and the cookie it gives them."""
    answer = browser.get(f"/connect/{account_id}")
    assert answer.status_code == 303
    assert "httponly" in answer.headers["set-cookie"].lower()
    return answer.headers["location"], dict(answer.cookies)


def come_back(browser: httpx.Client, address: str, cookies: dict[str, str]) -> tuple[int, str]:
    """Open the address that the consent page leads to, at one of the workers that answer for it."""
    assert address.startswith(f"{CALLBACK}?")
    browser.cookies = httpx.Cookies(cookies)
    answer = browser.get(f"/callback?{urlsplit(address).query}")
    return answer.status_code, answer.text


def status_of(client: Client, account_id: str) -> str:
    """How things stand with one of the people; other tests have theirs."""
    return str(client.consents().set_index("account_id").loc[account_id, "status"])


def test_the_page_shows_this_application() -> None:
    assert f"```python\n{APPLICATION.read_text(encoding='utf-8')}```\n" in PAGE.read_text(encoding="utf-8")


def test_a_person_comes_back_to_the_other_process(
    sandbox: Sandbox, workers: list[httpx.Client], looking: Client
) -> None:
    link, cookies = connect(workers[0], "patient-17")
    assert status_of(looking, "patient-17") == "pending"
    address = sandbox.approve(link)
    for browser in (workers[1], workers[0], workers[1]):  # whoever reloads the page is thanked again
        assert come_back(browser, address, cookies) == (200, "Thank you. patient-17 is connected.")
    assert status_of(looking, "patient-17") == "given"
    assert looking.complete_authorization(address) == looking.authorization("patient-17")


def test_a_person_says_no(sandbox: Sandbox, workers: list[httpx.Client], looking: Client) -> None:
    link, cookies = connect(workers[0], "unwilling")
    status, text = come_back(workers[1], sandbox.refuse(link), cookies)
    assert (status, "pressed cancel" in text) == (400, True)
    assert status_of(looking, "unwilling") == "refused"


@pytest.mark.parametrize("cookies", [{}, {"state": "of-another"}])
def test_another_browser_cannot_come_back_with_a_persons_address(
    sandbox: Sandbox, workers: list[httpx.Client], looking: Client, cookies: dict[str, str]
) -> None:
    account_id = f"patient-{len(cookies)}"
    link, _ = connect(workers[0], account_id)
    assert come_back(workers[1], sandbox.approve(link), cookies)[0] == 400
    assert status_of(looking, account_id) == "pending"
