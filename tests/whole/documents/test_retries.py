"""The table of what is tried again is what the client does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from digime_pandas.sandbox import Sandbox

from .retries import CALLS, INSTRUCTIONS, MAX_ATTEMPTS, render

pytestmark = pytest.mark.slow

DOCUMENT = Path(__file__).parents[3] / ".github" / "RETRIES.md"


@pytest.mark.usefixtures("no_waiting")
def test_the_table_is_what_the_client_does(sandbox: Sandbox, import_sandbox: Sandbox) -> None:
    assert render(sandbox, import_sandbox) in DOCUMENT.read_text(encoding="utf-8")


def test_a_request_is_never_sent_more_often_than_allowed() -> None:
    cells = re.findall(r"\((\d+)\) (?=\|)", DOCUMENT.read_text(encoding="utf-8"))
    assert len(cells) > len(INSTRUCTIONS) * (len(CALLS) - 2)
    assert {int(count) for count in cells} == {1, 2, MAX_ATTEMPTS}
