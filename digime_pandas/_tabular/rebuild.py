"""Named columns of a file as a pandas frame, by its schema or by the rules of inference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import pyarrow as pa

from digime_pandas._tabular.codecs.codec import Columns
from digime_pandas._tabular.columns import TEXT_DTYPE, ColumnSpec
from digime_pandas._tabular.formats import Format
from digime_pandas._tabular.frames.inference import infer
from digime_pandas._tabular.frames.restore import restore, stored_type
from digime_pandas._tabular.schema import Schema
from digime_pandas.errors import InputError


class FrameBuilder:
    """Makes frames of the pieces of one file.

    Args:
        format: The format of the file.
        schema: Its schema, or None for the rules of inference.
        wanted: Names of the columns that are wanted, or None for all. Index levels come in any case.
        names: Names of all columns of the file, or None where only its rows hold them.

    Raises:
        InputError: A wanted column is not there.
        ValueError: The schema does not fit the file.
    """

    def __init__(
        self, format: Format, schema: Schema | None, wanted: Sequence[str] | None, names: Sequence[str] | None
    ) -> None:
        self._format = format
        self._schema = schema
        self._wanted = wanted
        self._names = schema.names if names is None and schema is not None else names
        self._rows = 0  # of the frames that were made
        self._specs: dict[str, ColumnSpec] = {}
        if schema is not None:
            if len(self._names or ()) != len(schema.columns):
                raise ValueError("the schema is of a file with other columns")
            self._specs = dict(zip(self._names or (), schema.columns, strict=True))
        self._selected = [] if self._names is None else self._select(self._names)

    def types(self) -> dict[str, pa.DataType] | None:
        """Return the types in which the wanted columns are to be read, or None to read all as they are."""
        if self._schema is not None:
            return {name: self._type(self._specs[name]) for name in self._selected}
        return None if self._names is None else dict.fromkeys(self._selected, pa.string())

    def frame(self, columns: Columns) -> pd.DataFrame:
        """Return the next rows as a frame.

        Args:
            columns: What was read, at least the wanted columns.

        Raises:
            InputError: A wanted column is not there.
            ValueError: The schema does not fit the values.
        """
        if self._schema is not None:
            return self._restored(self._schema, columns)
        selected = self._select(list(columns))
        return _frame({name: self._inferred(columns[name]) for name in selected}, pd.RangeIndex(_length(columns)))

    def empty(self) -> pd.DataFrame:
        """Return the frame of a file without rows."""
        if self._schema is None:
            return pd.DataFrame({name: pd.Series(dtype=object) for name in self._wanted or self._names or ()})
        return self._restored(self._schema, {name: pa.nulls(0, self._type(spec)) for name, spec in self._specs.items()})

    def _select(self, names: Sequence[str]) -> list[str]:
        """Return the index levels and the wanted columns of all names."""
        if self._wanted is None:
            return list(names)
        missing = [name for name in self._wanted if name not in names]
        if missing:
            raise InputError(f"columns={missing!r} are not in the file. It has {', '.join(map(repr, names))}.")
        levels = list(names[: len(self._schema.index_names)]) if self._schema else []
        return [*levels, *(name for name in self._wanted if name not in levels)]

    def _type(self, spec: ColumnSpec) -> pa.DataType:
        # Decimals are strings or numbers in JSON: the one type that is read from both is their own.
        if self._format.stores_types or pa.types.is_decimal(spec.type):
            return spec.type
        return stored_type(spec)

    def _inferred(self, values: Any) -> Any:
        if isinstance(values, list):
            return pd.Series(values, dtype=object).array
        return infer(values, self._format)

    def _restored(self, schema: Schema, columns: Columns) -> pd.DataFrame:
        count = _length(columns)
        rows = slice(self._rows, self._rows + count)
        self._rows += count
        arrays = {name: self._restored_column(columns[name], self._specs[name], rows) for name in self._selected}
        levels, names = self._selected[: len(schema.index_names)], self._selected[len(schema.index_names) :]
        index = _index([arrays[name] for name in levels], schema, count)
        frame = _frame({name: arrays[name] for name in names}, index)
        frame.columns = self._labels(schema, names)
        frame.attrs.update(schema.attrs)
        return frame

    def _restored_column(self, values: Any, spec: ColumnSpec, rows: slice) -> Any:
        if spec.dtype_family == "range":
            return restore(values, spec)[rows]
        return restore(values, spec, as_text=not self._format.stores_types)

    def _labels(self, schema: Schema, names: list[str]) -> pd.Index[Any]:
        if not schema.labels:
            return pd.Index(names, dtype=TEXT_DTYPE, name=schema.label_names[0])
        levels = [restore(each.array, each.spec, as_text=True) for each in schema.labels]
        if schema.labels_are_multi:
            labels: pd.Index[Any] = _multi(levels, [each.spec for each in schema.labels], schema.label_names)
        else:
            labels = _flat(levels[0], schema.label_names[0])
        every = list(self._specs)[len(schema.index_names) :]
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
    if schema.index_is_multi:
        return _multi(levels, schema.columns, schema.index_names)
    index = _flat(levels[0], schema.index_names[0])
    if schema.index_freq is not None:
        if not isinstance(index, pd.DatetimeIndex | pd.TimedeltaIndex):
            raise ValueError("only times have a frequency")
        index = type(index)(index, freq=schema.index_freq)
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
