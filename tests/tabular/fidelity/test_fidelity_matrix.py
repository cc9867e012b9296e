# The stubs of pandas and numpy know fewer inputs than the libraries take.
# mypy: disable-error-code="arg-type, assignment, call-overload, comparison-overlap, import-untyped, list-item"
# mypy: disable-error-code="misc, operator"
"""Every cell of the table of rules, by what a file written in that format gives back."""

from __future__ import annotations

import datetime as dt
import io
import sys
import warnings
from collections import defaultdict
from collections.abc import Callable, Sequence
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import TZPATH, ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from dateutil.tz import gettz, tzoffset

from digime_pandas._tabular.arrow import DEEPEST
from digime_pandas._tabular.columns import RuleName
from digime_pandas._tabular.fidelity_rules import LEFT_OUT, RULES
from digime_pandas._tabular.formats import FORMATS, Format
from digime_pandas._tabular.parse import parse
from digime_pandas._tabular.rules.rule import Outcome
from digime_pandas._tabular.serialize import inspect_frame
from digime_pandas.errors import FidelityError, FidelityWarning
from tests.cells import objects, same_cells, skip_what_pyarrow_lacks

pytestmark = pytest.mark.slow

PANDAS = int(pd.__version__.partition(".")[0])
FORMAT_LIST = list(FORMATS.values())
BERLIN, NEW_YORK, FIXED = "Europe/Berlin", "America/New_York", "+05:30"
TEXTS = [
    'say "hi"',
    "two\nlines",
    "a\rb",
    "a\r\nb",
    "a,b",
    "nul\x00",
    "",
    " lead",
    "tail ",
    "=1+1",
    "007",
    "true",
    "🦆é",
    "'",
]
MOMENTS = [
    dt.datetime(2024, 1, 31, 23, 59, 59, 123456),  # noqa: DTZ001 - naive on purpose
    dt.datetime(1969, 12, 31, 23, 59, 59, 999999),  # noqa: DTZ001
    dt.datetime(1, 1, 2, tzinfo=None),  # noqa: DTZ001
    dt.datetime(9999, 12, 30, tzinfo=None),  # noqa: DTZ001
]
NS = [0, 1, -1, 1_700_000_000_123_456_789, -(2**62), 2**62]


def _times(unit: str, zone: str | None = None) -> pd.Series[Any]:
    values = np.array([0, 1, -1, 1_700_000_000], "int64").view(f"M8[{unit}]")
    series = pd.Series(values)
    return series if zone is None else series.dt.tz_localize("UTC").dt.tz_convert(zone)


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def _endless() -> list[Any]:
    value: list[Any] = [1]
    value.append(value)
    return value[1:]


def _at(hours: int) -> dt.datetime:
    return dt.datetime(2024, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=hours)))


class Sex(StrEnum):
    """An enum of texts."""

    MALE = "m"


def _arrow(values: list[Any], type: pa.DataType) -> pd.Series[Any]:
    return pd.Series(pd.array(pa.array(values, type), dtype=pd.ArrowDtype(type)))


def _stored_fill() -> pd.arrays.SparseArray:
    array = pd.arrays.SparseArray([7, 8], fill_value=0)
    array.fill_value = 7
    return array


def _dictionary(codes: list[int | None], values: list[str], *, ordered: bool = False) -> pd.Series[Any]:
    array = pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), values, ordered=ordered)
    return pd.Series(pd.array(array, dtype=pd.ArrowDtype(array.type)))


@pd.api.extensions.register_extension_dtype
class Length(pd.api.extensions.ExtensionDtype):
    """An extension type of another package."""

    name = "length"
    type = int

    @classmethod
    def construct_array_type(cls) -> Any:
        return ArrowLengths

    def __from_arrow__(self, array: pa.ChunkedArray) -> Lengths:
        return ArrowLengths(array.to_numpy())


class Lengths(pd.api.extensions.ExtensionArray):
    """An array that Arrow knows nothing of."""

    dtype = Length()

    def __init__(self, values: Sequence[int] | np.ndarray[Any, Any]) -> None:
        self._values = np.asarray(values, "int64")

    @classmethod
    def _from_sequence(cls, scalars: Any, *, dtype: Any = None, copy: bool = False) -> Lengths:  # noqa: ARG003
        return cls(scalars)

    def __getitem__(self, item: Any) -> Any:
        found = self._values[item]
        return type(self)(found) if isinstance(found, np.ndarray) else int(found)

    def __len__(self) -> int:
        return len(self._values)

    def isna(self) -> np.ndarray[Any, Any]:
        return np.zeros(len(self), bool)

    def take(self, indices: Any, *, allow_fill: bool = False, fill_value: Any = None) -> Lengths:  # noqa: ARG002
        return type(self)(self._values.take(indices))

    def copy(self) -> Lengths:
        return type(self)(self._values.copy())


class ArrowLengths(Lengths):
    """The same with an Arrow form."""

    def __arrow_array__(self, type: pa.DataType | None = None) -> pa.Array:
        return pa.array(self._values, type)


class FailingLengths(Lengths):
    """An array whose package fails to make Arrow values of it."""

    def __arrow_array__(self, type: pa.DataType | None = None) -> pa.Array:
        raise RuntimeError("out of luck")


