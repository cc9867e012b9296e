# The stubs of pandas and numpy know fewer inputs than the libraries take.
# mypy: disable-error-code="arg-type, assignment, attr-defined, call-overload, comparison-overlap, list-item, operator"
"""Frames that nobody thought of: what is written comes back, or is refused, or is warned of."""

from __future__ import annotations

import datetime as dt
import os
import warnings
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digime_pandas._tabular.formats import FORMATS, Format
from digime_pandas._tabular.parse import parse, parse_batches
from digime_pandas._tabular.serialize import inspect_frame
from digime_pandas.errors import FidelityError, FidelityWarning

EXAMPLES = int(os.environ.get("DIGIME_TEST_EXAMPLES", "200"))
many = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)

ROWS = st.shared(st.integers(0, 12), key="rows")
ANY_TEXT = st.text(max_size=8)  # lone surrogates included
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
MOMENTS = st.integers(-(2**62), 2**62)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "+05:30"])


def _column(values: st.SearchStrategy[Any], dtype: Any) -> st.SearchStrategy[pd.Series[Any]]:
    lists = ROWS.flatmap(lambda rows: st.lists(values, min_size=rows, max_size=rows))
    return lists.map(lambda found: pd.Series(found, dtype=dtype))


def _bits(dtype: str) -> st.SearchStrategy[pd.Series[Any]]:
    width = np.dtype(dtype).itemsize * 8
    return _column(st.integers(0, 2**width - 1), f"uint{width}").map(
        lambda column: pd.Series(column.to_numpy().view(dtype))
    )


def _ticks(dtype: str) -> st.SearchStrategy[pd.Series[Any]]:
    return _column(MOMENTS, "int64").map(lambda column: pd.Series(column.to_numpy().view(dtype)))


def _objects(values: st.SearchStrategy[Any]) -> st.SearchStrategy[pd.Series[Any]]:
    return _column(st.none() | values, object)


NULLABLE = st.none() | st.integers(-128, 127)
COLUMNS = st.one_of(
    *(
        _column(st.integers(np.iinfo(each).min, np.iinfo(each).max), each)
        for each in ("int8", "int64", "uint32", "uint64")
    ),
    *(_column(NULLABLE, each) for each in ("Int8", "Int64")),
    *(_bits(each) for each in ("float16", "float32", "float64")),
    _column(st.floats(), "float64"),
    _column(st.booleans(), "bool"),
    _column(st.none() | st.booleans(), "boolean"),
    _column(st.none() | TEXT, "str"),
    _column(st.none() | TEXT, "string[python]"),
    _column(st.none() | TEXT, "string[pyarrow]"),
    *(_ticks(f"M8[{unit}]") for unit in ("s", "ms", "us", "ns")),
    *(_ticks(f"m8[{unit}]") for unit in ("s", "ms", "us", "ns")),
    st.tuples(_ticks("M8[ns]"), ZONES).map(lambda pair: pair[0].dt.tz_localize("UTC").dt.tz_convert(pair[1])),
    _objects(ANY_TEXT),
    _objects(st.binary(max_size=5)),
    _objects(st.integers(-(2**70), 2**70)),
    _objects(st.booleans()),
    _objects(st.floats(allow_nan=False)),
    _objects(st.decimals(allow_nan=False, places=3, min_value=-(10**20), max_value=10**20)),
    _objects(st.dates()),
    _objects(st.times()),
    _objects(st.datetimes()),
    _objects(st.timedeltas()),
    _objects(st.lists(st.integers(-5, 5), max_size=3)),
    _objects(st.fixed_dictionaries({"a": st.none() | st.integers(-5, 5), "b": TEXT})),
    _objects(st.one_of(TEXT, st.integers(), st.binary(max_size=2), st.floats(), st.none())),
    _column(st.none() | TEXT, "str").map(lambda column: column.astype("category")),
    _column(st.integers(-3, 3), "int64").map(lambda column: column.astype("category").cat.as_ordered()),
    _column(st.integers(-(2**30), 2**30), "int64").map(
        lambda column: pd.Series(pd.PeriodIndex.from_ordinals(column, freq="D"))
    ),
    _column(st.integers(0, 3), "int64").map(lambda column: column.astype(pd.SparseDtype("int64", 0))),
    _column(st.integers(-9, 9), "int64").map(
        lambda column: pd.Series(pd.IntervalIndex.from_arrays(column, column + 1))
    ),
)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    columns = draw(st.lists(COLUMNS, min_size=1, max_size=4))
    names = draw(st.lists(NAMES, min_size=len(columns), max_size=len(columns), unique=True))
    frame = pd.DataFrame(dict(enumerate(columns)))
    frame.columns = pd.Index(names, dtype=pd.Index(["a"]).dtype)
    if draw(st.booleans()):
        level = draw(
            COLUMNS.filter(lambda each: each.dtype != "float16" and not isinstance(each.dtype, pd.SparseDtype))
        )
        if not any(isinstance(value, list | dict) for value in level):
            frame.index = pd.Index(level.array, dtype=level.dtype, name="".join(names) + "key")
    return frame


