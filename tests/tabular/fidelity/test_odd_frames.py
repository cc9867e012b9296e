# The stubs of pandas, pyarrow and numpy know fewer inputs than the libraries take.
# mypy: disable-error-code="arg-type, assignment, call-overload, import-untyped, misc, operator, union-attr"
"""Every type of Arrow, in every place and from every library: it comes back equal, or is warned of, or refused."""

from __future__ import annotations

import datetime as dt
import uuid
import warnings
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from dateutil.tz import gettz, tzlocal

from digime_pandas._tabular.formats import FORMATS, Format
from digime_pandas._tabular.parse import parse
from digime_pandas._tabular.serialize import inspect_frame
from digime_pandas.errors import FidelityWarning, InputError
from tests.cells import skip_what_pyarrow_lacks

pytestmark = pytest.mark.slow

PANDAS = int(pd.__version__.partition(".")[0])
EVERY = pytest.mark.parametrize("format", FORMATS.values(), ids=lambda each: each.name)
DAY, MOMENT = dt.date(2020, 1, 2), dt.datetime(2020, 1, 2, 3, tzinfo=dt.UTC)
LAST_DAY = 2_932_896  # 9999-12-31


class Celsius(pa.ExtensionType):
    """An extension type of another package."""

    def __init__(self) -> None:
        super().__init__(pa.int16(), "tests.degrees")

    def __arrow_ext_serialize__(self) -> bytes:
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage_type: pa.DataType, serialized: bytes) -> Celsius:
        return cls()


def _ticks(values: list[int], type: pa.DataType) -> pa.Array:
    return pa.array(values, pa.int32() if type.bit_width == 32 else pa.int64()).view(type)


def _bytes_as(type: pa.DataType, storage: pa.DataType) -> pa.Array:
    return pa.array([b"fine", b"\xff"], storage).view(type)


def _codes(values: pa.Array, *codes: int | None, ordered: bool = False) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), values, ordered=ordered, safe=False)


def _storage(type: pa.DataType, values: list[Any]) -> pa.Array:
    return pa.ExtensionArray.from_storage(type, pa.array(values, type.storage_type))


def _plain() -> dict[str, pa.Array]:
    """Arrays of two rows that come back equal."""
    values: dict[pa.DataType, list[Any]] = {
        pa.null(): [None, None],
        pa.bool_(): [True, None],
        pa.float16(): [1.5, None],
        pa.float32(): [-0.0, None],
        pa.float64(): [-0.0, 5e-324],
        pa.date32(): [DAY, None],
        pa.date64(): [DAY, None],
        pa.binary(2): [b"ab", None],
        pa.decimal128(5, 5): [Decimal("0.00001"), None],
        pa.decimal256(76, 0): [Decimal(10) ** 75, None],
        pa.list_(pa.null()): [[None], []],
        pa.list_(pa.int8(), 2): [[1, None], None],
        pa.struct([("", pa.int8())]): [{"": 1}, None],
        pa.map_(pa.string(), pa.int8()): [[("a", 1), ("a", 2)], None],
        pa.map_(pa.int8(), pa.map_(pa.string(), pa.int8())): [[(1, [("b", None)])], []],
    }
    values |= {make(): [1, None] for make in (pa.int8, pa.int16, pa.int32, pa.int64)}
    values |= {make(): [1, None] for make in (pa.uint8, pa.uint16, pa.uint32, pa.uint64)}
    values |= {make(): ["é\0", None] for make in (pa.string, pa.large_string, pa.string_view)}
    values |= {make(): [b"\xff\0", None] for make in (pa.binary, pa.large_binary, pa.binary_view)}
    values |= {each: [dt.time(1), None] for each in (pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns"))}
    values |= {pa.timestamp(unit): [MOMENT.replace(tzinfo=None), None] for unit in ("s", "ms", "us", "ns")}
    zones = "UTC", "Europe/Berlin", "+05:30", "-00:30", "Etc/GMT+5", "Nowhere/Town"
    values |= {pa.timestamp("us", zone): [MOMENT, None] for zone in zones}
    values |= {pa.duration(unit): [dt.timedelta(1), None] for unit in ("s", "ms", "us", "ns")}
    values |= {
        make(5, 2): [Decimal("1.10"), None] for make in (pa.decimal32, pa.decimal64, pa.decimal128, pa.decimal256)
    }
    values |= {make(pa.int8()): [[1, None], None] for make in (pa.list_, pa.large_list)}
    values |= {pa.struct([("a", pa.int8())]): [{"a": 1}, None]}
    return {str(kind): pa.array(each, kind) for kind, each in values.items()} | {
        "uuid": pa.array([uuid.UUID(int=1).bytes, None], pa.uuid()),
        "json": _storage(pa.json_(), ["{}", None]),
        "json of large text": _storage(pa.json_(pa.large_string()), ["{}", None]),
        "bool8": _storage(pa.bool8(), [7, None]),
        "longest durations": _ticks([2**63 - 1, -(2**63)], pa.duration("s")),
        "longest durations of nanoseconds": _ticks([2**63 - 1, -(2**63)], pa.duration("ns")),
        "first and last nanosecond": _ticks([-(2**63), 2**63 - 1], pa.timestamp("ns")),
        "first and last day": _ticks([-719_162, LAST_DAY], pa.date32()),
        "dictionary of text": _codes(pa.array(["a", "b"]), 1, 0),
        "dictionary with a null": _codes(pa.array(["a", None]), 0, 1),
        "dictionary with a value twice": _codes(pa.array(["a", "a"]), 0, 1),
    }


def _warned() -> dict[str, pa.Array]:
    """Arrays whose type does not come back."""
    not_null = pa.field("a", pa.int8(), nullable=False)
    return {
        "extension": _storage(Celsius(), [1, None]),
        "opaque": _storage(pa.opaque(pa.binary(), "point", "a database"), [b"1", None]),
        "tensors": pa.FixedShapeTensorArray.from_numpy_ndarray(np.arange(8.0).reshape(2, 2, 2)),
        "members that are not null": pa.array([{"a": 1}, {"a": 2}], pa.struct([not_null])),
        "items that are not null": pa.array([[1], None], pa.list_(not_null)),
        "values that are not null": pa.array([[("a", 1)], None], pa.map_(pa.string(), not_null)),
        "sorted keys": pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int8(), keys_sorted=True)),
        "dictionary of uuid": _codes(pa.array([bytes(16)], pa.uuid()), 0, None),
        "dictionary of an extension": _codes(_storage(Celsius(), [5]), 0, None),
        "dictionary of decimal32": _codes(pa.array([Decimal("1.10")], pa.decimal32(5, 2)), 0, None),
    }


