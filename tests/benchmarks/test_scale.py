"""The page on scale has what the command measures, and says of bytes and requests what they are now."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .scale import measure

pytestmark = pytest.mark.slow
PAGE = Path(__file__).parents[2] / "notebooks" / "docs" / "explanations" / "at_scale.md"
ROW = re.compile(r"^\| (.+?) \| ([\d,.]+) \| (requests|bytes|files|ms|MiB/s) \|$", re.MULTILINE)
OF_ANY_MACHINE = {"requests", "bytes", "files"}


def test_the_page_has_what_is_measured(tmp_path: Path) -> None:
    said = {name: (float(value.replace(",", "")), unit) for name, value, unit in ROW.findall(PAGE.read_text())}
    found = measure(100, tmp_path)
    assert {name: unit for name, (_, unit) in said.items()} == {name: unit for name, (_, unit) in found.items()}
    for name, (value, unit) in found.items():
        if unit in OF_ANY_MACHINE:
            assert said[name][0] == pytest.approx(value, rel=0.1), name
        else:
            assert value > 0


def test_the_page_names_the_commands_and_the_end_of_lists() -> None:
    text = PAGE.read_text()
    assert "`python -m tests.benchmarks.scale`" in text
    assert "16 MiB" in text
    assert "226,000" in text
