# The stubs of pandas know fewer inputs than it takes.
# mypy: disable-error-code="arg-type, call-overload, list-item"
from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from digime_pandas._tabular.columns import TEXT_DTYPE, CategoryParameters, ColumnSpec, RangeParameters
from digime_pandas._tabular.frames.labels import level_columns
from digime_pandas._tabular.frames.pandas_columns import describe
from digime_pandas._tabular.frames.restore import restore, stored_type
from digime_pandas._tabular.text_values import to_text

ARRAYS: dict[str, Any] = {
    "int8": np.array([1, -1], "int8"),
    "float32": np.array([0.1, np.nan], "float32"),
    "bool": np.array([True, False]),
    "datetime": np.array(["2024-01-01", "NaT"], "M8[s]"),
    "zoned": pd.array(["2024-07-01 12:00", None], dtype="datetime64[us, Europe/Berlin]"),
    "timedelta": np.array([1, -5], "m8[ms]"),
    "masked integers": pd.array([1, None], dtype="UInt16"),
    "masked booleans": pd.array([True, None], dtype="boolean"),
    "masked floats": pd.array([0.5, None], dtype="Float32"),
    "string[python]": pd.array(["a", None], dtype="string[python]"),
    "string[pyarrow]": pd.array(["a", None], dtype="string[pyarrow]"),
    "period": pd.array(["2024-05", None], dtype="period[M]"),
    "interval": pd.arrays.IntervalArray.from_breaks([0, 1, 2], closed="left"),
    "interval of floats": pd.arrays.IntervalArray.from_tuples([(0.5, 1.5), None], closed="both"),
    "category": pd.Categorical(["b", "a", None]),
    "ordered category": pd.Categorical(["b", "a"], ["b", "a"], ordered=True),
    "category of intervals of whole numbers": pd.Categorical.from_codes([1, -1, 0], pd.interval_range(0, 2)),
    "category with a name": pd.Categorical.from_codes([1, 0], pd.Index(["a", "b"], name="n")),
    "category of nothing": pd.Categorical([None, None]),
    "category of times": pd.Categorical(pd.to_datetime(["2024-01-02", "2024-01-01"])),
    "sparse": pd.arrays.SparseArray([0, 0, 7]),
    "sparse with a fill value": pd.arrays.SparseArray([7, 7, 8], fill_value=7),
    "sparse times": pd.arrays.SparseArray(np.array([5, 5, 6], "M8[s]"), fill_value=np.datetime64(5, "s")),
    "sparse objects": pd.arrays.SparseArray(np.array(["a", "b", "a"], object), fill_value="a"),
    "category of overlapping intervals": pd.Categorical(pd.IntervalIndex.from_tuples([(0, 2), (0, 1), (0, 2)])),
    "category of days that follow each other": pd.Categorical(pd.date_range("2024-01-01", periods=3, freq="D")),
    "the earliest time": np.array([pd.Timestamp.min.value, 0], "M8[ns]"),
    "sparse floats": pd.arrays.SparseArray([np.nan, 1.5]),
    "arrow": pd.array(pa.array([[1], None]), dtype=pd.ArrowDtype(pa.list_(pa.int64()))),
    "objects": np.array([Decimal("1.50"), None], dtype=object),
    "objects with NaN": np.array(["a", np.nan], dtype=object),
    "objects with NA": np.array([b"\xff", pd.NA], dtype=object),
}


if str(TEXT_DTYPE) == "str":
    ARRAYS["str"] = pd.array(["a", None], dtype="str")


@pytest.mark.parametrize("values", ARRAYS.values(), ids=ARRAYS)
@pytest.mark.parametrize("as_text", [False, True])
def test_a_column_is_made_again_from_arrow_values_and_from_text(values: Any, *, as_text: bool) -> None:
    column = describe("x", values)
    array = column.read(0, len(values))
    if as_text:
        array = to_text(array).cast(stored_type(column.spec))
    found = pd.Series(restore(array, column.spec, as_text=as_text))
    pd.testing.assert_series_equal(found, pd.Series(values))


