"""Arrow values as the pandas column that they were made of."""

from __future__ import annotations

from inspect import signature
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from digime_pandas._tabular.arrow import as_array
from digime_pandas._tabular.columns import CategoryParameters, ColumnSpec, RangeParameters, StringParameters
from digime_pandas._tabular.engines.own_memory import values_and_nulls, writable_values
from digime_pandas._tabular.frames.frequencies import with_frequency
from digime_pandas._tabular.text_values import from_text, text_type

_HAS_STR_DTYPE = "na_value" in signature(pd.StringDtype).parameters  # since pandas 2.3
NULLS: dict[str, Any] = {"None": None, "nan": np.nan, "NA": pd.NA, "NaT": pd.NaT}


def restore(  # noqa: C901, PLR0911 - one case per dtype family
    values: pa.Array | pa.ChunkedArray, spec: ColumnSpec, *, as_text: bool = False
) -> Any:
    """Return the pandas array (or Index) that `spec` describes.

    Args:
        values: The values as Arrow has them.
        spec: What the column was.
        as_text: Whether the values are as `to_text` returned them.

    Returns:
        An array of numpy or pandas, or a RangeIndex.

    Raises:
        ValueError: The values are not what the spec says (`pyarrow.ArrowInvalid` is one).
    """
    match spec.dtype_family, spec.parameters, spec.inner:
        case "range", RangeParameters() as numbers, _:
            return pd.RangeIndex(*numbers)
        case "period", str(frequency), _:
            return _period(values, frequency, as_text=as_text)
        case "interval", str(closed), ColumnSpec() as inner:
            return _interval(as_array(values), inner, closed, as_text=as_text)
        case "category", CategoryParameters() as parameters, ColumnSpec() as inner:
            return _category(values, inner, parameters, as_text=as_text)
        case "sparse", fill, ColumnSpec() as inner:
            return _sparse(restore(values, inner, as_text=as_text), fill)
    if values.type != spec.type:
        values = _from_text(values, spec.type) if as_text else _cast(values, spec.type)
    match spec.dtype_family, spec.parameters:
        case "numpy", _:
            return _numpy(values, spec.type)
        case "masked", _:
            return _masked(values, spec.type)
        case "string", StringParameters(storage, na_value):
            return _string(values, storage, na_value)
        case "object", str(null):
            return _objects(values, NULLS[null])
        case "arrow", _:
            return pd.array(values, dtype=pd.ArrowDtype(spec.type))
    return values.to_pandas()


def own_dtype(dtype: Any, spec: ColumnSpec) -> Any:
    """Return the dtype that a level of a MultiIndex had; `dtype` may be another one where values are missing.

    Args:
        dtype: The dtype of the level that was made of the values: numbers of which some are missing are nullable.
        spec: What the level was.
    """
    match spec.dtype_family, spec.parameters, spec.inner:
        case "numpy", _, _:
            return getattr(dtype, "numpy_dtype", dtype)
        case "interval", str() as closed, ColumnSpec("numpy", ends) if pa.types.is_integer(ends):
            return pd.api.types.pandas_dtype(f"interval[{np.dtype(ends.to_pandas_dtype())}, {closed}]")
        case "sparse", fill, ColumnSpec() as inner if not isinstance(dtype, pd.SparseDtype):
            dense = own_dtype(dtype, inner)
            return pd.SparseDtype(dense, _fill(dense, fill))
    return dtype


def stored_type(spec: ColumnSpec) -> pa.DataType:
    """Return the Arrow type of the values of a column in a text format.

    Args:
        spec: The column.
    """
    if spec.dtype_family in {"period", "interval"}:
        return pa.string()
    return stored_type(spec.inner) if spec.inner else text_type(spec.type)


def _from_text(values: Any, type: pa.DataType) -> Any:
    if not isinstance(values, pa.ChunkedArray) or not pa.types.is_temporal(type):
        return from_text(as_array(values), type)
    return pa.chunked_array([from_text(chunk, type) for chunk in values.chunks], type)  # texts are not copied to be one


def _cast(values: Any, type: pa.DataType) -> Any:
    try:
        return values.cast(type)
    except pa.ArrowNotImplementedError:
        # Parquet gives the values of most dictionaries, and Arrow casts nothing to a dictionary.
        return from_text(as_array(values), type)


def _sparse(dense: Any, fill: Any) -> Any:
    if not isinstance(dense.dtype, np.dtype):
        return dense  # nullable numbers, of which some are missing; only a level of a MultiIndex can be this
    return pd.arrays.SparseArray(dense, dtype=pd.SparseDtype(dense.dtype, _fill(dense.dtype, fill)))


def _fill(dtype: Any, fill: Any) -> Any:
    if fill is None:
        return pd.SparseDtype(dtype).fill_value
    return fill if dtype.kind in "mMO" else dtype.type(fill)


def _numpy(values: Any, type: pa.DataType) -> Any:
    if values.null_count and (pa.types.is_integer(type) or pa.types.is_boolean(type)):
        return _masked(values, type)  # only a level of a MultiIndex can be this
    if pa.types.is_timestamp(type) and type.tz:
        naive = values.cast(pa.timestamp(type.unit)).to_numpy(zero_copy_only=False)
        return pd.DatetimeIndex(naive, copy=False).tz_localize("UTC").tz_convert(type.tz).array
    array = writable_values(values)
    wanted = np.dtype(type.to_pandas_dtype()) if not pa.types.is_temporal(type) else None
    return array if wanted is None or array.dtype == wanted else array.astype(wanted)


