from __future__ import annotations

import io

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digime_pandas._tabular.codecs.reading.column_names import unique_names


@pytest.mark.parametrize(
    ("names", "unique"),
    [
        ([], []),
        (["a", "b"], ["a", "b"]),
        (["a", "a", "a"], ["a", "a.1", "a.2"]),
        (["a", "a", "a.1"], ["a", "a.2", "a.1"]),
        (["a.1", "a", "a"], ["a.1", "a", "a.2"]),
        (["a", "a", "a.1", "a.1"], ["a", "a.2", "a.1", "a.1.1"]),
        (["", ""], ["", ".1"]),
    ],
)
def test_repeated_names_are_numbered_past_those_that_are_there(names: list[str], unique: list[str]) -> None:
    assert unique_names(names) == unique


@given(st.lists(st.sampled_from(["a", "b", "a.1", "a.2", "a.1.1", "b.1"]), min_size=1))
def test_names_differ_and_are_those_of_pandas(names: list[str]) -> None:
    unique = unique_names(names)
    assert len(set(unique)) == len(names)
    assert unique == list(pd.read_csv(io.StringIO(",".join(names) + "\n")).columns)
