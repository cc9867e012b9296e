from __future__ import annotations

from typing import get_args

import numpy as np
import pyarrow as pa
import pytest

from digime_pandas._tabular.columns import (
    BLOCK_ROWS,
    DTYPE_FAMILIES,
    Column,
    ColumnSpec,
    DtypeFamily,
    Finding,
    NullName,
    RuleName,
    TimeUnit,
    first_line_of,
    is_of_a_library,
    raise_about_column,
    raise_about_frame,
    unsupported_column,
)
from digime_pandas._tabular.fidelity_rules import RULES
from digime_pandas._tabular.frames.restore import NULLS
from digime_pandas.errors import FidelityError, FidelityWarning, InputError


def numbers(*findings: Finding) -> Column:
    spec = ColumnSpec("numpy", pa.int64())
    return Column("n", "integer", "int64", pa.int64(), spec, lambda start, stop: pa.array(range(start, stop)), findings)


def test_the_table_of_rules_and_the_names_of_rules_are_the_same() -> None:
    assert set(get_args(RuleName)) == set(RULES)
    assert len(get_args(RuleName)) == len(RULES)


def test_the_families_and_the_nulls_are_the_names_of_their_types() -> None:
    assert set(get_args(DtypeFamily)) == DTYPE_FAMILIES
    assert set(get_args(NullName)) == set(NULLS)
    assert [pa.timestamp(unit).unit for unit in get_args(TimeUnit)] == ["s", "ms", "us", "ns"]


def test_blocks_are_bounded_and_hold_every_row_once() -> None:
    blocks = list(numbers().blocks(2 * BLOCK_ROWS + 1))
    assert [(start, len(array)) for start, array in blocks] == [
        (0, BLOCK_ROWS),
        (BLOCK_ROWS, BLOCK_ROWS),
        (2 * BLOCK_ROWS, 1),
    ]
    assert blocks[-1][1].to_pylist() == [2 * BLOCK_ROWS]
    assert list(numbers().blocks(0)) == []


@pytest.mark.parametrize(
    "rule", ["complex", "long double", "extension without Arrow form", "mixed objects", "text with a lone surrogate"]
)
def test_a_column_that_arrow_cannot_hold_is_not_readable(rule: RuleName) -> None:
    column = unsupported_column("x", np.dtype("O"), Finding(rule, 7))
    assert (column.name, column.rule, column.dtype, column.type) == ("x", rule, "object", pa.null())
    assert not column.readable
    assert column.read(3, 5).to_pylist() == [None, None]


def test_other_findings_leave_a_column_readable() -> None:
    assert numbers().readable
    assert numbers(Finding("infinity", 1, 1), Finding("duplicate name")).readable


class Panic(BaseException):
    """What libraries in Rust raise."""


Panic.__module__ = "pyo3_runtime"


@pytest.mark.parametrize("error", [ValueError(), OSError(), RecursionError(), UserWarning(), Panic()], ids=repr)
def test_errors_of_libraries_are_refusals_that_name_the_column(error: BaseException) -> None:
    assert is_of_a_library(error)
    with pytest.raises(FidelityError, match=rf"^Column 'a': .*\({type(error).__name__}\)") as caught:
        raise_about_column(error, "a")
    assert (caught.value.column, caught.value.__cause__) == ("a", error)
    with pytest.raises(FidelityError, match=r"^The frame cannot be read \(") as caught:
        raise_about_frame(error, "read")
    assert (caught.value.column, caught.value.__cause__) == (None, error)


@pytest.mark.parametrize(
    "error",
    [KeyboardInterrupt(), SystemExit(), GeneratorExit(), MemoryError(), InputError("own"), FidelityWarning("own")],
    ids=repr,
)
def test_other_errors_stay_what_they_are(error: BaseException) -> None:
    assert not is_of_a_library(error)
    for raise_again in (raise_about_column, raise_about_frame):
        with pytest.raises(type(error)) as caught:
            raise_again(error, "a")
        assert caught.value is error


def test_of_an_error_its_first_line_is_shown() -> None:
    assert first_line_of(ValueError("one\ntwo")) == "ValueError: one"
    assert first_line_of(ValueError()) == "ValueError"
    assert len(first_line_of(ValueError("x" * 1_000))) == 160
