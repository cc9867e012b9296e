"""The pages for users, their blocks of code, and what documents say of tests."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[3]
README = ROOT / "README.md"
GUIDES = sorted(path for path in (ROOT / "notebooks" / "docs").rglob("*.md") if "/_" not in path.as_posix())
PAGES = [README, *GUIDES]
DOCUMENTS = [*sorted((ROOT / ".github").glob("*.md")), ROOT / "tests" / "benchmarks" / "RESULTS.md"]

_BLOCK = re.compile(
    r"(?:^<!-- (?P<how>run by|not run:) (?P<what>[^>]+) -->\n)?^```(?P<language>\S*)[^\n]*\n(?P<code>.*?)^```$",
    flags=re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        language: What stands behind the fence; empty for drawings and the like.
        code: The lines between the fences.
        run_by: The test, as ``file::name``, or the file that runs the block in place of the test of all pages, or None.
        why_not: Why nothing runs it, or None.
    """

    language: str
    code: str
    run_by: str | None
    why_not: str | None


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").as_posix()


@cache
def blocks(path: Path, *languages: str) -> tuple[Block, ...]:
    """Return the blocks of a page: all, or those of some languages."""
    found = []
    for each in _BLOCK.finditer(text_of(path)):
        what = each["what"]
        run_by, why_not = (what if each["how"] == "run by" else None), (what if each["how"] == "not run:" else None)
        found.append(Block(each["language"], each["code"], run_by, why_not))
    return tuple(each for each in found if not languages or each.language in languages)


@cache
def names_of_tests(path: str) -> tuple[str, ...]:
    """Return the names of the tests of a file, those of its classes among them.

    Args:
        path: Relative to the root of the project.
    """
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return tuple(
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )
