"""What the documents beside the README say is there: the files and tests they name, the hooks, the changes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import digime_pandas

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / ".github"
DOCUMENTS = [*sorted(FOLDER.glob("*.md")), ROOT / "tests" / "benchmarks" / "RESULTS.md"]
GUIDES = sorted((ROOT / "notebooks" / "docs").glob("*.md"))
NAMED = re.compile(r"`((?:digime_pandas|tests|\.ci|\.github)/[\w./-]*)`")


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_the_documents_are_there() -> None:
    names = ["CHANGELOG.md", "CONTRIBUTING.md", "RETRIES.md", "SECURITY.md", "RESULTS.md"]
    assert [path.name for path in DOCUMENTS] == names
    for path in DOCUMENTS:
        assert f"`{path.relative_to(ROOT)}`" in text_of(ROOT / "README.md")


def test_the_guides_are_named_where_users_find_them() -> None:
    readme = text_of(ROOT / "README.md")
    assert len(GUIDES) >= 3
    assert [path.name for path in GUIDES if f"`{path.relative_to(ROOT)}`" not in readme] == []


@pytest.mark.parametrize("path", [*DOCUMENTS, *GUIDES], ids=lambda path: path.stem)
def test_the_files_a_document_names_exist(path: Path) -> None:
    assert [name for name in NAMED.findall(text_of(path)) if not (ROOT / name).exists()] == []


def test_the_tests_that_ci_names_exist() -> None:
    named = re.findall(r"tests/[\w/*]+\.py", text_of(ROOT / ".ci" / "run"))
    assert len(named) > 5
    assert [pattern for pattern in named if not list(ROOT.glob(pattern))] == []


def test_each_promise_of_security_names_a_test() -> None:
    promises = re.findall(r"^\| (?!promise|---)(.+) \| (.+) \| (.+) \|$", text_of(FOLDER / "SECURITY.md"), re.MULTILINE)
    assert len(promises) > 10
    for _, _, shown_by in promises:
        assert any(Path(name).name.startswith("test_") for name in NAMED.findall(shown_by))


def test_the_changelog_begins_with_what_is_not_released_and_has_this_version() -> None:
    versions = re.findall(r"^## \[(.+)\]$", text_of(FOLDER / "CHANGELOG.md"), re.MULTILINE)
    assert versions[0] == "Unreleased"
    assert digime_pandas.__version__ in versions


def test_hooks_are_local_and_installed_with_the_tests() -> None:
    hooks = text_of(ROOT / ".pre-commit-config.yaml")
    assert set(re.findall(r"repo: (\S+)", hooks)) == {"local"}
    assert set(re.findall(r"language: (\S+)", hooks)) == {"system"}
    programs = {entry.split()[0] for entry in re.findall(r"entry: (.+)", hooks)}
    assert {program for program in programs if f'"{program}>=' not in text_of(ROOT / "pyproject.toml")} == set()