def damaged_text(type: pa.DataType) -> pa.Array:
    """Two texts, of which the second is no UTF-8."""
    return pa.array([b"fine", b"\xff"], pa.binary_view()).cast(_BYTES_OF[type]).view(type)


_BYTES_OF = {pa.string(): pa.binary(), pa.large_string(): pa.large_binary(), pa.string_view(): pa.binary_view()}


def _of_array(array: pa.Array) -> pd.Series[Any]:
    return pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array([array])))


def _in_zone(zone: dt.tzinfo | None) -> pd.Series[Any]:
    return pd.Series(pd.to_datetime(["2024-01-31", "2024-07-31"], utc=True).tz_convert(zone))


def _zone_without_key() -> ZoneInfo:
    [folder, *_] = [Path(each) for each in TZPATH if Path(each, BERLIN).is_file()]
    with (folder / BERLIN).open("rb") as file:
        return ZoneInfo.from_file(file)


_INTEGERS = {
    name: (lambda name=name: pd.Series([np.iinfo(name).min, 0, 1, np.iinfo(name).max], dtype=name))
    for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
}
_NULLABLE = {
    name: (lambda name=name: pd.Series([np.iinfo(name.lower()).min, None, np.iinfo(name.lower()).max], dtype=name))
    for name in ("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64")
}
_FLOATS = [0.1, -0.0, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 1e16, 123456789.123456789, 1 / 3, 1.0]

