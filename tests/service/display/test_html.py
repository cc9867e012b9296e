"""Pieces of HTML: what is passed stays text, what is made is well formed."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from digime_pandas._service.display import html

EVIL = "<script>alert(1)</script>\"'&<i>\u202e"


class Parsed(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize(
    "make",
    [
        html.escaped,
        lambda text: html.head(text, "good", text, text),
        lambda text: html.labelled(text, "bad"),
        lambda text: html.line(text, text),
        lambda text: html.notice("careful", text, [text]),
        lambda text: html.facts({text: text}),
        lambda text: html.table([text], [[text]], numbers=[text]),
        html.code,
        html.lines_of,
        lambda text: html.folded(text, text),
        lambda text: html.link("https://example.test/?a=1&b=\"'<", text),
        html.card,
    ],
    ids=["escaped", "head", "labelled", "line", "notice", "facts", "table", "code", "lines", "folded", "link", "card"],
)
def test_every_text_is_escaped_once(make: Callable[[str], str]) -> None:
    parsed = Parsed(make(EVIL))
    assert not {"script", "i"} & set(parsed.tags)
    assert EVIL.replace("\u202e", "\\u202e") in parsed.text
    assert "\u202e" not in make(EVIL)


def test_what_is_html_already_is_not_escaped_again() -> None:
    assert html.escaped(html.labelled("<", "plain")) == html.labelled("<", "plain")


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x", "//example.test", " http://a.test", ""])
def test_only_addresses_of_the_web_are_links(address: str) -> None:
    assert html.link(address, "here") == "here"


def test_a_link_says_nothing_to_the_page_it_leads_to() -> None:
    parsed = Parsed(html.link('https://a.test/?x="', "here"))
    assert ("href", 'https://a.test/?x="') in parsed.attributes
    assert ("rel", "noopener noreferrer") in parsed.attributes


def test_facts_without_a_text_are_left_out() -> None:
    assert Parsed(html.facts({"a": "1", "b": ""})).text == "a1"


def test_a_card_has_padding_and_takes_the_colours_of_the_page_it_is_on() -> None:
    page = html.card("x")
    assert "padding:12px 16px" in page
    for variable in ("--jp-ui-font-color1", "--vscode-editor-foreground"):
        assert variable in page
