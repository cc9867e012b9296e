"""What documents say of tests."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[3]


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
