"""What the commands print, and where they put files."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pandas as pd

PROGRAM = "digime-pandas"


def print_table(rows: Sequence[tuple[str, ...]]) -> None:
    """Print rows, of which the first is the head, in columns."""
    shown = [tuple(map(in_one_line, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_json(value: object) -> None:
    """Print a value for machines, as JSON."""
    print(json.dumps(value, indent=2, default=_plain))


def records_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame as values for JSON: missing ones are None."""
    # Not `to_json`, which escapes the slashes of addresses.
    rows = frame.astype(object).where(frame.notna(), None).to_dict(orient="records")
    return [{str(name): value for name, value in row.items()} for row in rows]


def print_notice(text: str) -> None:
    """Print a line for people on standard error, as what this program says."""
    # There may be no standard error any longer, or no room where it goes.
    with suppress(OSError):
        print(f"{PROGRAM}: {in_one_line(text)}", file=sys.stderr, flush=True)


def print_columns(table: pd.DataFrame, **titles: str) -> None:
    """Print some columns of a table, under titles by their names."""
    chosen = table[list(titles)]
    cells = chosen.astype(object).where(chosen.notna(), "").itertuples(index=False)
    print_table([tuple(titles.values()), *(tuple(map(str, row)) for row in cells)])


def in_one_line(text: str) -> str:
    """Return a text as it can be shown on one line: control characters are escaped, and ends of lines too."""
    # Programs of other contracts may have named the file; a terminal obeys control characters.
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def is_plain_text(content: bytes) -> bool:
    """Tell whether bytes are text without control characters other than tabs and line ends."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character in "\t\n\r" for character in text)


def _plain(value: Any) -> object:
    """Return what JSON has no form for as what it has one for."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value.isoformat() if hasattr(value, "isoformat") else value.item()
