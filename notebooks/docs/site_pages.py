"""Directives of the site, which write down what the package says of itself, and links to files elsewhere.

Pages and notebooks link to files of the project by their paths. Where such a file has a page of the site, that is where
the link leads.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import re
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from textwrap import indent
from typing import Any
from unittest import mock

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.ext.napoleon.docstring import GoogleDocstring
from sphinx.util.docutils import SphinxDirective
from sphinx.util.inspect import stringify_signature

from digime_pandas.__main__ import _parser
from digime_pandas._tabular.formats import FORMATS

SOURCES = Path(__file__).parents[1]
PAGES = {
    ".github/CHANGELOG.md": "docs/project/changes.md",
    ".github/CONTRIBUTING.md": "docs/project/contributing.md",
    ".github/RETRIES.md": "docs/project/retries.md",
    ".github/SECURITY.md": "docs/project/security.md",
    "README.md": "docs/index.md",
    "tests/benchmarks/RESULTS.md": "docs/project/performance.md",
}
_LINK = re.compile(r"(?<=\]\()[^)#:\s]+(?=[)#])")
_PLACE = re.compile(r"(?<=\]\(#)[^)]+(?=\))")
_HELP_COLUMNS = "80"


def accessor_methods(prefix: str, path: str) -> str:
    """Return the public methods of an accessor, as reStructuredText, under the names that users write.

    Args:
        prefix: What users write before a method's name, such as ``df.digime``.
        path: The class, with its module.
    """
    module, _, name = path.rpartition(".")
    owner = getattr(importlib.import_module(module), name)
    methods = inspect.getmembers(owner, lambda each: inspect.isfunction(each) and not each.__name__.startswith("_"))
    in_order = sorted(methods, key=lambda each: inspect.unwrap(each[1]).__code__.co_firstlineno)
    return "\n".join(_described(f"{prefix}.{name}", method) for name, method in in_order)


def _described(name: str, function: Callable[..., object]) -> str:
    signature = inspect.signature(function)
    shown = stringify_signature(
        signature.replace(parameters=[each for each in signature.parameters.values() if each.name != "self"])
    )
    text = str(GoogleDocstring(inspect.getdoc(function) or "", what="method"))
    return f".. py:method:: {name}{shown}\n\n{indent(text, '   ')}\n"


def fixtures(module: str) -> str:
    """Return the fixtures of a plugin of pytest, as reStructuredText.

    Args:
        module: The name of its module, which is read and not imported.
    """
    found = importlib.util.find_spec(module)
    tree = ast.parse(Path(str(found and found.origin)).read_text(encoding="utf-8"))
    functions = [each for each in tree.body if isinstance(each, ast.FunctionDef) and each.decorator_list]
    return "\n".join(
        f".. py:data:: {each.name}\n\n{indent(ast.get_docstring(each) or '', '   ')}\n"
        for each in functions
        if not each.name.startswith("_")
    )


def command_line() -> str:
    """Return what the command line prints with ``--help``, a section per command, as reStructuredText."""
    # Lines are as long as they are shown, whatever terminal this is run in.
    with mock.patch.dict(os.environ, {"COLUMNS": _HELP_COLUMNS, "NO_COLOR": "1"}):
        parser = _parser()
        return "\n".join([_literal(parser.format_help()), *map(_section, *zip(*_commands(parser), strict=True))])


def _commands(parser: ArgumentParser) -> Iterable[tuple[str, ArgumentParser]]:
    choices: Iterator[Any] = (each.choices for each in parser._actions if isinstance(each.choices, dict))  # noqa: SLF001
    commands: dict[str, ArgumentParser] = next(choices)
    return commands.items()


def _section(name: str, parser: ArgumentParser) -> str:
    return f"{name}\n{'-' * len(name)}\n\n{_literal(parser.format_help())}"


def _literal(text: str) -> str:
    return f".. code-block:: text\n\n{indent(text, '   ')}\n"


def formats() -> str:
    """Return the table of formats, as reStructuredText."""
    rows = [
        (
            each.title,
            f'``"{each.name}"``',
            ", ".join(f"``{suffix}``" for suffix in each.suffixes),
            f"``{each.mime_type}``",
        )
        for each in FORMATS.values()
    ]
    return _table([("format", "``format=``", "suffix", "declared as"), *rows])


def format_options() -> str:
    """Return the table of the options that each format has, as reStructuredText."""
    names = dict.fromkeys(name for each in FORMATS.values() for name in each.options)
    rows = [
        (
            f"``{name}``",
            ", ".join(each.title for each in FORMATS.values() if name in each.options),
            ", ".join(f"``{value!r}``" for value in _values(name)),
        )
        for name in names
    ]
    return _table([("option", "formats", "values, the default first"), *rows])


def _values(option: str) -> tuple[object, ...]:
    return next(each.options[option] for each in FORMATS.values() if option in each.options)


def _table(rows: Iterable[tuple[str, ...]]) -> str:
    lines = (f"{'   * -' if at == 0 else '     -'} {cell}" for row in rows for at, cell in enumerate(row))
    return ".. list-table::\n   :header-rows: 1\n\n" + "\n".join(lines) + "\n"


class _Generated(SphinxDirective):
    """Puts the reStructuredText that a function returns in the place of a directive."""

    optional_arguments = 2
    write: Callable[..., str]

    def run(self) -> list[nodes.Node]:
        text = type(self).write(*self.arguments)
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def link_to_pages(text: str, file: Path, page: Path) -> str:
    """Return a text with links to pages of the site in place of those to the files that the pages show.

    Args:
        text: The text of a page, in Markdown, or of a notebook.
        file: The file it is written in, from whose folder its links are counted.
        page: The page it is shown on.
    """

    def linked(found: re.Match[str]) -> str:
        target = Path(os.path.normpath(file.parent / found[0]))
        shown = SOURCES / PAGES.get(os.path.relpath(target, SOURCES.parent), target)
        return found[0] if file == page and shown == target else os.path.relpath(shown, page.parent)

    return _LINK.sub(linked, text)


def _on_read(app: Sphinx, docname: str, source: list[str]) -> None:
    page = Path(app.env.doc2path(docname))
    text = link_to_pages(source[0], page, page)
    # Jupyter's names of places have the capitals of headings, and the site's have none.
    source[0] = _PLACE.sub(lambda found: found[0].lower(), text)


def _on_include(app: Sphinx, relative_path: Path, _parent: str, content: list[str]) -> None:
    file = Path(os.path.normpath(SOURCES / relative_path))
    content[0] = link_to_pages(content[0], file, Path(app.env.doc2path(app.env.docname)))


def _on_signature(_app: Sphinx, _what: str, _name: str, *rest: Any) -> tuple[str, str] | None:
    """Write a default that is a built-in function in a form that is Python."""
    _, _, arguments, returns = rest
    return arguments and (re.sub(r"<built-in function (\w+)>", r"\1", arguments), returns)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register what this file has with Sphinx."""
    for write in (accessor_methods, fixtures, command_line, formats, format_options):
        name = write.__name__.replace("accessor_methods", "accessor").replace("_", "-")
        app.add_directive(name, type(write.__name__, (_Generated,), {"write": staticmethod(write)}))
    app.connect("autodoc-process-signature", _on_signature)
    app.connect("source-read", _on_read)
    app.connect("include-read", _on_include)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
