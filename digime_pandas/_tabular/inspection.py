"""What the values of a column mean for its file: which rules of fidelity they fall under, and the unit of its times."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from digime_pandas._tabular.columns import Column, Finding, rule_of_type
from digime_pandas._tabular.formats import Format

_TICKS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}  # a second
_FIRST_SECOND = -62_135_596_800  # 0001-01-01T00:00:00
_LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59
_FIRST_PERIOD_YEAR, _LAST_PERIOD_YEAR = 1_000, 9_998  # the text of others is not read back as what it was
_DAY = 86_400
_LONGEST_MILLISECONDS = 2**63 // 1000


class ColumnInspection:
    """Looks at a column block by block, and knows at the end what can be said of it.

    Args:
        column: What is looked at.
        format: The format it will be written in.
        alone: Whether it is the only column of the file.
    """

    def __init__(self, column: Column, format: Format, *, alone: bool) -> None:
        self._column = column
        self._format = format.name
        self._by_type, self._units = _of_type(column.type)
        self._kinds = {fact.rule for fact in self._by_type}
        self._blank_lines = alone and format.name == "csv" and column.rule in {"text", "category"}
        self._found: dict[str, Finding] = {}
        self._unit: int | None = None

    @property
    def needed(self) -> bool:
        """Whether the values matter at all: those of most columns need not be looked at."""
        times = bool(self._kinds & {"timestamp", "zoned timestamp", "period"})
        if self._format == "parquet":
            return times and "s" in self._units
        return times or self._blank_lines or (self._format != "csv" and "float" in self._kinds)

    @property
    def facts(self) -> tuple[Finding, ...]:
        """What was found so far, what follows from the type alone included."""
        return (*self._by_type, *self._found.values())

    @property
    def file_type(self) -> pa.DataType | None:
        """The coarser type that times should be cast to before they are written as text, or None."""
        if self._unit is None or self._format == "parquet":
            return None
        unit = list(self._units)[self._unit]
        if unit == "day":
            return pa.date32()
        return None if unit == self._column.type.unit else pa.timestamp(unit, self._column.type.tz)

    def look(self, start: int, array: pa.Array) -> None:
        """Look at one block.

        Args:
            start: Position of its first row in the frame.
            array: Its values.
        """
        if self._blank_lines and array.null_count:
            self._find("null in the only column", array.is_null(), start)
        for leaf in _leaves(array):
            row = start if leaf is array else None
            if pa.types.is_floating(leaf.type) and self._format in {"json", "ndjson"}:
                self._look_at_floats(leaf, row)
            elif pa.types.is_timestamp(leaf.type) and len(leaf) > leaf.null_count:
                self._look_at_times(leaf, row)
            elif rule_of_type(leaf.type) == "period" and self._format != "parquet":
                self._look_at_periods(leaf, row)

    def _look_at_floats(self, leaf: pa.Array, row: int | None) -> None:
        values = leaf.cast(pa.float32()) if pa.types.is_float16(leaf.type) else leaf
        if leaf.null_count and self._column.spec.dtype_family in {"numpy", "sparse"}:
            self._find("missing float", leaf.is_null(), row)
        if pc.all(pc.is_finite(values)).as_py() is not False:
            return
        self._find("NaN beside null", pc.is_nan(values), row)
        self._find("infinity", pc.is_inf(values), row)

    def _look_at_times(self, leaf: pa.Array, row: int | None) -> None:
        second = _TICKS[leaf.type.unit]
        ticks = leaf.view(pa.int64())
        if self._format == "parquet":
            first, last = -_LONGEST_MILLISECONDS, _LONGEST_MILLISECONDS
            rule = "beyond milliseconds"
        else:
            margin = _DAY if leaf.type.tz else 0
            first, last = _FIRST_SECOND + margin, _LAST_SECOND - margin
            rule = "year beyond 1 to 9999"
        # In nanoseconds, and nearly so in microseconds, 64 bits do not reach that far.
        lowest, highest = pc.min_max(ticks).as_py().values()
        if lowest < first * second or highest >= (last + 1) * second:
            beyond = pc.or_(pc.less(ticks, first * second), pc.greater_equal(ticks, (last + 1) * second))
            self._find(rule, beyond, row)
        if row is not None and self._format != "parquet":
            self._refine_unit(np.asarray(ticks.fill_null(0) if ticks.null_count else ticks))

    def _look_at_periods(self, leaf: pa.Array, row: int | None) -> None:
        dtype: Any = pd.PeriodDtype(leaf.type.freq)
        years = dtype.__from_arrow__(leaf).year
        beyond = (years < _FIRST_PERIOD_YEAR) | (years > _LAST_PERIOD_YEAR)
        self._find("year of a period", pc.and_(pa.array(beyond), leaf.is_valid()), row)

    def _refine_unit(self, ticks: Any) -> None:
        """Go to a finer unit as long as one of the times is no multiple of it."""
        sizes = list(self._units.values())
        unit = self._unit or 0
        while unit < len(sizes) - 1 and (ticks // sizes[unit] * sizes[unit] != ticks).any():
            unit += 1
        self._unit = unit

    def _find(self, rule: str, mask: pa.Array, start: int | None) -> None:
        count = pc.sum(mask).as_py() or 0
        if not count:
            return
        known = self._found.get(rule)
        row = None if start is None else start + pc.index(mask, pa.scalar(True)).as_py()
        if known is not None:
            row, count = known.row, count + (known.count or 0)
        self._found[rule] = Finding(rule, row, count)


@lru_cache(maxsize=1024)
def _of_type(type: pa.DataType) -> tuple[tuple[Finding, ...], dict[str, int]]:
    """Return what is the same for all columns of a type: what is to be said of them, and the units of their times."""
    facts = [Finding(kind) for kind in sorted(set(_kinds(type)))]
    if pa.types.is_timestamp(type) and type.unit == "s":
        facts.append(Finding("timestamp in seconds"))
    return tuple(facts), _units(type)


def _units(type: pa.DataType) -> dict[str, int]:
    """Return the units a column of times may be written in, coarsest first, each in ticks of its own unit."""
    if not pa.types.is_timestamp(type):
        return {}
    second = _TICKS[type.unit]
    finer = {unit: second // ticks for unit, ticks in _TICKS.items() if ticks <= second}
    return finer if type.tz else {"day": _DAY * second, **finer}


def _kinds(type: pa.DataType) -> Iterator[str]:
    """Yield the kinds that a type is made of, its own first."""
    yield rule_of_type(type)
    if isinstance(type, pa.BaseExtensionType):
        return
    if pa.types.is_dictionary(type):
        yield from _kinds(type.value_type)
    elif pa.types.is_nested(type):
        for i in range(type.num_fields):
            yield from _kinds(type.field(i).type)


def _leaves(array: pa.Array) -> Iterator[pa.Array]:
    """Yield the arrays of plain values that an array is made of; `array` itself when it is one."""
    kind, types = array.type, pa.types
    if isinstance(kind, pa.BaseExtensionType) or not (types.is_nested(kind) or types.is_dictionary(kind)):
        yield array
    elif types.is_dictionary(kind):
        yield from _leaves(array.dictionary)
    elif types.is_struct(kind):
        for child in array.flatten():
            yield from _leaves(child)
    elif types.is_map(kind):
        yield from _leaves(array.keys)
        yield from _leaves(array.items)
    elif not types.is_union(kind):
        yield from _leaves(pc.list_flatten(array))
