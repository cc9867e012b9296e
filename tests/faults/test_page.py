"""What the page on faults says: the tests that it names are there, and its example runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.whole.documents.pages import ROOT, blocks, names_of_tests

PATH = ROOT / "notebooks" / "docs" / "how-to" / "faults.md"
PAGE = PATH.read_text(encoding="utf-8")


def test_each_promise_has_a_test_that_is_there() -> None:
    rows = re.findall(r"^\| (?!promise|it ends)([^|]+) \| `(tests/[\w/]+\.py)::(test_\w+)` \|$", PAGE, re.MULTILINE)
    assert len(rows) > 20
    assert [name for _, path, name in rows if name not in names_of_tests(path)] == []


def test_no_promise_is_without_one() -> None:
    promises = PAGE.split("\n| promise |")[1].split("\n\n")[0].splitlines()[2:]
    assert [row for row in promises if not re.search(r"`tests/[\w/]+\.py::test_\w+` \|$", row)] == []


@pytest.mark.slow
def test_its_example_is_a_file_of_tests_that_pass(tmp_path: Path) -> None:
    [example] = [block.code for block in blocks(PATH, "python") if block.run_by]
    (tmp_path / "test_faults.py").write_text(example, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout
