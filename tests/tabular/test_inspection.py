from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from digime_pandas._tabular.columns import BLOCK_ROWS, Column, ColumnSpec, Finding
from digime_pandas._tabular.formats import CSV, FORMATS, JSON, NDJSON, PARQUET, Format
from digime_pandas._tabular.frames.pandas_columns import describe
from digime_pandas._tabular.inspection import ColumnInspection, inspect_columns

EVERY = pytest.mark.parametrize("format", FORMATS.values(), ids=lambda each: each.name)


def inspected(array: pa.Array, format: Format, *, columns: int = 2) -> ColumnInspection:
    column = Column(
        "x",
        "text" if pa.types.is_string(array.type) else "other",
        str(array.type),
        array.type,
        ColumnSpec("arrow", array.type),
        lambda start, stop: array.slice(start, stop - start),
    )
    return inspect_columns((column,) * columns, len(array), format)[0]


def found(array: pa.Array, format: Format, *, columns: int = 2) -> list[Finding]:
    return [each for each in inspected(array, format, columns=columns).findings if each.count is not None]


def ticks(*values: int | None, unit: str = "s", zone: str | None = None) -> pa.Array:
    return pa.array(values, pa.int64()).cast(pa.timestamp(unit, zone))


@pytest.mark.parametrize(
    ("times", "type"),
    [
        (ticks(0, 86_400, None), pa.date32()),
        (ticks(0, -86_400 * 1000, unit="ms"), pa.date32()),
        (ticks(0, 1), None),
        (ticks(1000, 2000, unit="ms"), pa.timestamp("s")),
        (ticks(1000, 1, unit="ms"), None),
        (ticks(10**9, unit="ns"), pa.timestamp("s")),
        (ticks(-(10**6), unit="ns"), pa.timestamp("ms")),
        (ticks(1000, 10**6, unit="ns"), pa.timestamp("us")),
        (ticks(1, unit="ns"), None),
        (ticks(0, 86_400 * 10**6, unit="us", zone="UTC"), pa.timestamp("s", "UTC")),
        (ticks(1500, unit="us", zone="Asia/Kathmandu"), None),
        (pa.array([1, 2]), None),
        (pa.array([[dt.datetime(2024, 1, 1)]]), None),  # noqa: DTZ001
    ],
)
def test_times_get_the_coarsest_type_that_holds_all_of_them(times: pa.Array, type: pa.DataType | None) -> None:
    for textual in (CSV, JSON, NDJSON):
        assert inspected(times, textual).file_type == type
    assert inspected(times, PARQUET).file_type is None


def test_a_later_block_may_need_a_finer_type() -> None:
    day = 86_400 * 10**9
    values = np.zeros(BLOCK_ROWS + 2, "int64")
    values[1], values[BLOCK_ROWS + 1] = day, day + 10**6
    times = pa.array(values).cast(pa.timestamp("ns"))
    assert inspected(times[:BLOCK_ROWS], CSV).file_type == pa.date32()
    assert inspected(times, CSV).file_type == pa.timestamp("ms")


def test_the_first_row_is_kept_and_counts_are_added_up_over_blocks() -> None:
    values = np.zeros(BLOCK_ROWS + 5)
    values[[3, 9, BLOCK_ROWS + 4]] = np.inf
    values[BLOCK_ROWS + 1] = np.nan
    assert found(pa.array(values), JSON) == [
        Finding("infinity", 3, 3),
        Finding("NaN beside null", BLOCK_ROWS + 1, 1),
    ]
    assert found(pa.array(values), CSV) == found(pa.array(values), PARQUET) == []


def test_missing_floats_of_numpy_are_counted_where_they_become_null() -> None:
    column = describe("x", np.array([1.0, np.nan, np.nan]))
    assert Finding("missing float", 1, 2) in inspect_columns((column,), 3, NDJSON)[0].findings
    assert inspect_columns((column,), 3, CSV)[0].findings == (Finding("float"),)


def test_halves_are_inspected_too() -> None:
    assert found(pa.array(np.array([1, np.inf], "float16")), JSON) == [Finding("infinity", 1, 1)]


def test_values_inside_others_are_counted_without_a_row() -> None:
    array = pa.array([[{"f": float("inf")}], [], [{"f": 1.0}, {"f": float("-inf")}]])
    assert found(array, JSON) == [Finding("infinity inside", None, 2)]
    pairs = pa.array([[("a", float("nan"))]], pa.map_(pa.string(), pa.float64()))
    assert found(pairs, JSON) == [Finding("NaN inside", None, 1)]
    assert found(pa.array([float("inf")] * 2).dictionary_encode(), JSON) == [Finding("infinity", None, 1)]


FIRST, LAST = -62_135_596_800, 253_402_300_799
OUTSIDE: list[tuple[pa.Array, int | None]] = [
    (ticks(FIRST, LAST), None),
    (ticks(0, FIRST - 1), 1),
    (ticks(LAST + 1, 0), 0),
    (ticks(FIRST * 1000 - 1, unit="ms"), 0),
    (ticks((LAST + 1) * 10**6 - 1, unit="us"), None),
    (ticks((LAST + 1) * 10**6, unit="us"), 0),
    (ticks(-(2**63), 2**63 - 1, unit="ns"), None),
    (ticks(FIRST + 86_400, LAST - 86_400, zone="Europe/Berlin"), None),
    (ticks(0, LAST - 86_399, zone="Europe/Berlin"), 1),
    (ticks(FIRST + 86_399, zone="UTC"), 0),
]


@pytest.mark.parametrize(("times", "row"), OUTSIDE)
def test_years_that_text_has_no_digits_for_are_found(times: pa.Array, row: int | None) -> None:
    expected = [] if row is None else [Finding("year beyond 1 to 9999", row, 1)]
    assert found(times, CSV) == found(times, JSON) == expected
    assert found(times, PARQUET) == []


