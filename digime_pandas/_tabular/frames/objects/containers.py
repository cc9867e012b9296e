"""Lists and dicts in object columns: their items, how deep they are, whether their keys are text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from digime_pandas._tabular.arrow import DEEPEST
from digime_pandas._tabular.frames.objects.advice import shown, type_name, unsupported
from digime_pandas._tabular.frames.objects.python_types import NULLS, family_of

Rows = npt.NDArray[np.int64]  # the row of each value
_NUMBERS = "biuf"  # kinds of numpy dtypes whose arrays are taken as they are
_MOST_BYTES = 8  # of a number; longer floats are refused one by one


def items_of(values: Sequence[Any]) -> tuple[list[Any] | npt.NDArray[Any], list[int]]:
    """Return the items of all lists, and how many each has.

    Args:
        values: Lists, tuples and numpy arrays.

    Returns:
        One numpy array where all are arrays of numbers of one dtype, else a list.
    """
    if set(map(type, values)) == {np.ndarray}:
        dtypes = {value.dtype for value in values}
        if len(dtypes) == 1 and next(iter(dtypes)).kind in _NUMBERS and all(value.ndim == 1 for value in values):
            numbers = np.concatenate(values)
            if numbers.dtype.itemsize <= _MOST_BYTES:
                return numbers.astype(numbers.dtype.newbyteorder("="), copy=False), list(map(len, values))
    lists = [value if type(value) in {list, tuple} else list(value) for value in values]
    return list(chain.from_iterable(lists)), list(map(len, lists))


def as_dicts(values: Sequence[Any]) -> list[dict[Any, Any]]:
    """Return dicts of other classes as plain ones."""
    return [value if type(value) is dict else dict(value) for value in values]


def check_keys(values: Sequence[dict[Any, Any]], rows: Rows) -> None:
    """Check that all keys of dicts are text that files can hold.

    Args:
        values: The dicts.
        rows: The row of each.

    Raises:
        UnsupportedValueError: One is not a str, or not Unicode.
    """
    keys = list(chain.from_iterable(values))
    kinds = set(map(type, keys)) - {str}
    if kinds:
        keyed = ((row, key) for row, each in zip(rows, values, strict=True) for key in each)
        row, key = next((row, key) for row, key in keyed if type(key) in kinds)
        raise unsupported("keys that are not text", row, f"{shown(key)} is of type {type_name(type(key))}")
    for key in set(keys):
        if not key.isascii() and any("\ud800" <= letter <= "\udfff" for letter in key):
            row = next(row for row, each in zip(rows, values, strict=True) if key in each)
            raise unsupported("text with a lone surrogate", row, f"the key {shown(key)}")


def check_depth(values: Sequence[Any], rows: Rows, depth: int) -> None:
    """Check that lists and dicts are not nested deeper than files can be.

    Args:
        values: Lists, tuples, dicts and arrays; they may be inside themselves.
        rows: The row of each.
        depth: How many lists and dicts they are inside of.

    Raises:
        UnsupportedValueError: One is nested deeper.
    """
    heights: dict[int, int] = {}
    for value, row in zip(values, rows, strict=True):
        if _height(value, DEEPEST - depth, heights) > DEEPEST - depth:
            raise unsupported("nested too deeply", row, shown(value))


def is_container(kind: type) -> bool:
    """Return whether values of a type are lists or dicts."""
    return kind not in NULLS and family_of(kind) in {"list", "struct"}


def _height(value: Any, most: int, known: dict[int, int]) -> int:
    """Return how many lists and dicts are inside each other, or a higher number than `most`.

    Args:
        value: A list, tuple, dict or array, which may be inside itself.
        most: The highest number that matters.
        known: The numbers of those seen before, by `id`; they are added to it.
    """
    if most < 0:
        return 1
    if id(value) in known:
        return known[id(value)]
    if type(value) is np.ndarray and value.ndim == 1 and value.dtype.kind in _NUMBERS:
        return 1
    height = 1
    for each in value.values() if isinstance(value, dict) else value:
        if is_container(type(each)):
            height = max(height, 1 + _height(each, most - 1, known))
            if height > most:
                return height
    known[id(value)] = height
    return height