# name of the rule → columns that fall under it
CASES: dict[RuleName, dict[str, Callable[[], pd.Series[Any]]]] = {
    "integer": {
        **_INTEGERS,
        **_NULLABLE,
        "past 2^53": lambda: pd.Series([2**53 + 1, -(2**53) - 1, 9007199254740993]),
        "object of int": lambda: objects(1, None, 2**63 - 1),
        "object of uint64": lambda: objects(1, 2**64 - 1),
        "arrow": lambda: _arrow([1, None, -3], pa.int16()),
    },
    "float": {
        "float64": lambda: pd.Series(_FLOATS),
        "float32": lambda: pd.Series([0.1, -0.0, 1e-45, 3.4028235e38, 16777217.0], dtype="float32"),
        "float16": lambda: pd.Series([0.1, -0.0, 6e-8, 65504.0], dtype="float16"),
        "Float64": lambda: pd.Series([0.1, None, -0.0, 5e-324], dtype="Float64"),
        "Float32": lambda: pd.Series([0.1, None, -0.0], dtype="Float32"),
        "object of float": lambda: objects(0.5, None, 1e300),
        "whole": lambda: pd.Series([1.0, 2.0]),
        "arrow": lambda: _arrow([0.1, None], pa.float32()),
    },
    "missing float": {
        "float64": lambda: pd.Series([0.5, np.nan]),
        "float32": lambda: pd.Series([0.5, np.nan], dtype="float32"),
        "float16": lambda: pd.Series([0.5, np.nan], dtype="float16"),
        "all": lambda: pd.Series([np.nan, np.nan]),
    },
    "NaN beside null": {
        "arrow": lambda: _arrow([0.5, None, float("nan")], pa.float64()),
    },
    "infinity": {
        "float64": lambda: pd.Series([0.5, np.inf, -np.inf]),
        "float32": lambda: pd.Series([0.5, np.inf, -np.inf], dtype="float32"),
    },
    "boolean": {
        "bool": lambda: pd.Series([True, False]),
        "boolean": lambda: pd.Series([True, None, False], dtype="boolean"),
        "object": lambda: objects(True, None, False),
        "arrow": lambda: _arrow([True, None], pa.bool_()),
    },
    "text": {
        "default": lambda: pd.Series(TEXTS),
        "default with null": lambda: pd.Series([*TEXTS, None]),
        "object": lambda: pd.Series([*TEXTS, None], dtype=object),
        "object with NaN": lambda: pd.Series([*TEXTS, np.nan], dtype=object),
        "object with NA": lambda: objects(*TEXTS, pd.NA),
        "string[python]": lambda: pd.Series([*TEXTS, None], dtype="string[python]"),
        "string[pyarrow]": lambda: pd.Series([*TEXTS, None], dtype="string[pyarrow]"),
        "arrow": lambda: _arrow([*TEXTS, None], pa.string()),
        "arrow large": lambda: _arrow([*TEXTS, None], pa.large_string()),
        "looks like numbers": lambda: pd.Series(["1", "2"]),
        "looks like truth": lambda: pd.Series(["true", "false"]),
        "looks like times": lambda: pd.Series(["2024-01-01", "2024-01-01T00:00:00Z"]),
    },
    "text with a lone surrogate": {
        "object": lambda: pd.Series(["fine", "broken \ud800"], dtype=object),
        "string[python]": lambda: pd.Series(["fine", "broken \ud800"], dtype="string[python]"),
        "category": lambda: pd.Series(
            pd.Categorical.from_codes([0, 1], categories=pd.Index(objects("fine", "broken \ud800"), dtype=object))
        ),
    },
    "null": {"None": lambda: objects(None, None), "NaN": lambda: objects(np.nan, np.nan)},
    "bytes": {
        "object": lambda: objects(b"", b"\x00\xff", None, b"text"),
        "arrow": lambda: _arrow([b"\xff", None], pa.binary()),
        "arrow fixed": lambda: _arrow([b"ab", None], pa.binary(2)),
        "in a list": lambda: objects([b"\xff"], None),
    },
    "timestamp": {
        **{unit: (lambda unit=unit: _times(unit)) for unit in ("ms", "us", "ns")},
        "full range of ns": lambda: pd.Series(np.array(NS, "int64").view("M8[ns]")),
        "out of ns range": lambda: pd.Series(np.array(MOMENTS, "M8[us]")),
        "days": lambda: pd.Series(pd.date_range("2024-01-01", periods=3, unit="ns")),
        "NaT": lambda: pd.Series(np.array(["NaT", "2024-01-01T00:00:00.5"], "M8[ms]")),
        "only NaT": lambda: pd.Series(np.array(["NaT", "NaT"], "M8[ns]")),
        "object of datetime": lambda: objects(MOMENTS[0], None, MOMENTS[1]),
        "object of Timestamp": lambda: objects(pd.Timestamp("2024-01-01T00:00:00.000000001"), None),
        "arrow": lambda: _arrow([MOMENTS[0], None], pa.timestamp("us")),
        "in a list": lambda: objects([MOMENTS[0]], []),
        "in a struct": lambda: objects({"a": 1, "b": MOMENTS[0]}, None),
    },
    "zoned timestamp": {
        **{
            f"{unit} {zone}": (lambda unit=unit, zone=zone: _times(unit, zone))
            for unit in ("ms", "us", "ns")
            for zone in ("UTC", BERLIN, NEW_YORK, FIXED)
        },
        "daylight saving ends": lambda: pd.Series(
            pd.date_range("2024-10-27T00:00", periods=5, freq="30min", tz="UTC").tz_convert(BERLIN)
        ),
        "offset with seconds": lambda: pd.Series(pd.to_datetime(["1880-01-01", "2024-01-01"], utc=True)).dt.tz_convert(
            BERLIN
        ),
        "NaT": lambda: pd.Series(pd.to_datetime(["2024-01-01", None], utc=True)),
        "object": lambda: objects(dt.datetime(2024, 1, 1, tzinfo=dt.UTC), None),
        "arrow": lambda: _arrow([MOMENTS[0], None], pa.timestamp("us", BERLIN)),
    },
    "timestamp in seconds": {"naive": lambda: _times("s"), "zoned": lambda: _times("s", BERLIN)},
    "year beyond 1 to 9999": {
        "late": lambda: pd.Series(np.array(["2024-01-01", "12024-01-01"], "M8[ms]")),
        "early": lambda: pd.Series(np.array(["2024-01-01", "-0001-01-01"], "M8[us]")),
    },
    "beyond milliseconds": {"seconds": lambda: pd.Series(np.array([0, 2**62], "int64").view("M8[s]"))},
    "duration": {
        **{
            unit: (lambda unit=unit: pd.Series(np.array([0, 1, -1, 10**9, -(10**12) - 1], "int64").view(f"m8[{unit}]")))
            for unit in ("s", "ms", "us", "ns")
        },
        "NaT": lambda: pd.Series(pd.to_timedelta(["1D", None])),
        "full range of ns": lambda: pd.Series(np.array([2**63 - 1, -(2**63) + 1], "int64").view("m8[ns]")),
        "object": lambda: objects(dt.timedelta(days=1, microseconds=1), None, -dt.timedelta(1)),
        "arrow": lambda: _arrow([dt.timedelta(1), None], pa.duration("ms")),
    },
    "date": {
        "object": lambda: objects(dt.date(2024, 1, 31), None, dt.date(1, 1, 1), dt.date(9999, 12, 31)),
        "arrow": lambda: _arrow([dt.date(2024, 1, 31), None], pa.date32()),
    },
    "time": {
        "object": lambda: objects(dt.time(23, 59, 59, 999999), None, dt.time(0)),
        "arrow": lambda: _arrow([dt.time(23, 59, 59), None], pa.time32("s")),
    },
    "period": {
        freq: (
            lambda freq=freq: pd.Series([*pd.period_range("2024-01-05 03:00", periods=3, freq=freq), pd.NaT]).astype(
                f"period[{freq}]"
            )
        )
        for freq in ("Y", "Q", "Q-JAN", "M", "W-WED", "D", "h", "min", "s", "ms", "us", "ns", "2h")
    },
    "year of a period": {
        "early": lambda: pd.Series([pd.Period("2024"), pd.Period(year=999, freq="Y")]),
        "late": lambda: pd.Series([pd.Period("2024-01-01"), pd.Period(year=9999, month=1, day=1, freq="D")]),
        "category": lambda: pd.Series([pd.Period(year=999, freq="Y")]).astype("category"),
    },
    "interval": {
        "int": lambda: pd.Series(pd.interval_range(0, 3)),
        "float": lambda: pd.Series(pd.arrays.IntervalArray.from_breaks([0.1, 0.2, np.inf], closed="left")),
        "missing": lambda: pd.Series(pd.arrays.IntervalArray.from_tuples([(0.0, 1.5), None], closed="both")),
        "times": lambda: pd.Series(pd.interval_range(pd.Timestamp("2024"), periods=2, freq="h", closed="neither")),
        **(
            {"zoned times": lambda: pd.Series(pd.interval_range(pd.Timestamp("2024", tz=BERLIN), periods=2, freq="D"))}
            if PANDAS >= 3
            else {}  # pandas 2 has no Arrow form of it
        ),
        "durations": lambda: pd.Series(pd.interval_range(pd.Timedelta(0), periods=2, freq="h")),
    },
    "decimal": {
        "object": lambda: objects(Decimal("1.20"), None, Decimal("-0.05"), Decimal("12345678901234567890.1")),
        "256 bits": lambda: objects(Decimal("1." + "0" * 45 + "1"), None),
        "arrow": lambda: _arrow([Decimal("1.20"), None], pa.decimal128(5, 2)),
    },
    "category": {
        "text": lambda: pd.Series(["b", "a", None, "b"], dtype="category"),
        "ordered": lambda: pd.Series(pd.Categorical(["lo", "hi", "mid"], ["lo", "mid", "hi"], ordered=True)),
        "int": lambda: pd.Series(pd.Categorical([3, 1, None, 2], categories=[3, 2, 1])),
        "float": lambda: pd.Series(pd.Categorical([0.1, 0.2])),
        "bool": lambda: pd.Series(pd.Categorical([True, False, None])),
        "times": lambda: pd.Series(pd.Categorical(pd.to_datetime(["2024-01-02", "2024-01-01", None]))),
        "periods": lambda: pd.Series(pd.Categorical(pd.period_range("2024-01", periods=2, freq="M"))),
        "intervals": lambda: pd.cut(pd.Series([0.1, 0.5, 0.9]), 3),
        "object text": lambda: pd.Series(pd.Categorical.from_codes([1, 0], pd.Index(objects("a", "b"), dtype=object))),
        "string text": lambda: pd.Series(["b", "a"], dtype="string").astype("category"),
        "no categories": lambda: pd.Series(pd.Categorical([None, None])),
        "many": lambda: pd.Series([f"c{i}" for i in range(300)], dtype="category"),
    },
    "unused categories": {
        "ordered": lambda: pd.Series(pd.Categorical(["lo", "hi"], ["lo", "mid", "hi"], ordered=True)),
        "text": lambda: pd.Series(pd.Categorical(["a", "b"], categories=["c", "b", "a"])),
        "int": lambda: pd.Series(pd.Categorical([3, 1, None], categories=[3, 2, 1])),
        "times": lambda: pd.Series(pd.Categorical(["2024-01-02"], ["2024-01-01", "2024-01-02"])).astype(
            pd.CategoricalDtype(pd.to_datetime(["2024-01-01", "2024-01-02"]))
        ),
        "periods": lambda: (
            pd.Series(pd.Categorical(pd.period_range("2024-01", periods=3, freq="M"))).tail(2).reset_index(drop=True)
        ),
        "intervals": lambda: pd.cut(pd.Series([0.1, 0.9]), 3),
        "only null": lambda: pd.Series(pd.Categorical([None, None], categories=["a"])),
        "many": lambda: pd.Series([f"c{i}" for i in range(300)], dtype="category").tail(20).reset_index(drop=True),
        "surrogate in one that is not used": lambda: pd.Series(
            pd.Categorical.from_codes([0], categories=pd.Index(objects("fine", "broken \ud800"), dtype=object))
        ),
    },
    "unused dictionary values": {
        "text": lambda: _dictionary([1, None, 1], ["a", "b"]),
        "ordered": lambda: _dictionary([2, 0], ["a", "b", "c"], ordered=True),
    },
    "unused fill value": {
        "int": lambda: pd.Series(pd.arrays.SparseArray([5, 6], fill_value=4)),
        "float": lambda: pd.Series(pd.arrays.SparseArray([0.5, 1.5], fill_value=0.25)),
        "bool": lambda: pd.Series(pd.arrays.SparseArray([False, False], fill_value=True)),
    },
    "sparse": {
        "float": lambda: pd.Series(pd.arrays.SparseArray([0.5, 0.0, 0.0], fill_value=0.0)),
        "int": lambda: pd.Series(pd.arrays.SparseArray([0, 0, 7])),
        "bool": lambda: pd.Series(pd.arrays.SparseArray([False, True])),
        "other fill": lambda: pd.Series(pd.arrays.SparseArray([1, 1, 2], fill_value=1)),
        "fill stored like the others": lambda: pd.Series(_stored_fill()),
        "times": lambda: pd.Series(pd.arrays.SparseArray(np.array(["2024-01-01", "NaT"], "M8[ns]"))),
    },
    "list": {
        "int": lambda: objects([1, 2], [], None, [3]),
        "text": lambda: objects(["a", ""], ["x,y"], None),
        "lists": lambda: objects([[1], []], None),
        "arrow": lambda: _arrow([[1, None], None, []], pa.list_(pa.int32())),
        "arrow fixed": lambda: _arrow([[1, 2], None], pa.list_(pa.int8(), 2)),
    },
    "struct": {
        "object": lambda: objects({"a": 1, "b": "x"}, None, {"a": None, "b": ""}),
        "lists inside": lambda: objects({"a": [1, 2]}, {"a": None}),
        "arrow": lambda: _arrow([{"a": 1, "b": "x"}, None], pa.struct([("a", pa.int8()), ("b", pa.string())])),
    },
    "map": {
        "text to int": lambda: _arrow([[("a", 1)], None, []], pa.map_(pa.string(), pa.int32())),
        "int to bytes": lambda: _arrow([[(1, b"\xff"), (2, None)]], pa.map_(pa.int8(), pa.binary())),
    },
    "structs with different members": {
        "object": lambda: objects({"a": 1}, {"b": "x"}),
        "deep": lambda: objects([{"a": 1}], [{"a": 1, "b": 2}]),
    },
    "sequences of other types": {
        "tuple": lambda: objects((1, 2), [3]),
        "array": lambda: objects(np.array([1.5]), np.array([2.5])),
    },
    "nulls of several kinds": {
        "text": lambda: objects("a", None, np.nan, pd.NA),
        "NaN of Decimal": lambda: objects(Decimal("1.5"), Decimal("NaN")),
    },
    "mixed objects": {
        "text and int": lambda: objects("a", 1),
        "int and float": lambda: objects(1, 2.5),
        "int and bool": lambda: objects(1, True),
        "zoned and naive": lambda: objects(MOMENTS[0], dt.datetime(2024, 1, 1, tzinfo=dt.UTC)),
        "list and int": lambda: objects([1], 1),
        "lists of different types": lambda: objects([1], ["a"]),
        "date and datetime": lambda: objects(dt.date(2024, 1, 1), MOMENTS[0]),
    },
    "objects of another type": {
        "huge int": lambda: objects(1, 2**64),
        "int of all bits beside a negative one": lambda: objects(-1, 2**63),
        "of a class": lambda: objects(object(), object()),
        "sets": lambda: objects({1}, {2}),
        "UUID in a list": lambda: objects([UUID(int=1)]),
        "infinite Decimal": lambda: objects(Decimal(1), Decimal("Infinity")),
        "Decimals of 90 digits together": lambda: objects(Decimal("1E+59"), Decimal("1E-30")),
        "large int beside a fraction": lambda: objects([2**53 + 1, 0.5]),
        "times that need 80 bits together": lambda: objects(pd.Timestamp(1), dt.datetime(2500, 1, 1)),  # noqa: DTZ001
    },
    "keys that are not text": {
        "bytes": lambda: objects({b"a": 1}),
        "int in a list": lambda: objects([{"a": 1}, {1: 2}]),
    },
    "time of day with a zone": {
        "column": lambda: objects(dt.time(12), dt.time(12, tzinfo=dt.UTC)),
        "in a dict": lambda: objects({"at": dt.time(12, tzinfo=dt.UTC)}),
    },
    "nested too deeply": {
        "lists": lambda: objects(_nested(DEEPEST + 1)),
        "a list inside itself": lambda: objects(_endless()),
    },
    "missing values inside": {
        "NA": lambda: objects([1, pd.NA]),
        "NaT": lambda: objects({"at": pd.NaT}, {"at": MOMENTS[0]}),
        "NaN beside text": lambda: objects(["a", np.nan]),
        "NaN of Decimal": lambda: objects([Decimal("1.5"), Decimal("NaN")]),
    },
    "NaN inside": {
        "list": lambda: objects([1.5, np.nan], None),
        "dict": lambda: objects({"a": np.nan}, {"a": 1.5}),
    },
    "infinity inside": {
        "list": lambda: objects([1.5, np.inf], None),
        "dict": lambda: objects({"a": -np.inf}),
        "arrow": lambda: _arrow([[np.inf], None], pa.list_(pa.float32())),
    },
    "negative zero": {
        "column": lambda: objects(Decimal("-0.00"), Decimal(1)),
        "in a list": lambda: objects([Decimal("-0")]),
    },
    "several time zones": {
        "column": lambda: objects(pd.Timestamp("2024", tz=BERLIN), pd.Timestamp("2024", tz=NEW_YORK)),
        "offsets in a list": lambda: objects([_at(1), _at(2)]),
        "without a name": lambda: objects(dt.datetime(2024, 1, 1, tzinfo=dt.timezone(dt.timedelta(seconds=5)))),
    },
    "other offset": {
        "skipped": lambda: objects(dt.datetime(2024, 3, 31, 2, 30, tzinfo=ZoneInfo(BERLIN))),
        "skipped in a list": lambda: objects([dt.datetime(2024, 3, 31, 2, 30, tzinfo=ZoneInfo(BERLIN))]),
    },
    "numpy scalars": {
        "float": lambda: objects(np.float32(0.1), 2.5),
        "int": lambda: objects(np.int8(1), np.uint64(2**64 - 1)),
        "bool": lambda: objects(np.bool_(True), None),
        "text": lambda: objects(np.str_("a"), "b"),
        "bytes": lambda: objects(np.bytes_(b"a"), None),
        "in a dict": lambda: objects({"a": np.int64(1)}),
    },
    "other Python types": {
        "datetimes and Timestamps": lambda: objects(*[MOMENTS[0]] * 70_000, pd.Timestamp(1)),
        "times of numpy": lambda: objects(np.datetime64("2024-01-01"), None),
        "class of str": lambda: objects(Sex.MALE, "f"),
        "class of dict": lambda: objects(defaultdict(int, a=1)),
        "whole numbers beside fractions": lambda: objects([1, 2.5]),
    },
    "extension": {"array": lambda: pd.Series(ArrowLengths([3, 4]))},
    "extension without Arrow form": {
        "array": lambda: pd.Series(Lengths([3, 4])),
        **(
            {"zoned interval": lambda: pd.Series(pd.interval_range(pd.Timestamp("2024", tz=BERLIN), periods=2))}
            if PANDAS < 3
            else {}
        ),
    },
    "unreadable": {"array": lambda: pd.Series(FailingLengths([3, 4]))},
    "byte order": {
        "float64": lambda: pd.Series(np.array([1.5, np.nan], dtype=">f8" if sys.byteorder == "little" else "<f8")),
        "int32": lambda: pd.Series(np.array([1, -2], dtype=">i4" if sys.byteorder == "little" else "<i4")),
        "sparse": lambda: pd.Series(pd.arrays.SparseArray(np.array([0, 2], dtype=">i8"))),
    },
    "zone of another kind": {
        "dateutil": lambda: _in_zone(gettz(BERLIN)),
        "offset of dateutil": lambda: _in_zone(tzoffset(None, 3600)),
        "category": lambda: _in_zone(gettz(BERLIN)).astype("category"),
    },
    "frequency without a name": {
        "category": lambda: pd.Series(
            pd.Categorical(pd.date_range("2024-01-31", periods=3, freq=pd.DateOffset(months=1)))
        ),
        "holidays": lambda: pd.Series(
            pd.Categorical(pd.date_range("2024-01-01", periods=3, freq=pd.offsets.CDay(holidays=["2024-01-02"])))
        ),
        "zoned": lambda: pd.Series(
            pd.Categorical(pd.date_range("2024-01-01", periods=2, freq=pd.offsets.Easter(), tz=BERLIN))
        ),
    },
    "zone without a name": {
        "offset with seconds": lambda: _in_zone(dt.timezone(dt.timedelta(seconds=3601))),
        "offset with a name of its own": lambda: _in_zone(tzoffset("Here", 3600)),
        "category": lambda: _in_zone(tzoffset("Here", 3600)).astype("category"),
        "file without a key": lambda: _in_zone(_zone_without_key()),
    },
    "text that is not UTF-8": {
        "string": lambda: _of_array(damaged_text(pa.string())),
        "large string": lambda: _of_array(damaged_text(pa.large_string())),
        "view": lambda: _of_array(damaged_text(pa.string_view())),
        "str": lambda: pd.Series(pd.arrays.ArrowStringArray(pa.chunked_array([damaged_text(pa.large_string())]))),
        "in a list": lambda: _of_array(pa.ListArray.from_arrays([0, 1, 2], damaged_text(pa.string()))),
        "in a dictionary": lambda: _of_array(pa.DictionaryArray.from_arrays([1, 0], damaged_text(pa.string()))),
    },
    "invalid Arrow values": {
        "code beyond a dictionary": lambda: _of_array(pa.DictionaryArray.from_arrays([0, 7], ["a"], safe=False)),
        "24:00": lambda: _of_array(pa.array([0, 86_400], pa.int32()).view(pa.time32("s"))),
    },
    "Arrow type that is not restored": {
        "members that are not null": lambda: _arrow([{"a": 1}], pa.struct([pa.field("a", pa.int8(), nullable=False)])),
        "sorted keys": lambda: _arrow([[("a", 1)], None], pa.map_(pa.string(), pa.int8(), keys_sorted=True)),
        "period": lambda: _of_array(pa.array(pd.period_range("2024-01", periods=2, freq="M"))),
        "extension in a dictionary": lambda: _of_array(
            pa.DictionaryArray.from_arrays([0, 0], pa.array([bytes(16)], pa.uuid()))
        ),
    },
    "type that Parquet lacks": {"bytes of length 0": lambda: _arrow([b"", None], pa.binary(0))},
    "member names that JSON lacks": {
        "NUL": lambda: _arrow([{"a\0b": 1}, None], pa.struct([("a\0b", pa.int8())])),
        "object": lambda: objects([{"a\0b": 1}]),
    },
    "other": {"months, days and nanoseconds": lambda: _arrow([(1, 2, 3), None], pa.month_day_nano_interval())},
    "complex": {"complex128": lambda: pd.Series([1 + 2j])},
    "long double": {"longdouble": lambda: pd.Series(np.array([1.5], dtype="longdouble"))},
}
MATRIX = [
    pytest.param(each, rule, make, id=f"{each.name}-{rule}-{name}")
    for each in FORMAT_LIST
    for rule, cases in CASES.items()
    for name, make in cases.items()
]
# name of the rule → frames whose last column falls under it, and the options it takes where the format has them
FRAMES: dict[RuleName, dict[str, tuple[Callable[[], Any], dict[str, object]]]] = {
    "escaped text": {"texts": (lambda: pd.DataFrame({"t": [*TEXTS, "@a", "'=1"]}), {"escape_formulas": True})},
    "null in the only column": {"text": (lambda: pd.DataFrame({"t": ["a", None, ""]}), {})},
    "decimal as number": {
        "object": (lambda: objects(Decimal("1.20"), None, Decimal("-0.05")).to_frame("d"), {"decimals": "number"}),
    },
    "unused categories sent": {
        "ordered": (
            lambda: pd.DataFrame({"k": pd.Categorical(["lo", "hi"], ["lo", "mid", "hi"], ordered=True)}),
            {"keep_unused_categories": True},
        ),
        "text": (
            lambda: pd.DataFrame({"k": pd.Categorical(["a", None], categories=["c", "b", "a"])}),
            {"keep_unused_categories": True},
        ),
        "index": (
            lambda: pd.DataFrame(index=pd.CategoricalIndex(["b"], categories=["a", "b"], name="k")),
            {"keep_unused_categories": True},
        ),
        "level": (
            lambda: pd.DataFrame(
                index=pd.MultiIndex.from_arrays([[1], pd.Categorical(["b"], ["c", "b", "a"])], names=["n", "k"])
            ),
            {"keep_unused_categories": True},
        ),
    },
    "unused dictionary values sent": {
        "text": (lambda: _dictionary([1, None, 1], ["a", "b"]).to_frame("k"), {"keep_unused_categories": True}),
    },
    "ordered dictionary of a stream": {
        "text": (
            lambda: pa.table({"k": pa.DictionaryArray.from_arrays([1, 0], ["b", "a"], ordered=True)}).to_reader(),
            {},
        ),
    },
    "nested as JSON": {
        "list": (lambda: objects([1, 2], None, []).to_frame("n"), {"nested": "json"}),
        "struct": (lambda: objects({"a": 1, "b": "x"}, None).to_frame("n"), {"nested": "json"}),
    },
    "other": {
        "union": (lambda: pa.table({"u": pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])])}), {}),
        "list view": (lambda: pa.table({"v": pa.array([[1], None], pa.list_view(pa.int8()))}), {}),
        "run-end encoded": (lambda: pa.table({"r": pa.RunEndEncodedArray.from_arrays([2], [5])}), {}),
    },
    "name that is not text": {
        "int": (lambda: pd.DataFrame([[1, 2]], columns=[2023, 2024]), {}),
        "MultiIndex": (lambda: pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_product([["a"], ["x", "y"]])), {}),
    },
    "duplicate name": {
        "twice": (lambda: pd.DataFrame([[1, 2]], columns=["a", "a"]), {}),
        "like the index": (lambda: pd.DataFrame({"a": [1]}, index=pd.Index(["x"], name="a")), {}),
    },
    "name with a lone surrogate": {
        "object": (lambda: pd.DataFrame([[1]], columns=pd.Index(objects("broken \ud800"), dtype=object)), {}),
    },
}
OPTIONS = {"csv": {"escape_formulas", "nested"}, "json": {"decimals"}, "ndjson": {"decimals"}, "parquet": set()}
for _options in OPTIONS.values():
    _options.add("keep_unused_categories")
