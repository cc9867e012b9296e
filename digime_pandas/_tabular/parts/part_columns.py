"""The columns of the parts of a frame, each described as it is where the part is a frame of its own.

What follows from the dtype of a column is found out once for all parts, and so are objects that are texts and None. Of
other objects, categories, Arrow dictionaries and sparse values each part is described by itself: it has only what its
rows use.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pandas as pd
import pyarrow as pa

from digime_pandas._tabular.columns import Column, RuleName, SliceReader
from digime_pandas._tabular.frames.arrow_input.arrow_columns import describe_arrow
from digime_pandas._tabular.frames.arrow_input.polars_columns import describe_polars
from digime_pandas._tabular.frames.conversion.pandas_rows import SlicesOfColumns
from digime_pandas._tabular.frames.labels import level_columns
from digime_pandas._tabular.frames.pandas_columns import describe, raw_values
from digime_pandas._tabular.frames.source import ColumnSource
from digime_pandas._tabular.frames.used_values import has_dictionary

Describe = Callable[[int, int], Column]  # describes rows `start` to `stop`

_FAMILIES = frozenset(("numpy", "masked", "string", "arrow", "period", "interval"))
_OF_NAMES: frozenset[RuleName] = frozenset(("duplicate name", "name that is not text", "name with a lone surrogate"))


class PartColumns:
    """The columns of the parts of a frame.

    Args:
        rows: The rows of all parts: a frame of pandas or polars, or a table of Arrow.
        source: Their columns.
        keep_unused: Whether categories and dictionary values that no row has stay.

    Attributes:
        own: The places of the columns that are described anew for each part.
        texts: The places of the columns of texts as objects, which are described anew for a part without any text.
    """

    def __init__(self, rows: Any, source: ColumnSource, *, keep_unused: bool) -> None:
        self._source = source
        self._describers: dict[int, Describe] = {
            place: _describer(rows, source, place, keep_unused=keep_unused)
            for place, column in enumerate(source.columns)
            if not _follows_from_type(column)
        }
        self.texts = tuple(place for place in self._describers if _is_of_texts(source.columns[place]))
        self.own = tuple(place for place in self._describers if place not in self.texts)
        count = source.rows or 0
        self._values = [
            None if place in self.own else column.read(0, count) for place, column in enumerate(source.columns)
        ]

    def source(self, start: int, stop: int) -> ColumnSource:
        """Return rows `start` to `stop` as a source of their own."""
        columns = tuple(self._column(place, start, stop) for place in range(len(self._source.columns)))
        rows, labels = stop - start, self._source.labels
        if labels is not None and labels.index:
            labels = replace(labels, index=columns[: len(labels.index)])
        return replace(
            self._source, columns=columns, rows=rows, labels=labels, open=partial(SlicesOfColumns, columns, rows)
        )

    def values(self, place: int, start: int, stop: int) -> pa.Array:
        """Return rows of a column that is none of `own`."""
        values = self._values[place]
        assert values is not None
        return values.slice(start, stop - start)

    def all_values(self) -> list[pa.Array]:
        """Return the rows of all parts where there is none of `own`."""
        assert not self.own
        return [each for each in self._values if each is not None]

    def lacks_texts(self, place: int, start: int, stop: int) -> bool:
        """Return whether there is no text among rows of one of `texts`."""
        values = self._values[place]
        assert values is not None
        return bool(values.null_count) and values.slice(start, stop - start).null_count == stop - start

    def _column(self, place: int, start: int, stop: int) -> Column:
        known = self._source.columns[place]
        if place not in self._describers or (place in self.texts and not self.lacks_texts(place, start, stop)):
            return _with_read(known, partial(_slice, self.values(place, start, stop)))
        found = self._describers[place](start, stop)
        of_name = tuple(each for each in known.findings if each.rule in _OF_NAMES)
        return replace(found, name=known.name, findings=(*found.findings, *of_name)) if of_name else found


def _follows_from_type(column: Column) -> bool:
    """Return whether all but the values follows from the type of a column, in each part as in all of them."""
    return column.readable and column.spec.dtype_family in _FAMILIES and not has_dictionary(column.type)


def _is_of_texts(column: Column) -> bool:
    # Where NaN or NA stood for a missing value, or something was found, that need not be so in each part.
    is_found = any(each.rule not in _OF_NAMES for each in column.findings)
    return (
        column.spec.dtype_family == "object"
        and column.rule == "text"
        and not is_found
        and column.spec.parameters == "None"
    )


def _describer(rows: Any, source: ColumnSource, place: int, *, keep_unused: bool) -> Describe:
    name = source.columns[place].name
    if isinstance(rows, pa.Table):
        chunks = rows.column(place)
        return lambda start, stop: (
            describe_arrow(name, chunks.slice(start, stop - start), keep_unused=keep_unused).column
        )
    if not isinstance(rows, pd.DataFrame):
        values: Any = rows[:, [place]]
        return lambda start, stop: describe_polars(values.slice(start, stop - start), keep_unused=keep_unused)[0].column
    levels = len(source.labels.index) if source.labels is not None else 0
    if place < levels:
        index = rows.index
        return lambda start, stop: level_columns(index[start:stop], keep_unused=keep_unused)[place]
    values = raw_values(rows.iloc[:, place - levels])
    return lambda start, stop: describe(name, values[start:stop], keep_unused=keep_unused)


def _with_read(column: Column, read: SliceReader) -> Column:
    # Not by `replace`, which takes several times as long, for each column of each part.
    return Column(column.name, column.rule, column.dtype, column.type, column.spec, read, column.findings, column.cause)


def _slice(values: pa.Array, start: int, stop: int) -> pa.Array:
    return values.slice(start, stop - start)
