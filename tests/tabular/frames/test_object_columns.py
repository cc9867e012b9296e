from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from digime_pandas._tabular.columns import BLOCK_ROWS, Finding
from digime_pandas._tabular.frames.object_columns import describe_objects, first_unconvertible_row
from tests.cells import objects as cells

NOON = dt.datetime(2024, 1, 1, 12)  # noqa: DTZ001 - naive on purpose
ZONED = dt.datetime(2024, 1, 1, 12, tzinfo=dt.UTC)


def objects(*values: Any) -> Any:
    return cells(*values).to_numpy()


def rules_of(*values: Any) -> list[tuple[str, int | None]]:
    return [(each.rule, each.row) for each in describe_objects("x", objects(*values)).findings]


@pytest.mark.parametrize(
    ("values", "rule", "type"),
    [
        ([], "null", pa.null()),
        ([None, None], "null", pa.null()),
        (["a", None], "text", pa.string()),
        ([b"a"], "bytes", pa.binary()),
        ([1, 2], "integer", pa.int64()),
        ([-1, 2], "integer", pa.int64()),
        ([1, 2**63], "integer", pa.uint64()),
        ([1.5, None], "float", pa.float64()),
        ([True, None], "boolean", pa.bool_()),
        ([Decimal("1.5"), Decimal("20.25")], "decimal", pa.decimal128(4, 2)),
        ([dt.date(2024, 1, 1)], "date", pa.date32()),
        ([dt.time(12)], "time", pa.time64("us")),
        ([NOON], "timestamp", pa.timestamp("us")),
        ([pd.Timestamp(1)], "timestamp", pa.timestamp("ns")),
        ([pd.Timestamp(0)], "timestamp", pa.timestamp("ns")),
        ([ZONED], "zoned timestamp", pa.timestamp("us", "UTC")),
        ([dt.timedelta(1)], "duration", pa.duration("us")),
        ([[1], None, [2, 3]], "list", pa.list_(pa.int64())),
        ([{"a": 1}, {"b": "x"}], "struct", pa.struct([("a", pa.int64()), ("b", pa.string())])),
    ],
)
def test_the_type_of_objects_is_that_of_their_values(values: list[Any], rule: str, type: pa.DataType) -> None:
    column = describe_objects("x", objects(*values))
    assert (column.rule, column.dtype, column.type) == (rule, "object", type)
    assert column.spec.type == type
    assert column.readable
    assert len(column.read(0, len(values))) == len(values)


@pytest.mark.parametrize(
    ("values", "rule", "row"),
    [
        (["a", None, 1], "mixed objects", 2),
        ([object()], "objects of another type", 0),
        ([dt.date(2024, 1, 1), NOON], "mixed objects", 1),
        ([NOON, ZONED], "mixed objects", 1),
        ([[1], None, ["a"]], "mixed objects", 2),
        ([[1], {"a": 1}], "mixed objects", 1),
        ([-1, 2**63], "objects of another type", 1),
        ([2**64], "objects of another type", 0),
        ([{"a": 1}, None, {1: 1}], "keys that are not text", 2),
    ],
)
def test_what_no_file_holds_is_refused_with_the_first_row_of_another_kind(
    values: list[Any], rule: str, row: int
) -> None:
    column = describe_objects("x", objects(*values))
    assert [(each.rule, each.row) for each in column.findings] == [(rule, row)]
    assert not column.readable


def test_rows_are_counted_over_blocks() -> None:
    late = BLOCK_ROWS + 2
    assert rules_of(*[[1]] * late, ["a"]) == [("mixed objects", late)]
    assert rules_of(*[[1.5]] * late, [1]) == [("other Python types", late)]
    assert rules_of(*["a"] * late, b"a") == [("mixed objects", late)]
    assert rules_of(*[dt.time(1)] * late, dt.time(1, tzinfo=dt.UTC)) == [("time of day with a zone", late)]
    assert rules_of(*[{"a": 1}] * late, {"b": 1}) == [("structs with different members", 0)]


def test_text_that_is_not_unicode_is_refused_with_its_row() -> None:
    column = describe_objects("x", objects("a", "\ud800"))
    assert column.rule == "text"
    assert column.findings == (Finding("text with a lone surrogate", 1),)


@pytest.mark.parametrize(
    ("null", "name"), [(None, "None"), (float("nan"), "nan"), (pd.NA, "NA"), (pd.NaT, "NaT")], ids=str
)
def test_the_kind_of_null_is_kept(null: object, name: str) -> None:
    column = describe_objects("x", objects("a", null))
    assert (column.spec.parameters, column.findings) == (name, ())


