"""What the values of a column mean for its file: which rules of fidelity they fall under, and the unit of its times."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from digime_pandas._tabular.arrow import rule_of_type
from digime_pandas._tabular.columns import TICKS_PER_SECOND, Column, Finding, RuleName, is_of_a_library, unreadable
from digime_pandas._tabular.formats import Format

_FIRST_SECOND = -62_135_596_800  # 0001-01-01T00:00:00
_LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59
_FIRST_PERIOD_YEAR, _LAST_PERIOD_YEAR = 1_000, 9_998  # the text of others is not read back as what it was
_SECONDS_PER_DAY = 86_400
_MOST_SECONDS = 2**63 // 1000  # that milliseconds can count in 64 bits
_FEW = 256  # values that Python goes through in less time than a call of Arrow takes
_NESTED: frozenset[RuleName] = frozenset(("list", "struct", "map"))
_OF_TIMES: frozenset[RuleName] = frozenset(("timestamp", "zoned timestamp", "date", "period", "interval"))


class _TextType(NamedTuple):
    """A type that times may be cast to before they become text.

    Attributes:
        type: A date, or a timestamp of the same zone.
        ticks: How many ticks of the column's own unit are one of this type: times lose nothing by the cast when they
            are multiples of it.
    """

    type: pa.DataType
    ticks: int


@dataclass(frozen=True, slots=True)
class _TypeFindings:
    """What is found in the type of a column alone, for a format.

    Attributes:
        findings: The rules that it and the types inside it fall under.
        text_types: The types its times may be cast to, coarsest first, its own last; empty where it holds no times, and
            for a format that stores types.
        holds_json: Whether it has lists, structs or maps. These are JSON in every text format, which has neither NaN
            nor infinities.
        needs_values: Whether it or a type inside it falls under a rule that says more by the values.
    """

    findings: tuple[Finding, ...]
    text_types: tuple[_TextType, ...]
    holds_json: bool
    needs_values: bool


class ColumnInspection:
    """Inspects a column block by block.

    Args:
        column: The column.
        format: The format it will be written in.
        alone: Whether it is the only column of the file.

    Attributes:
        findings: What was found so far, that which follows from the type alone included.
        file_type: The coarser type that times should be cast to before they are written as text, or None. It holds
            for the blocks that were inspected so far.
        cause: The error that says that the values cannot be read, or None.
    """

    def __init__(self, column: Column, format: Format, *, alone: bool) -> None:
        type_findings = _type_findings(column.type, format)
        self.findings = type_findings.findings
        self.cause = column.cause
        self._column = column
        self._format = format
        self._type_findings = type_findings
        self._holds_json = type_findings.holds_json
        self._text_types = type_findings.text_types
        self.file_type = self._coarsest_type()
        self._blank_lines = alone and format.null == "empty field" and column.rule in {"text", "category"}
        self._found: dict[RuleName, Finding] = {}
        self._needs_values = self._blank_lines or type_findings.needs_values

    def inspect_all(self, rows: int) -> None:
        """Inspect all blocks of the column, if any of its values can matter.

        Args:
            rows: How many rows the column has.
        """
        if not self._needs_values or not self._column.readable:
            return
        try:
            for start, array in self._column.blocks(rows):
                self.inspect(start, array)
        except BaseException as error:  # noqa: BLE001 - raised again
            self._note(error)

    def inspect_or_note(self, start: int, array: pa.Array) -> None:
        """Inspect one block as `inspect` does; that a library fails at it is a finding."""
        try:
            self.inspect(start, array)
        except BaseException as error:  # noqa: BLE001 - raised again
            self._note(error)

    def _note(self, error: BaseException) -> None:
        """Note that a library failed; any other error is raised again."""
        if not is_of_a_library(error):
            raise error
        self.cause = error
        self._found["unreadable"] = unreadable(error)
        self._update_findings()

    def inspect(self, start: int, array: pa.Array) -> None:
        """Inspect one block.

        Args:
            start: Position of its first row in the frame.
            array: Its values.
        """
        if not self._needs_values:
            return
        if self._blank_lines and array.null_count:
            self._record("null in the only column", array.is_null(), start)
        for leaf in _leaves(array):
            row = start if leaf is array else None
            if pa.types.is_floating(leaf.type):
                self._inspect_floats(leaf, row)
            elif pa.types.is_timestamp(leaf.type) and len(leaf) > leaf.null_count:
                self._inspect_times(leaf, row)
            elif self._format.stores_types:
                continue
            elif pa.types.is_date(leaf.type):
                self._inspect_dates(leaf, row)
            elif rule_of_type(leaf.type) == "period":
                self._inspect_periods(leaf, row)
            elif rule_of_type(leaf.type) == "interval":
                self._inspect_intervals(leaf)

    def _inspect_floats(self, leaf: pa.Array, row: int | None) -> None:
        if self._format.stores_types or (self._format.has_nan and not self._holds_json):
            return
        values = leaf.cast(pa.float32()) if pa.types.is_float16(leaf.type) else leaf
        few = values.to_pylist() if len(values) <= _FEW else None
        if leaf.null_count and self._column.spec.dtype_family in {"numpy", "sparse"}:
            self._record("missing float", leaf.is_null() if few is None else [each is None for each in few], row)
        if _are_finite(values) if few is None else all(each is None or isfinite(each) for each in few):
            return
        self._record("NaN inside" if self._holds_json else "NaN beside null", pc.is_nan(values), row)
        self._record("infinity inside" if self._holds_json else "infinity", pc.is_inf(values), row)

    def _inspect_times(self, leaf: pa.Array, row: int | None) -> None:
        if self._format.stores_types:
            self._record_beyond("beyond milliseconds", leaf, -_MOST_SECONDS, _MOST_SECONDS, row)
            return
        # The local date of a zoned time may be a day off.
        margin = _SECONDS_PER_DAY if leaf.type.tz else 0
        self._record_beyond("year beyond 1 to 9999", leaf, _FIRST_SECOND + margin, _LAST_SECOND - margin, row)
        if row is not None:
            self._refine_unit(leaf.view(pa.int64()))

    def _inspect_dates(self, leaf: pa.Array, row: int | None) -> None:
        if len(leaf) == leaf.null_count:
            return
        if pa.types.is_date32(leaf.type):
            days, limits = leaf.view(pa.int32()), (_FIRST_SECOND // _SECONDS_PER_DAY, _LAST_SECOND // _SECONDS_PER_DAY)
            self._record_outside("year beyond 1 to 9999", days, *limits, row)
        else:
            self._record_beyond("year beyond 1 to 9999", leaf, _FIRST_SECOND, _LAST_SECOND, row)

    def _inspect_intervals(self, leaf: pa.Array) -> None:
        for end in leaf.storage.flatten():
            if pa.types.is_timestamp(end.type) and len(end) > end.null_count:
                self._inspect_times(end, None)

    def _record_beyond(self, rule: RuleName, leaf: pa.Array, first: int, last: int, row: int | None) -> None:
        """Record the times that are before or after two times, given in seconds since 1970."""
        second = TICKS_PER_SECOND["ms" if pa.types.is_date64(leaf.type) else leaf.type.unit]
        self._record_outside(rule, leaf.view(pa.int64()), first * second, (last + 1) * second - 1, row)

    def _record_outside(self, rule: RuleName, ticks: pa.Array, first: int, last: int, row: int | None) -> None:
        # Compared as Python's integers: in nanoseconds the limits may not fit into 64 bits, but then no time is beyond.
        lowest, highest = _extremes(ticks)
        if lowest < first or highest > last:
            self._record(rule, pc.or_(pc.less(ticks, first), pc.greater(ticks, last)), row)

    def _inspect_periods(self, leaf: pa.Array, row: int | None) -> None:
        dtype: Any = pd.PeriodDtype(leaf.type.freq)
        years = dtype.__from_arrow__(leaf).year
        beyond = (years < _FIRST_PERIOD_YEAR) | (years > _LAST_PERIOD_YEAR)
        self._record("year of a period", pc.and_(pa.array(beyond), leaf.is_valid()), row)

    def _refine_unit(self, ticks: pa.Array) -> None:
        """Leave out the types that are too coarse for one of the times; the column's own type always remains."""
        are_multiples = _multiples_among(ticks)
        while len(self._text_types) > 1 and not are_multiples(self._text_types[0].ticks):
            self._text_types = self._text_types[1:]
        self.file_type = self._coarsest_type()

    def _coarsest_type(self) -> pa.DataType | None:
        if not self._text_types or self._text_types[0].type == self._column.type:
            return None
        return self._text_types[0].type

    def _record(self, rule: RuleName, mask: pa.Array | list[bool], start: int | None) -> None:
        """Record a rule for the values that a mask is true of; the first row is kept, counts are added up."""
        count = sum(mask) if isinstance(mask, list) else mask.true_count
        if not count:
            return
        known = self._found.get(rule)
        row = None if start is None else start + _first_true(mask)
        if known is not None:
            row, count = known.row, count + (known.count or 0)
        self._found[rule] = Finding(rule, row, count)
        self._update_findings()

    def _update_findings(self) -> None:
        self.findings = (*self._type_findings.findings, *self._found.values())


