"""The rules by which a CSV or JSON file without a schema becomes a frame.

* CSV: a column of whole numbers without leading zeros is int64 (uint64 where that is needed; longer ones stay text), of
  ``true`` and ``false`` (also ``True``, ``TRUE``) is bool, of numbers with a point or an exponent is float64, all else
  is text, dates and codes such as ``007`` included. An empty field is missing, ``""`` is empty text.
* JSON: numbers, truth values and strings are what they are; a string is never taken for a date. Arrays and objects
  become lists and dicts.
* Whole numbers with missing values are Int64 and truth values boolean, so that nothing turns into a float; a column of
  missing values only is float64.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from digime_pandas._tabular.columns import TEXT_DTYPE, Column, StringParameters, first_line_of, is_of_a_library
from digime_pandas._tabular.engines.own_memory import writable_values
from digime_pandas._tabular.formats import Format
from digime_pandas._tabular.frames.pandas_columns import raw_values
from digime_pandas.errors import ReadError
from digime_pandas.errors.commands import READ_AS_IT_IS

_WHOLE = r"^-?(0|[1-9][0-9]*)$"
_TRUTH = r"^(true|false|True|False|TRUE|FALSE)$"
_NUMBER = r"^([+-]?(0|[1-9][0-9]*)(\.[0-9]*)?([eE][+-]?[0-9]+)?|[+-]?inf|NaN)$"
_NOT_TEXT = re.compile(f"{_NUMBER}|{_TRUTH}")
_SAMPLE_ROWS = 1_000
_NULLABLE = {"uint64": pd.UInt64Dtype(), "bool": pd.BooleanDtype()}


def infer_column(name: str, values: Any, format: Format) -> Any:
    """Return the pandas array that the rules make of a column of a file.

    Args:
        name: The name of the column.
        values: As for `infer`, or a list of Python values where Arrow has no type for them.
        format: The format of the file.

    Raises:
        ReadError: pandas or Python has no such values, as times that are further away than the year 9999.
    """
    if isinstance(values, list):
        return pd.Series(values, dtype=object).array
    try:
        return infer(values, format)
    except Exception as error:
        if not is_of_a_library(error):
            raise
        raise ReadError(
            f"Column {name!r} is {values.type} and has values that pandas cannot hold ({first_line_of(error)}).",
            remedy="Leave it out with columns=, or read the bytes of the file.",
            command=READ_AS_IT_IS,
        ) from error


def infer(values: pa.Array | pa.ChunkedArray, format: Format) -> Any:
    """Return the pandas array that the rules make of a column.

    Args:
        values: Text as CSV has it, or the values of JSON.
        format: The format of the file.
    """
    array = typed_text(values) if format.only_text and pa.types.is_string(values.type) else values
    kind, missing = array.type, array.null_count > 0
    if pa.types.is_null(kind):
        return np.full(len(array), np.nan)
    if missing and (pa.types.is_integer(kind) or pa.types.is_boolean(kind)):
        nullable: Any = _NULLABLE.get(str(kind), pd.Int64Dtype())
        return nullable.__from_arrow__(array)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return writable_values(array)
    return _assignable(raw_values(_as_series(array, kind)))


def _as_series(array: Any, kind: pa.DataType) -> Any:
    if pa.types.is_nested(kind):
        return pd.Series(array.to_pylist(), dtype=object)
    if pa.types.is_dictionary(kind) and not _has_distinct_categories(array):
        return array.cast(kind.value_type).to_pandas()
    try:
        return array.to_pandas()
    except (ValueError, OverflowError):
        if not pa.types.is_date(kind):
            raise
        # The dates of Python end with the year 9999.
        return array.cast(pa.timestamp("s" if pa.types.is_date32(kind) else "ms")).to_pandas()


def _assignable(values: Any) -> Any:
    """Return values that were just made as ones that can be assigned to."""
    if isinstance(values, np.ndarray) and not values.flags.writeable:
        try:
            values.flags.writeable = True  # pandas shows its own memory read-only
        except ValueError:  # it is Arrow's
            return values.copy()
    return values


def _has_distinct_categories(array: pa.Array | pa.ChunkedArray) -> bool:
    chunks = array.chunks if isinstance(array, pa.ChunkedArray) else [array]
    return all(len(each.dictionary.unique()) == len(each.dictionary) - each.dictionary.null_count for each in chunks)


def typed_text(values: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return the values of a column of CSV in the type that the rules make of them.

    Args:
        values: The texts.
    """
    present = values.drop_null()
    if not len(present):
        return pa.nulls(len(values))
    for pattern, types in (
        (_WHOLE, (pa.int64(), pa.uint64())),
        (_TRUTH, (pa.bool_(),)),
        (_NUMBER, (pa.float64(),)),
    ):
        if not re.match(pattern, present[0].as_py()) or not pc.all(pc.match_substring_regex(present, pattern)).as_py():
            continue
        for each in types:
            try:
                return values.cast(each)
            except pa.ArrowInvalid:
                continue
        break
    return values


def is_inferable(column: Column, rows: int, format: Format) -> bool:
    """Return whether the rules make exactly this column again, so that no schema is needed for it.

    Args:
        column: A column about to be written.
        rows: How many rows it has.
        format: The format of the file.
    """
    if not rows:
        return False
    if column.spec.dtype_family == "numpy":
        return str(column.type) in {"int64", "double", "bool"}
    is_readable = all(each.rule != "text with a lone surrogate" for each in column.findings)
    if column.rule != "text" or column.dtype != str(TEXT_DTYPE) or not is_readable:
        return False
    parameters = column.spec.parameters
    if isinstance(parameters, StringParameters) and parameters.storage != getattr(TEXT_DTYPE, "storage", None):
        return False  # though the dtypes of text that Python and Arrow hold have one name
    sample = column.read(0, min(rows, _SAMPLE_ROWS)).to_pylist()
    if column.spec.dtype_family == "object" and None in sample:
        return False
    present = [text for text in sample if text is not None]
    return any(_NOT_TEXT.match(text) is None for text in present) if format.only_text else bool(present)
