from __future__ import annotations

import html
import json
from collections.abc import Callable
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.oauth.pasted import parse_pasted, pasted_states
from digime_pandas._service.oauth.redirect import MAXIMUM_REDIRECT_LENGTH, RedirectResult
from digime_pandas.errors import ConsentRefusedError, RedirectError

STATE = "0f1e2d3c"
CODE = "s3cr3t-c0de_Zz"
KEY = "-----BEGIN RSA PUBLIC KEY-----\nMIIB+/==\n-----END RSA PUBLIC KEY-----"
QUERY = urlencode({"success": "true", "code": CODE, "state": STATE, "x": "1 2"}, quote_via=quote)
ADDRESS = f"http://127.0.0.1:8765/digime?{QUERY}"


def parsed(text: str, state: str = STATE) -> RedirectResult:
    return parse_pasted(Secret(text), state=Secret(state))


def wrapped(text: str, every: int, by: str) -> str:
    return by.join(text[at : at + every] for at in range(0, len(text), every))


@pytest.mark.parametrize(
    "text",
    [
        ADDRESS,
        QUERY,
        f"?{QUERY}",
        f"code={CODE}&state={STATE}",
        f"state={STATE}&code={CODE}",
        ADDRESS.replace("http://127.0.0.1", "HTTP://LOCALHOST"),
        ADDRESS.replace("127.0.0.1", "[::1]"),
        ADDRESS.removeprefix("http://"),
        f"{ADDRESS}#fragment",
        f"{ADDRESS}#:~:text=done",
        wrapped(ADDRESS, 40, "\n"),
        wrapped(ADDRESS, 7, "\r\n"),
        wrapped(ADDRESS, 30, "   \n    "),
        wrapped(ADDRESS, 30, "      "),
        wrapped(ADDRESS, 30, " \\\n"),
        wrapped(ADDRESS, 30, "\n> "),
        wrapped(QUERY, 9, "\n"),
        html.escape(ADDRESS),
        html.escape(html.escape(ADDRESS)),
        wrapped(html.escape(ADDRESS), 11, "\n"),
        ADDRESS.replace("&", "&#38;"),
        html.escape(f'<a href="{html.escape(ADDRESS)}">here</a>'),
        f'<a href="{html.escape(ADDRESS)}">{html.escape(ADDRESS)}</a>',
        f"<a href='{ADDRESS}'>here</a>",
        f"<{ADDRESS}>",
        f"<{ADDRESS}|the page>",
        f"<{html.escape(ADDRESS)}|{html.escape(ADDRESS)}>",
        f"[the page]({ADDRESS})",
        f'[the page]({ADDRESS} "title")',
        f"[{ADDRESS}]({ADDRESS})",
        f"**{ADDRESS}**",
        f"({ADDRESS})",
        f"[{ADDRESS}].",
        f"'{ADDRESS}'",
        f'"{ADDRESS}",',
        f"`{ADDRESS}`",
        f"``{ADDRESS}``",
        f"\u201c{ADDRESS}\u201d.",
        f"\u201e{ADDRESS}\u201c",
        f"\u00ab\u00a0{ADDRESS}\u00a0\u00bb",
        f"{ADDRESS}.",
        f"{ADDRESS},",
        f"{ADDRESS}\u2026",
        f"Location: {ADDRESS}",
        f"location:{ADDRESS}\r\nConnection: close",
        f"GET /digime?{QUERY} HTTP/1.1",
        f"Is this it? {ADDRESS} I hope so.",
        f"It ended at\n\n{ADDRESS}\n\nwith an error.",
        f"use {QUERY}",
        "\ufeff" + "\u200b".join(ADDRESS),
        "\u2066" + ADDRESS + "\u2069",
        json.dumps({"address": ADDRESS}),
        json.dumps(ADDRESS.replace("&", "\\u0026")).replace("\\\\", "\\"),
        ADDRESS.replace("?", "\\?").replace("&", "\\&").replace("=", "\\="),
        ADDRESS.replace("%", "%25"),
        ADDRESS.replace("%", "%2525"),
        quote(ADDRESS, safe=""),
        quote(quote(ADDRESS, safe=""), safe=""),
        f"https://www.google.test/url?q={quote(ADDRESS, safe='')}&sa=D",
        f"https://example.test/back?filter[a]=1&authcode=7&{QUERY}",
        f"https://example.test/back?copy=1&lt=2&{QUERY}",
    ],
)
def test_an_address_is_read_however_it_was_copied(text: str) -> None:
    assert parsed(text).code == CODE
    assert Secret(STATE) in set(pasted_states(Secret(text)))


@pytest.mark.parametrize("text", ["", CODE, "http://127.0.0.1:8765/digime", f"?success=true&code={CODE}&state="])
def test_where_there_is_no_state_there_is_none(text: str) -> None:
    assert list(pasted_states(Secret(text))) == []


