"""Values of object columns as Arrow arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from digime_pandas._tabular.columns import Finding, first_line_of
from digime_pandas._tabular.frames.objects.advice import UnsupportedValueError, shown, unsupported
from digime_pandas._tabular.frames.objects.containers import Rows, as_dicts, is_container, items_of
from digime_pandas._tabular.frames.objects.python_types import NA, NAT, NULLS, NUMPY_TIMES, as_pandas

_FAILURES = (pa.ArrowException, OverflowError, ValueError, TypeError)


def to_arrow(values: list[Any] | npt.NDArray[Any], arrow_type: pa.DataType, rows: Rows) -> pa.Array:
    """Return values as an Arrow array; None, NA, NaT, and NaN where the type is not one of floats, become null.

    Args:
        values: What `Profile.add` was called with, or some of it.
        arrow_type: The type that was found for all of it.
        rows: The row of each value.

    Raises:
        UnsupportedValueError: The type does not hold one of them.
    """
    if pa.types.is_list(arrow_type):
        return _lists(values, arrow_type, rows)
    if pa.types.is_struct(arrow_type):
        return _structs(values, arrow_type, rows)
    try:
        return _leaves(values, arrow_type)
    except _FAILURES as error:
        raise _about_first(values, arrow_type, rows) from error


def _lists(values: Any, arrow_type: pa.DataType, rows: Rows) -> pa.Array:
    missing = _are_missing(values)
    present = [value for value, is_missing in zip(values, missing, strict=True) if not is_missing]
    items, lengths = items_of(present)
    counts = np.zeros(len(values), np.int32)
    counts[~missing] = lengths
    offsets = pa.array(np.concatenate([np.zeros(1, np.int32), np.cumsum(counts, dtype=np.int32)]))
    inner = to_arrow(items, arrow_type.value_type, np.repeat(rows, counts))
    return pa.ListArray.from_arrays(offsets, inner, mask=pa.array(missing))


def _structs(values: Any, arrow_type: pa.DataType, rows: Rows) -> pa.Array:
    missing = _are_missing(values)
    dicts: list[dict[str, Any]] = [{}] * len(values)
    for i, each in zip(np.flatnonzero(~missing), as_dicts([values[i] for i in np.flatnonzero(~missing)]), strict=True):
        dicts[i] = each
    if not arrow_type.num_fields:
        return pa.array([None if is_missing else {} for is_missing in missing], arrow_type)
    children = [to_arrow([each.get(field.name) for each in dicts], field.type, rows) for field in arrow_type]
    return pa.StructArray.from_arrays(children, fields=list(arrow_type), mask=pa.array(missing))


def _are_missing(values: Any) -> npt.NDArray[np.bool_]:
    """Return which values are not lists or dicts: among these, all others were found to be missing."""
    kinds = list(map(type, values))
    containers = {kind for kind in set(kinds) if is_container(kind)}
    return np.fromiter((kind not in containers for kind in kinds), np.bool_, len(kinds))


def _leaves(values: Any, arrow_type: pa.DataType) -> pa.Array:
    if isinstance(values, np.ndarray):
        return pa.array(values, arrow_type)
    kinds = set(map(type, values))
    if kinds & NUMPY_TIMES:
        values = [as_pandas(value) for value in values]
    if not pa.types.is_floating(arrow_type):
        return pa.array(values, arrow_type, from_pandas=True)
    if kinds & {NA, NAT}:
        values = [None if type(value) in NULLS else value for value in values]
    return pa.array(values, arrow_type, from_pandas=False)


def _about_first(values: Any, arrow_type: pa.DataType, rows: Rows) -> UnsupportedValueError:
    for value, row in zip(values, rows, strict=True):
        try:
            _leaves([value], arrow_type)
        except _FAILURES as error:
            if pa.types.is_string(arrow_type):
                return UnsupportedValueError(Finding("text with a lone surrogate", int(row)))
            seen = f"{shown(value)} does not become {arrow_type} ({first_line_of(error)})"
            return unsupported("objects of another type", row, seen, "astype(str)")
    return unsupported("objects of another type", rows[0], f"these do not become {arrow_type} together", "astype(str)")
