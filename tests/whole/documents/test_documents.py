"""What README, pages and documents say is there: files, links, tests, errors, variables, tables, hooks and changes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import digime_pandas
from digime_pandas._tabular.fidelity_rules import render_rules
from digime_pandas._tabular.formats import FORMATS, Format

from .pages import DOCUMENTS, GUIDES, PAGES, README, ROOT, name_of, text_of

FOLDER = ROOT / ".github"
FORMATS_PAGE = ROOT / "notebooks" / "docs" / "how-to" / "formats.md"
FIDELITY_PAGE = ROOT / "notebooks" / "docs" / "explanations" / "what_formats_keep.md"
SPEED_PAGE = ROOT / "notebooks" / "docs" / "explanations" / "speed.md"
NAMED = re.compile(r"`((?:digime_pandas|tests|notebooks|\.ci|\.github)/[\w./-]*|LICENSE)`")
LINK = re.compile(r"(?<!`)\]\((?![a-z]+:)([^)#\s]*)(?:#([\w-]+))?\)")
ALL = [pytest.param(path, id=name_of(path)) for path in [*PAGES, *DOCUMENTS]]
NOT_ERRORS = {"ImportError", "TypeError", "ValueError", "KeyboardInterrupt"}


def every_page() -> str:
    return "\n".join(map(text_of, PAGES))


def heading_ids(path: Path) -> set[str]:
    """Return the anchors of a page's headings."""
    titles = re.findall(r"^#+ (.+)$", text_of(path), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_documents_are_there_and_readme_leads_to_them() -> None:
    names = ["CHANGELOG.md", "CONTRIBUTING.md", "RETRIES.md", "SECURITY.md", "RESULTS.md"]
    assert [path.name for path in DOCUMENTS] == names
    for path in DOCUMENTS:
        assert f"]({path.relative_to(ROOT)})" in text_of(README)


@pytest.mark.parametrize("path", ALL)
def test_the_files_it_names_exist(path: Path) -> None:
    assert [name for name in NAMED.findall(text_of(path)) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("path", ALL)
def test_its_links_lead_somewhere(path: Path) -> None:
    for name, heading in LINK.findall(text_of(path)):
        target = path.parent / name if name else path
        assert target.exists(), name
        assert not heading or target.suffix != ".md" or heading in heading_ids(target), f"{name}#{heading}"


def test_there_are_links_and_files_to_look_for() -> None:
    assert len(LINK.findall(every_page())) > 40
    assert len(NAMED.findall(every_page())) > 15


@pytest.mark.parametrize("path", GUIDES, ids=name_of)
def test_a_page_has_one_title(path: Path) -> None:
    without_code = re.sub(r"^```.*?^```$", "", text_of(path), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^# .+$", without_code, flags=re.MULTILINE)
    assert len(titles) == 1 or "```{include}" in text_of(path)


def test_the_errors_that_are_named_are_there() -> None:
    named = set(re.findall(r"`(\w+Error)`", every_page())) - NOT_ERRORS
    assert len(named) > 10
    assert {name for name in named if not hasattr(digime_pandas.errors, name)} == set()
    explained = set(re.findall(r"`(\w+Error)`", text_of(ROOT / "notebooks/docs/explanations/errors.md")))
    assert len(explained) > 10
    assert explained <= set(digime_pandas.__all__)


def test_the_variables_that_are_named_are_read() -> None:
    named = set(re.findall(r"DIGIME_(?:READ_)?[A-Z_]+[A-Z]", every_page()))
    assert len(named) > 8
    sources = "".join(text_of(path) for path in (ROOT / "digime_pandas").rglob("*.py"))
    assert not [name for name in named if name.replace("READ_", "").removeprefix("DIGIME_") not in sources]


def test_the_table_of_what_each_format_keeps_is_the_one_that_the_package_goes_by() -> None:
    assert render_rules() in text_of(FIDELITY_PAGE)


def test_the_table_of_formats_is_the_package_s() -> None:
    pattern = r"^\| (\w+) \| ((?:`\.\w+`(?:, )?)+) \| `([\w./-]+)` \|$"
    rows = re.findall(pattern, text_of(FORMATS_PAGE), flags=re.MULTILINE)
    said = {name.lower(): (tuple(re.findall(r"`(\.\w+)`", suffixes)), mime) for name, suffixes, mime in rows}
    assert said == {each.name: (each.suffixes, each.mime_type) for each in FORMATS.values()}


def test_the_table_of_options_is_the_package_s() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([\w, ]+) \| ((?:`[^`]+`(?:, )?)+) \|", text_of(FORMATS_PAGE), re.MULTILINE)
    said = {name: (titles, tuple(re.findall(r"`([^`]+)`", values))) for name, titles, values in rows}
    options = {name: values for each in FORMATS.values() for name, values in each.options.items()}
    assert said == {name: (titles_with(name), as_literals(values)) for name, values in options.items()}


def titles_with(option: str) -> str:
    """Return the formats that have an option, as the table says them."""
    having = [each for each in FORMATS.values() if option in each.options]
    return "all" if len(having) == len(FORMATS) else ", ".join(map(title_of, having))


def title_of(each: Format) -> str:
    return each.title


def as_literals(values: tuple[object, ...]) -> tuple[str, ...]:
    return tuple(f'"{value}"' if isinstance(value, str) else repr(value) for value in values)


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


def test_the_table_of_speed_is_what_was_measured() -> None:
    pattern = r"^\| (sales|wide|text) \| (\w+) \| [\d.]+ \| ([\d.]+) \|.*\| (\d+) \| (\d+) \|$"
    measured = re.findall(pattern, text_of(DOCUMENTS[-1]), re.MULTILINE)
    assert len(measured) == 3 * len(FORMATS)
    said = re.findall(r"^\| (?:a million|200 thousand) .*? \| (.+) \|$", text_of(SPEED_PAGE), re.MULTILINE)
    assert said == [speed_row([row for row in measured if row[0] == name]) for name in ("sales", "wide", "text")]


def speed_row(measured: list[tuple[str, ...]]) -> str:
    """Return a row of the page on speed: how many times as long, per format, and the least and most memory of both."""
    times = {row[1]: f"{float(row[2]):.2g}" for row in measured}
    memory = [sorted(int(row[column]) for row in measured) for column in (4, 3)]
    ranges = [f"{values[0]} to {values[-1]}" for values in memory]
    return " | ".join([*(times[name] for name in ("csv", "ndjson", "json", "parquet")), *ranges])
