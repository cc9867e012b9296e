"""The index of a pandas frame, and the labels of its columns, as columns of values: one a level."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from digime_pandas._tabular.columns import BLOCK_ROWS, TEXT_DTYPE, Column, ColumnSpec, Finding
from digime_pandas._tabular.frames.pandas_columns import describe, describe_values
from digime_pandas._tabular.frames.used_values import Codes, new_positions, used_positions


def level_columns(index: pd.Index[Any], *, keep_unused: bool) -> tuple[Column, ...]:
    """Return the levels of an index as columns.

    Args:
        index: The index, flat or a MultiIndex.
        keep_unused: Whether categories that no row has stay. Other values of a level that no row has never do.
    """
    if isinstance(index, pd.MultiIndex):
        return tuple(_level(index, level, keep_unused=keep_unused) for level in range(index.nlevels))
    name = "index" if index.name is None else str(index.name)
    if not isinstance(index, pd.RangeIndex):
        return (describe_values(name, index, len(index), keep_unused=keep_unused),)
    column = describe(name, index.dtype, lambda start, stop: index[start:stop].to_numpy(), len(index))
    spec = ColumnSpec("range", column.type, [index.start, index.stop, index.step])
    return (replace(column, dtype="RangeIndex", spec=spec),)


def _level(index: pd.MultiIndex, level: int, *, keep_unused: bool) -> Column:
    """Describe a level by its distinct values and codes: a missing value would turn whole numbers into floats."""
    name = f"level_{level}" if index.names[level] is None else str(index.names[level])
    distinct = index.levels[level]
    codes: Codes = np.asarray(index.codes[level])
    if isinstance(distinct, pd.CategoricalIndex):
        categories: Any = distinct.array

        def take(start: int, stop: int) -> Any:
            return categories.take(codes[start:stop], allow_fill=True)

        return describe(name, distinct.dtype, take, len(index), keep_unused=keep_unused)
    used = used_positions(_blocks(codes), len(distinct))
    if not used.all():
        distinct, codes = distinct[used], new_positions(used)[codes]
    column = describe_values(name, distinct, len(distinct), keep_unused=keep_unused)
    if not column.readable:
        return column
    values = column.read(0, len(distinct))

    def read(start: int, stop: int) -> pa.Array:
        piece = codes[start:stop]
        return values.take(pa.array(piece, mask=piece < 0))

    return replace(column, read=read)


def _blocks(codes: Codes) -> Iterator[Codes]:
    return (codes[start : start + BLOCK_ROWS] for start in range(0, len(codes), BLOCK_ROWS))


def used_labels(labels: pd.Index[Any], *, keep_unused: bool) -> tuple[pd.Index[Any], tuple[Finding, ...]]:
    """Return the labels of the columns without unused categories, and what there is to say of these."""
    used, unused = _without_unused(labels)
    if not unused:
        return labels, ()
    if keep_unused:
        return labels, (Finding("unused categories sent", None, unused),)
    return used, (Finding("unused categories", None, unused),)


def _without_unused(labels: pd.Index[Any]) -> tuple[pd.Index[Any], int]:
    if isinstance(labels, pd.CategoricalIndex):
        used = labels.remove_unused_categories()
        return used, len(labels.categories) - len(used.categories)
    if not isinstance(labels, pd.MultiIndex):
        return labels, 0
    levels = [_without_unused(labels.get_level_values(level)) for level in range(labels.nlevels)]
    unused = sum(count for _, count in levels)
    return pd.MultiIndex.from_arrays([each for each, _ in levels], names=labels.names), unused


def label_columns(labels: pd.Index[Any]) -> tuple[Column, ...]:
    """Return the column labels themselves as columns, one a level; none when they are just the names in the file."""
    if labels.dtype == TEXT_DTYPE and labels.inferred_type == "string" and not labels.hasnans:
        return ()
    return level_columns(labels, keep_unused=True)
