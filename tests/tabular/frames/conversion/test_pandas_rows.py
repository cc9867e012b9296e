"""Arrays of numpy become what pyarrow makes of them, also where nulls are found in another way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from digime_pandas._tabular.frames.conversion.pandas_rows import to_arrow

ROWS = 5_000
RANDOM = np.random.default_rng(6)
TICKS = RANDOM.integers(-(2**40), 2**40, ROWS)
FLOATS = RANDOM.random(ROWS)
MISSING = {"none": np.zeros(ROWS, bool), "some": RANDOM.random(ROWS) < 0.2, "all": np.ones(ROWS, bool)}
VALUES = {
    **{f"float{bits}": FLOATS.astype(f"f{bits // 8}") for bits in (16, 32, 64)},
    **{f"{kind}[{unit}]": TICKS.view(f"{kind}[{unit}]") for kind in ("M8", "m8") for unit in ("s", "ms", "us", "ns")},
}


def with_missing(values: Any, where: Any) -> Any:
    values = values.copy()
    values[where] = np.nan if values.dtype.kind == "f" else "NaT"
    return values


@pytest.mark.parametrize("missing", MISSING)
@pytest.mark.parametrize("kind", VALUES)
def test_many_values_become_what_pyarrow_makes_of_them(kind: str, missing: str) -> None:
    values = with_missing(VALUES[kind], MISSING[missing])
    expected = pa.array(values, from_pandas=True)
    for part in (slice(None), slice(1, None), slice(3, 1_500), slice(None, None, 2), slice(None, None, -1)):
        found = to_arrow(values[part], expected.type)
        found.validate(full=True)
        assert found.equals(pa.array(values[part], from_pandas=True))
        assert found.null_count == np.count_nonzero(MISSING[missing][part])


@pytest.mark.parametrize(
    ("values", "type"),
    [
        (TICKS.view("M8[us]"), pa.timestamp("us", "Europe/London")),
        ((TICKS // 1_000).view("M8[s]"), pa.timestamp("ns")),
        (TICKS % 10**6, pa.int32()),
        (FLOATS, pa.float32()),
        ((TICKS % 10**6).view("M8[D]"), pa.date32()),
        (pd.array(np.where(MISSING["some"], np.nan, FLOATS), "Float64"), pa.float64()),
        (pd.DatetimeIndex(TICKS.view("M8[us]"), tz="UTC").array, pa.timestamp("us", "UTC")),
    ],
    ids=lambda each: str(getattr(each, "dtype", each)),
)
def test_values_become_of_the_type_that_is_asked_for(values: Any, type: pa.DataType) -> None:
    found = to_arrow(values, type)
    found.validate(full=True)
    expected = pa.array(pd.Series(values), from_pandas=True)
    assert found.equals(expected.cast(type, safe=False))


def test_values_of_the_other_byte_order_are_the_same_values() -> None:
    assert to_arrow(FLOATS.astype(FLOATS.dtype.newbyteorder()), pa.float64()).equals(pa.array(FLOATS))


def test_floats_and_times_are_not_copied() -> None:
    for values in VALUES.values():
        array = to_arrow(values, pa.array(values[:0]).type)
        assert array.buffers()[1].address == values.ctypes.data