def _masked(values: Any, type: pa.DataType) -> Any:
    if pa.types.is_integer(type):
        return pd.arrays.IntegerArray(*values_and_nulls(values))
    name = "boolean" if pa.types.is_boolean(type) else str(np.dtype(type.to_pandas_dtype())).title()
    name = name.replace("Uint", "UInt")
    dtype: Any = pd.api.types.pandas_dtype(name)
    return dtype.__from_arrow__(values)


def _string(values: Any, storage: Literal["python", "pyarrow"], na_value: str) -> Any:
    dtype: Any = pd.StringDtype(storage)
    if na_value == "nan":
        if not _HAS_STR_DTYPE:
            return pd.array(values.to_numpy(zero_copy_only=False), dtype="str")
        dtype = pd.StringDtype(storage, na_value=np.nan)
    return dtype.__from_arrow__(as_array(values.cast(pa.large_string())))


def _objects(values: Any, null: Any) -> Any:
    found = values.to_pylist()
    array = np.empty(len(found), dtype=object)
    array[:] = found if null is None else [null if each is None else each for each in found]
    return array


def _period(values: Any, freq: str, *, as_text: bool) -> Any:
    if as_text:
        return pd.PeriodIndex(values.to_pylist(), freq=freq).array
    dtype: Any = pd.PeriodDtype(freq)
    return dtype.__from_arrow__(values)


def _interval(values: pa.Array, inner: ColumnSpec, closed: Any, *, as_text: bool) -> Any:
    if as_text:
        pairs = [(None, None) if each is None else each[1:-1].split(", ") for each in values.to_pylist()]
        ends = [pa.array([pair[i] for pair in pairs], pa.string()).cast(text_type(inner.type)) for i in (0, 1)]
    else:
        storage = values.storage if isinstance(values, pa.ExtensionArray) else values
        ends = [storage.field(i) for i in (0, 1)]
    left, right = (_ends(each, inner, as_text=as_text) for each in ends)
    return pd.arrays.IntervalArray.from_arrays(left, right, closed=closed)


def _ends(values: pa.Array, inner: ColumnSpec, *, as_text: bool) -> pd.Index[Any]:
    if values.null_count and inner.dtype_family == "numpy" and pa.types.is_integer(inner.type):
        # Missing intervals have ends that are floats; only a level of a MultiIndex can be this.
        values, inner = values.cast(pa.float64()), ColumnSpec("numpy", pa.float64())
    return _index(restore(values, inner, as_text=as_text))


def _index(values: Any) -> pd.Index[Any]:
    index: pd.Index[Any] = pd.Index(values, dtype=values.dtype)
    return index


def _category(values: Any, inner: ColumnSpec, parameters: CategoryParameters, *, as_text: bool) -> Any:
    ordered, categories, freq, name = parameters
    found, codes = _factorized(_encoded(values), inner, as_text=as_text)
    known = found.sort_values() if categories is None else _index(restore(categories, inner, as_text=True))
    positions = _positions(known, found)
    if (positions < 0).any():
        raise ValueError("a value is none of the categories")
    known = with_frequency(known, freq).rename(name)
    # The last one is where the code -1 of a missing value points. What is taken for each row is small.
    positions = np.append(positions, -1).astype(np.min_scalar_type(-max(1, len(known))))
    return pd.Categorical.from_codes(positions.take(codes), categories=known, ordered=ordered)


def _encoded(values: Any) -> pa.Array:
    """Return values as one array, texts as a dictionary: they are not copied to be one."""
    is_text = pa.types.is_string(values.type) or pa.types.is_large_string(values.type)
    return as_array(values.dictionary_encode() if is_text else values)


def _positions(index: pd.Index[Any], values: pd.Index[Any]) -> Any:
    if isinstance(index, pd.IntervalIndex):  # which finds the positions of points, and none where intervals overlap
        return index.astype(object).get_indexer(values.astype(object))
    return index.get_indexer(values)


def _factorized(array: pa.Array, inner: ColumnSpec, *, as_text: bool) -> tuple[pd.Index[Any], Any]:
    """Return the distinct values and, for each value, where it is among them; -1 for missing ones."""
    if isinstance(array.type, pa.BaseExtensionType) or pa.types.is_struct(array.type):
        return _factorized_by_pandas(array, inner)
    encoded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    if encoded.null_count == len(encoded):  # of nothing but nulls, null may be called a value
        encoded = encoded.slice(0, 0)
    found = _index(restore(encoded.dictionary.drop_null(), inner, as_text=as_text))
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return found, codes if len(codes) else np.full(len(array), -1)


def _factorized_by_pandas(array: pa.Array, inner: ColumnSpec) -> tuple[pd.Index[Any], Any]:
    """Return what `_factorized` does, of what Arrow cannot encode: extension types and structs."""
    # The missing ones are left out before: of whole numbers that are missing, pandas would make nullable ones.
    valid = array.is_valid()
    values = _index(restore(array.filter(valid), inner))
    found = values.unique().dropna()  # of some, only pandas finds that they are missing
    codes = np.full(len(array), -1)
    codes[valid.to_numpy(zero_copy_only=False)] = _positions(found, values)
    return found, codes
