"""The parser of the command line, and the arguments that several commands have."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NoReturn

from digime_pandas._client.command_line.failures import USAGE, print_error_json
from digime_pandas._tabular.formats import FORMATS
from digime_pandas.errors.names import did_you_mean

STANDARD = "-"
"""Names standard input or output where a file is named."""
_UNKNOWN = re.compile(r"(?:invalid choice: '|unrecognized arguments: )([^' =]+)")


class Parser(argparse.ArgumentParser):
    """A parser that says what is wrong with the usage in words."""

    as_json = False
    _given: Sequence[str] = ()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Keep the arguments, so that one which is misspelled can be named where a required one is missing."""
        self._given = args or ()
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Print what is wrong, and which names are near, and exit with 2."""
        found = _UNKNOWN.search(message)
        near = did_you_mean(found[1], _names(self), "{}") if found else self._misspelled()
        message = ". ".join(filter(None, (message, near)))
        if not self.as_json:
            super().error(message)
        print_error_json({"type": "UsageError", "message": message, "usage": " ".join(self.format_usage().split())})
        sys.exit(USAGE)

    def _misspelled(self) -> str:
        """Return which of the options that were given is none, and what was meant, as far as a name is near."""
        names = list(_names(self))
        given = (each.split("=")[0] for each in self._given if each.startswith("--"))
        near = ((each, did_you_mean(each, names, "{}")) for each in given if each not in names)
        return next((f"{each} is no option of it. {meant}" for each, meant in near if meant), "")


class JsonParser(Parser):
    """A parser that says it as JSON."""

    as_json = True


def _names(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield what a parser and those of its commands know: commands, options and their choices."""
    for action in parser._actions:  # noqa: SLF001 - there is no public name
        yield from action.option_strings
        choices: Iterable[object] = action.choices or ()
        yield from map(str, choices)
        if isinstance(choices, dict):
            for command in choices.values():
                yield from _names(command)


def count(text: str) -> int:
    """Return an argument that is a whole number of 1 or more."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def seconds(text: str) -> float:
    """Return an argument that is a number of seconds above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return number


def json_option() -> argparse.ArgumentParser:
    """Return a parent parser with ``--json``, which may also come before the command."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="print results and errors for machines"
    )
    return parent


def person_option() -> argparse.ArgumentParser:
    """Return a parent parser with ``--account``."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument("--account", required=True, metavar="ID", help="the person's id in your own system")
    return parent


def file_options() -> argparse.ArgumentParser:
    """Return a parent parser with what is said of files that are written."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument("--name", help="name in the library (default: FILE's own); another suffix converts a table")
    parent.add_argument("--format", choices=FORMATS, help="of the file in the library, where its name does not say it")
    parent.add_argument("--from", dest="source_format", choices=FORMATS, help="format of FILE, where its name does not")
    parent.add_argument("--mime-type", metavar="TYPE", help="media type to declare (default: by the name)")
    parent.add_argument("--tag", action="append", default=[], help="may be given several times")
    parent.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="option of the format of a converted table, such as nested=json; may be given several times",
    )
    return parent
