from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import ipywidgets
import pytest

from digime_pandas._client.client import Client
from digime_pandas._client.consent.html import STYLE
from digime_pandas.anywidget import AuthorizationWidget
from digime_pandas.sandbox import Sandbox

SOON = 20.0
ROOT = Path(__file__).parents[1]


class Recorded(AuthorizationWidget):
    """Keeps what it sends to the front end."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.sent: list[dict[str, Any]] = []
        super().__init__(*arguments, **options)

    def send(self, content: Any, buffers: Any = None) -> None:
        self.sent.append(json.loads(json.dumps(content)))
        super().send(content, buffers)

    def click(self, action: str, text: str = "") -> None:
        self._handle_custom_msg({"action": action, "text": text}, [])

    def wait(self) -> dict[str, Any]:
        self._session.wait_for_start(SOON)
        return self.sent[-1]


@pytest.fixture
def shown(client: Client, account_id: str) -> Iterator[Recorded]:
    made = Recorded(account_id, client=client)
    assert made.flow is not None
    yield made
    made.close()


def test_it_shows_what_the_other_widget_shows(shown: Recorded, account_id: str) -> None:
    last = shown.wait()
    assert last["stage"] == "waiting"
    assert last["above"].startswith(STYLE)
    assert account_id in last["above"]
    assert "Open the consent page" in last["above"]
    assert last["pastes"] is True
    assert last["buttons"] == [["cancel", "Cancel"]]


def test_a_front_end_that_comes_later_is_shown_the_same(shown: Recorded) -> None:
    before = shown.wait()
    shown.click("show")
    assert shown.sent[-1] == before


def test_its_buttons_do_what_they_say(shown: Recorded, sandbox: Sandbox) -> None:
    shown.click("cancel")
    assert shown.sent[-1]["stage"] == shown.stage == "cancelled"
    assert shown.sent[-1]["buttons"] == [["again", "Start again"]]
    shown.click("again")
    assert shown.flow is not None
    shown.click("paste", sandbox.approve(shown.flow.url))
    assert shown.result(SOON).access == "write"
    assert "lets you write until" in shown.sent[-1]["below"]
    assert shown.sent[-1]["buttons"] == [["again", "Authorize again"], ["forget", "Forget"]]
    shown.click("forget")
    assert shown.sent[-1]["stage"] == "forgotten"


def test_what_it_does_not_know_changes_nothing(shown: Recorded) -> None:
    before = list(shown.sent)
    for action in ("close", "__init__", ""):
        shown.click(action)
    assert shown.sent == before


def test_its_state_never_holds_a_link_or_a_pasted_address(shown: Recorded, sandbox: Sandbox) -> None:
    assert shown.flow is not None
    link = parse_qs(urlsplit(shown.flow.url).query)["code"][0]
    assert link in json.dumps(shown.sent), "or this search would miss it"
    shown.click("paste", "?success=true&code=wr0ng-c0de&state=wrong")
    shown.click("paste", sandbox.approve(shown.flow.url))
    pair = shown.result(SOON).user_access_token
    secrets = [link, "wr0ng-c0de", shown.flow.state, pair.access_token.value, pair.refresh_token.value]
    state = json.dumps(ipywidgets.Widget.get_manager_state())
    assert "AnyModel" in state
    assert [secret for secret in secrets if secret in state] == []
    assert [secret for secret in secrets[1:] if secret in json.dumps(shown.sent)] == []


@pytest.mark.slow
def test_without_anywidget_it_says_how_to_install_it() -> None:
    code = "import sys; sys.modules['anywidget'] = None; import digime_pandas.anywidget"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert "pip install 'digime-pandas[anywidget]'" in done.stderr
    assert "ConfigurationError" in done.stderr
