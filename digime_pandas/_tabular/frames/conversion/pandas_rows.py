"""Rows of a pandas column as Arrow arrays, converted when they are read."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from digime_pandas._tabular.arrow import as_array
from digime_pandas._tabular.columns import Column, bits_of, raise_about_column

_KEPT_ROWS = 1_024
_KEPT_BYTES = 1 << 16
_FEW = 1_024  # values, which Arrow goes through in less time than calls of numpy take


def to_arrow(values: Any, type: pa.DataType) -> pa.Array:
    """Return some values of a pandas column as an Arrow array.

    Args:
        values: A numpy array or pandas extension array.
        type: The type of the array.
    """
    # Asked for an extension type by its name, pandas returns its storage.
    asked = None if isinstance(type, pa.BaseExtensionType) else type
    dtype = getattr(values, "dtype", None)
    if isinstance(dtype, pd.DatetimeTZDtype):
        values = values.asi8.view(f"M8[{values.unit}]")  # or pyarrow would name the zone again
    elif isinstance(dtype, np.dtype) and not dtype.isnative:
        values = values.astype(dtype.newbyteorder("="))
    if len(values) > _FEW and isinstance(values, np.ndarray) and _is_stored_as(values.dtype, type):
        return _with_nulls(values, type)
    array = pa.array(values, type=asked, from_pandas=True)
    if isinstance(array, pa.ChunkedArray):
        array = as_array(array)
    return array if array.type == type else array.cast(type)


@lru_cache(maxsize=1024)
def _is_stored_as(dtype: np.dtype[Any], type: pa.DataType) -> bool:
    """Return whether values of a dtype that may be NaN or NaT are in memory what they are in an Arrow array."""
    if dtype.kind == "f":
        return bool(type == pa.from_numpy_dtype(dtype))
    if dtype.kind not in "mM" or np.datetime_data(dtype)[1] != 1:
        return False
    is_of_times = pa.types.is_timestamp if dtype.kind == "M" else pa.types.is_duration
    return bool(is_of_times(type) and type.unit == np.datetime_data(dtype)[0])


def _with_nulls(values: Any, type: pa.DataType) -> pa.Array:
    """Return values, null where they are NaN or NaT, which numpy finds many at a time and Arrow one by one."""
    numbers = np.ascontiguousarray(values)
    missing = np.isnan(numbers) if numbers.dtype.kind == "f" else np.isnat(numbers)
    nulls = int(np.count_nonzero(missing))
    valid = pa.py_buffer(np.packbits(~missing, bitorder="little")) if nulls else None
    return pa.Array.from_buffers(type, len(numbers), [valid, pa.py_buffer(numbers)], null_count=nulls)


def read_rows(values: Any, type: pa.DataType, kept: list[pa.Array], start: int, stop: int) -> pa.Array:
    """Return rows `start` to `stop`; a column of few bytes is converted once, however often it is read as a whole.

    Args:
        values: All values of the column.
        type: Their Arrow type.
        kept: Where the converted column is kept; empty before the first call.
        start: Position of the first row.
        stop: Position behind the last row.
    """
    count = len(values)
    if start or stop != count or count > _KEPT_ROWS:
        return to_arrow(values[start:stop], type)
    if kept:
        return kept[0]
    array = to_arrow(values, type)
    if array.nbytes <= _KEPT_BYTES:
        kept.append(array)
    return array


class RowsOfColumns:
    """Some rows of columns, of which those whose size follows from their types are not converted yet.

    `convert` may be called in any thread, once.

    Args:
        columns: The columns, which can be read at any row.
        schema: Of the batch that they become.
        start: Position of the first row.
        stop: Position behind the last row.

    Attributes:
        num_rows: How many rows they are.
        nbytes: How many bytes they have in Arrow, dictionaries included.
    """

    def __init__(self, columns: Sequence[Column], schema: pa.Schema, start: int, stop: int) -> None:
        self._columns = columns
        self._schema = schema
        self._bounds = start, stop
        self.num_rows = stop - start
        self._arrays: list[pa.Array | None] = [None if _is_deferred(each) else self._read(each) for each in columns]
        self.nbytes = sum(
            (bits_of(column.type) or 0) * self.num_rows // 8 if array is None else int(array.nbytes)
            for column, array in zip(columns, self._arrays, strict=True)
        )

    def convert(self) -> pa.RecordBatch:
        """Return the rows as a batch.

        Raises:
            FidelityError: A library fails at a column.
        """
        arrays, self._arrays = self._arrays, []  # or this would keep them for as long as the batch
        made = [
            self._read(column) if array is None else array for column, array in zip(self._columns, arrays, strict=True)
        ]
        return pa.RecordBatch.from_arrays(made, schema=self._schema)

    def _read(self, column: Column) -> pa.Array:
        try:
            return column.read(*self._bounds)
        except BaseException as error:  # noqa: BLE001 - raised again
            raise_about_column(error, column.name)


def _is_deferred(column: Column) -> bool:
    """Return whether numpy has the values of a column, in a type that says how large they are."""
    is_of_numpy = column.spec.dtype_family in {"numpy", "masked"}
    return is_of_numpy and bits_of(column.type) is not None and not isinstance(column.type, pa.DictionaryType)


class SlicesOfColumns:
    """Returns the next rows of columns at each call, and None at the end.

    Args:
        columns: The columns, which can be read at any row.
        rows: How many rows they have.
    """

    def __init__(self, columns: Sequence[Column], rows: int) -> None:
        self._columns = columns
        self._schema = pa.schema([(column.name, column.type) for column in columns])
        self._position = 0
        self._rows = rows

    def __call__(self, count: int) -> RowsOfColumns | None:
        """Return the next rows.

        Args:
            count: How many at most.

        Raises:
            FidelityError: A library fails at a column.
        """
        start, stop = self._position, min(self._position + count, self._rows)
        if start == stop:
            return None
        self._position = stop
        return RowsOfColumns(self._columns, self._schema, start, stop)