@pytest.mark.parametrize(
    ("values", "row"),
    [
        (["a", None, pd.NA], 2),
        (["a", float("nan"), pd.NaT], 2),
        ([Decimal("1.5"), Decimal("NaN")], None),
        ([Decimal("1.5"), None, Decimal("sNaN")], 2),
        ([np.datetime64("NaT", "ns")], None),
        ([1.5, float("nan"), None, pd.NA], 3),
    ],
    ids=str,
)
def test_nulls_of_several_kinds_and_those_of_other_types_are_one_kind(values: list[Any], row: int | None) -> None:
    column = describe_objects("x", objects(*values))
    assert column.spec.parameters == "None"
    assert column.findings[0] == Finding("nulls of several kinds", row)
    assert column.read(0, len(values)).null_count >= 1


def test_nan_is_a_number_among_floats_where_something_else_is_missing() -> None:
    column = describe_objects("x", objects(1.5, float("nan"), pd.NA))
    assert (column.type, column.spec.parameters, column.findings) == (pa.float64(), "NA", ())
    assert repr(column.read(0, 3).to_pylist()) == "[1.5, nan, None]"
    missing = describe_objects("x", objects(1.5, float("nan")))
    assert (missing.spec.parameters, missing.read(0, 2).to_pylist()) == ("nan", [1.5, None])


@pytest.mark.parametrize("null", [None, float("nan"), pd.NA, pd.NaT], ids=str)
def test_a_missing_list_is_no_empty_list_and_keeps_its_kind(null: object) -> None:
    column = describe_objects("x", objects([1.5, float("nan")], null, []))
    assert repr(column.read(0, 3).to_pylist()) == "[[1.5, nan], None, []]"
    assert column.findings == (Finding("NaN inside", 0),)


def test_what_arrow_does_not_keep_of_nested_values_is_found_with_its_first_row() -> None:
    assert rules_of({"a": [1]}, {"a": (1,), "b": 2}) == [
        ("structs with different members", 0),
        ("sequences of other types", 1),
    ]
    assert rules_of([1], None, [2]) == []


class Hostile:
    """A value whose every method fails."""

    __hash__ = None  # type: ignore[assignment] # as of a list

    def _fail(self, *_: object) -> Any:
        raise SystemError("no")

    __eq__ = __ne__ = __bool__ = __len__ = __iter__ = __repr__ = __str__ = __float__ = __array__ = __getitem__ = _fail


class HostileList(list[Any]):
    def __iter__(self) -> Any:
        raise SystemError("no")


class HostileFloat(float):
    def __eq__(self, other: object) -> bool:
        raise SystemError("no")

    __hash__ = float.__hash__


class HostileDict(dict[str, Any]):
    def __iter__(self) -> Any:
        raise SystemError("no")

    keys = __iter__


class HostileZone(dt.tzinfo):
    def utcoffset(self, _: dt.datetime | None) -> Any:
        raise SystemError("no")

    dst = tzname = utcoffset


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("a", Hostile()),
        ([1], [Hostile()]),
        ([1], HostileList([1])),
        (0.5, HostileFloat(1.5)),
        ({"a": 1}, HostileDict(a=1)),
        (ZONED, NOON.replace(tzinfo=HostileZone())),
        ([1], np.array(1)),
        (pd.Timestamp(0), np.datetime64(3 * 10**5, "Y")),
        (dt.timedelta(1), np.timedelta64(1, "Y")),
        (ZONED, dt.datetime.max.replace(tzinfo=dt.timezone(-dt.timedelta(hours=1)))),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_whose_code_fails_are_refused_with_their_row(good: object, bad: object) -> None:
    column = describe_objects("x", objects(*[good] * 5, bad, good))
    assert [each.row for each in column.findings] == [5]
    assert not column.readable


def test_what_interrupts_is_not_taken_for_a_value() -> None:
    class Interrupting(list[Any]):
        def __iter__(self) -> Any:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        describe_objects("x", objects(Interrupting([1])))


def test_lists_inside_themselves_are_refused() -> None:
    endless: list[Any] = []
    endless += [endless, endless]
    assert rules_of([1], endless) == [("nested too deeply", 1)]


def test_the_first_unconvertible_row_is_none_when_all_convert() -> None:
    assert first_unconvertible_row(objects("a", None), pa.string()) is None
    assert first_unconvertible_row(objects(), pa.string()) is None
    late = objects(*["a"] * (BLOCK_ROWS + 1), "\udfff", "b", "\udfff")
    assert first_unconvertible_row(late, pa.string()) == BLOCK_ROWS + 1
