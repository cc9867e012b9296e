from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import pytest

from digime_pandas._client.client import Client
from digime_pandas._client.consent.html import (
    render_html,
    render_link,
    render_request,
    render_result,
    render_text,
    render_wait,
)
from digime_pandas._client.consent.session import ConsentState, Stage
from digime_pandas._service.authorization import Authorization
from digime_pandas.errors import AuthorizationError

URL = 'https://consent.test/authorize?code=1&callback="<b>'
ENDS: tuple[Stage, ...] = ("refused", "timed out", "cancelled", "forgotten", "replaced", "failed")
ConsentSession = Callable[..., Any]


@pytest.fixture
def session(client: Client) -> ConsentSession:
    """Makes what a panel needs to know of a session."""

    def make(state: ConsentState, *, account_id: str = "patient-17", flow: object = None) -> Any:
        return SimpleNamespace(client=client, account_id=account_id, access="write", state=state, flow=flow)

    return make


class ParsedHtml(HTMLParser):
    """What a browser makes of markup: its elements with their attributes, and its text."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(markup)
        self.close()
        assert self.open == [], "unclosed elements"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def find(self, tag: str, **wanted: str) -> dict[str, str | None]:
        return next(attrs for name, attrs in self.elements if name == tag and wanted.items() <= attrs.items())


def parts(made: Any, *, not_listening: str = "") -> str:
    state = made.state
    return (
        render_request(made)
        + render_link(state)
        + render_wait(state, not_listening=not_listening, minutes=10)
        + render_result(made)
    )


def test_before_any_link_it_says_what_is_asked_by_whom_of_whom_and_where(
    session: ConsentSession, client: Client
) -> None:
    text = ParsedHtml(render_request(session(ConsentState(stage="starting")))).text
    for fact in (
        "write files into the library",
        "patient-17",
        client.contract.application_id,
        client.contract.contract_id,
        "127.0.0.1",
        "memory of this process",
    ):
        assert fact in text


def test_while_waiting_there_is_the_link_in_a_new_tab_and_the_current_steps_are_marked(
    session: ConsentSession,
) -> None:
    outline = ParsedHtml(parts(session(ConsentState(stage="waiting", url=URL))))
    link = outline.find("a")
    assert link["href"] == URL
    assert link["target"] == "_blank"
    assert link["rel"] == "noopener noreferrer"
    assert [attrs["class"] for tag, attrs in outline.elements if tag == "h4"] == ["over", "now", "later"]
    assert outline.find("h4", **{"aria-current": "step"})
    assert outline.find("p", role="status")
    assert "10 minutes" in outline.text


def test_the_reason_a_paste_was_refused_is_an_alert(session: ConsentSession) -> None:
    outline = ParsedHtml(parts(session(ConsentState(stage="waiting", url=URL, message="Another state."))))
    assert outline.find("p", role="alert")
    assert "Another state." in outline.text


def test_without_a_listener_it_says_why_and_asks_for_pasting(session: ConsentSession) -> None:
    made = session(ConsentState(stage="waiting", url=URL))
    assert "instead?" in parts(made)
    outline = ParsedHtml(parts(made, not_listening="Port 8765 is in use by <another> program."))
    assert "Port 8765 is in use by <another> program. When the consent page has sent you on" in outline.text
    assert "paste it here" in outline.text
    assert "instead?" not in outline.text


@pytest.mark.parametrize("stage", ENDS)
def test_every_end_says_why_and_has_no_link(session: ConsentSession, stage: Stage) -> None:
    made = session(ConsentState(stage=stage, message="Because.", error=AuthorizationError("Because.")))
    outline = ParsedHtml(parts(made))
    assert "Because." in outline.text
    assert any(attrs.get("role") in {"alert", "status"} for _, attrs in outline.elements)
    assert not any(tag == "a" for tag, _ in outline.elements)
    for shown in (render_text(made), ParsedHtml(render_html(made)).text):
        assert "Because." in shown
        assert "Run the cell again" in shown


def test_done_says_whose_library_until_when_and_kept_where(session: ConsentSession, person: Authorization) -> None:
    made = session(ConsentState(stage="done", authorization=person), flow=object())
    outline = ParsedHtml(parts(made))
    for fact in ("Done", str(person.user_id), "sealed postbox", "Valid until", "memory of this process"):
        assert fact in outline.text
        assert fact == "Done" or fact in render_text(made)
        assert fact == "Done" or fact in render_html(made)
    assert "Authorized already" in parts(session(ConsentState(stage="done", authorization=person)))


def test_what_is_worth_knowing_about_the_result_is_an_alert(session: ConsentSession, person: Authorization) -> None:
    made = session(ConsentState(stage="done", authorization=person, message="<b>Another library."), flow=object())
    for markup in (parts(made), render_html(made)):
        assert ParsedHtml(markup).find("p", role="alert")
        assert "<b>Another library." in ParsedHtml(markup).text
    assert render_text(made).endswith("\n<b>Another library.")
    quiet = session(ConsentState(stage="done", authorization=person), flow=object())
    assert "alert" not in parts(quiet) + render_html(quiet)


def test_without_widgets_the_link_and_the_next_call_are_there_as_text_and_html(session: ConsentSession) -> None:
    made = session(ConsentState(stage="waiting", url=URL))
    outline = ParsedHtml(render_html(made))
    assert outline.find("a")["href"] == URL
    for text in (render_text(made), outline.text):
        assert URL in text
        assert "widget.result(timeout=300)" in text
        assert "widget.flow.complete(" in text


@pytest.mark.parametrize("stage", ["starting", "waiting", "done", *ENDS])
def test_whatever_an_account_is_called_is_text(session: ConsentSession, person: Authorization, stage: Stage) -> None:
    evil = "<img src=x onerror=alert(1)>\"'&"
    state = ConsentState(
        stage=stage,
        message=evil,
        url=URL if stage == "waiting" else None,
        authorization=person if stage == "done" else None,
    )
    made = session(state, account_id=evil)
    for markup in (parts(made), render_html(made)):
        assert not any(tag == "img" for tag, _ in ParsedHtml(markup).elements)
    assert evil in ParsedHtml(parts(made)).text


@pytest.mark.parametrize("stage", ["starting", "waiting", "done", *ENDS])
def test_no_token_shows_in_any_stage(session: ConsentSession, person: Authorization, stage: Stage) -> None:
    made = session(ConsentState(stage=stage, authorization=person if stage == "done" else None))
    pair = person.user_access_token
    shown = parts(made) + render_html(made) + render_text(made)
    assert pair.access_token.value not in shown
    assert pair.refresh_token.value not in shown
