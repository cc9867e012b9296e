from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from digime_pandas._tabular.engines.own_memory import values_and_nulls, writable_values

VALUES: dict[str, pa.Array] = {
    "integers": pa.array(range(100)),
    "small integers": pa.array(range(100), pa.int8()),
    "floats": pa.array(np.arange(100) / 7),
    "missing floats": pa.array([1.5, None, float("nan"), -0.0, None] * 20),
    "missing floats of 32 bits": pa.array([1.5, None] * 50, pa.float32()),
    "missing floats of 16 bits": pa.array([np.float16(1.5), None] * 50, pa.float16()),
    "truth": pa.array([True, False, True, True, False] * 20),
    "times": pa.array(range(100), pa.timestamp("us")),
    "missing times": pa.array([1, None] * 50, pa.timestamp("ms")),
    "durations": pa.array(range(100), pa.duration("s")),
    "texts": pa.array(["a", None] * 50),
    "none": pa.array([], pa.float64()),
    "no truth": pa.array([], pa.bool_()),
}


def own(array: pa.Array) -> pa.Array:
    """The values in memory of Arrow's own, as its readers make them."""
    return pa.concat_arrays([array, array]).slice(0, len(array)) if len(array) else array


def shapes(array: pa.Array) -> list[pa.Array | pa.ChunkedArray]:
    made = own(array)
    return [array, made, made.slice(3), made.slice(5, 60), pa.chunked_array([made]), pa.chunked_array([made, array])]


@pytest.mark.parametrize("array", VALUES.values(), ids=list(VALUES))
def test_values_are_those_of_arrow_and_can_be_written_to(array: pa.Array) -> None:
    for values in shapes(array):
        expected = values.to_numpy(zero_copy_only=False).copy()
        found = writable_values(values)
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == expected.dtype
        assert found.flags.writeable


@pytest.mark.parametrize("type", [pa.int8(), pa.int64(), pa.uint32(), pa.float64()], ids=str)
@pytest.mark.parametrize("given", [[1, 2, 3], [1, None, 3] * 10, [None] * 9], ids=["all", "some", "none"])
def test_numbers_and_where_they_are_missing(type: pa.DataType, given: list[Any]) -> None:
    for values in shapes(pa.array(given * 10, type)):
        found, missing = values_and_nulls(values)
        assert missing.tolist() == values.is_null().to_pylist()
        assert found[~missing].tolist() == values.drop_null().to_pylist()
        assert found.flags.writeable


def test_memory_of_arrows_own_is_not_copied() -> None:
    array = own(pa.array(range(100)))
    assert writable_values(array).ctypes.data == array.buffers()[1].address


def test_memory_that_may_belong_to_others_is_copied() -> None:
    others = np.arange(100)
    others.flags.writeable = False
    found = writable_values(pa.array(others))
    found[0] = 5
    assert others[0] == 0
