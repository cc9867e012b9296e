# The stubs of pandas know fewer inputs than it takes.
# mypy: disable-error-code="arg-type, call-overload"
from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from digime_pandas._tabular.columns import CategoryParameters, Finding, StringParameters
from digime_pandas._tabular.frames.pandas_columns import describe, dictionary_findings, raw_values

MONTHS = pd.period_range("2024-01", periods=2, freq="M")


@pytest.mark.parametrize(
    ("values", "rule", "dtype", "family", "parameters", "type"),
    [
        (np.array([1], "int16"), "integer", "int16", "numpy", None, pa.int16()),
        (np.array([0.5]), "float", "float64", "numpy", None, pa.float64()),
        (np.array(["2024"], "M8[s]"), "timestamp", "datetime64[s]", "numpy", None, pa.timestamp("s")),
        (
            pd.array(["2024"], dtype="datetime64[ns, UTC]"),
            "zoned timestamp",
            "datetime64[ns, UTC]",
            "numpy",
            None,
            pa.timestamp("ns", "UTC"),
        ),
        (pd.array([1, None], dtype="Int8"), "integer", "Int8", "masked", None, pa.int8()),
        (
            pd.array(["a"], dtype="string[python]"),
            "text",
            "string",
            "string",
            StringParameters("python", "NA"),
            pa.string(),
        ),
        (
            pd.array(pa.array([1]), dtype=pd.ArrowDtype(pa.int64())),
            "integer",
            "int64[pyarrow]",
            "arrow",
            None,
            pa.int64(),
        ),
        (MONTHS.array, "period", "period[M]", "period", "M", pa.array(MONTHS.array).type),
    ],
)
def test_the_dtype_says_what_a_column_is(  # noqa: PLR0917 - one per column of the table above
    values: Any, rule: str, dtype: str, family: str, parameters: object, type: pa.DataType
) -> None:
    column = describe("x", values)
    assert (column.name, column.rule, column.dtype, column.type) == ("x", rule, dtype, type)
    assert (column.spec.dtype_family, column.spec.type, column.spec.parameters) == (family, type, parameters)
    assert column.findings == ()
    assert column.read(0, len(values)).type == type


def test_only_the_rows_asked_for_are_read() -> None:
    column = describe("x", np.arange(10))
    assert column.read(2, 4).to_pylist() == [2, 3]
    assert column.read(10, 10).to_pylist() == []


def test_numbers_that_arrow_does_not_have_are_refused() -> None:
    assert describe("x", np.array([1j])).findings == (Finding("complex"),)
    longer = np.array([1], np.longdouble)
    if longer.itemsize > np.dtype("float64").itemsize:
        assert describe("x", longer).findings == (Finding("long double"),)


def test_an_unused_category_is_left_out_unless_it_is_kept() -> None:
    values = pd.Categorical(["b", None, "b"], ["a", "b"], ordered=True)
    column = describe("x", values)
    assert column.read(0, 3).to_pylist() == ["b", None, "b"]
    assert column.read(0, 3).dictionary.to_pylist() == ["b"]
    assert column.spec.parameters == CategoryParameters(ordered=True, categories=None)
    assert column.findings == (Finding("text"), Finding("unused categories", None, 1))
    kept = describe("x", values, keep_unused=True)
    assert kept.read(0, 3).dictionary.to_pylist() == ["a", "b"]
    assert kept.findings[-1] == Finding("unused categories sent", None, 1)


def test_categories_that_are_not_sorted_are_written_down() -> None:
    parameters = describe("x", pd.Categorical(["b", "a"], ["b", "a"])).spec.parameters
    assert isinstance(parameters, CategoryParameters)
    assert parameters.categories.to_pylist() == ["b", "a"]


def test_categories_that_arrow_cannot_hold_are_refused() -> None:
    column = describe("x", pd.Categorical.from_codes([0, 1], pd.Index(["a", 1], dtype=object)))
    assert (column.rule, column.readable) == ("category", False)
    assert column.findings == (Finding("mixed objects", 1),)


def test_a_sparse_column_is_read_dense() -> None:
    column = describe("x", pd.arrays.SparseArray([0, 0, 7]))
    assert (column.rule, column.dtype) == ("sparse", "Sparse[int64, 0]")
    assert column.read(1, 3).to_pylist() == [0, 7]
    assert column.spec.parameters == 0


def test_a_fill_value_that_no_row_has_is_left_out() -> None:
    column = describe("x", pd.arrays.SparseArray([7.0, 8.0], fill_value=3.0))
    assert column.findings == (Finding("float"), Finding("unused fill value"))
    assert column.spec.parameters is None
    assert describe("x", pd.arrays.SparseArray([7.0, 3.0], fill_value=3.0)).spec.parameters == 3.0


def test_sparse_objects_are_inspected() -> None:
    column = describe("x", pd.arrays.SparseArray(np.array(["a", None], dtype=object), fill_value=None))
    assert column.findings == (Finding("text"),)
    assert column.read(0, 2).to_pylist() == ["a", None]


def test_an_interval_knows_its_ends() -> None:
    column = describe("x", pd.arrays.IntervalArray.from_breaks([0, 1, 2], closed="left"))
    assert (column.rule, column.spec.parameters) == ("interval", "left")
    assert column.spec.inner is not None
    assert column.spec.inner.type == pa.int64()
    assert column.read(1, 2).storage.to_pylist() == [{"left": 1, "right": 2}]


def test_dictionary_values_that_no_row_has_are_counted() -> None:
    array = pa.DictionaryArray.from_arrays([1, 1], ["a", "b"])
    column = describe("x", pd.array(array, dtype=pd.ArrowDtype(array.type)))
    assert column.read(0, 1).dictionary.to_pylist() == ["b"]
    assert column.findings == dictionary_findings(1, keep_unused=False)
    assert dictionary_findings(0, keep_unused=True) == ()
    assert dictionary_findings(None, keep_unused=True) == (Finding("unused dictionary values sent"),)


def test_text_that_is_not_unicode_is_refused_with_its_row() -> None:
    values = pd.array(["a", "\ud800"], dtype="string[python]")
    assert describe("x", values).findings == (Finding("text with a lone surrogate", 1),)


def test_raw_values_are_not_copied() -> None:
    values = np.arange(3)
    assert np.shares_memory(raw_values(pd.Series(values, copy=False)), values)
    masked = pd.Series([1, None], dtype="Int64")
    assert raw_values(masked) is masked.array
    assert isinstance(raw_values(pd.Index(["a"], dtype=object)), np.ndarray)
