"""The arguments of functions that read, checked."""

from __future__ import annotations

import operator
import sys
from collections.abc import Iterable
from typing import Any

from digime_pandas._tabular.reading.limits import MOST_BYTES, MOST_ROWS, Limits
from digime_pandas.errors import InputError


def check_columns(columns: Iterable[str] | None) -> list[str] | None:
    """Return the names of the wanted columns, or None for all.

    Raises:
        InputError: `columns` is not made of texts.
    """
    if columns is None:
        return None
    if isinstance(columns, str | bytes) or not isinstance(columns, Iterable):
        raise InputError(f"columns={columns!r} is no list of names. Give a list, such as columns=['name'].")
    names = list(columns)
    wrong = next((name for name in names if not isinstance(name, str)), None)
    if len(names) != sum(isinstance(name, str) for name in names):
        raise InputError(f"columns has {wrong!r}, which is no text. Give the names as they are in the file.")
    return names


def check_limit(limit: Any) -> int | None:
    """Return how many rows are wanted at most, or None for all.

    Raises:
        InputError: `limit` is no whole number, or negative.
    """
    return None if limit is None else _count("limit", limit, 0, "the number of rows, or None for all")


def check_batch_rows(batch_rows: Any) -> int:
    """Return how many rows each piece is to have.

    Raises:
        InputError: `batch_rows` is no whole number, or not positive.
    """
    return _count("batch_rows", batch_rows, 1, "a number of rows")


def check_limits(max_bytes: Any, max_rows: Any) -> Limits:
    """Return how much may be read.

    Args:
        max_bytes: Most bytes that the values of one frame may take; None for the default.
        max_rows: Most rows; None for the default.

    Raises:
        InputError: One is no whole number, or not positive.
    """
    return Limits(
        MOST_BYTES if max_bytes is None else _count("max_bytes", max_bytes, 1, f"bytes, or None for {MOST_BYTES:,}"),
        MOST_ROWS if max_rows is None else _count("max_rows", max_rows, 1, f"rows, or None for {MOST_ROWS:,}"),
    )


def _count(name: str, value: Any, least: int, wanted: str) -> int:
    count = _whole_number(value)
    if count is None:
        raise InputError(f"{name}={value!r} is no whole number. Give {wanted}.")
    if count < least:
        raise InputError(f"{name}={value} is {'not positive' if least else 'negative'}. Give {wanted}.")
    return count


def _whole_number(value: Any) -> int | None:
    try:
        return None if isinstance(value, bool) else min(operator.index(value), sys.maxsize)
    except TypeError:
        return None