@pytest.mark.parametrize("format", FORMATS.values(), ids=lambda each: each.name)
def test_what_is_written_comes_back_or_is_refused_or_is_warned_of(format: Format) -> None:
    options = {"nested": "json"} if format.name == "csv" else {}

    @many
    @given(frames())
    def check(frame: pd.DataFrame) -> None:
        before = frame.copy(deep=True)
        verdicts = inspect_frame(frame, format, options=options).columns
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            try:
                prepared = inspect_frame(frame, format, options=options).checked()
            except FidelityError as error:
                refused = error.column
            else:
                refused = None
                data = b"".join(prepared.chunks())
        if refused is not None:
            assert refused in {each.name for each in verdicts if each.verdict == "impossible"}
            return
        assert all(issubclass(each.category, FidelityWarning) for each in warned)
        assert prepared.columns == verdicts
        lossy = [each.name for each in verdicts if each.verdict == "lost"]
        assert not lossy or warned
        found = parse(data, format, prepared.schema)
        kept = [name for name in frame.columns if name not in lossy]
        levels = [each.name for each in verdicts][: len(verdicts) - len(frame.columns)]
        check_index = not set(levels) & set(lossy)
        if not check_index:
            found, frame = found.reset_index(drop=True), frame.reset_index(drop=True)
        pd.testing.assert_frame_equal(found[kept], frame[kept])
        pieces = list(parse_batches(data, format, prepared.schema, batch_rows=5))
        assert sum(map(len, pieces)) == len(frame)
        if check_index:
            pd.testing.assert_frame_equal(before, frame)

    check()


@many
@given(st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=6), min_size=1, max_size=20))
def test_any_text_survives_csv_by_plain_rules_when_one_is_plainly_text(texts: list[str | None]) -> None:
    csv = FORMATS["csv"]
    frame = pd.DataFrame({"n": range(len(texts) + 1), "t": pd.Series(["plainly text", *texts])})
    prepared = inspect_frame(frame, csv).checked()
    assert (prepared.schema is None) == (frame["t"].dtype != object or None not in texts)
    pd.testing.assert_frame_equal(parse(b"".join(prepared.chunks()), csv), frame)


@many
@given(st.lists(st.decimals(allow_nan=False, allow_infinity=False), min_size=1, max_size=6))
def test_decimals_are_exact_or_refused(values: list[Decimal]) -> None:
    frame = pd.DataFrame({"d": pd.Series(values, dtype=object)})
    for each in FORMATS.values():
        try:
            prepared = inspect_frame(frame, each).checked()
        except FidelityError:
            continue
        assert parse(b"".join(prepared.chunks()), each, prepared.schema)["d"].tolist() == values


@many
@given(st.lists(st.datetimes(timezones=st.timezones()), min_size=1, max_size=4))
def test_zoned_moments_stay_the_same_instants(moments: list[dt.datetime]) -> None:
    frame = pd.DataFrame({"t": pd.Series(moments, dtype=object)})
    for each in FORMATS.values():
        try:
            prepared = inspect_frame(frame, each).checked()
        except FidelityError:
            continue
        found = parse(b"".join(prepared.chunks()), each, prepared.schema)["t"].tolist()
        assert [moment.astimezone(dt.UTC) for moment in found] == [moment.astimezone(dt.UTC) for moment in moments]