def test_seconds_that_milliseconds_cannot_count_are_found_for_parquet() -> None:
    most = 2**63 // 1000
    assert found(ticks(0, most, -most), PARQUET) == []
    assert found(ticks(0, most + 1, -most - 1), PARQUET) == [Finding("beyond milliseconds", 1, 2)]
    assert found(ticks(2**63 - 1, unit="ms"), PARQUET) == []


def test_years_of_periods_are_found_for_text() -> None:
    index: Any = pd.PeriodIndex
    periods = index.from_ordinals([0, -1971, 10_000], freq="Y").array
    assert found(pa.array(periods), CSV) == [Finding("year of a period", 1, 2)]
    assert found(pa.array(periods), PARQUET) == []


def test_missing_text_in_the_only_column_is_an_empty_line_of_csv() -> None:
    texts = pa.array(["a", None, None])
    assert found(texts, CSV, columns=1) == [Finding("null in the only column", 1, 2)]
    assert found(texts, CSV, columns=2) == found(texts, JSON, columns=1) == []


@EVERY
def test_the_rules_of_all_types_inside_are_found_without_values(format: Format) -> None:
    nested = pa.struct([("when", pa.list_(pa.timestamp("s"))), ("what", pa.dictionary(pa.int8(), pa.string()))])
    findings = inspected(pa.nulls(0, nested), format).findings
    assert [each.rule for each in findings] == ["category", "list", "struct", "text", "timestamp"]
    assert all(each.row is None and each.count is None for each in findings)
    seconds = inspected(pa.nulls(0, pa.timestamp("s", "UTC")), format).findings
    assert seconds == (Finding("zoned timestamp"), Finding("timestamp in seconds"))


@EVERY
def test_columns_that_cannot_be_read_are_not_read(format: Format) -> None:
    columns = (describe("x", np.array(["a", 1], dtype=object)), describe("y", np.array([1.5, np.inf])))
    inspections = inspect_columns(columns, 2, format)
    assert inspections[0].findings == (Finding("null"),)
    assert (Finding("infinity", 1, 1) in inspections[1].findings) == (not format.has_nan)


def test_a_stream_is_inspected_batch_by_batch() -> None:
    times = pa.timestamp("us")
    column = Column("x", "timestamp", "", times, ColumnSpec("arrow", times), lambda *_: pytest.fail("read"))
    (inspection,) = inspect_columns((column,), None, CSV)
    inspection.inspect(0, pa.array([0], times))
    assert inspection.file_type == pa.date32()
    inspection.inspect(1, pa.array([5, 2**62], times))
    assert inspection.file_type is None
    assert inspection.findings[-1] == Finding("year beyond 1 to 9999", 2, 1)


LAST_DAY = 2_932_896  # 9999-12-31


def days(*values: int | None) -> pa.Array:
    return pa.array(values, pa.int32()).view(pa.date32())


@pytest.mark.parametrize("format", [CSV, JSON, NDJSON], ids=lambda each: each.name)
def test_days_that_text_cannot_hold_are_counted(format: Format) -> None:
    array = days(None, LAST_DAY, LAST_DAY + 1, -719_162, -719_163, 2**31 - 1)
    assert found(array, format) == [Finding("year beyond 1 to 9999", 2, 3)]
    milliseconds = pa.array([0, (LAST_DAY + 1) * 86_400_000], pa.int64()).view(pa.date64())
    assert found(milliseconds, format) == [Finding("year beyond 1 to 9999", 1, 1)]
    assert found(pa.array([[LAST_DAY + 1], None], pa.list_(pa.int32())).cast(pa.list_(pa.date32())), format) == [
        Finding("year beyond 1 to 9999", None, 1)
    ]
    assert found(pa.DictionaryArray.from_arrays([0, 0], days(LAST_DAY + 1)), format) == [
        Finding("year beyond 1 to 9999", None, 1)
    ]
    assert found(days(0, LAST_DAY, None), format) == found(days(None), format) == found(days(), format) == []


def test_parquet_holds_all_days() -> None:
    assert found(days(LAST_DAY + 1), PARQUET) == []


def test_the_ends_of_intervals_are_times_too() -> None:
    ends = np.array(["9999-01-01", "10000-01-01"], "M8[s]")
    column = describe("x", pd.arrays.IntervalArray.from_breaks(ends))
    [inspection] = inspect_columns([column], 1, CSV)
    assert Finding("year beyond 1 to 9999", None, 1) in inspection.findings
    [inspection] = inspect_columns(
        [describe("x", pd.arrays.IntervalArray.from_breaks([-np.inf, 0.0, np.inf]))], 2, JSON
    )
    assert [each.rule for each in inspection.findings] == ["interval"]


def test_a_column_that_fails_while_it_is_inspected_is_unreadable() -> None:
    error = pa.ArrowInvalid("no such value")

    def fail(start: int, stop: int) -> pa.Array:
        raise error

    column = Column("x", "float", "double", pa.float64(), ColumnSpec("arrow", pa.float64()), fail)
    [inspection] = inspect_columns([column], 1, JSON)
    assert inspection.findings[-1] == Finding("unreadable", seen="ArrowInvalid: no such value")
    assert inspection.cause is error


def test_an_interrupt_of_the_inspection_stays_one() -> None:
    def interrupt(start: int, stop: int) -> pa.Array:
        raise KeyboardInterrupt

    column = Column("x", "float", "double", pa.float64(), ColumnSpec("arrow", pa.float64()), interrupt)
    with pytest.raises(KeyboardInterrupt):
        inspect_columns([column], 1, JSON)
