"""Named columns of a file as a pandas frame, by its schema or by the rules of inference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa

from digime_pandas._tabular.arrow import as_array, bytes_of_a_null, file_form, readable_type
from digime_pandas._tabular.codecs.codec import Columns
from digime_pandas._tabular.columns import (
    TEXT_DTYPE,
    ColumnSpec,
    RangeParameters,
    first_line_of,
    is_of_a_library,
)
from digime_pandas._tabular.formats import Format
from digime_pandas._tabular.frames.inference import infer_column
from digime_pandas._tabular.frames.restore import restore, stored_type
from digime_pandas._tabular.reading.threads import at_once
from digime_pandas._tabular.schema.fitting import FittedSchema, fit
from digime_pandas._tabular.schema.labels import index_of, label_index, with_frequencies
from digime_pandas._tabular.schema.stored import Schema
from digime_pandas.errors import FidelityWarning, InputError, warn
from digime_pandas.errors.names import did_you_mean

T = TypeVar("T")
_MANY_ROWS = 100_000  # of which a column takes longer than a thread
_MOST_PARTS = 8
_LARGE_BYTES = 1 << 30  # a column that takes more than that must not take
_MOST_TIMES = 64  # as much as what was read of it: of nulls, a type that is not trusted makes any number of bytes


class FrameBuilder:
    """Makes frames of the pieces of one file.

    A part of the schema that does not fit the file is left out: what it is about is read by the rules of inference.

    Args:
        format: The format of the file.
        schema: Its schema, or None for the rules of inference.
        wanted: Names of the columns that are wanted, or None for all. Index levels come in any case.
        names: Names of all columns of the file, or None where only its rows hold them.

    Raises:
        InputError: A wanted column is not there.
        ValueError: The schema does not fit the file in any part.
    """

    def __init__(
        self, format: Format, schema: Schema | None, wanted: Sequence[str] | None, names: Sequence[str] | None
    ) -> None:
        self._format = format
        self._wanted = wanted
        self._names = schema.names if names is None and schema is not None else names
        self._by_schema = None if schema is None else _BySchema(format, schema, fit(schema, self._names or ()))
        self._selected = [] if self._names is None else self._select(self._names)

    def types(self) -> dict[str, pa.DataType | None] | None:
        """Return the types in which the wanted columns are to be read, or None to read all as they are.

        The type of a column that rules of inference make is None.
        """
        if self._by_schema is not None:
            return {name: self._by_schema.type_of(name) for name in self._selected}
        return None if self._names is None else dict.fromkeys(self._selected)

    def without(self, schema: Schema, names: Sequence[str]) -> Schema:
        """Return the schema without the specs of columns that cannot be read in their types.

        Args:
            schema: The schema that this builder was made with.
            names: Names of the columns in the file.
        """
        places = {name: place for place, name in enumerate(self._names or ())}
        columns = {places[name]: f"column {name!r}: it cannot be read as {self._type_text(name)}" for name in names}
        return schema.without(columns)

    def frame(self, columns: Columns) -> pd.DataFrame:
        """Return the next rows as a frame.

        Args:
            columns: What was read, at least the wanted columns.

        Raises:
            InputError: A wanted column is not there.

        Warns:
            FidelityWarning: A part of the schema does not fit the file.
        """
        if self._by_schema is not None:
            return self._by_schema.frame(columns, self._selected)
        selected = self._select(list(columns))
        made = _each_column(partial(self._infer, columns), selected, columns.rows)
        return _frame(dict(zip(selected, made, strict=True)), pd.RangeIndex(columns.rows))

    def empty(self) -> pd.DataFrame:
        """Return the frame of a file without rows."""
        if self._by_schema is None:
            return pd.DataFrame({name: pd.Series(dtype=object) for name in self._wanted or self._names or ()})
        empty = {name: pa.nulls(0, self._by_schema.type_of(name) or pa.null()) for name in self._selected}
        return self.frame(Columns(empty, rows=0))

    def _infer(self, columns: Columns, name: str) -> Any:
        return infer_column(name, columns[name], self._format)

    def _select(self, names: Sequence[str]) -> list[str]:
        """Return the index levels and the wanted columns of all names."""
        if self._wanted is None:
            return list(names)
        missing = [name for name in self._wanted if name not in names]
        if missing:
            raise InputError(
                f"columns={missing!r} are not in the file. It has {', '.join(map(repr, names))}.",
                remedy=did_you_mean(missing[0], names),
            )
        levels = [] if self._by_schema is None else self._by_schema.levels
        return [*levels, *(name for name in self._wanted if name not in levels)]

    def _type_text(self, name: str) -> str:
        return "" if self._by_schema is None else str(self._by_schema.type_of(name))


class _BySchema:
    """Makes frames by a schema, and warns once of each part of it that does not fit the file.

    Args:
        format: The format of the file.
        schema: The schema.
        fitted: Which columns of the file it is about.
    """

    def __init__(self, format: Format, schema: Schema, fitted: FittedSchema) -> None:
        self._format = format
        self._schema = schema
        self._fitted = fitted
        self.levels = list(fitted.index)
        self._unfit = dict.fromkeys((*schema.unsaid, *fitted.unfit))  # in their order, each once
        self._told = 0
        self._inferred: set[str] = set()
        self._labels = self._part("column labels", self._every_label)

    def type_of(self, name: str) -> pa.DataType | None:
        """Return the type in which a column is to be read; see `FrameBuilder.types`."""
        spec = self._fitted.specs[name]
        if spec is None:
            return None
        # Decimals are strings or numbers in JSON: the one type that is read from both is their own.
        if self._format.stores_types or pa.types.is_decimal(spec.type):
            return spec.type
        return spec.type if self._format.only_text and _has_parser(spec) else readable_type(stored_type(spec))

    def frame(self, columns: Columns, selected: Sequence[str]) -> pd.DataFrame:
        """Return the next rows as a frame; see `FrameBuilder.frame`."""
        arrays = {}
        made = _each_column(partial(self._restored, columns), selected, columns.rows)
        for name, (array, unfit) in zip(selected, made, strict=True):
            arrays[name] = array
            for text in unfit:
                self._add(text)
        names = [name for name in selected if name not in self._fitted.index]
        frame = _frame({name: arrays[name] for name in names}, self._index(arrays, columns.rows))
        frame.columns = self._labels_of(names)
        frame.attrs.update(self._schema.attrs)
        self._warn()
        return frame

    def _restored(self, columns: Columns, name: str) -> tuple[Any, list[str]]:
        """Return a column by its spec, or else by the rules of inference, and what of the spec does not fit."""
        spec, values = self._fitted.specs[name], columns[name]
        unfit: list[str] = []
        if spec is not None and name not in self._inferred:
            made = _attempt(unfit.append, f"column {name!r}", self._by_spec, name, values, spec, unfit)
            if made is not None:
                return made, unfit
            self._inferred.add(name)  # in the next pieces, too
        return infer_column(name, values, self._format), unfit

    def _by_spec(self, name: str, values: Any, spec: ColumnSpec, unfit: list[str]) -> Any:
        if self._format.stores_types and file_form(values.type) != file_form(spec.type):
            raise _UnfitError(f"it is of type {values.type}, not {spec.type}")
        needed = len(values) * bytes_of_a_null(spec.type)
        if needed > max(_LARGE_BYTES, _MOST_TIMES * values.nbytes):
            raise _UnfitError(f"it would take {needed >> 20:,} MiB as {spec.type}")
        if spec.dtype_family == "range" and isinstance(spec.parameters, RangeParameters):
            return _range(name, as_array(values), spec.parameters.step, unfit)
        return restore(values, spec, as_text=not self._format.stores_types)

    def _index(self, arrays: dict[str, Any], rows: int) -> pd.Index[Any]:
        fitted = self._fitted.index
        if not fitted:
            return pd.RangeIndex(rows)
        index = index_of(
            [arrays[name] for name in fitted],
            [level.name for level in fitted.values()],
            # One level that is left of several is an index like others.
            is_multi=self._schema.index_is_multi and len(fitted) > (len(self._schema.index_names) > 1),
            specs=[self._fitted.specs[name] for name in fitted],
        )
        return self._with_freqs(index, "index", [level.freq for level in fitted.values()])

    def _with_freqs(self, index: pd.Index[Any], what: str, freqs: Sequence[str | None]) -> pd.Index[Any]:
        made = with_frequencies(index, freqs)
        if not isinstance(made, pd.MultiIndex) and any(freqs) and getattr(made, "freq", None) is None:
            self._add(f"{what}: its frequency is not {freqs[0]!r}")
        return made

    def _every_label(self) -> pd.Index[Any] | None:
        schema = self._schema
        if not schema.labels:
            return None
        return label_index(schema.labels, list(schema.label_names), is_multi=schema.labels_are_multi)

    def _labels_of(self, names: list[str]) -> Any:
        """Return the labels of some columns of the file, by their names in it."""
        if self._labels is None:
            return pd.Index(names, dtype=TEXT_DTYPE, name=self._schema.label_names[0])
        places = [self._fitted.labels.get(name, -1) for name in names]
        if -1 not in places:
            whole = places == list(range(len(self._labels)))
            labels = self._labels if whole else self._labels.take(places)
            return self._with_freqs(labels, "column labels", self._schema.label_freqs)
        # Columns that others added are called what they are called in the file.
        is_multi = isinstance(self._labels, pd.MultiIndex)
        known = list(self._labels.astype(object))
        filled = ("",) * (self._labels.nlevels - 1)
        found: list[Any] = [
            known[place] if place >= 0 else (name, *filled) if is_multi else name
            for name, place in zip(names, places, strict=True)
        ]
        if is_multi:
            return pd.MultiIndex.from_tuples(found, names=self._labels.names)
        return pd.Index(found, dtype=object, name=self._labels.name)

    def _part(self, what: str, make: Any, *arguments: Any) -> Any:
        """Return what `make` returns; None, and note it, where a part of the schema does not fit."""
        return _attempt(self._add, what, make, *arguments)

    def _add(self, text: str) -> None:
        self._unfit.setdefault(text)

    def _warn(self) -> None:
        """Warn of what was found since the last time."""
        found = list(self._unfit)[self._told :]
        self._told += len(found)
        if found:
            more = f"; and {len(found) - _MOST_PARTS:,} more" if len(found) > _MOST_PARTS else ""
            text = f"The schema that came with the file does not fit it in every part: {'; '.join(found[:_MOST_PARTS])}"
            warn(f"{text}{more}. For these parts, plain reading rules apply.", FidelityWarning)


class _UnfitError(ValueError):
    """A column is not what the schema says, in words."""


def _has_parser(spec: ColumnSpec) -> bool:
    """Return whether a reader of text may make a column in its own type."""
    if spec.dtype_family == "category" and spec.inner is not None and pa.types.is_dictionary(spec.type):
        return spec.inner.dtype_family == "string"
    return spec.dtype_family == "numpy" and pa.types.is_timestamp(spec.type)


def _attempt(add: Callable[[str], None], what: str, make: Any, *arguments: Any) -> Any:
    """Return what `make` returns; None, after `add` was called, where a part of the schema does not fit."""
    try:
        return make(*arguments)
    except BaseException as error:
        if not is_of_a_library(error):
            raise
        add(f"{what}: {error if isinstance(error, _UnfitError) else first_line_of(error)}")
        return None


def _range(name: str, values: pa.Array, step: int, unfit: list[str]) -> Any:
    """Return the numbers as a range where they are one."""
    if values.null_count:
        raise _UnfitError("numbers are missing")
    found = values.to_numpy()
    if not len(found):
        return pd.RangeIndex(0, 0, step)
    made = pd.RangeIndex(int(found[0]), int(found[0]) + step * len(found), step)
    if np.array_equal(found, made):
        return made
    unfit.append(f"index {name!r}: its numbers are no range with steps of {step}")
    return found


def _each_column(make: Callable[[str], T], names: Sequence[str], rows: int) -> list[T]:
    """Return what is made of each column, at the same time where there are many rows."""
    if rows < _MANY_ROWS:
        return [make(name) for name in names]
    return at_once([partial(make, name) for name in names])


def _frame(arrays: dict[str, Any], index: pd.Index[Any]) -> pd.DataFrame:
    # A bare object array of str would be taken for the dtype str.
    series = {name: pd.Series(array, index, dtype=array.dtype, copy=False) for name, array in arrays.items()}
    # Given columns too, pandas 2 makes an object of every value on the way.
    return pd.DataFrame(series, index=index, columns=None if series else [], copy=False)
