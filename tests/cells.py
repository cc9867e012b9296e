"""Cells of object columns, compared by value and by type: pandas takes a tuple for equal to a list, and 1 to 1.0."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from digime_pandas._tabular.engines.few_rows import TextRows
from digime_pandas._tabular.formats import Format


def objects(*cells: Any) -> pd.Series[Any]:
    """Return a column of the dtype object, whose cells may be lists and arrays."""
    array = np.empty(len(cells), dtype=object)
    for i, cell in enumerate(cells):
        array[i] = cell
    return pd.Series(array, dtype=object)


def same_cells(one: pd.Series[Any], other: pd.Series[Any]) -> bool:
    """Return whether two columns have the same cells, row by row."""
    return len(one) == len(other) and all(map(is_same, one, other))


def is_same(one: Any, other: Any) -> bool:  # noqa: PLR0911 - one per kind of cell
    """Return whether two cells have the same type, value, sign, zone and content; numpy's scalars are Python's."""
    one, other = _of_python(one), _of_python(other)
    if type(one) is not type(other):
        return False
    match one:
        case float() | Decimal():
            return _is_same_number(one, other)
        case list() | tuple():
            return len(one) == len(other) and all(map(is_same, one, other))
        case dict():
            return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
        case np.ndarray():
            return bool(one.dtype == other.dtype) and is_same(one.tolist(), other.tolist())
    if one is None or one is pd.NA or one is pd.NaT:
        return one is other
    if isinstance(one, dt.datetime):
        return bool(one.replace(tzinfo=None) == other.replace(tzinfo=None) and one.utcoffset() == other.utcoffset())
    return bool(one == other)


def _is_same_number(one: Any, other: Any) -> bool:
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    return bool(one == other and math.copysign(1, one) == math.copysign(1, other))


def _of_python(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) and not isinstance(value, np.datetime64) else value


def skip_what_pyarrow_lacks(type: object, format: Format) -> None:
    """Skip a test of a type whose values pyarrow does not bring back as they were before version 26."""
    if int(pa.__version__.split(".")[0]) >= 26:
        return
    if "fixed_size_list" in str(type) and format.name == "parquet":
        pytest.skip("this pyarrow cannot read lists of a fixed size with nulls from Parquet")
    if "dictionary<values=halffloat" in str(type):
        pytest.skip("this pyarrow makes other dictionaries of half floats")


def text_rows(batch: pa.RecordBatch) -> TextRows:
    """Return a batch as what text formats are written from."""
    return TextRows(batch.schema.names, batch.columns)
