"""The rows of NDJSON one by one, exactly as JSON has them."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import filterfalse
from typing import Any, BinaryIO

from digime_pandas._tabular.engines.json_depth import check_json_depth
from digime_pandas._tabular.reading.limits import DEFAULT_LIMITS, Limits

VALUE_BYTES = 64
"""About how many bytes a small value of Python takes, and the place of it in a list."""
_FEW_BYTES = 256


def lines_of(stream: BinaryIO, limits: Limits = DEFAULT_LIMITS) -> Iterator[bytes]:
    """Return the lines of a file, with their ends. One that is longer than it may be comes in several parts.

    Args:
        stream: The file.
        limits: How long a line may be; readers check it before they parse one.
    """
    return iter(partial(stream.readline, limits.text_bytes + 1), b"")


def ndjson_lines(stream: BinaryIO, limits: Limits = DEFAULT_LIMITS) -> Iterator[bytes]:
    """Return the lines of a file that are not blank, with their ends; see `lines_of`.

    Args:
        stream: The file, at its start.
        limits: How long a line may be.
    """
    skip_byte_order_mark(stream)
    return filterfalse(bytes.isspace, lines_of(stream, limits))


def skip_byte_order_mark(stream: BinaryIO) -> None:
    """Go past a byte-order mark in UTF-8, if a file begins with one."""
    start = stream.tell()
    if stream.read(len(BOM_UTF8)) != BOM_UTF8:
        stream.seek(start)


def check_values(texts: Iterable[bytes], limits: Limits) -> None:
    """Check that the values of JSON texts, as values of Python, do not take more memory than they may.

    Args:
        texts: The texts.
        limits: How many bytes their values may take, and they themselves.

    Raises:
        ReadError: They take more.
    """
    size = count = 0
    for text in texts:
        size += len(text)
        limits.check_text(size)
        if len(text) > _FEW_BYTES:
            count += text.count(b",") + text.count(b"[") + text.count(b"{")
            limits.check_bytes(count * VALUE_BYTES)


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


def first_fault(stream: BinaryIO, limits: Limits = DEFAULT_LIMITS) -> str | None:
    """Return where NDJSON has its first error, and which one; None where every line is an object.

    Args:
        stream: The file, at its start.
        limits: How long a line may be.

    Raises:
        ReadError: A line is longer.
    """
    skip_byte_order_mark(stream)
    row = 0
    for number, line in enumerate(lines_of(stream, limits), start=1):
        check_values([line], limits)
        if line.isspace():
            continue
        row += 1
        try:
            parse_object(line)
        except ValueError as error:
            return f"line {number:,} (row {row:,}): {error}"
    return None