def inspect_columns(columns: Sequence[Column], rows: int | None, format: Format) -> tuple[ColumnInspection, ...]:
    """Inspect the columns of a frame.

    Args:
        columns: All columns of the file.
        rows: How many rows they have; None for what is not in memory, whose batches are to be inspected one by one.
        format: The format of the file.

    Returns:
        One inspection per column.
    """
    alone = len(columns) == 1
    inspections = tuple(ColumnInspection(column, format, alone=alone) for column in columns)
    if rows is not None:
        for each in inspections:
            each.inspect_all(rows)
    return inspections


@lru_cache(maxsize=1024)
def _type_findings(type: pa.DataType, format: Format) -> _TypeFindings:
    rules = sorted(set(_rules_in(type)))
    if pa.types.is_timestamp(type) and type.unit == "s":
        rules.append("timestamp in seconds")
    holds_json = not _NESTED.isdisjoint(rules)
    if format.stores_types:
        return _TypeFindings(tuple(map(Finding, rules)), (), holds_json, "timestamp in seconds" in rules)
    needs_values = not _OF_TIMES.isdisjoint(rules) or ("float" in rules and (holds_json or not format.has_nan))
    return _TypeFindings(tuple(map(Finding, rules)), _text_types(type), holds_json, needs_values)


def _text_types(type: pa.DataType) -> tuple[_TextType, ...]:
    if not pa.types.is_timestamp(type):
        return ()
    second = TICKS_PER_SECOND[type.unit]
    day = _TextType(pa.date32(), _SECONDS_PER_DAY * second)
    timestamps = tuple(
        _TextType(pa.timestamp(unit, type.tz), second // ticks)
        for unit, ticks in TICKS_PER_SECOND.items()
        if ticks <= second
    )
    return timestamps if type.tz else (day, *timestamps)


def _are_finite(values: pa.Array) -> bool:
    """Return whether no value is NaN or infinite; nulls do not count."""
    # By numpy, which costs less per call, of few rows; it has NaN for nulls.
    finite = np.count_nonzero(np.isfinite(values.to_numpy(zero_copy_only=False)))
    return int(finite) == len(values) - int(values.null_count)


def _first_true(mask: pa.Array | list[bool]) -> int:
    """Return the position of the first true value of a mask, which has one."""
    if isinstance(mask, list):
        return mask.index(True)
    position: int = pc.index(mask, pa.scalar(True)).as_py()
    return position


def _extremes(ticks: pa.Array) -> tuple[int, int]:
    """Return the lowest and the highest of whole numbers, of which there is one."""
    if len(ticks) <= _FEW:
        present = [each for each in ticks.to_pylist() if each is not None]
        return min(present), max(present)
    lowest, highest = pc.min_max(ticks).as_py().values()
    return lowest, highest


def _multiples_among(ticks: pa.Array) -> Callable[[int], bool]:
    """Return what tells whether all of some whole numbers are multiples of a number; nulls do not count."""
    if len(ticks) <= _FEW:
        few = list(filter(None, ticks.to_pylist()))
        return lambda of: not any(each % of for each in few)
    many: Any = np.asarray(ticks.fill_null(0) if ticks.null_count else ticks)
    return lambda of: bool((many // of * of == many).all())


def _rules_in(type: pa.DataType) -> Iterator[RuleName]:
    """Yield the rules of a type and of the types inside it."""
    yield rule_of_type(type)
    if isinstance(type, pa.BaseExtensionType):
        return
    if pa.types.is_dictionary(type):
        yield from _rules_in(type.value_type)
    elif pa.types.is_nested(type):
        for i in range(type.num_fields):
            yield from _rules_in(type.field(i).type)


def _leaves(array: pa.Array) -> Iterator[pa.Array]:
    """Yield the arrays without nesting that an array is made of; `array` itself when it is one."""
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