def _refused() -> dict[str, pa.Array]:
    """Arrays that no format holds."""
    return {
        "dense union": pa.UnionArray.from_dense(
            pa.array([0, 1], pa.int8()), pa.array([0, 0], pa.int32()), [pa.array([1]), pa.array(["x"])]
        ),
        "sparse union": pa.UnionArray.from_sparse(
            pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["x", "y"])]
        ),
        "run-end encoded": pa.RunEndEncodedArray.from_arrays(pa.array([1, 2], pa.int32()), pa.array(["a", "b"])),
        "list view": pa.array([[1], None], pa.list_view(pa.int8())),
        "large list view": pa.array([[1], None], pa.large_list_view(pa.int8())),
        "months, days and nanoseconds": pa.array([(1, 2, 3), None], pa.month_day_nano_interval()),
        "negative scale": pa.array([Decimal(1200), None], pa.decimal128(5, -2)),
        "lists of size 0": pa.array([[], None], pa.list_(pa.int8(), 0)),
        "dictionary of nothing": _codes(pa.nulls(1), 0, None),
        "dictionary of lists": _codes(pa.array([[1]]), 0, 0),
        "dictionary of structs": _codes(pa.array([{"a": 1}]), 0, 0),
        "dictionary of dictionaries": _codes(_codes(pa.array(["a"]), 0), 0, 0),
        "text": _bytes_as(pa.string(), pa.binary()),
        "large text": _bytes_as(pa.large_string(), pa.large_binary()),
        "view of text": _bytes_as(pa.string_view(), pa.binary_view()),
        "dictionary of text": _codes(_bytes_as(pa.string(), pa.binary()), 0, 1),
        "json": pa.ExtensionArray.from_storage(pa.json_(), _bytes_as(pa.string(), pa.binary())),
        "code beyond a dictionary": _codes(pa.array(["a"]), 0, 7),
        "negative code": _codes(pa.array(["a"]), 0, -1),
        "24:00 in seconds": _ticks([86_400, 0], pa.time32("s")),
        "24:00 in microseconds": _ticks([86_400 * 10**6, 0], pa.time64("us")),
        "before midnight": _ticks([-1, 0], pa.time32("ms")),
        "middle of a day": _ticks([1, 0], pa.date64()),
        "too many digits": pa.array([Decimal(12_345), None])
        .cast(pa.decimal128(9, 0))
        .view(pa.binary(16))
        .view(pa.decimal128(3, 0)),
    }