FRAME_MATRIX = [
    pytest.param(each, rule, make, options, id=f"{each.name}-{rule}-{name}")
    for each in FORMAT_LIST
    for rule, cases in FRAMES.items()
    for name, (make, options) in cases.items()
]


def options_of(format: Format) -> dict[str, object]:
    return {"nested": "json"} if format.name == "csv" else {}


def outcome(rule: RuleName, format: Format) -> Outcome:
    if format.name == "csv" and rule in {"list", "struct", "map"}:
        rule = "nested as JSON"
    if not format.stores_types and rule == "type that Parquet lacks":
        rule = "bytes"
    return RULES[rule].outcome(format)


# What pandas has no index of, and what only warns.
NOT_INDEXED = {
    "NaN inside",
    "infinity inside",
    "list",
    "struct",
    "map",
    "sparse",
    "structs with different members",
    "member names that JSON lacks",
    "missing float",
    *LEFT_OUT,
}
INDEXED = [
    pytest.param(each, make, id=f"{each.name}-{rule}-{name}")
    for each in FORMAT_LIST
    for rule, cases in CASES.items()
    if rule not in NOT_INDEXED and outcome(rule, each).verdict in {"kept", "changed"}
    for name, make in cases.items()
    if name not in {"float16", "in a list", "in a dict", "in a struct"}
]


