"""The rows of NDJSON one by one, exactly as JSON has them."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections.abc import Iterator
from itertools import filterfalse
from typing import Any, BinaryIO

from digime_pandas._tabular.engines.json_depth import check_json_depth


def ndjson_lines(stream: BinaryIO) -> Iterator[bytes]:
    """Return the lines of a file that are not blank, with their ends.

    Args:
        stream: The file, at its start.
    """
    skip_byte_order_mark(stream)
    return filterfalse(bytes.isspace, stream)


def skip_byte_order_mark(stream: BinaryIO) -> None:
    """Go past a byte-order mark in UTF-8, if a file begins with one."""
    start = stream.tell()
    if stream.read(len(BOM_UTF8)) != BOM_UTF8:
        stream.seek(start)


def parse_object(text: bytes) -> dict[str, Any]:
    """Return the object that a JSON text is.

    Args:
        text: The text.

    Raises:
        ValueError: It is no JSON object in UTF-8, or nested too deep.
    """
    check_json_depth(text)
    try:
        value = json.loads(str(text, "utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg} (character {error.pos + 1:,})") from None
    return checked_object(value)


def checked_object(value: Any) -> dict[str, Any]:
    """Return a row.

    Args:
        value: A value of JSON.

    Raises:
        ValueError: It is no object.
    """
    if not isinstance(value, dict):
        raise ValueError("an element is not an object")
    return value


def first_fault(stream: BinaryIO) -> str | None:
    """Return where NDJSON has its first error, and which one; None where every line is an object.

    Args:
        stream: The file, at its start.
    """
    skip_byte_order_mark(stream)
    row = 0
    for number, line in enumerate(stream, start=1):
        if line.isspace():
            continue
        row += 1
        try:
            parse_object(line)
        except ValueError as error:
            return f"line {number:,} (row {row:,}): {error}"
    return None
