# The stubs of pandas know fewer inputs than it takes.
# mypy: disable-error-code="arg-type, call-overload"
from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from digime_pandas._tabular.columns import Finding, RangeParameters
from digime_pandas._tabular.frames.labels import label_columns, level_columns, used_labels


def test_a_range_is_not_turned_into_an_array() -> None:
    (column,) = level_columns(pd.RangeIndex(3, 10**12, 2, name="n"), keep_unused=False)
    assert (column.name, column.rule, column.dtype) == ("n", "integer", "RangeIndex")
    assert (column.spec.dtype_family, column.spec.parameters) == ("range", RangeParameters(3, 10**12, 2))
    assert column.read(10**9, 10**9 + 2).to_pylist() == [2_000_000_003, 2_000_000_005]


def test_levels_without_a_name_are_named_as_reset_index_does() -> None:
    index = pd.MultiIndex.from_arrays([[1], [2], [3]], names=["a", None, None])
    assert [each.name for each in level_columns(index, keep_unused=False)] == ["a", "level_1", "level_2"]
    assert [each.name for each in level_columns(pd.Index([5.0]), keep_unused=False)] == ["index"]
    assert [each.name for each in level_columns(pd.Index([5.0], name=7), keep_unused=False)] == ["7"]


def test_a_level_of_whole_numbers_with_missing_ones_stays_whole() -> None:
    index = pd.MultiIndex.from_arrays([[1, None, 3], ["x", "y", "x"]])
    column = level_columns(index, keep_unused=False)[0]
    assert column.read(0, 3).to_pylist() == [1, None, 3]
    assert column.read(1, 3).to_pylist() == [None, 3]


def test_values_of_a_level_that_no_row_has_are_left_out() -> None:
    index = pd.MultiIndex.from_arrays([["a", "b", "c"], [1, 2, 3]])[1:]
    column = level_columns(index, keep_unused=True)[0]
    assert column.read(0, 2).to_pylist() == ["b", "c"]
    assert column.findings == ()


@pytest.mark.parametrize("keep_unused", [False, True])
def test_a_categorical_level_has_the_categories_of_its_rows(*, keep_unused: bool) -> None:
    values: Any = pd.CategoricalIndex(["b", None, "b"], categories=["c", "b"])
    column = level_columns(pd.MultiIndex.from_arrays([values, [1, 2, 3]]), keep_unused=keep_unused)[0]
    assert column.rule == "category"
    assert column.read(0, 3).to_pylist() == ["b", None, "b"]
    assert "c" not in column.read(0, 3).dictionary.to_pylist() or keep_unused


def test_a_level_that_arrow_cannot_hold_is_refused() -> None:
    index = pd.MultiIndex.from_arrays([pd.Index(["a", 1], dtype=object), [1, 2]])
    assert not level_columns(index, keep_unused=False)[0].readable


def test_unused_categories_of_labels_are_left_out_unless_they_are_kept() -> None:
    labels = pd.CategoricalIndex(["a", "b"], categories=["c", "b", "a"])
    used, findings = used_labels(labels, keep_unused=False)
    pd.testing.assert_index_equal(used, labels.remove_unused_categories())
    assert findings == (Finding("unused categories", None, 1),)
    assert used_labels(labels, keep_unused=True) == (labels, (Finding("unused categories sent", None, 1),))
    flat = pd.Index(["a"])
    assert used_labels(flat, keep_unused=False) == (flat, ())


def test_labels_that_are_just_the_names_in_the_file_are_no_columns() -> None:
    assert label_columns(pd.DataFrame({"a": [1], "b": [2]}).columns) == ()
    assert [each.read(0, 2).to_pylist() for each in label_columns(pd.Index([1, 2]))] == [[1, 2]]
    levels = pd.MultiIndex.from_tuples([("a", 1), ("b", 2)])
    assert [each.rule for each in label_columns(levels)] == ["text", "integer"]