def test_each_state_that_a_text_may_bring_is_told_once() -> None:
    states = [each.reveal() for each in pasted_states(Secret(f"?success=true&code={CODE}&state={STATE} and more"))]
    assert sorted(states) == [STATE, f"{STATE} and more", f"{STATE}and", f"{STATE}andmore"]


@pytest.mark.parametrize("state", ["a.", "(b)", "%41", "c d", "e+f", "%2541", "é", "x|y", "'", "a&b=c", "<t>", "&amp;"])
def test_a_state_is_compared_as_it_is(state: str) -> None:
    query = urlencode({"success": "true", "code": CODE, "state": state})
    assert parsed(f"http://127.0.0.1:1/digime?{query}", state).code == CODE
    for other in (f"{state}x", state.upper() if state.upper() != state else f"{state} ", state[:-1] + "\u0000"):
        with pytest.raises(RedirectError, match="another authorization"):
            parsed(f"http://127.0.0.1:1/digime?{query}", other)


@pytest.mark.parametrize("decorate", [str, html.escape, "<{}>".format, "Location: {}.".format])
def test_a_refusal_is_read_as_well(decorate: Callable[[str], str]) -> None:
    with pytest.raises(ConsentRefusedError) as caught:
        parsed(decorate("http://localhost:1/digime?success=false&errorCode=USER_CANCEL"))
    assert caught.value.code == "USER_CANCEL"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        (" \n ", "empty"),
        ("\u200b", "empty"),
        (CODE, "nothing that a consent page sends"),
        ("http://127.0.0.1:8765/digime", "nothing that a consent page sends"),
        (f"https://api.digi.me/apps/saas/authorize?code={CODE}", "it has code only"),
        (f"<http://127.0.0.1/?success=true&code={CODE}>", "it has success and code only"),
        (f"Location: http://127.0.0.1/?success=true&state={STATE}.", "it has success and state only"),
        (ADDRESS.replace(STATE, STATE[:-1]), "another authorization"),
        (ADDRESS.replace(STATE, STATE.upper()), "another authorization"),
        (f"{ADDRESS}&code=other", "twice"),
        (f"{ADDRESS}{' word' * MAXIMUM_REDIRECT_LENGTH}", "characters long"),
    ],
)
def test_what_is_not_understood_is_said_without_what_it_holds(text: str, words: str) -> None:
    with pytest.raises(RedirectError, match=words) as caught:
        parsed(text)
    assert CODE not in str(caught.value)
    assert STATE not in str(caught.value)


@pytest.mark.parametrize("given", [None, b"success=true", 17])
def test_only_text_is_read(given: object) -> None:
    with pytest.raises(RedirectError, match="not a str"):
        parse_pasted(Secret(given), state=Secret(STATE))  # type: ignore[arg-type]  # what a careless caller does


def _chat(address: str) -> str:
    return f"<{html.escape(address)}|{html.escape(address)}>"


_DECORATIONS: list[Callable[[str], str]] = [
    html.escape,
    "<{}>".format,
    "({})".format,
    '"{}"'.format,
    "`{}`".format,
    "\u201c{}\u201d".format,
    "Location: {}".format,
    "The tab ended at: {}".format,
    "{}.".format,
    "{},".format,
    " {}\n".format,
    "\u200b{}\ufeff".format,
    "[the page]({})".format,
    _chat,
    lambda text: text.replace("%", "%25"),
]
_TEXTS = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_categories=["Cc", "Cf"]), min_size=1)


@given(
    code=st.text("abcXYZ019-_", min_size=1, max_size=60),
    state=st.text("abcdef0123456789", min_size=8, max_size=64),
    key=st.none() | st.just(KEY),
    order=st.permutations(["success", "code", "state", "postboxId", "publicKey", "own"]),
    own=_TEXTS,
    decorations=st.lists(st.sampled_from(_DECORATIONS), max_size=3),
    wrap=st.tuples(st.integers(20, 400), st.sampled_from(["\n", "\r\n", " \n  ", "   "])),
)
def test_any_decoration_of_an_address_gives_the_same(  # noqa: PLR0917 - drawn
    code: str,
    state: str,
    key: str | None,
    order: list[str],
    own: str,
    decorations: list[Callable[[str], str]],
    wrap: tuple[int, str],
) -> None:
    values = {"success": "true", "code": code, "state": state, "own": own}
    if key is not None:
        values |= {"postboxId": "p0", "publicKey": key}
    query = urlencode({name: values[name] for name in order if name in values}, quote_via=quote)
    address = f"http://localhost:8765/digime?{query}"
    plain = parsed(address, state)
    assert plain.code == code
    text = wrapped(address, *wrap)
    for decorate in decorations:
        text = decorate(text)
    assert parsed(text, state) == plain


@given(
    st.text(max_size=200)
    | st.lists(st.sampled_from([*"?&=%#<>[]()|\\\"' \n", "code", "state", "%25", "&amp;", "://", STATE])).map("".join)
)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        result = parsed(text)
    except (RedirectError, ConsentRefusedError):
        return
    assert result.code
    assert STATE in text