def test_every_rule_has_a_case_and_every_case_a_rule() -> None:
    assert {*CASES, *FRAMES} == set(RULES)
    assert all((*CASES.values(), *FRAMES.values()))


def content(frame: object, format: Format, **options: object) -> tuple[bytes, str | None]:
    prepared = inspect_frame(frame, format, options=options).checked()
    return b"".join(prepared.chunks()), prepared.schema


@pytest.mark.parametrize(("format", "rule", "make"), MATRIX)
def test_a_column_becomes_what_its_rule_says(
    format: Format, rule: RuleName, make: Callable[[], pd.Series[Any]], recwarn: pytest.WarningsRecorder
) -> None:
    skip_what_pyarrow_lacks(make().dtype, format)
    warnings.simplefilter("always")
    frame = pd.DataFrame({"id": range(len(make())), "value": make()})
    verdict = inspect_frame(frame, format, options=options_of(format)).columns[1]
    expected = outcome(rule, format)
    assert verdict.verdict == expected.verdict
    assert expected.verdict == "kept" or expected.form in verdict.note
    if expected.verdict == "impossible":
        with pytest.raises(FidelityError, match="'value'") as caught:
            inspect_frame(frame, format).checked()
        assert (caught.value.column, caught.value.row) == ("value", verdict.row)
        return
    data, schema = content(frame, format, **options_of(format))
    warned = [str(each.message) for each in recwarn if issubclass(each.category, FidelityWarning)]
    assert len(warned) == expected.warned
    head = "Not everything is in the file: " if expected.verdict == "lost" else "Written in another form: "
    assert all(each.startswith(head) for each in warned)
    back = parse(data, format, schema)
    if expected.verdict == "lost":
        assert not _equal(back, frame)
    else:
        _assert_identical(back, _used(frame) if rule in LEFT_OUT else frame)


