"""A client shows where it writes, under which contracts, and what to do next."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path

from digime_pandas._client.client import Client
from digime_pandas._service.oauth.token_store import MemoryTokenStore
from digime_pandas.sandbox import Sandbox


def test_of_the_sandbox_with_a_link_to_its_page(client: Client, sandbox: Sandbox) -> None:
    client.sandbox = sandbox
    page = client._repr_html_()
    assert f'href="{sandbox.origin}/"' in page
    assert "nothing leaves this computer" in page
    for contract in (sandbox.contract, sandbox.read_contract):
        assert contract.contract_id in page
    assert "PRIVATE KEY" not in page


def test_of_digi_me_with_a_journal_and_nothing_to_read_with(sandbox: Sandbox, tmp_path: Path) -> None:
    with Client(sandbox.contract, tokens=MemoryTokenStore(), journal=tmp_path / "<w>.journal") as client:
        page = client._repr_html_()
    assert "digi.me (api.digi.me)" in page
    assert "it has no read_contract" in page
    assert "&lt;w&gt;.journal" in page
    assert "<a href" not in page


def test_what_to_do_next_is_python(client: Client) -> None:
    (code,) = re.findall("<code>(.*?)</code>", client._repr_html_(), flags=re.DOTALL)
    assert [type(each) for each in ast.parse(unescape(code)).body] == [ast.Expr] * 3


def test_a_client_whose_sandbox_was_closed_shows_itself(connected: Callable[..., Client]) -> None:
    with Sandbox() as sandbox:
        client = connected(sandbox)
        client.sandbox = sandbox
    assert "embedded sandbox" in client._repr_html_()
    assert "not running" in sandbox._repr_html_()


def test_the_sandbox_shows_a_link_to_its_page(sandbox: Sandbox) -> None:
    assert f'<a href="{sandbox.origin}/"' in sandbox._repr_html_()