def _by_format() -> dict[str, pa.Array]:
    """Arrays that come back from some formats or sources, and not from others."""
    return {
        "dictionary in order": _codes(pa.array(["b", "a"]), 1, 0, ordered=True),
        "struct without members": pa.array([{}, None], pa.struct([])),
        "bytes of length 0": pa.array([b"", None], pa.binary(0)),
        "NUL in a name": pa.array([{"a\0b": 1}, None], pa.struct([("a\0b", pa.int8())])),
        "name twice": pa.StructArray.from_arrays([pa.array([1, 2]), pa.array(["x", "y"])], ["a", "a"]),
        "day after the last": _ticks([LAST_DAY + 1, 0], pa.date32()),
        "day before the first": _ticks([-719_163, 0], pa.date32()),
        "day after the last, in milliseconds": _ticks([(LAST_DAY + 1) * 86_400_000, 0], pa.date64()),
        "farthest day": _ticks([2**31 - 1, -(2**31)], pa.date32()),
        "time after the last": _ticks([2**62, 0], pa.timestamp("ms")),
        "dictionary of far days": _codes(_ticks([2**31 - 1], pa.date32()), 0, 0),
    }


ARRAYS = {
    f"{kind}: {name}": array
    for kind, arrays in (("equal", _plain), ("warned", _warned), ("refused", _refused), ("", _by_format))
    for name, array in arrays().items()
}


def places(array: pa.Array) -> Iterator[tuple[str, pa.Array]]:
    yield "column", array
    yield "list", pa.ListArray.from_arrays(pa.array([0, 1, 2], pa.int32()), array)
    yield "struct", pa.StructArray.from_arrays([array], ["m"])
    yield "map", pa.MapArray.from_arrays(pa.array([0, 1, 2], pa.int32()), pa.array(["a", "b"]), array)
    if not pa.types.is_dictionary(array.type) and not pa.types.is_null(array.type) and array.is_valid()[0].as_py():
        yield "dictionary", _codes(array.slice(0, 1), 0, None)


def sources(array: pa.Array) -> Iterator[tuple[str, Callable[[], Any]]]:
    table = pa.table({"c": array, "n": pa.array([1] * len(array), pa.int8())})
    yield "table", lambda: table
    yield "stream", table.to_reader
    arrow = pd.arrays.ArrowExtensionArray(pa.chunked_array([array]))
    yield "pandas", lambda: pd.DataFrame({"c": arrow, "n": pd.array([1] * len(array), dtype="Int8")})


ROUND_TRIPS = [
    pytest.param(array, make, kind.partition(":")[0] if place == "column" else "", id=f"{kind}-{place}-{source}")
    for kind, one in ARRAYS.items()
    for place, array in places(one)
    for source, make in sources(array)
]


def round_trip(frame: Any, format: Format) -> tuple[str, pd.DataFrame | None]:
    """Return what became of a frame, ``"refused"``, ``"warned"`` or ``"silent"``, and what is read back of it."""
    options = {"nested": "json"} if format.name == "csv" else {}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            prepared = inspect_frame(frame, format, options=options).checked()
            data = b"".join(prepared.chunks())
        except InputError as error:
            assert str(error).startswith("Column 'c'")  # noqa: PT017 - refused is right, without a name is not
            return "refused", None
    told = [each for each in caught if each.category is FidelityWarning]
    assert len(told) == len(caught)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return "warned" if told else "silent", parse(data, format, prepared.schema)


def same(read: pd.Series[Any], written: pa.Array) -> bool:
    array = pa.array(read)
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    if array.type != written.type:
        return False
    return array.equals(written) or repr(array.to_pylist()) == repr(written.to_pylist())


@EVERY
@pytest.mark.parametrize(("array", "make", "expected"), ROUND_TRIPS)
def test_it_comes_back_equal_or_is_warned_of_or_refused(
    array: pa.Array, make: Callable[[], Any], expected: str, format: Format
) -> None:
    skip_what_pyarrow_lacks(array.type, format)
    outcome, back = round_trip(make(), format)
    if back is not None:
        assert outcome == "warned" or same(back["c"], array)
        assert back["n"].tolist() == [1] * len(array)
    if expected:
        assert outcome == {"equal": "silent"}.get(expected, expected)
    if expected == "equal":
        assert back is not None
        assert same(back["c"], array)


