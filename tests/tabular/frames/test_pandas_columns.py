# The stubs of pandas know fewer inputs than it takes.
# mypy: disable-error-code="arg-type, call-overload, import-untyped"
from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from dateutil.tz import gettz, tzoffset, tzutc

from digime_pandas._tabular.columns import CategoryParameters, Finding, StringParameters
from digime_pandas._tabular.frames.conversion.pandas_rows import SlicesOfColumns
from digime_pandas._tabular.frames.pandas_columns import _type_of_numpy, describe, raw_values
from digime_pandas.errors import FidelityError

PANDAS = int(pd.__version__.partition(".")[0])
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
    assert [(each.rule, each.row) for each in column.findings] == [("mixed objects", 1)]


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
    assert column.findings == (Finding("unused dictionary values", None, 1),)
    sent = describe("x", pd.array(array, dtype=pd.ArrowDtype(array.type)), keep_unused=True)
    assert sent.read(0, 1).dictionary.to_pylist() == ["a", "b"]
    assert sent.findings == (Finding("unused dictionary values sent", None, 1),)


def test_text_that_is_not_unicode_is_refused_with_its_row() -> None:
    values = pd.array(["a", "\ud800"], dtype="string[python]")
    assert describe("x", values).findings == (Finding("text with a lone surrogate", 1),)


def test_raw_values_are_not_copied() -> None:
    values = np.arange(3)
    assert np.shares_memory(raw_values(pd.Series(values, copy=False)), values)
    masked = pd.Series([1, None], dtype="Int64")
    assert raw_values(masked) is masked.array
    assert isinstance(raw_values(pd.Index(["a"], dtype=object)), np.ndarray)


def test_numbers_of_other_computers_are_read_as_those_of_this_one() -> None:
    values = np.array([1.5, -2.5]).astype(np.dtype("float64").newbyteorder("S"))
    column = describe("x", values)
    assert column.findings == (Finding("byte order"),)
    assert (column.dtype, column.type) == (str(values.dtype), pa.float64())
    assert column.read(0, 2).to_pylist() == [1.5, -2.5]
    assert describe("x", values[::-1]).read(0, 1).to_pylist() == [-2.5]


@pytest.mark.parametrize(
    ("zone", "rules"),
    [
        (ZoneInfo("Europe/Paris"), [] if PANDAS > 2 else ["zone of another kind"]),  # pandas 2 has those of pytz
        (dt.UTC, []),
        (tzutc(), []),
        (dt.timezone(dt.timedelta(hours=5, minutes=30)), []),
        (gettz("Europe/Paris"), ["zone of another kind"]),
        (tzoffset(None, 3600), ["zone of another kind"]),
        (tzoffset("Here", 3600), ["zone without a name"]),
        (dt.timezone(dt.timedelta(seconds=3601)), ["zone without a name"]),
    ],
    ids=str,
)
def test_a_zone_is_compared_with_the_one_of_its_name(zone: dt.tzinfo, rules: list[str]) -> None:
    times = pd.to_datetime(["2024-01-01", "2024-07-01"], utc=True).tz_convert(zone)
    assert [each.rule for each in describe("x", raw_values(times)).findings] == rules
    intervals = pd.IntervalIndex.from_arrays(times[:1], times[1:])
    if PANDAS > 2:
        assert [each.rule for each in describe("x", raw_values(intervals)).findings] == rules


@pytest.mark.parametrize("type", [pa.decimal32(5, 2), pa.struct([("a", pa.int8())])], ids=str)
def test_categories_of_what_arrow_makes_no_dictionaries_of_are_refused(type: pa.DataType) -> None:
    values = pd.arrays.ArrowExtensionArray(pa.chunked_array([pa.nulls(0, type)]))
    column = describe("x", pd.Categorical.from_codes([], categories=pd.Index(values)))
    assert [(each.rule, each.seen) for each in column.findings] == [("other", f"categories of {type}")]
    assert not column.readable


class Panic(BaseException):
    """What libraries in Rust raise."""


Panic.__module__ = "pyo3_runtime"


@pytest.mark.parametrize("error", [RuntimeError("lost"), RecursionError("lost"), Panic("lost")], ids=repr)
def test_an_error_of_a_library_makes_a_column_that_cannot_be_read(
    error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    _type_of_numpy.cache_clear()
    monkeypatch.setattr(pa, "from_numpy_dtype", fail)
    column = describe("x", np.array([1]))
    assert column.findings == (Finding("unreadable", seen=f"{type(error).__name__}: lost"),)
    assert column.cause is error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(), MemoryError(), GeneratorExit()], ids=repr)
def test_what_is_no_error_of_a_library_is_raised(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise error

    _type_of_numpy.cache_clear()
    monkeypatch.setattr(pa, "from_numpy_dtype", fail)
    with pytest.raises(type(error)):
        describe("x", np.array([1]))


def test_an_error_while_rows_are_read_names_the_column() -> None:
    def fail(start: int, stop: int) -> pa.Array:
        raise OverflowError("too large")

    good = describe("good", np.array([1]))
    rows = SlicesOfColumns([good, replace(good, name="bad", read=fail)], 1)(1)
    assert rows is not None
    with pytest.raises(FidelityError, match=r"Column 'bad': .*\(OverflowError: too large\)") as caught:
        rows.convert()
    assert (caught.value.column, type(caught.value.__cause__)) == ("bad", OverflowError)
