"""The README: short, with the two commands, a picture, and a way to every other page."""

from __future__ import annotations

import re
import struct

import pytest

from .pages import GUIDES, README, ROOT, text_of

TEXT = text_of(README)
PICTURE = re.compile(r'^<img src="(notebooks/\w+\.png)" width="\d+" alt="[^"]+">$', flags=re.MULTILINE)
FIRST_SCREEN_LINES = 20
MOST_PICTURE_BYTES = 150_000


def test_it_is_short() -> None:
    assert 6_000 <= len(TEXT.encode()) <= 8_000


@pytest.mark.parametrize("ending", ["digime_pandas demo", "pytest"])
def test_each_of_the_two_commands_is_there_once_on_one_line(ending: str) -> None:
    assert len(re.findall(rf"^python3 -m venv \.venv && .* {ending}$", TEXT, flags=re.MULTILINE)) == 1


def test_the_first_screen_has_the_picture_and_the_status() -> None:
    first = "\n".join(TEXT.splitlines()[:FIRST_SCREEN_LINES])
    assert PICTURE.search(first)
    assert "never contacted" in first


def test_the_picture_is_a_small_one() -> None:
    [name] = PICTURE.findall(TEXT)
    content = (ROOT / name).read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", content[16:24])
    assert 600 <= width <= 1600
    assert 300 <= height <= 1600
    assert len(content) < MOST_PICTURE_BYTES


def test_it_leads_to_every_how_to_and_every_explanation() -> None:
    pages = [path for path in GUIDES if path.parent.name in {"how-to", "explanations"} and path.stem != "index"]
    wanted = {path.relative_to(ROOT).as_posix() for path in pages}
    assert len(wanted) > 15
    assert wanted - set(re.findall(r"\]\(([\w./-]+\.md)\)", TEXT)) == set()
