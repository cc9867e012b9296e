"""A list of files that shows itself as a table."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, SupportsIndex, overload

import pandas as pd

from digime_pandas._client.library.file import LibraryFile
from digime_pandas._client.tables.typed_frame import dtypes_of, typed_frame
from digime_pandas._service.display import html
from digime_pandas._service.display.texts import count_text, time_text
from digime_pandas.errors import ArgumentError, printable
from digime_pandas.errors.calls.attributes import NearNames
from digime_pandas.errors.calls.explained import explains_calls
from digime_pandas.errors.names import did_you_mean

COLUMNS = dtypes_of("name", "rows", "size", "updated", "tags", "mime_type", "write_id", "contract_id", "file_id")
"""The columns of the table, and their dtypes with and without rows."""
_TITLES = ("Name", "Rows", "Size", "Changed", "Tags")
_SHOWN = 50  # files
# pandas prints them as they are. No file of this package has one in its name, and none can be asked for by such a name.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


class LibraryFiles(NearNames, list[LibraryFile]):
    """A list of `LibraryFile`, which shows itself as a table. Slices of it do, too.

    Args:
        files: The files.
    """

    def __init__(self, files: Iterable[LibraryFile] = ()) -> None:
        super().__init__(files)

    @overload
    def __getitem__(self, position: SupportsIndex) -> LibraryFile: ...
    @overload
    def __getitem__(self, position: slice) -> LibraryFiles: ...
    def __getitem__(self, position: SupportsIndex | slice) -> LibraryFile | LibraryFiles:
        if isinstance(position, str):
            near = did_you_mean(position, dict.fromkeys(file.name for file in self if file.name))
            raise ArgumentError(
                f"files[{position!r}]: files are numbered, from 0.",
                remedy=f"{near} Use client.files(account_id, name=...), or read_frame(file_name, account_id).".lstrip(),
            )
        if isinstance(position, slice):
            return LibraryFiles(super().__getitem__(position))
        return super().__getitem__(position)

    @explains_calls()
    def to_frame(self) -> pd.DataFrame:
        """Return a table with one row per file, in the order of the list.

        Returns:
            The columns `name`, `rows`, `size` (bytes), `updated` (UTC), `tags` (text, separated by commas),
            `mime_type`, `write_id`, `contract_id` and `file_id`. Missing values where nothing is known; the dtypes are
            the same without files. Texts that hold control characters are escaped.
        """
        rows = ({name: getattr(file, name) for name in COLUMNS} | {"tags": ", ".join(file.tags)} for file in self)
        return typed_frame(({name: _printed(value) for name, value in row.items()} for row in rows), COLUMNS)

    def __repr__(self) -> str:
        rows = [_TITLES, *map(_row, self[:_SHOWN])]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
        return "\n".join([self._count(), *lines]) if self else self._count()

    def _repr_html_(self) -> str:
        table = html.table(_TITLES, map(_row, self[:_SHOWN]), numbers=("Rows", "Size"))
        return html.card(html.line(html.labelled(self._count(), "plain")), *([table] if self else []))

    def _count(self) -> str:
        more = f", of which these are the first {_SHOWN}" if len(self) > _SHOWN else ""
        return count_text(len(self), "file") + more


def _printed(value: Any) -> Any:
    return printable(value) if isinstance(value, str) and _CONTROL.search(value) else value


def _row(file: LibraryFile) -> tuple[str, ...]:
    rows = "" if file.rows is None else f"{file.rows:,}"
    return tuple(map(printable, (file.name, rows, file.size_text, time_text(file.updated), ", ".join(file.tags))))
