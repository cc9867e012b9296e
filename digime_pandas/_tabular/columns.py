"""A column on its way into a file: a name, a kind, Arrow arrays slice by slice, and how it is made again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

BLOCK_ROWS = 65_536
TEXT_DTYPE = pd.Series(["a"]).dtype  # str since pandas 3, object before
# Rules of values that Arrow cannot hold: a column that falls under one cannot be read.
UNREADABLE = frozenset(
    ("complex", "long double", "extension without Arrow form", "mixed objects", "text with a lone surrogate")
)

Take = Callable[[int, int], Any]


@dataclass(frozen=True, slots=True)
class ColumnSpec:
    """How a column is made again from Arrow values.

    Attributes:
        origin: What the column was: ``numpy``, ``masked``, ``string``, ``object``, ``arrow``, ``period``, ``interval``,
            ``category``, ``sparse`` or ``range``.
        type: The Arrow type of its values (of its categories, for ``category``).
        detail: What else `dtype_family` needs, as plain JSON values; see `_restore.py`.
        inner: The column inside a ``category``, ``interval`` or ``sparse`` column.
    """

    dtype_family: str
    type: pa.DataType
    parameters: Any = None
    inner: ColumnSpec | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a column's values that a rule of fidelity speaks of.

    Attributes:
        rule: Name of the rule.
        row: Position of the first value it is true of, counted from 0, or None when it is true of the column.
        count: How many values it is true of, or None when they were not counted.
    """

    rule: str
    row: int | None = None
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """One column as it goes into a file.

    Attributes:
        name: Its name in the file.
        rule: Name of the rule of fidelity that its type falls under.
        dtype: The type by which its owner knows it, as text.
        type: Arrow type of the arrays that `read` gives.
        spec: How it is made again.
        read: Gives rows `start` to `stop` as one Arrow array.
        facts: What was found while looking at it.
    """

    name: str
    rule: str
    dtype: str
    type: pa.DataType
    spec: ColumnSpec
    read: Callable[[int, int], pa.Array]
    facts: tuple[Finding, ...] = ()

    @property
    def readable(self) -> bool:
        """Whether `read` gives its values: no rule says that Arrow cannot hold them."""
        return not any(fact.rule in UNREADABLE for fact in self.facts)

    def blocks(self, rows: int) -> Iterator[tuple[int, pa.Array]]:
        """Yield the column in bounded pieces, each with the position of its first row."""
        for start in range(0, rows, BLOCK_ROWS):
            yield start, self.read(start, min(start + BLOCK_ROWS, rows))


@lru_cache(maxsize=1024)
def rule_of_type(type: pa.DataType) -> str:
    """Return the name of the rule of fidelity for an Arrow type."""
    types = pa.types
    if isinstance(type, pa.BaseExtensionType):
        named = {"pandas.period": "period", "pandas.interval": "interval"}.get(type.extension_name)
        return named or rule_of_type(type.storage_type)
    if types.is_timestamp(type):
        return "zoned timestamp" if type.tz else "timestamp"
    if types.is_list_view(type) or types.is_large_list_view(type) or types.is_run_end_encoded(type):
        return "other"
    for kind, is_kind in (
        ("null", types.is_null),
        ("boolean", types.is_boolean),
        ("integer", types.is_integer),
        ("float", types.is_floating),
        ("decimal", types.is_decimal),
        ("date", types.is_date),
        ("time", types.is_time),
        ("duration", types.is_duration),
        ("category", types.is_dictionary),
        ("map", types.is_map),
        ("struct", types.is_struct),
        ("list", lambda each: types.is_nested(each) and not types.is_union(each) and not types.is_struct(each)),
        ("text", lambda each: types.is_string(each) or types.is_large_string(each) or types.is_string_view(each)),
        ("bytes", lambda each: types.is_binary(each) or types.is_large_binary(each) or types.is_binary_view(each)),
        ("bytes", types.is_fixed_size_binary),
    ):
        if is_kind(type):
            return kind
    return "other"


def as_array(array: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return a chunked array as one array, without copying when it is one already."""
    if not isinstance(array, pa.ChunkedArray):
        return array
    if array.num_chunks == 1:
        return array.chunk(0)
    return pa.concat_arrays(array.chunks) if array.num_chunks else pa.nulls(0, array.type)


def raw_values(values: pd.Series[Any] | pd.Index[Any]) -> Any:
    """Return the values without copying, as the plain numpy array where there is one."""
    return values.to_numpy() if isinstance(values.dtype, np.dtype) else values.array


def first_unconvertible_row(read: Callable[[int, int], pa.Array], rows: int, rule: str) -> tuple[Finding, ...]:
    """Convert everything once, and return the first row that does not convert, if any."""
    for start in range(0, rows, BLOCK_ROWS):
        stop = min(start + BLOCK_ROWS, rows)
        if _converts(read, start, stop):
            continue
        return (Finding(rule, next(row for row in range(start, stop) if not _converts(read, row, row + 1))),)
    return ()


def _converts(read: Callable[[int, int], pa.Array], start: int, stop: int) -> bool:
    try:
        read(start, stop)
    except (pa.ArrowException, OverflowError, ValueError, TypeError):
        return False
    return True


def unsupported_column(name: str, dtype: Any, fact: Finding) -> Column:
    """Return a column that says why it has no values."""
    spec = ColumnSpec("object", pa.null())
    return Column(name, fact.rule, str(dtype), pa.null(), spec, lambda start, stop: pa.nulls(stop - start), (fact,))
