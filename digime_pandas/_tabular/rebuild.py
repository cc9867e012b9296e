"""Named columns of a file as a pandas frame, by its schema or by plain rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import pyarrow as pa

from digime_pandas._tabular.codecs.csv import unescape
from digime_pandas._tabular.codecs.json import from_text
from digime_pandas._tabular.codecs.tables import Columns
from digime_pandas._tabular.columns import TEXT_DTYPE, ColumnSpec, as_array
from digime_pandas._tabular.formats import Format
from digime_pandas._tabular.frames.inference import infer
from digime_pandas._tabular.frames.restore import restore, stored_type
from digime_pandas._tabular.schema import Schema
from digime_pandas.errors import InputError


class FrameBuilder:
    """Makes frames of the pieces of one file.

    Args:
        format: The format of the file.
        schema: Its schema, or None for plain rules.
        wanted: Names of the columns that are wanted, or None for all. Index levels come in any case.
    """

    def __init__(self, format: Format, schema: Schema | None, wanted: Sequence[str] | None) -> None:
        self._format = format
        self._schema = schema
        self._wanted = wanted
        self._rows = 0
        self._names: list[str] = list(schema.names) if schema else []

    @property
    def escaped(self) -> bool:
        """Whether an apostrophe is to be taken from texts that begin like a formula."""
        return self._schema is not None and self._schema.escaped

    def types(self, names: Sequence[str]) -> dict[str, pa.DataType]:
        """Return the types in which the wanted columns are to be read.

        Args:
            names: The names of all columns of the file.

        Raises:
            InputError: A wanted column is not there.
            ValueError: The schema does not fit the file.
        """
        self._names = list(names)
        specs = self._specs()
        selected = set(self._selected(names))
        return {name: self._read_type(spec) for name, spec in specs.items() if name in selected}

    def frame(self, columns: Columns) -> pd.DataFrame:
        """Return the next rows as a frame.

        Args:
            columns: What was read, at least the wanted columns.

        Raises:
            InputError: A wanted column is not there.
            ValueError: The schema does not fit the values.
        """
        if self._schema is None:
            guessed = {name: self._inferred(columns[name]) for name in self._selected(list(columns))}
            return _frame(guessed, pd.RangeIndex(_length(columns)))
        if not self._names:
            self._names = list(columns)
        return self._restored(self._schema, columns)

    def empty(self) -> pd.DataFrame:
        """Return the frame of a file without rows."""
        if self._schema is None:
            return pd.DataFrame({name: pd.Series(dtype=object) for name in self._wanted or self._names})
        specs = self._specs()
        nothing = {name: pa.nulls(0, self._type(spec)) for name, spec in specs.items() if spec}
        return self._restored(self._schema, nothing)

    def _read_type(self, spec: ColumnSpec | None) -> pa.DataType:
        stored = pa.string() if spec is None else stored_type(spec)
        if spec is not None and pa.types.is_decimal(spec.type) and self._format.name != "csv":
            return spec.type  # the one type that the reader takes from strings and from numbers
        return pa.string() if self._format.name == "csv" and pa.types.is_nested(stored) else stored

    def _type(self, spec: ColumnSpec) -> pa.DataType:
        return spec.type if self._format.name == "parquet" else stored_type(spec)

    def _specs(self) -> dict[str, ColumnSpec | None]:
        if self._schema is None:
            return dict.fromkeys(self._names)
        if len(self._names) != len(self._schema.columns):
            raise ValueError("the schema is of a file with other columns")
        return dict(zip(self._names, self._schema.columns, strict=True))

    def _selected(self, names: Sequence[str]) -> list[str]:
        levels = len(self._schema.index) if self._schema else 0
        if self._wanted is None:
            return list(names)
        missing = [name for name in self._wanted if name not in names]
        if missing:
            raise InputError(f"columns={missing!r} are not in the file. It has {', '.join(map(repr, names))}.")
        return [*names[:levels], *(name for name in self._wanted if name not in names[:levels])]

    def _inferred(self, values: Any) -> Any:
        if isinstance(values, list):
            return pd.Series(values, dtype=object).array
        return infer(values, self._format)

    def _restored(self, schema: Schema, columns: Columns) -> pd.DataFrame:
        specs = self._specs()
        plain = self._format.name != "parquet"
        arrays: dict[str, Any] = {}
        rows = _length(columns)
        for name in self._selected(self._names):
            spec = specs[name]
            assert spec is not None
            values = columns[name]
            if spec.dtype_family == "range":
                arrays[name] = pd.RangeIndex(*spec.parameters)[self._rows : self._rows + rows]
                continue
            if schema.escaped and not pa.types.is_decimal(spec.type):
                values = unescape(as_array(values))
            if self._format.name == "csv" and pa.types.is_nested(stored_type(spec)):
                values = from_text(as_array(values), stored_type(spec))
            arrays[name] = restore(values, spec, plain=plain)
        self._rows += rows
        levels = len(schema.index)
        names = list(arrays)
        index = _index([arrays[name] for name in names[:levels]], schema, rows)
        frame = _frame({name: arrays[name] for name in names[levels:]}, index)
        frame.columns = self._labels(schema, names[levels:])
        frame.attrs.update(schema.attrs)
        return frame

    def _labels(self, schema: Schema, names: list[str]) -> pd.Index[Any]:
        if not schema.labels:
            return pd.Index(names, dtype=TEXT_DTYPE, name=schema.label_names[0])
        levels = [restore(each.array, each.spec, plain=True) for each in schema.labels]
        if "l" in schema.multi:
            labels: pd.Index[Any] = _multi(levels, [each.spec for each in schema.labels], schema.label_names)
        else:
            labels = _flat(levels[0], schema.label_names[0])
        every = self._names[len(schema.index) :]
        return labels if names == every else labels.take([every.index(name) for name in names])


def _length(columns: Columns) -> int:
    return len(next(iter(columns.values()), ()))


def _frame(arrays: dict[str, Any], index: pd.Index[Any]) -> pd.DataFrame:
    # A bare object array of str would be taken for the dtype str.
    series = {name: pd.Series(array, index, dtype=array.dtype, copy=False) for name, array in arrays.items()}
    return pd.DataFrame(series, index=index, columns=list(series), copy=False)


def _index(levels: list[Any], schema: Schema, rows: int) -> pd.Index[Any]:
    if not levels:
        return pd.RangeIndex(rows)
    if "i" in schema.multi:
        return _multi(levels, schema.columns, schema.index)
    index = _flat(levels[0], schema.index[0])
    if schema.freq is not None:
        if not isinstance(index, pd.DatetimeIndex | pd.TimedeltaIndex):
            raise ValueError("only times have a frequency")
        index = type(index)(index, freq=schema.freq)
    return index


def _flat(values: Any, name: Any) -> pd.Index[Any]:
    if isinstance(values, pd.RangeIndex):
        return pd.RangeIndex(values, name=name)
    index: pd.Index[Any] = pd.Index(values, dtype=values.dtype, name=name)
    return index


def _multi(levels: list[Any], specs: Sequence[ColumnSpec], names: tuple[Any, ...]) -> pd.MultiIndex:
    index = pd.MultiIndex.from_arrays(levels, names=names)
    # Whole numbers with missing values had to come as nullable ones; the level itself has none.
    for number, level in enumerate(index.levels):
        if specs[number].dtype_family == "numpy" and hasattr(level.dtype, "numpy_dtype"):
            index = index.set_levels(level.astype(level.dtype.numpy_dtype), level=number)
    return index
