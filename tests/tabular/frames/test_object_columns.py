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

NOON = dt.datetime(2024, 1, 1, 12)  # noqa: DTZ001 - naive on purpose
ZONED = dt.datetime(2024, 1, 1, 12, tzinfo=dt.UTC)


def objects(*values: Any) -> Any:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


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
    ("values", "row"),
    [
        (["a", None, 1], 2),
        ([object()], 0),
        ([dt.date(2024, 1, 1), NOON], 1),
        ([NOON, ZONED], 1),
        ([[1], None, ["a"]], 2),
        ([[1], {"a": 1}], 1),
        ([-1, 2**63], 0),
        ([2**64], 0),
    ],
)
def test_mixed_objects_are_refused_with_the_first_row_of_another_kind(values: list[Any], row: int) -> None:
    column = describe_objects("x", objects(*values))
    assert Finding("mixed objects", row) in column.findings
    assert not column.readable


def test_the_odd_row_is_found_in_a_later_block() -> None:
    values = objects(*[[1]] * (BLOCK_ROWS + 2), ["a"])
    assert describe_objects("x", values).findings == (Finding("mixed objects", BLOCK_ROWS + 2),)


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


def test_nulls_of_several_kinds_are_one_kind() -> None:
    column = describe_objects("x", objects("a", None, pd.NA))
    assert column.spec.parameters == "None"
    assert column.findings == (Finding("nulls of several kinds"),)


def test_what_arrow_does_not_keep_of_nested_values_is_found_with_its_first_row() -> None:
    column = describe_objects("x", objects({"a": [1]}, {"a": (1,), "b": 2}))
    assert column.findings == (Finding("structs with different members", 0), Finding("sequences of other types", 1))
    assert describe_objects("x", objects([1], None, [2])).findings == ()


def test_the_first_unconvertible_row_is_none_when_all_convert() -> None:
    assert first_unconvertible_row(objects("a", None), pa.string()) is None
    assert first_unconvertible_row(objects(), pa.string()) is None
    late = objects(*["a"] * (BLOCK_ROWS + 1), "\udfff", "b", "\udfff")
    assert first_unconvertible_row(late, pa.string()) == BLOCK_ROWS + 1
