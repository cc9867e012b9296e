from __future__ import annotations

import sys
from typing import Any

import pytest

from digime_pandas._client.consent.prompts import NotebookPrompt, TerminalPrompt, clock, is_attended, running_kernel


def test_the_terminal_counts_down_on_one_line_only_where_there_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    class Terminal:
        def __init__(self, *, tty: bool) -> None:
            self.text, self.tty = "", tty

        def write(self, text: str) -> None:
            self.text += text

        def flush(self) -> None:
            pass

        def isatty(self) -> bool:
            return self.tty

    for tty in (True, False):
        stream = Terminal(tty=tty)
        prompt = TerminalPrompt("A asks B.", "https://consent.test/?code=1", stream)  # type: ignore[arg-type]  # enough of one
        for left in (61.0, 60.0):
            prompt.show(left)
        prompt.end("Done.")
        assert stream.text.count("https://consent.test/?code=1") == 1
        assert ("1:01 left" in stream.text, "1:00 left" in stream.text) == (tty, tty)
        assert stream.text.endswith("\nDone.\n")


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (-3, "0:00"), (4.6, "0:05"), (65, "1:05"), (3600, "60:00")])
def test_time_left_is_shown_in_minutes_and_seconds(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_markup_in_an_account_id_is_shown_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[dict[str, str]] = []
    prompt = NotebookPrompt("asks <b>x</b>", 'https://consent.test/?a="&b=1')
    monkeypatch.setattr("IPython.display.display", lambda bundle, **_: shown.append(bundle))
    prompt.show(1.0)
    assert "<b>" not in shown[0]["text/html"]
    assert 'href="https://consent.test/?a=&quot;&amp;b=1"' in shown[0]["text/html"]


def test_the_notebook_shows_the_link_until_the_end_replaces_it(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[dict[str, str]] = []

    class Handle:
        def update(self, bundle: dict[str, str], *, raw: bool) -> None:
            assert raw
            shown.append(bundle)

    def display(bundle: dict[str, str], *, raw: bool, display_id: bool) -> Handle:
        assert raw
        assert display_id
        shown.append(bundle)
        return Handle()

    monkeypatch.setattr("IPython.display.display", display)
    prompt = NotebookPrompt("A asks B.", "https://consent.test/?code=1")
    prompt.show(61.0)
    prompt.show(60.0)
    prompt.end("Done.")
    assert ["code=1" in str(bundle) for bundle in shown] == [True, True, False]
    assert "1:00 left" in shown[1]["text/plain"]
    assert shown[2]["text/plain"] == "Done."


def test_outside_jupyter_there_is_no_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    assert running_kernel() is None
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert running_kernel() is None


@pytest.mark.parametrize(
    ("declared", "attended"), [({"_allow_stdin": True}, True), ({"_allow_stdin": False}, False), ({}, True)]
)
def test_a_kernel_is_attended_unless_its_runner_says_otherwise(declared: dict[str, Any], attended: bool) -> None:
    assert is_attended(type("Kernel", (), declared)()) is attended
