"""The index of a pandas frame, and the labels of its columns, as columns of values: one per level."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from digime_pandas._tabular.columns import (
    TEXT_DTYPE,
    Column,
    ColumnSpec,
    Finding,
    RangeParameters,
)
from digime_pandas._tabular.frames.frequencies import INDEX_OF_TIMES, named_frequency
from digime_pandas._tabular.frames.pandas_columns import describe, raw_values
from digime_pandas._tabular.frames.used_values import Codes, code_blocks, new_positions, used_positions


def level_columns(index: pd.Index[Any], *, keep_unused: bool) -> tuple[Column, ...]:
    """Return the levels of an index as columns.

    Args:
        index: The index, flat or a MultiIndex.
        keep_unused: Whether categories that no row has stay. Other values of a level that no row has never do.
    """
    if isinstance(index, pd.MultiIndex):
        return tuple(_level(index, level, keep_unused=keep_unused) for level in range(index.nlevels))
    name = "index" if index.name is None else str(index.name)
    if isinstance(index, pd.RangeIndex):
        return (_range(name, index),)
    return (_with_frequency(describe(name, raw_values(index), keep_unused=keep_unused), index),)


def _range(name: str, index: pd.RangeIndex) -> Column:
    # Slices of the index, since its array would take 8 bytes per row.
    spec = ColumnSpec("range", pa.int64(), RangeParameters(index.start, index.stop, index.step))
    return Column(
        name, "integer", "RangeIndex", pa.int64(), spec, lambda start, stop: pa.array(index[start:stop].to_numpy())
    )


def _level(index: pd.MultiIndex, level: int, *, keep_unused: bool) -> Column:
    """Return a level by its distinct values and codes: a missing value would turn whole numbers into floats."""
    name = f"level_{level}" if index.names[level] is None else str(index.names[level])
    distinct = index.levels[level]
    codes: Codes = np.asarray(index.codes[level])
    if isinstance(distinct, pd.CategoricalIndex):
        categories: Any = distinct.array
        return describe(name, categories.take(codes, allow_fill=True), keep_unused=keep_unused)
    used = used_positions(code_blocks(codes), len(distinct))
    if not used.all():
        distinct, codes = distinct[used], new_positions(used)[codes]
    column = describe(name, raw_values(distinct), keep_unused=keep_unused)
    if not column.readable:
        return column
    values = column.read(0, len(distinct))

    def read(start: int, stop: int) -> pa.Array:
        part = codes[start:stop]
        return values.take(pa.array(part, mask=part < 0))

    return _with_frequency(replace(column, read=read), index.levels[level])


def _with_frequency(column: Column, index: pd.Index[Any]) -> Column:
    """Return the column of an index with what was found of its frequency."""
    if not isinstance(index, INDEX_OF_TIMES):
        return column
    _, findings = named_frequency(index)
    return replace(column, findings=(*column.findings, *findings))


def used_labels(labels: pd.Index[Any], *, keep_unused: bool) -> tuple[pd.Index[Any], tuple[Finding, ...]]:
    """Return the labels of the columns without unused categories, and the findings about these.

    Args:
        labels: The labels, flat or a MultiIndex.
        keep_unused: Whether unused categories stay.
    """
    used, unused = _without_unused(labels)
    if not unused:
        return labels, ()
    if keep_unused:
        return labels, (Finding("unused categories sent", None, unused),)
    return used, (Finding("unused categories", None, unused),)


def without_names(labels: pd.Index[Any]) -> pd.Index[Any]:
    """Return labels whose levels are found by their numbers: names that are numbers come before these."""
    return labels.set_names([None] * labels.nlevels) if isinstance(labels, pd.MultiIndex) else labels


def _without_unused(labels: pd.Index[Any]) -> tuple[pd.Index[Any], int]:
    if isinstance(labels, pd.CategoricalIndex):
        used = labels.remove_unused_categories()
        return used, len(labels.categories) - len(used.categories)
    if not isinstance(labels, pd.MultiIndex):
        return labels, 0
    unnamed = without_names(labels)
    levels = [_without_unused(unnamed.get_level_values(level)) for level in range(labels.nlevels)]
    unused = sum(count for _, count in levels)
    return pd.MultiIndex.from_arrays([each for each, _ in levels], names=labels.names), unused


def label_columns(labels: pd.Index[Any]) -> tuple[Column, ...]:
    """Return the column labels themselves as columns, one per level; none when they are just the names in the file.

    Args:
        labels: The labels, flat or a MultiIndex.
    """
    if labels.dtype == TEXT_DTYPE and labels.inferred_type == "string" and not labels.hasnans:
        return ()
    return level_columns(labels, keep_unused=True)
