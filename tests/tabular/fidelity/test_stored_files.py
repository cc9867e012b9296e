"""Files and schemas that the version before the present layout wrote read equal: their stored form is kept for good."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from digime_pandas._tabular.columns import TEXT_DTYPE
from digime_pandas._tabular.formats import FORMATS, Format
from digime_pandas._tabular.parse import parse
from digime_pandas._tabular.serialize import inspect_frame

STORED = Path(__file__).parents[2] / "vectors" / "stored"
pytestmark = pytest.mark.skipif(str(TEXT_DTYPE) != "str", reason="written with the text dtype of pandas 3")
SCHEMAS = json.loads((STORED / "schemas.json").read_text())
EVERY_FORMAT = pytest.mark.parametrize("format", FORMATS.values(), ids=lambda each: each.name)


def _days() -> pd.DataFrame:
    index = pd.date_range("2024-02-28", periods=3, freq="D", unit="ns", name="day")
    steps = pd.array([1200, None, 900], dtype="Int64")
    return pd.DataFrame({"steps": steps, "sleep": [7.5, None, 6.25]}, index=index)


def _levels() -> pd.DataFrame:
    index = pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)], names=["site", None])
    return pd.DataFrame({"value": [True, False, True], "note": ["=1+1", "", "'x"]}, index=index)


def _labels() -> pd.DataFrame:
    frame = pd.DataFrame([[1, 2.5, "x"], [3, 4.5, "y"]])
    frame.columns = pd.MultiIndex.from_tuples([("pulse", 1), ("pulse", 2), ("note", 1)], names=["kind", "visit"])
    return frame


def _numbers_as_labels() -> pd.DataFrame:
    return pd.DataFrame([[1, 2], [3, 4]], columns=pd.Index([2023, 2024], name="year"), index=pd.RangeIndex(5, 9, 2))


def _categories() -> pd.DataFrame:
    grades = pd.Categorical(["low", None, "high"], categories=["low", "high"], ordered=True)
    months = pd.Series(pd.PeriodIndex(["2024-01", "2024-02", None], freq="M"))
    spans = pd.Series(pd.arrays.IntervalArray.from_breaks([0, 1, 2, 4], closed="left"))
    sparse = pd.Series(pd.arrays.SparseArray([0, 0, 5], fill_value=0))
    return pd.DataFrame({"grade": grades, "month": months, "span": spans, "sparse": sparse})


def _attrs() -> pd.DataFrame:
    times = pd.DatetimeIndex(["2024-05-01T10:30", "NaT"]).as_unit("ms").tz_localize("Europe/Paris")
    frame = pd.DataFrame({"when": times})
    frame["price"] = pd.Series([Decimal("1.50"), None], dtype=object)
    frame["small"] = pd.Series([1, 2], dtype="int8")
    frame.attrs = {"source": "watch", "version": [1, 2]}
    return frame


def _no_rows() -> pd.DataFrame:
    return pd.DataFrame({"a": pd.Series(dtype="int16"), "b": pd.Series(dtype="datetime64[us]")})


FRAMES: dict[str, Any] = {
    "days": (_days, {}),
    "levels": (_levels, {}),
    "escaped": (_levels, {"escape_formulas": True}),
    "labels": (_labels, {}),
    "numbers_as_labels": (_numbers_as_labels, {}),
    "categories": (_categories, {}),
    "attrs": (_attrs, {"attrs": True}),
    "no_rows": (_no_rows, {}),
}


def options_of(format: Format, options: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in options.items() if name in format.options}


@EVERY_FORMAT
@pytest.mark.parametrize("case", FRAMES)
def test_what_was_stored_reads_equal(case: str, format: Format) -> None:
    make, _ = FRAMES[case]
    stored = (STORED / f"{case}.{format.name}").read_bytes()
    frame = parse(stored, format, SCHEMAS.get(f"{case}.{format.name}"))
    expected = make()
    pd.testing.assert_frame_equal(frame, expected, check_freq=True)
    assert frame.attrs == expected.attrs


@pytest.mark.filterwarnings("ignore::digime_pandas.errors.FidelityWarning")
@EVERY_FORMAT
@pytest.mark.parametrize("case", FRAMES)
def test_the_schema_and_the_text_formats_are_still_written_to_the_byte(case: str, format: Format) -> None:
    make, options = FRAMES[case]
    ready = inspect_frame(make(), format, options=options_of(format, options)).checked()
    assert ready.schema == SCHEMAS.get(f"{case}.{format.name}")
    if not format.stores_types:  # the footer of a Parquet file names the versions of pyarrow and pandas
        assert b"".join(ready.chunks()) == (STORED / f"{case}.{format.name}").read_bytes()
