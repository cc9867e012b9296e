"""The examples of README and of all pages run, each page from top to bottom, and none is left out unseen."""

from __future__ import annotations

import ast
import re
from ast import literal_eval
from contextlib import ExitStack
from pathlib import Path

import pytest

from digime_pandas._client import connect as _connect

from .pages import DOCUMENTS, PAGES, README, ROOT, blocks, name_of, names_of_tests, text_of

# What an expression gives is said behind it, as a literal.
CLAIM = re.compile(r"\S  # (.+)$", flags=re.MULTILINE)
# A drawing, and what is put in by Sphinx; anything else is code that has to run.
NO_CODE = re.compile(r"|\{[\w-]+\}")


def examples(path: Path) -> list[str]:
    """Return what of a page runs here."""
    return [block.code for block in blocks(path, "python") if block.run_by is None and block.why_not is None]


WITH_EXAMPLES = [
    pytest.param(path, id=path.stem, marks=[] if path == README else [pytest.mark.slow])
    for path in [*PAGES, *DOCUMENTS]
    if examples(path)
]
ALL_BLOCKS = [(path, block) for path in [*PAGES, *DOCUMENTS] for block in blocks(path)]


def run(code: str, file_name: str, namespace: dict[str, object]) -> int:
    """Run the statements of a block, and compare what expressions give with what is said behind them.

    Returns:
        How many were compared.
    """
    lines, compared = code.splitlines(), 0
    for node in ast.parse(code).body:
        claim = CLAIM.search(lines[(node.end_lineno or 0) - 1])
        if isinstance(node, ast.Expr) and claim:
            value = eval(compile(ast.Expression(node.value), file_name, "eval"), namespace)
            assert value == literal_eval(claim[1]), ast.unparse(node)
            compared += 1
        else:
            exec(compile(ast.Module([node], []), file_name, "exec"), namespace)
    return compared


@pytest.mark.usefixtures("person")
@pytest.mark.parametrize("path", WITH_EXAMPLES)
def test_the_examples_run_one_after_the_other(path: Path) -> None:
    namespace: dict[str, object] = {}
    compared = 0
    with ExitStack() as clients:
        for block in examples(path):
            compared += run(block, path.name, namespace)
            clients.callback(_connect.current_client().close)
    claims = CLAIM.findall("\n".join(examples(path)))
    assert compared == len(claims), "what is said behind a line is compared where the line is an expression by itself"


@pytest.mark.parametrize("wrong", ["1 + 1  # 3", "sum(\n    [1],\n)  # 2", "'a'  # 'b'"])
def test_a_wrong_claim_is_found(wrong: str) -> None:
    assert run(f"import re\n{wrong.rpartition('#')[0]}", "right", {}) == 0
    with pytest.raises(AssertionError):
        run(wrong, "wrong", {})


def test_values_are_claimed_and_so_checked() -> None:
    claims = {name_of(path): len(CLAIM.findall("\n".join(examples(path)))) for path in PAGES}
    assert claims["README"] == 3
    assert sum(claims.values()) > 30


def test_every_fence_is_read() -> None:
    for path in [*PAGES, *DOCUMENTS]:
        fences = re.findall(r"^\s*(?:```|~~~)", text_of(path), flags=re.MULTILINE)
        assert len(fences) == 2 * len(blocks(path)), name_of(path)


def test_every_block_of_code_is_python_or_sh() -> None:
    others = {block.language for _, block in ALL_BLOCKS} - {"python", "sh"}
    assert {language for language in others if not NO_CODE.fullmatch(language)} == set()


def test_what_runs_a_block_elsewhere_is_there() -> None:
    elsewhere = [block.run_by for _, block in ALL_BLOCKS if block.run_by is not None]
    assert len(elsewhere) >= 5
    for runner in elsewhere:
        file, _, test = runner.partition("::")
        assert (ROOT / file).is_file(), runner
        assert not test or test in names_of_tests(file), runner


def test_these_blocks_are_run_by_nothing_and_say_why() -> None:
    unrun = [(path.stem, block.why_not) for path, block in ALL_BLOCKS if block.why_not is not None]
    assert unrun == [
        ("README", "there is no release yet"),
        ("beyond_one_machine", "neither Ray nor Spark is installed with the tests"),
        ("CONTRIBUTING", "a template"),
    ]


def test_commands_that_no_other_file_runs_are_on_the_page_of_the_command_line() -> None:
    left = {path.stem for path, block in ALL_BLOCKS if block.language == "sh" and not (block.run_by or block.why_not)}
    assert left == {"command_line"}
