from __future__ import annotations

import array
import dataclasses
import enum
import types
from collections import deque
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from digime_pandas._tabular.frames.object_columns import describe_objects
from digime_pandas._tabular.frames.objects.advice import advice_for, shown, type_name
from tests.cells import objects


class Size(enum.Enum):
    LARGE = "l"


@dataclasses.dataclass
class Visit:
    pulse: int


class Unspeakable:
    def __repr__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("value", "seen", "advice"),
    [
        (UUID(int=1), "uuid.UUID", "astype(str)"),
        (Path("a"), "pathlib.PosixPath", "astype(str)"),
        (Fraction(1, 3), "fractions.Fraction", "astype(str)"),
        (1j, "complex", "astype(str)"),
        (2**64, "int of more than 64 bits", "astype(str)"),
        ({1}, "set", "map(list)"),
        (frozenset([1]), "frozenset", "map(list)"),
        (range(2), "range", "map(list)"),
        (deque([1]), "collections.deque", "map(list)"),
        (array.array("i", [1]), "array.array", "map(list)"),
        (pd.Series([1]), "pandas.Series", "map(list)"),
        (pd.array([1, 2]), "pandas.IntegerArray", "map(list)"),
        (pd.DataFrame({"a": [1]}), "pandas.DataFrame", 'map(lambda each: each.to_dict("records"))'),
        (np.ma.MaskedArray([1, 2], mask=[True, False]), "numpy.MaskedArray", "map(lambda each: each.tolist())"),
        (np.longdouble("1.5"), "numpy.longdouble", "astype('float64')"),
        (bytearray(b"a"), "bytearray", "map(bytes)"),
        (pd.Period("2024-05", freq="M"), "pandas.Period", "astype('period[M]')"),
        (pd.Interval(0, 1), "pandas.Interval", "astype('interval')"),
        (pa.scalar(1), "pyarrow.Int64Scalar", "map(lambda each: each.as_py())"),
        (Size.LARGE, "Size", "map(lambda each: each.value)"),
        (Visit(61), "Visit", "map(dataclasses.asdict)"),
    ],
)
def test_a_refusal_names_the_type_and_what_to_call_which_helps(value: Any, seen: str, advice: str) -> None:
    cells = objects(None, value)
    finding = describe_objects("x", cells.to_numpy()).findings[0]
    assert (finding.rule, finding.row, finding.advice) == ("objects of another type", 1, advice)
    assert finding.seen is not None
    assert seen in finding.seen
    converted: pd.Series[Any] = eval(f"cells.{advice}", {"cells": cells.dropna(), "dataclasses": dataclasses})
    assert converted.dtype != object or describe_objects("x", converted.to_numpy()).readable


def test_shapes_become_bytes() -> None:
    geometry = type("Geometry", (), {"__module__": "shapely.lib"})
    point = type("Point", (geometry,), {"__module__": "shapely.geometry.point"})
    assert (type_name(point), advice_for(point())) == ("shapely.Point", "map(shapely.to_wkb)")


def test_what_is_inside_others_gets_no_advice_for_the_column() -> None:
    finding = describe_objects("x", objects([{1}]).to_numpy()).findings[0]
    assert (finding.seen, finding.advice) == ("{1} in a list is of type set", None)


@pytest.mark.parametrize(
    "value",
    [
        "x" * 500,
        list(range(500)),
        {str(i): {i} for i in range(500)},
        10**5000,
        "two\nlines",
        types.SimpleNamespace(text="x" * 500),
        Unspeakable(),
        [Unspeakable()],
        pd.DataFrame({"a": range(500)}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_is_shown_in_one_short_line(value: object) -> None:
    text = shown(value)
    assert 0 < len(text) <= 60
    assert "\n" not in text


def test_a_list_inside_itself_can_be_shown() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert shown(endless) == "[[[[...]]]]"


def test_types_are_named_with_their_package() -> None:
    assert [type_name(each) for each in (int, UUID, pd.Period)] == ["int", "uuid.UUID", "pandas.Period"]
