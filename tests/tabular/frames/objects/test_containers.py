from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

from digime_pandas._tabular.arrow import DEEPEST
from digime_pandas._tabular.columns import Finding
from digime_pandas._tabular.frames.objects.advice import UnsupportedValueError
from digime_pandas._tabular.frames.objects.containers import as_dicts, check_depth, check_keys, items_of


def rows(count: int) -> Any:
    return np.arange(10, 10 + count)


def nested(depth: int) -> Any:
    value: Any = 1
    for i in range(depth):
        value = [value] if i % 2 else {"a": value}
    return value


def test_arrays_of_one_dtype_are_taken_as_they_are() -> None:
    items, lengths = items_of([np.array([1.5, 2], "f4"), np.array([], "f4"), np.array([3], "f4")])
    assert isinstance(items, np.ndarray)
    assert (items.dtype, items.tolist(), lengths) == (np.dtype("f4"), [1.5, 2.0, 3.0], [2, 0, 1])
    swapped, _ = items_of([np.array([1.5], ">f8")])
    assert isinstance(swapped, np.ndarray)
    assert swapped.dtype.isnative
    assert swapped.tolist() == [1.5]


@pytest.mark.parametrize(
    ("values", "items"),
    [
        ([[1, 2], (3,)], [1, 2, 3]),
        ([np.array([1]), [2]], [1, 2]),
        ([np.array([1]), np.array([1.5])], [1, 1.5]),
        ([np.array(["a", None], object)], ["a", None]),
        ([], []),
    ],
    ids=str,
)
def test_other_items_are_a_list(values: list[Any], items: list[Any]) -> None:
    found, lengths = items_of(values)
    assert found == items
    assert lengths == list(map(len, values))


def test_rows_of_an_array_with_two_dimensions_are_its_items() -> None:
    found, lengths = items_of([np.array([[1, 2], [3, 4]])])
    assert [each.tolist() for each in found] == [[1, 2], [3, 4]]
    assert lengths == [2]


def test_dicts_of_other_classes_become_plain_ones() -> None:
    plain = {"a": 1}
    found = as_dicts([plain, OrderedDict(b=2)])
    assert found[0] is plain
    assert [type(each) for each in found] == [dict, dict]


@pytest.mark.parametrize("key", [1, b"a", None, np.str_("b"), ("a",)], ids=repr)
def test_keys_that_are_not_str_are_refused_with_their_row(key: object) -> None:
    with pytest.raises(UnsupportedValueError) as caught:
        check_keys([{"a": 1}, {"a": 1, key: 2}], rows(2))
    assert (caught.value.finding.rule, caught.value.finding.row) == ("keys that are not text", 11)


def test_a_key_that_is_not_unicode_is_refused_with_its_row() -> None:
    with pytest.raises(UnsupportedValueError) as caught:
        check_keys([{"é": 1}, {"\ud800": 1}], rows(2))
    assert caught.value.finding == Finding("text with a lone surrogate", 11, seen="the key '\\ud800'")
    check_keys([{"a": 1}, {"é": 1}, {"": 1}], rows(3))


def test_the_deepest_that_is_allowed_passes() -> None:
    check_depth([[1], nested(DEEPEST)], rows(2), 0)
    check_depth([nested(DEEPEST - 2)], rows(1), 2)


@pytest.mark.parametrize("depth", [DEEPEST + 1, 5_000])
def test_what_is_deeper_is_refused_with_its_row(depth: int) -> None:
    with pytest.raises(UnsupportedValueError) as caught:
        check_depth([[1], nested(depth)], rows(2), 0)
    assert (caught.value.finding.rule, caught.value.finding.row) == ("nested too deeply", 11)


def test_a_list_inside_itself_many_times_is_refused_at_once() -> None:
    endless: list[Any] = []
    endless.extend([endless] * 50)
    with pytest.raises(UnsupportedValueError):
        check_depth([endless], rows(1), 0)
    ring: dict[str, Any] = {}
    ring["a"] = [ring]
    with pytest.raises(UnsupportedValueError):
        check_depth([ring], rows(1), 0)


def test_what_many_lists_share_is_counted_once() -> None:
    shared: list[Any] = [1]
    for _ in range(DEEPEST - 1):
        shared = [shared, shared]
    check_depth([shared], rows(1), 0)
