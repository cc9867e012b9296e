from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from importlib.resources import files

import pytest

from digime_pandas._service.oauth.pages.page import HEADERS, RECEIVED, Page, given, not_completed, refused

CONSENT_STYLE = files("digime_pandas.sandbox").joinpath("templates", "page.css").read_text(encoding="utf-8")


def content_of(element: str, markup: str) -> str:
    [content] = re.findall(rf"<{element}[^>]*>(.*?)</{element}>", markup, re.DOTALL)
    return str(content)


@pytest.mark.parametrize("element", ["style", "script"])
@pytest.mark.parametrize("page", [RECEIVED, refused("No."), Page("$title", "<script>$text</script>")])
def test_its_policy_allows_its_own_style_and_script_alone(page: Page, element: str) -> None:
    markup = page.render().decode().replace("&lt;script&gt;", "")
    digest = b64encode(sha256(content_of(element, markup).encode()).digest()).decode()
    assert f"{element}-src 'sha256-{digest}'" in HEADERS["Content-Security-Policy"]
    assert "unsafe" not in HEADERS["Content-Security-Policy"]


def test_its_script_takes_the_query_out_of_the_address_bar_and_the_history() -> None:
    script = content_of("script", RECEIVED.render().decode())
    assert script == 'history.replaceState(null,"",location.pathname)'


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_it_looks_like_the_consent_page(mode: str) -> None:
    def colours(style: str) -> dict[str, str]:
        parts = style.partition("prefers-color-scheme: dark")
        return dict(re.findall(r"--(\w[\w-]*): ([^;]+);", parts[0] if mode == "light" else parts[2]))

    own, theirs = colours(content_of("style", RECEIVED.render().decode())), colours(CONSENT_STYLE)
    shared = {"ground", "card", "text", "quiet", "line"}
    assert shared <= own.keys()
    assert {name: own[name] for name in shared} == {name: theirs[name] for name in shared}


def test_it_tells_the_person_what_was_granted_refused_or_lost() -> None:
    assert "put files into your library" in given("write").text
    assert "read the files in your library" in given("read").text
    assert "You pressed cancel" in refused("The person pressed cancel on the consent page.").text
    lost = not_completed("The service did not answer.")
    assert "You agreed" in lost.text
    assert "The service did not answer." in lost.text
    assert lost.kind == "bad"


def test_what_it_says_is_text() -> None:
    markup = Page("<b>a", "<img src=x>$text", "bad").render().decode()
    assert "<b>a" not in markup
    assert "<img" not in markup
    assert "&lt;img src=x&gt;$text" in markup