def test_values_of_another_type_are_cast() -> None:
    found = restore(pa.chunked_array([pa.array([1], pa.int8()), [2]]), ColumnSpec("numpy", pa.int32()))
    assert (found.tolist(), found.dtype) == ([1, 2], np.dtype("int32"))


def test_whole_numbers_with_missing_values_are_nullable() -> None:
    assert str(restore(pa.array([1, None]), ColumnSpec("numpy", pa.int64())).dtype) == "Int64"


def test_a_range_is_made_of_its_numbers() -> None:
    (column,) = level_columns(pd.RangeIndex(5, 50, 5), keep_unused=False)
    assert column.spec.parameters == RangeParameters(5, 50, 5)
    assert column.read(1, 3).to_pylist() == [10, 15]
    pd.testing.assert_index_equal(restore(pa.nulls(0), column.spec), pd.RangeIndex(5, 50, 5))


@pytest.mark.parametrize("storage", ["python", "pyarrow"])
@pytest.mark.skipif(str(TEXT_DTYPE) != "str", reason="a dtype of pandas 3")
def test_text_is_held_by_what_held_it(storage: str) -> None:
    values: Any = pd.array(["a", None], dtype=pd.StringDtype(storage, na_value=np.nan))
    column = describe("x", values)
    found = restore(column.read(0, 2), column.spec)
    assert found.dtype.storage == storage
    pd.testing.assert_extension_array_equal(found, values)


@pytest.mark.parametrize(
    "type",
    [
        pa.dictionary(pa.int8(), pa.int64()),
        pa.list_(pa.dictionary(pa.int32(), pa.int64())),
        pa.struct([("a", pa.dictionary(pa.int32(), pa.int64()))]),
        pa.map_(pa.string(), pa.dictionary(pa.int32(), pa.int64())),
    ],
    ids=str,
)
def test_dictionaries_are_made_again_of_the_values_that_parquet_gives(type: pa.DataType) -> None:
    plain = pa.types.is_dictionary(type)
    value: Any = (
        5 if plain else [5, 6] if pa.types.is_list(type) else {"a": 5} if pa.types.is_struct(type) else [("k", 5)]
    )
    without = {
        "list": pa.list_(pa.int64()),
        "struct": pa.struct([("a", pa.int64())]),
        "map<s": pa.map_(pa.string(), pa.int64()),
    }
    stored = next((kind for begin, kind in without.items() if str(type).startswith(begin)), pa.int64())
    values = pa.chunked_array([pa.array([value], stored), pa.array([None, value], stored)])
    found = restore(values, ColumnSpec("arrow", type))
    assert found.dtype == pd.ArrowDtype(type)
    assert found.__arrow_array__().to_pylist() == values.to_pylist()


@pytest.mark.parametrize(
    ("array", "spec"),
    [
        (pa.array(["x"]), ColumnSpec("numpy", pa.int64())),
        (pa.array(["yesterday"]), ColumnSpec("numpy", pa.timestamp("s"))),
        (
            pa.array(["c"]),
            ColumnSpec(
                "category",
                pa.dictionary(pa.int32(), pa.string()),
                CategoryParameters(ordered=False, categories=pa.array(["a"])),
                ColumnSpec("object", pa.string(), "None"),
            ),
        ),
    ],
)
def test_values_that_are_not_what_the_spec_says_are_a_value_error(array: pa.Array, spec: ColumnSpec) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - which one does not matter
        restore(array, spec, as_text=True)


def test_text_formats_store_the_text_of_the_inner_values() -> None:
    assert stored_type(describe("x", ARRAYS["category of times"]).spec) == pa.string()
    assert stored_type(describe("x", ARRAYS["sparse"]).spec) == pa.int64()
    assert stored_type(describe("x", ARRAYS["interval"]).spec) == pa.string()