@pytest.mark.parametrize(("format", "rule", "make", "options"), FRAME_MATRIX)
def test_a_frame_becomes_what_its_rule_says(
    format: Format, rule: RuleName, make: Callable[[], Any], options: dict[str, object]
) -> None:
    frame, again = make(), make()
    options = {name: value for name, value in options.items() if name in OPTIONS[format.name]}
    expected = RULES[rule].outcome(format)
    verdict = inspect_frame(frame, format, options=options).columns[-1]
    assert verdict.verdict == expected.verdict
    assert expected.verdict == "kept" or expected.form in verdict.note
    if expected.verdict == "impossible":
        with pytest.raises(FidelityError) as caught:
            inspect_frame(frame, format, options=options).checked()
        assert caught.value.column == verdict.name
        return
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        data, schema = content(frame, format, **options)
    assert [each.category for each in warned] == [FidelityWarning] * expected.warned
    if isinstance(again, pa.RecordBatchReader):
        again = again.read_all().to_pandas(types_mapper=pd.ArrowDtype)
    _assert_identical(parse(data, format, schema), again)


def test_only_pandas_own_reader_makes_an_extension_type_again_from_parquet() -> None:
    frame = pd.DataFrame({"value": ArrowLengths([3, 4])})
    with pytest.warns(FidelityWarning, match=r"only pandas\.read_parquet"):
        data, schema = content(frame, FORMATS["parquet"])
    assert pd.read_parquet(io.BytesIO(data)).dtypes.tolist() == [Length()]
    assert parse(data, FORMATS["parquet"], schema).dtypes.tolist() == ["int64"]


