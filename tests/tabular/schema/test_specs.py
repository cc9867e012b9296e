# The stubs of pandas know fewer inputs than it takes.
# mypy: disable-error-code="call-overload"
from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from digime_pandas._tabular.columns import CategoryParameters, ColumnSpec
from digime_pandas._tabular.frames.pandas_columns import describe
from digime_pandas._tabular.schema.specs import dtype_by_schema, spec_from_json, spec_to_json, without_categories

ARRAYS: dict[str, Any] = {
    "int8": np.array([1], "int8"),
    "datetime": np.array(["2024-01-01"], "M8[s]"),
    "zoned": pd.array(["2024-07-01 12:00"], dtype="datetime64[us, Europe/Berlin]"),
    "masked": pd.array([1, None], dtype="UInt16"),
    "string[python]": pd.array(["a"], dtype="string[python]"),
    "period": pd.array(["2024-05"], dtype="period[M]"),
    "interval": pd.arrays.IntervalArray.from_breaks([0, 1, 2], closed="left"),
    "category": pd.Categorical(["b", "a", None]),
    "ordered category": pd.Categorical(["b", "a"], ["b", "a"], ordered=True),
    "category of days that follow each other": pd.Categorical(pd.date_range("2024-01-01", periods=2, freq="D")),
    "category with a name": pd.Categorical.from_codes([0, 1], pd.Index(["a", "b"], name=("n", 1))),
    "category with a name and a frequency": pd.Categorical(pd.date_range("2024-01-01", periods=2, name="n")),
    "category of overlapping intervals": pd.Categorical(pd.IntervalIndex.from_tuples([(0, 2), (0, 1), (0, 2)])),
    "sparse": pd.arrays.SparseArray([7, 7, 8], fill_value=7),
    "sparse times": pd.arrays.SparseArray(np.array([5, 5, 6], "M8[ns]"), fill_value=np.datetime64(5, "ns")),
    "sparse objects": pd.arrays.SparseArray(np.array(["a", "b"], object), fill_value="a"),
    "objects": np.array([Decimal("1.50"), None], dtype=object),
    "arrow": pd.array(pa.array([[1], None]), dtype=pd.ArrowDtype(pa.list_(pa.int64()))),
}


@pytest.mark.parametrize("values", ARRAYS.values(), ids=ARRAYS)
def test_a_spec_comes_back_through_json_and_changes_nothing(values: Any) -> None:
    column = describe("x", values)
    stored = json.loads(json.dumps(spec_to_json(column.spec)))
    again = spec_from_json(stored)
    assert json.loads(json.dumps(spec_to_json(again))) == stored
    assert without_categories(again).parameters == without_categories(column.spec).parameters
    assert column.dtype.startswith(dtype_by_schema(without_categories(column.spec)))


@pytest.mark.parametrize(
    ("rest", "freq", "name"),
    [([], None, None), (["D"], "D", None), (["D", "n"], "D", "n"), ([None, ["n", 1]], None, ("n", 1))],
    ids=["neither", "frequency", "both", "name"],
)
def test_what_a_spec_of_categories_does_not_say_is_not_there(rest: list[Any], freq: str | None, name: Any) -> None:
    stored = ["category", ["dictionary", "int32", "timestamp[ns]", False], [False, None, *rest], "timestamp[ns]"]
    spec = spec_from_json(stored)
    assert spec.parameters == CategoryParameters(ordered=False, categories=None, freq=freq, name=name)
    assert spec_to_json(spec) == stored


def test_the_dtype_that_a_spec_comes_back_as_is_known() -> None:
    assert dtype_by_schema(ColumnSpec("numpy", pa.int8())) == "int8"
    assert dtype_by_schema(ColumnSpec("arrow", pa.int8())) == "int8"
    assert dtype_by_schema(ColumnSpec("masked", pa.int8())) == "Int8"


def test_categories_that_are_no_text_again_are_an_error() -> None:
    nested = ColumnSpec("object", pa.list_(pa.int8()), "None")
    known = CategoryParameters(ordered=False, categories=pa.array([[1]], pa.list_(pa.int8())))
    with pytest.raises((ValueError, NotImplementedError)):
        without_categories(ColumnSpec("category", pa.dictionary(pa.int32(), nested.type), known, nested))


def test_dictionaries_of_other_extension_types_are_not_taken_for_each_other() -> None:
    specs = [describe("x", pd.cut([1, 2], breaks)).spec for breaks in ([0, 1, 2], [0.5, 1.5, 2.5])]
    [whole, halves] = [spec_to_json(spec) for spec in specs]
    assert whole[1] != halves[1]


@pytest.mark.parametrize(
    "stored",
    [
        7,
        None,
        [],
        ["numpy"],
        {},
        ["numpy", "string"],
        "string",
        ["masked", "string"],
        ["range", "int8", [0, 1, 1]],
        ["range", "int64", [0, 1]],
        [["numpy"], "int8"],
        ["string", "string", ["elsewhere", "NA"]],
        ["category", "string", [True, None]],
        ["category", "string", [False, 7], "int64"],
        ["sparse", "int64", {"numpy": ["O", 1]}, "int64"],
        ["interval", "int64", "right", ["interval", "int64", "right", ["interval", "int64", "right", 7]]],
    ],
    ids=repr,
)
def test_what_is_no_spec_is_a_value_error(stored: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - which one does not matter
        spec_from_json(stored)
