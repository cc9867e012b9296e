"""Frames that were written apart become one, with the dtypes that they would have had together."""

from __future__ import annotations

import pandas as pd
import pytest

from digime_pandas._client.dataset.joining import join_frames


def categories(values: list[str], of: list[str], *, ordered: bool = False) -> pd.DataFrame:
    return pd.DataFrame({"c": pd.Categorical(values, of, ordered=ordered)})


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ([categories(["a"], ["a"]), categories(["b"], ["b", "a"])], categories(["a", "b"], ["a", "b"])),
        (
            [categories(["s"], ["s", "m"], ordered=True), categories(["l"], ["s", "m", "l"], ordered=True)],
            categories(["s", "l"], ["s", "m", "l"], ordered=True),
        ),
        (
            [categories(["s"], ["s", "m"], ordered=True), categories(["s"], ["m", "s"], ordered=True)],
            pd.DataFrame({"c": ["s", "s"]}),
        ),
        ([categories(["a"], ["a"]), categories(["a"], ["a"], ordered=True)], pd.DataFrame({"c": ["a", "a"]})),
    ],
    ids=["unordered", "ordered", "contradicting orders", "ordered and not"],
)
def test_categories_are_joined_where_they_agree(frames: list[pd.DataFrame], expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(join_frames(frames), expected, check_dtype=expected["c"].dtype == "category")


def test_frames_without_rows_change_no_dtype() -> None:
    empty, filled = pd.DataFrame({"a": pd.Series([], dtype=object)}), pd.DataFrame({"a": [1, 2]})
    pd.testing.assert_frame_equal(join_frames([empty, filled, empty]), filled)
    pd.testing.assert_frame_equal(join_frames([empty, empty]), empty)


def test_a_default_index_is_counted_through_and_others_are_joined() -> None:
    plain = pd.DataFrame({"a": [1, 2]})
    assert list(join_frames([plain, plain]).index) == [0, 1, 2, 3]
    named = plain.set_index(pd.Index(["x", "y"], name="key"))
    joined = join_frames([named, named])
    assert list(joined.index) == ["x", "y", "x", "y"]
    assert joined.index.name == "key"


def test_frames_are_not_changed() -> None:
    one, other = categories(["a"], ["a"]), categories(["b"], ["b"])
    join_frames([one, other])
    assert list(one["c"].cat.categories) == ["a"]
    assert list(other["c"].cat.categories) == ["b"]