def test_a_column_of_mixed_values_is_refused_with_one_sentence() -> None:
    verdict = inspect_frame(objects("a", 1).to_frame("m"), FORMATS["csv"]).columns[0]
    rule = RULES["mixed objects"]
    assert verdict.note == f"1 is of type int, 'a' in row 0 of type str: {rule.csv.form}"
    assert verdict.row == 1


def test_a_warning_tells_what_is_lost_from_what_is_only_changed() -> None:
    frame = pd.DataFrame({"a": [0.5, np.nan, np.inf], "b": [np.nan, np.nan, 0.5]})
    with pytest.warns(FidelityWarning) as caught:
        inspect_frame(frame, FORMATS["json"]).checked()
    (warning,) = caught
    lost, changed = str(warning.message).split(" Written in another form: ")
    assert lost.startswith("Not everything is in the file: column 'a': 1 infinite value")
    assert changed.startswith("column 'a': 1 NaN")
    assert "column 'b': 2 NaN" in changed


@pytest.mark.parametrize(("format", "make"), INDEXED)
def test_an_index_of_any_type_comes_back(format: Format, make: Callable[[], pd.Series[Any]]) -> None:
    values = make()
    frame = pd.DataFrame({"value": range(len(values))}, index=pd.Index(values, name="key", dtype=values.dtype))
    data, schema = content(frame, format, **options_of(format))
    pd.testing.assert_frame_equal(parse(data, format, schema), frame)


def _used(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame whose dtypes list what its rows have."""
    frame = frame.copy()
    for name, dtype in frame.dtypes.items():
        if isinstance(dtype, pd.CategoricalDtype):
            frame[name] = frame[name].cat.remove_unused_categories()
        if isinstance(dtype, pd.SparseDtype):
            frame[name] = pd.arrays.SparseArray(np.asarray(frame[name]), dtype=pd.SparseDtype(dtype.subtype))
    return frame


def _equal(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    try:
        _assert_identical(one, other)
    except AssertionError:
        return False
    return True


def _assert_identical(one: pd.DataFrame, other: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(one, other)
    for name in other.columns[other.dtypes.map(pd.api.types.is_object_dtype)]:
        assert same_cells(one[name], other[name])
    for name in other.columns[other.dtypes.map(lambda dtype: isinstance(dtype, pd.CategoricalDtype))]:
        freqs = [getattr(each[name].cat.categories, "freq", None) for each in (one, other)]
        assert freqs[0] == freqs[1]
