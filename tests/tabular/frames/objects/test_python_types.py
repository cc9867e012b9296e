from __future__ import annotations

import datetime as dt
from collections import OrderedDict
from decimal import Decimal
from enum import Enum, IntEnum
from types import NoneType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from digime_pandas._tabular.frames.objects.python_types import (
    NA,
    NAT,
    DecimalNaN,
    FloatNaN,
    NumpyNaT,
    as_pandas,
    exact_types,
    family_of,
)


@pytest.mark.parametrize(
    ("kind", "family"),
    [
        (str, "text"),
        (np.str_, "text"),
        (bytes, "bytes"),
        (bool, "boolean"),
        (np.bool_, "boolean"),
        (int, "integer"),
        (np.uint8, "integer"),
        (IntEnum("Level", "LOW"), "integer"),
        (float, "float"),
        (np.float16, "float"),
        (Decimal, "decimal"),
        (dt.datetime, "datetime"),
        (pd.Timestamp, "datetime"),
        (np.datetime64, "datetime"),
        (dt.date, "date"),
        (dt.time, "time"),
        (dt.timedelta, "duration"),
        (np.timedelta64, "duration"),
        (list, "list"),
        (tuple, "list"),
        (np.ndarray, "list"),
        (OrderedDict, "struct"),
        (set, None),
        (complex, None),
        (np.ma.MaskedArray, None),
        (np.void, None),
        (Enum("Size", "LARGE"), None),
        (pd.Period, None),
        (type(None), None),
    ],
)
def test_types_are_told_by_the_family_that_is_stored_alike(kind: type, family: str | None) -> None:
    assert family_of(kind) == family


def test_what_is_missing_by_value_has_a_type_of_its_own() -> None:
    values: list[Any] = [None, pd.NA, pd.NaT, 1.5, float("nan"), np.float32("nan"), "a"]
    assert exact_types(values) == [NoneType, NA, NAT, float, FloatNaN, FloatNaN, str]
    decimals = [Decimal(1), Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity")]
    assert exact_types(decimals) == [Decimal, DecimalNaN, DecimalNaN, Decimal]
    assert exact_types([np.datetime64("NaT", "s"), np.datetime64("2024"), np.timedelta64("NaT", "s")]) == [
        NumpyNaT,
        np.datetime64,
        NumpyNaT,
    ]
    assert exact_types([float("nan")] * 2) == [FloatNaN] * 2


def test_times_of_numpy_become_those_of_pandas() -> None:
    assert as_pandas(np.datetime64("2024-05-01")) == pd.Timestamp("2024-05-01")
    assert as_pandas(np.timedelta64(5, "s")) == pd.Timedelta(seconds=5)
    assert as_pandas("a") == "a"
    with pytest.raises(ValueError, match="Unit Y"):
        as_pandas(np.timedelta64(1, "Y"))
