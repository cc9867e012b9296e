"""The labels of the columns, level by level, as JSON and back; levels as an index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from digime_pandas._tabular.columns import Column, ColumnSpec, is_of_a_library
from digime_pandas._tabular.frames.frequencies import with_frequency
from digime_pandas._tabular.frames.labels import without_names
from digime_pandas._tabular.frames.restore import own_dtype, restore
from digime_pandas._tabular.schema.json_values import sayable, value_from_json, value_to_json
from digime_pandas._tabular.schema.specs import (
    array_of,
    changed_name,
    check_texts,
    is_certain,
    spec_from_json,
    spec_to_json,
    texts_of,
)

_ONE_BY_ONE = "values"  # instead of a specification


@dataclass(frozen=True, slots=True)
class TypedLevel:
    """A level of labels of one type.

    Attributes:
        spec: How they become an index again.
        array: The labels, as a text format holds them.
    """

    spec: ColumnSpec
    array: pa.Array

    def __len__(self) -> int:
        return len(self.array)

    def to_json(self) -> list[Any]:
        """Return its specification and its labels as texts."""
        return [spec_to_json(self.spec), texts_of(self.array)]

    def restored(self) -> Any:
        """Return the labels as an array of numpy or pandas, or a RangeIndex."""
        return restore(self.array, self.spec, as_text=True)


@dataclass(frozen=True, slots=True)
class MixedLevel:
    """A level of labels of several types.

    Attributes:
        values: The labels, of types that JSON can say.
    """

    values: tuple[Any, ...]

    def __len__(self) -> int:
        return len(self.values)

    def to_json(self) -> list[Any]:
        """Return its labels, each with its type."""
        return [_ONE_BY_ONE, [value_to_json(each) for each in self.values]]

    def restored(self) -> Any:
        """Return the labels as an array of objects."""
        array = np.empty(len(self.values), dtype=object)
        array[:] = self.values
        return array


LabelLevel = TypedLevel | MixedLevel


def level_from_json(stored: Any) -> LabelLevel:
    """Return the level that `to_json` returned this form of.

    Args:
        stored: The form, not trusted.

    Raises:
        ValueError: It is not the form of a level.
    """
    kind, values = stored
    if kind == _ONE_BY_ONE:
        return MixedLevel(tuple(value_from_json(each) for each in values))
    spec = spec_from_json(kind)
    level = TypedLevel(spec, array_of(spec, values))
    if len(level.restored()) != len(level):
        raise ValueError("labels are missing")
    return level


def levels_of(labels: pd.Index[Any], columns: Sequence[Column]) -> tuple[tuple[LabelLevel, ...], tuple[str, ...]]:
    """Return the levels of column labels, and in words what does not come back of them.

    Args:
        labels: The labels, flat or a MultiIndex.
        columns: Its levels as columns; none where the labels are the names in the file.

    Returns:
        The levels, none where the labels are the names in the file; and the changes, each about one level.
    """
    is_multi = isinstance(labels, pd.MultiIndex)
    unnamed = without_names(labels) if columns else labels
    levels: list[LabelLevel] = []
    changes: list[str] = []
    for number, column in enumerate(columns):
        values = unnamed.get_level_values(number)
        level: LabelLevel | None = _typed(column, values, is_multi=is_multi)
        if level is None:
            level = MixedLevel(tuple(map(sayable, values)))
            change = _change(_values_again(level, is_multi=is_multi), values)
        else:
            change = changed_name(column.spec)
        changes += [] if change is None else [change]
        levels.append(level)
    return tuple(levels), tuple(changes)


def index_of(
    levels: Sequence[Any], names: list[Any], *, is_multi: bool, specs: Sequence[ColumnSpec | None]
) -> pd.Index[Any]:
    """Return the index of some levels.

    Args:
        levels: The values of each, as arrays of numpy or pandas, or a RangeIndex.
        names: The name of each.
        is_multi: Whether it is a MultiIndex; otherwise there is one level.
        specs: What each level was; None where that is not known.
    """
    if not is_multi:
        return flat_index(levels[0], names[0])
    # An index keeps its dtype, of an array of objects pandas would look for another one.
    index = pd.MultiIndex.from_arrays([flat_index(_hashable(each), None) for each in levels], names=names)
    # Whole numbers with missing values had to come as nullable ones; the level itself has none.
    pairs: Any = zip(index.levels, specs, strict=True)
    for number, (level, spec) in enumerate(pairs):
        dtype = level.dtype if spec is None else own_dtype(level.dtype, spec)
        if dtype != level.dtype:
            index = index.set_levels(level.astype(dtype), level=number)
    return index


def _hashable(values: Any) -> Any:
    """Return the values of a level: lists were tuples, as a level has no lists."""
    if values.dtype != object or not any(isinstance(each, list) for each in values):
        return values
    array = np.empty(len(values), dtype=object)
    array[:] = [_tuples(each) for each in values]
    return array


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def flat_index(values: Any, name: Any) -> pd.Index[Any]:
    """Return an index of values, with their dtype; of float16, of which pandas makes no index, as float32.

    Args:
        values: An array of numpy or pandas, or a RangeIndex.
        name: The name of the index.
    """
    if isinstance(values, pd.RangeIndex):
        return pd.RangeIndex(values, name=name)
    if values.dtype == np.float16:
        values = values.astype(np.float32)
    index: pd.Index[Any] = pd.Index(values, dtype=values.dtype, name=name)
    return index


def with_frequencies(index: pd.Index[Any], freqs: Sequence[str | None]) -> pd.Index[Any]:
    """Return an index whose levels have frequencies, as far as their values do.

    Args:
        index: The index.
        freqs: Name of the frequency of each level, or None; none at all for none.
    """
    if not any(freqs):
        return index
    if not isinstance(index, pd.MultiIndex):
        return with_frequency(index, freqs[0])
    levels: Any = [with_frequency(level, freq) for level, freq in zip_longest(index.levels, freqs[: index.nlevels])]
    return index.set_levels(levels)


def label_index(levels: Sequence[LabelLevel], names: list[Any], *, is_multi: bool) -> pd.Index[Any]:
    """Return the labels of some levels.

    Args:
        levels: The levels, at least one.
        names: The name of each.
        is_multi: Whether they are a MultiIndex.
    """
    specs = [each.spec if isinstance(each, TypedLevel) else None for each in levels]
    return index_of([each.restored() for each in levels], names, is_multi=is_multi, specs=specs)


def _typed(column: Column, values: pd.Index[Any], *, is_multi: bool) -> TypedLevel | None:
    """Return the level by its specification, or None where other labels would come of it."""
    if not column.readable:
        return None
    try:
        written = TypedLevel(column.spec, column.read(0, len(values)))
        check_texts(written.array)
        if is_certain(column.spec):
            return written
        level = level_from_json(written.to_json())
        again = _values_again(level, is_multi=is_multi)
    except BaseException as error:
        if not is_of_a_library(error):
            raise
        return None
    return level if isinstance(level, TypedLevel) and _change(again, values) is None else None


def _values_again(level: LabelLevel, *, is_multi: bool) -> pd.Index[Any]:
    return label_index([level], [None], is_multi=is_multi).get_level_values(0)


def _change(again: pd.Index[Any], values: pd.Index[Any]) -> str | None:
    if again.dtype != values.dtype:
        return f"those of {values.dtype} come back as {again.dtype}"
    if values.dtype != object:
        return None if again.equals(values) else f"those of {values.dtype} come back as others"
    pairs = zip(values, again, strict=True)
    kinds = {type(one).__name__ for one, other in pairs if type(one) is not type(other) or repr(one) != repr(other)}
    return f"those of type {', '.join(sorted(kinds))} come back as text" if kinds else None
