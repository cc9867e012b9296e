"""The documentation site: it builds without a warning and without another host, and every public name has a place."""

from __future__ import annotations

import re
import subprocess
import sys
import zlib
from html.parser import HTMLParser
from pathlib import Path
from types import FunctionType
from urllib.parse import unquote, urlsplit

import pytest

import digime_pandas
from digime_pandas import errors
from digime_pandas._client.accessor import DigimeAccessor
from digime_pandas._client.client import _INTERNAL
from digime_pandas.sandbox import Sandbox
from digime_pandas.sandbox.faults import InjectedFault

from .pages import ROOT, names_of_tests, text_of

DOCS = ROOT / "notebooks" / "docs"
COMMAND = re.compile(r"`\.venv/bin/python (-m sphinx [^`]+) build/site/html`")
SECRET = re.compile(r"eyJ[\w-]{10,}\.|PRIVATE KEY-----|[?&](code|state)=\w")
SHOWN_BY = re.compile(r"\*([\w ]+)\*, `(tests/[\w/]+\.py)`")
OTHERS = {
    "df.digime": DigimeAccessor,
    "digime_pandas.sandbox.Sandbox": Sandbox,
    "digime_pandas.sandbox.faults.InjectedFault": InjectedFault,
}
COMMANDS = {"demo", "sandbox", "authorize", "invite", "consents", "forget", "files", "read", "verify"} | {
    *("write", "preview", "write-each", "preview-each"),
}
CELL = re.compile(r"(yes|no|partly(?=:)|not known|)(?=[:,]|$)")


class Page(HTMLParser):
    """Of a page: the places that it has, where its links lead, and what it loads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.places: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.places.add(given.get("id", ""))
        if tag == "a":
            self.links.append(given.get("href", ""))
        elif tag == "link":
            self.loaded.append(given["href"])
        elif "src" in given:
            self.loaded.append(given["src"])


class Site:
    """A site that was built into a folder. Its methods return what is wrong, and assert that there was something."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pages = {path: Page(path) for path in folder.rglob("*.html")}
        # Sphinx lists the names that have a place, compressed, after four lines.
        *_, packed = (folder / "objects.inv").read_bytes().split(b"\n", 4)
        lines = zlib.decompress(packed).decode().splitlines()
        self.places = {line.split(" py:")[0] for line in lines if " py:" in line}

    def names_without_a_place(self) -> list[str]:
        names = {name: {f"digime_pandas.{name}", f"digime_pandas.errors.{name}"} for name in digime_pandas.__all__}
        names |= {f"errors.{name}": {f"digime_pandas.errors.{name}"} for name in errors.__all__}
        assert len(names) > 80
        return [name for name, either in names.items() if name != "errors" and not either & self.places]

    def methods_without_a_place(self) -> list[str]:
        exported = {f"digime_pandas.{name}": getattr(digime_pandas, name) for name in digime_pandas.__all__}
        classes = {name: each for name, each in (exported | OTHERS).items() if isinstance(each, type)}
        owners = {name: each for name, each in classes.items() if not issubclass(each, Exception)}
        methods = {f"{name}.{method}" for name, owner in owners.items() for method in public_methods(owner)}
        methods -= {f"digime_pandas.Client.{name}" for name in _INTERNAL}  # which `dir` does not show either
        assert len(methods) > 60
        return sorted(methods - self.places)

    def other_things_without_a_place(self) -> set[str]:
        of_dask = {"ddf.digime.write", "ddf.digime.write_each", "digime_pandas.dask.read_frame"}
        fixtures = {"digime_client", "digime_sandbox", "digime_fail", "digime_accounts"}
        return (of_dask | fixtures) - self.places

    def commands_without_a_place(self) -> set[str]:
        page = text_of(self.folder / "docs" / "reference" / "command_line.html")
        return COMMANDS - set(re.findall(r"usage: digime-pandas ([\w-]+)", page))

    def loaded_from_another_host(self) -> list[str]:
        loaded = {target for page in self.pages.values() for target in page.loaded}
        assert len(loaded) > 5
        styles = "".join(text_of(path) for path in self.folder.rglob("*.css"))
        in_styles = re.findall(r"url\(.?(?:https?:)?//|@import.{0,9}//", styles)
        return [*in_styles, *(target for target in loaded if urlsplit(target).scheme not in {"", "data"})]

    def links_to_nowhere(self) -> set[str]:
        links = [(path, link) for path, page in self.pages.items() for link in page.links]
        assert len(links) > 1000
        return {f"{path.name}: {link}" for path, link in links if not self._leads_somewhere(path, link)}

    def _leads_somewhere(self, path: Path, link: str) -> bool:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            return True
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        has_place = target not in self.pages or unquote(parts.fragment) in {"", *self.pages[target].places}
        return target.is_file() and has_place

    def tutorials_that_were_not_run(self) -> list[str]:
        names = [path.stem for path in sorted(DOCS.parent.glob("0*.ipynb"))]
        assert len(names) >= 4
        return [name for name in names if "cell_output" not in text_of(self.folder / f"{name}.html")]

    def pages_with_secrets(self) -> list[str]:
        return [path.name for path in self.pages if SECRET.search(text_of(path))]


def public_methods(owner: type) -> set[str]:
    """Return the names of the public methods and properties of a class, but for those of other packages."""
    own = [each for each in owner.__mro__ if each.__module__.startswith("digime_pandas")]
    kinds = (FunctionType, classmethod, staticmethod, property)
    members = {name: value for each in own for name, value in vars(each).items()}
    return {name for name, value in members.items() if isinstance(value, kinds) and not name.startswith("_")}


# One test, so that processes that share the tests do not build it twice.
@pytest.mark.slow
@pytest.mark.kernel
@pytest.mark.timeout(600)
def test_the_site_builds_without_a_warning_and_is_whole(tmp_path: Path) -> None:
    for name in ("sphinx", "myst_nb", "pydata_sphinx_theme", "sphinx_copybutton"):
        pytest.importorskip(name)
    (command,) = COMMAND.findall(text_of(ROOT / ".github" / "CONTRIBUTING.md"))
    folder = tmp_path / "html"
    run = [sys.executable, *command.split(), str(folder)]
    built = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    site = Site(folder)
    finders = [name for name, value in vars(Site).items() if isinstance(value, FunctionType) and name[0] != "_"]
    assert len(finders) == 8
    assert {name: found for name in finders if (found := getattr(site, name)())} == {}


def test_the_protocol_names_tests_that_exist() -> None:
    named = SHOWN_BY.findall(text_of(DOCS / "reference" / "protocol.md"))
    assert len(named) > 40
    missing = [words for words, file in named if f"test_{words.replace(' ', '_')}" not in names_of_tests(file)]
    assert missing == []


def test_every_statement_of_the_protocol_says_how_it_is_known() -> None:
    rows = re.findall(
        r"^\| (?!what|word|---)(.+) \| (.+) \| (.+) \|$", text_of(DOCS / "reference" / "protocol.md"), re.MULTILINE
    )
    assert len(rows) > 50
    assert {word for _, known, _ in rows for word in known.split("; ")} == {"certain", "documented", "inferred"}


def test_every_cell_beside_the_vendors_sdks_says_whether_it_is_so() -> None:
    text, _, _ = text_of(DOCS / "reference" / "parity.md").partition("## What was read")
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ") and "---" not in line]
    assert len(rows) > 45
    assert [row for row in rows if len(row) != 6 and row[0] != "this package"] == []
    assert [row for row in rows if len(row) == 6 and not all(map(CELL.match, row[1:]))] == []
