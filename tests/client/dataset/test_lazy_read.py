"""The dtypes of a lazily read dataset are those of its manifest, and nothing is cut to fit them."""

from __future__ import annotations

import pandas as pd
import pytest

from digime_pandas._client.dataset.lazy_read import with_dtypes
from digime_pandas.errors import ReadError

META = pd.DataFrame({"n": pd.Series(dtype="int64"), "kind": pd.Series(dtype="category")})


@pytest.mark.parametrize("values", [[1.0, 2.0], [1, 2], pd.array([1, 2], dtype="Int64"), pd.array([1, 2], "uint8")])
def test_values_that_fit_get_the_dtype(values: object) -> None:
    frame = pd.DataFrame({"n": values, "kind": pd.Categorical(["a", "b"])})
    before = frame.copy()
    found = with_dtypes(frame, META, "f")
    assert found["n"].dtype == "int64"
    assert list(found["n"]) == [1, 2]
    assert list(found["kind"].cat.categories) == ["a", "b"]
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize("values", [[1.5, 2.0], [1.0, None], ["x", "y"], [2**63, 2**63], ["1", "2"]])
def test_values_that_do_not_fit_are_an_error(values: list[object]) -> None:
    frame = pd.DataFrame({"n": values, "kind": pd.Categorical(["a", "b"])})
    with pytest.raises(ReadError, match=r"Column 'n' of 'f' is .*dataset int64.*digime_pandas\.read_frame"):
        with_dtypes(frame, META, "f")


def test_other_columns_are_an_error() -> None:
    with pytest.raises(ReadError, match=r"'f' has the columns \['n'\]"):
        with_dtypes(META[["n"]], META, "f")
