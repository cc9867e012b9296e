"""The files that are written: what they are, by their names, and how they are read."""

from __future__ import annotations

import argparse
import mimetypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from digime_pandas._client.command_line.options import STANDARD
from digime_pandas._service.descriptor import check_file_name
from digime_pandas._tabular.formats import FORMATS, PARQUET, Format, format_of, resolve_format
from digime_pandas._tabular.parse import parse
from digime_pandas._tabular.reading.limits import Limits
from digime_pandas.errors import InputError, ReadError

_ANY = "application/octet-stream"
# Of files that are compressed as a whole, whose suffix says what is in them, too.
_COMPRESSED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}
_LIMITS = Limits(sys.maxsize, sys.maxsize)  # the file is the user's own


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file to write.

    Attributes:
        path: Where it is; None: standard input.
        name: Its name in the library.
        source: The format that it has; None where it is no table that is known.
        target: The format that it is to have; None where that is none of a table.
        mime_type: The media type to declare.
    """

    path: Path | None
    name: str
    source: Format | None
    target: Format | None
    mime_type: str

    @property
    def is_converted(self) -> bool:
        """Whether it is read as a table and written in another format."""
        return self.source is not None and self.target is not None and self.source != self.target

    @property
    def size(self) -> int | None:
        """Its bytes, where they are known beforehand."""
        return self.path.stat().st_size if self.path is not None and self.path.is_file() else None

    def check_readable(self) -> None:
        """Check that it is there and can be opened; a pipe is not touched, since it can be opened once only.

        Raises:
            OSError: It cannot.
        """
        if self.path is not None and (self.path.is_file() or self.path.is_dir() or not self.path.exists()):
            self.path.open("rb").close()

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Open it for reading; standard input stays open."""
        if self.path is None:
            yield sys.stdin.buffer
        else:
            with self.path.open("rb") as file:
                yield file

    def table(self) -> object:
        """Return it as a table that `write` takes.

        Raises:
            InputError: It is no table of its format.
        """
        if self.source is None:
            raise InputError(f"{str(self.path or 'Standard input')!r} is no table that is known; say --from FORMAT.")
        if self.size is not None and self.source == PARQUET:
            return self.path
        try:
            with self.open() as file:
                return parse(BytesIO(file.read()) if self.size is None else file, self.source, limits=_LIMITS)
        except ReadError as error:
            raise InputError(f"{str(self.path or 'standard input')!r}: {error}") from error


def source_file(path_text: str, arguments: argparse.Namespace) -> SourceFile:
    """Return what a named file is, and is to become.

    Args:
        path_text: Its path; ``-`` is standard input.
        arguments: Those of `file_options`.

    Raises:
        InputError: The names and formats do not fit together.
    """
    path = None if path_text == STANDARD else Path(path_text)
    if path is None and not arguments.name:
        raise InputError("What comes from standard input has no name; give --name, such as --name visits.csv.")
    if path is not None and path.is_dir():
        raise InputError(f"{path_text!r} is a folder. Give files.")
    name = check_file_name(arguments.name or ("" if path is None else path.name))
    own_name = name if path is None else path.name
    source = FORMATS[arguments.source_format] if arguments.source_format else format_of(own_name, "")
    target = _target(name, arguments.format)
    if arguments.mime_type is None:
        _check_convertible(own_name, name, source, target)
    return SourceFile(
        path=path,
        name=name,
        source=source,
        target=target,
        mime_type=arguments.mime_type or _mime_type(name, own_name, target),
    )


def check_names(files: list[SourceFile]) -> None:
    """Check that no two files get one name, of which readers would find the last one only.

    Raises:
        InputError: Two do.
    """
    names = [file.name for file in files]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise InputError(f"Two of the files are called {repeated!r}; write them one by one, each with a --name.")


def _target(name: str, format_name: str | None) -> Format | None:
    return resolve_format(name, format_name) if format_name else format_of(name, "")


def _check_convertible(own_name: str, name: str, source: Format | None, target: Format | None) -> None:
    """Refuse to declare a file as what it is not: only tables are converted."""
    if source is not None and target is not None:
        return
    before, after = _guessed(own_name), _guessed(name)
    if before is not None and after is not None and before != after:
        raise InputError(
            f"{own_name!r} is {before}, and the name {name!r} is of {after}: only tables are converted "
            f"({', '.join(FORMATS)}). Give a name with the same suffix, or say with --mime-type what it is."
        )


def _mime_type(name: str, own_name: str, target: Format | None) -> str:
    return target.mime_type if target is not None else _guessed(name) or _guessed(own_name) or _ANY


def _guessed(name: str) -> str | None:
    found = format_of(name, "")
    if found is not None:
        return found.mime_type
    mime_type, encoding = mimetypes.guess_type(f"/{name}")  # as a path, since names may look like URLs
    return mime_type if encoding is None else _COMPRESSED.get(encoding, _ANY)