@pytest.mark.parametrize(
    ("name", "holders"),
    [
        ("struct without members", {"csv", "json", "ndjson"}),
        ("bytes of length 0", {"csv", "json", "ndjson"}),
        ("NUL in a name", {"parquet"}),
        ("name twice", {"parquet"}),
        ("day after the last", {"parquet"}),
        ("day before the first", {"parquet"}),
        ("day after the last, in milliseconds", {"parquet"}),
        ("farthest day", {"parquet"}),
        ("time after the last", {"parquet"}),
        ("dictionary of far days", {"parquet"}),
    ],
)
def test_what_a_format_lacks_is_refused_in_it_alone(name: str, holders: set[str]) -> None:
    table = pa.table({"c": ARRAYS[f": {name}"], "n": pa.array([1, 1], pa.int8())})
    assert {each.name for each in FORMATS.values() if round_trip(table, each)[0] == "silent"} == holders


@EVERY
@pytest.mark.parametrize(
    "series",
    [
        pl.Series("c", [None, None]),
        pl.Series("c", ["a", "b"], dtype=pl.Enum(["b", "a"])),
        pl.Series("c", ["a", None], dtype=pl.Categorical),
        pl.Series("c", [dt.time(1), None]),
        pl.Series("c", [dt.timedelta(1), None]),
        pl.Series("c", [[1, 2], None], dtype=pl.Array(pl.Int64, 2)),
        pl.Series("c", [[{"a": [1, None]}], []]),
        pl.Series("c", [{"e": "a"}], dtype=pl.Struct({"e": pl.Enum(["a"])})),
        pl.Series("c", [Decimal("1.10"), None]),
        pl.Series("c", [b"\xff", None]),
        pl.Series("c", [MOMENT]),
    ],
    ids=lambda each: str(each.dtype),
)
def test_columns_of_polars_come_back(series: pl.Series, format: Format) -> None:
    skip_what_pyarrow_lacks(series.to_arrow().type, format)
    for frame in (series, series.to_frame()):
        outcome, back = round_trip(frame, format)
        assert outcome == "silent"
        assert back is not None
        assert same(back["c"], series.to_arrow())


@EVERY
def test_a_name_that_begins_with_a_byte_order_mark_stays(format: Format) -> None:
    for name in ("\ufeffid", "\ufeff", '\ufeff"id"', "\ufeff=id"):
        frame = pd.DataFrame({name: ["\ufeffx", "y"]})
        _, back = round_trip(frame, format)
        assert back is not None
        pd.testing.assert_frame_equal(back, frame)


@EVERY
@pytest.mark.parametrize(
    "where",
    [
        "column",
        "index",
        pytest.param("labels", marks=pytest.mark.skipif(PANDAS < 3, reason="pandas 2 finds none of such labels")),
    ],
)
def test_numbers_of_other_computers_are_the_same_numbers(format: Format, where: str) -> None:
    numbers = pd.Index(np.array([1, 2]).astype(np.dtype("int64").newbyteorder("S")))
    frame = {
        "column": lambda: pd.DataFrame({"c": numbers, "n": [1, 1]}),
        "index": lambda: pd.DataFrame({"n": [1, 1]}, index=numbers),
        "labels": lambda: pd.DataFrame([[1, 1]], columns=numbers),
    }[where]()
    outcome, back = round_trip(frame, format)
    assert outcome == "warned"
    assert back is not None
    pd.testing.assert_frame_equal(back, frame, check_dtype=False, check_index_type=False, check_column_type=False)


@EVERY
@pytest.mark.parametrize("zone", [gettz("Europe/Paris"), tzlocal()], ids=["dateutil", "this computer's"])
def test_zones_without_a_name_of_pandas_are_warned_of_or_refused(format: Format, zone: dt.tzinfo) -> None:
    times = pd.to_datetime(["2024-01-31", "2024-07-31"], utc=True).tz_convert(zone)
    for frame in (
        pd.DataFrame({"c": times}),
        pd.DataFrame({"n": [1, 1]}, index=times.rename("c")),
        pd.DataFrame({"c": pd.Categorical(times)}),
        pd.DataFrame({"c": pd.IntervalIndex.from_arrays(times[:1], times[1:])}),
    ):
        assert round_trip(frame, format)[0] in {"warned", "refused"}
