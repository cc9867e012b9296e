"""Values that Arrow has read as numpy has them, in memory that can be written to."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from digime_pandas._tabular.arrow import as_array


def writable_values(values: pa.Array | pa.ChunkedArray) -> npt.NDArray[Any]:
    """Return values that were read as numpy has them, in memory that can be written to, as pandas does to columns.

    Args:
        values: Values that nothing else uses. Missing ones are NaN or NaT, or else there is none.
    """
    if values.null_count and values.type in {pa.float32(), pa.float64()}:
        found, missing = values_and_nulls(values)
        found[np.flatnonzero(missing)] = np.nan
        return found
    if len(values) and pa.types.is_boolean(values.type) and not values.null_count:
        array = as_array(values)
        return _bits(array.buffers()[1], array)
    shown: npt.NDArray[Any] = values.to_numpy(zero_copy_only=False)
    if shown.flags.writeable:
        return shown
    # Also what Arrow made itself, and so can be changed, it shows as what cannot.
    own = _memory_of(as_array(values), shown.dtype)
    return shown.copy() if own is None else own


def values_and_nulls(values: pa.Array | pa.ChunkedArray) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """Return numbers in memory that can be written to, with anything where one is missing; and where that is.

    Args:
        values: Integers or floats that nothing else uses.
    """
    array = as_array(values)
    found = _memory_of(array, np.dtype(array.type.to_pandas_dtype()))
    if found is None:
        found = array.fill_null(0).to_numpy().copy()
    return found, _is_null(array)


def _is_null(array: pa.Array) -> npt.NDArray[np.bool_]:
    valid = array.buffers()[0]
    return np.zeros(len(array), np.bool_) if valid is None else ~_bits(valid, array)


def _bits(memory: pa.Buffer, array: pa.Array) -> npt.NDArray[np.bool_]:
    """Return the bits that an array has of some memory; Arrow takes several times as long."""
    whole, part = divmod(array.offset, 8)
    count = part + len(array)
    return np.unpackbits(np.frombuffer(memory, np.uint8)[whole:], count=count, bitorder="little")[part:].view(np.bool_)


def _memory_of(array: pa.Array, dtype: np.dtype[Any]) -> npt.NDArray[Any] | None:
    """Return the memory of numbers or times, which can be written to; None where it cannot."""
    memory = array.buffers()[1]
    if not memory or not memory.is_mutable:
        return None
    start = array.offset * dtype.itemsize
    return np.frombuffer(memory, np.uint8)[start : start + len(array) * dtype.itemsize].view(dtype)
