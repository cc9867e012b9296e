# The stubs of pandas and numpy know fewer inputs than the libraries take.
# mypy: disable-error-code="arg-type, assignment, attr-defined, call-overload, comparison-overlap, list-item, operator"
"""Frames that nobody thought of: what is written comes back, or is refused, or is warned of."""

from __future__ import annotations

import datetime as dt
import os
import warnings
import zoneinfo
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from digime_pandas._tabular.columns import BLOCK_ROWS
from digime_pandas._tabular.formats import FORMATS, Format
from digime_pandas._tabular.frames import object_columns
from digime_pandas._tabular.parse import parse, parse_batches
from digime_pandas._tabular.serialize import inspect_frame
from digime_pandas.errors import FidelityError, FidelityWarning
from tests.cells import objects, same_cells

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
ZONE = st.none() | st.sampled_from(
    [
        *map(zoneinfo.ZoneInfo, ["UTC", "Europe/Berlin", "Asia/Kathmandu"]),
        *(dt.timezone(dt.timedelta(minutes=each)) for each in (0, 330, -0.1)),
    ]
)
MISSING = [None, float("nan"), np.nan, pd.NA, pd.NaT, Decimal("NaN"), Decimal("sNaN"), np.datetime64("NaT", "ns")]
# Few values of each kind, so that some columns are of one kind.
SIMPLE = [
    st.sampled_from(["", "a", "\ud800", np.str_("b"), "nul\0"]),
    st.sampled_from([0, -1, 2**53 + 1, 2**63, 2**64 - 1, 2**70, np.int8(1), np.uint64(2**64 - 1)]),
    st.sampled_from([0.0, -0.0, 1.5, float("inf"), np.float32(0.1), np.float64(2.5)]),
    st.sampled_from([True, False, np.bool_(True)]),
    st.sampled_from([b"", b"\xff", np.bytes_(b"a")]),
    st.decimals(allow_nan=False) | st.sampled_from([Decimal("-0.0"), Decimal("1E+3"), Decimal("1E-3")]),
    st.dates(),
    st.builds(dt.time, st.integers(0, 23), fold=st.just(0), tzinfo=st.none() | ZONE),
    st.datetimes(timezones=st.none() | ZONE),
    st.datetimes(dt.datetime(1678, 1, 1), dt.datetime(2262, 1, 1), timezones=ZONE).map(pd.Timestamp),  # noqa: DTZ001
    st.integers(-(2**62), 2**62).map(lambda ticks: np.datetime64(ticks, "ns")),
    st.timedeltas() | MOMENTS.map(lambda ticks: pd.Timedelta(ticks, "ns")),
]
ODD = st.sampled_from(
    [UUID(int=1), {1}, 1j, pd.Period("2024"), pd.Interval(0, 1), object(), np.datetime64("2024", "Y")]
)
NUMBERS = [[1, 2], [0.5, np.nan], [True], ["a"], [[1], [2]], [None, 1]]
ARRAYS = st.sampled_from([np.array(each) for each in NUMBERS] + [np.array([1], "M8[s]"), np.array([2**63], "uint64")])
KEYS = st.sampled_from(["a", "b", "", "a.b"]) | ANY_TEXT | st.sampled_from([b"a", 1, None])


def _cells(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        values,
        st.lists(values, max_size=3),
        st.lists(values, max_size=2).map(tuple),
        st.dictionaries(KEYS, values, max_size=2),
        st.dictionaries(st.just("a") | ANY_TEXT, values, max_size=2),
    )


def _columns_of_one_kind() -> st.SearchStrategy[list[Any]]:
    """Draw columns most of whose cells go with each other: of one simple kind and one depth, with what is missing."""
    missing = st.sampled_from([None, *MISSING])
    kinds = st.one_of(*(st.just(each | missing) for each in SIMPLE), *(st.just(each) for each in SIMPLE), st.just(ODD))
    wrapped = [
        lambda values: values,
        st.lists,
        lambda values: st.lists(values, max_size=2).map(tuple),
        lambda values: st.fixed_dictionaries({"a": values}, optional={"b": values}),
        lambda values: st.lists(st.fixed_dictionaries({"a": values}), max_size=2),
        lambda values: st.lists(st.lists(values, max_size=2), max_size=2),
        lambda values: values | ARRAYS,
    ]
    cells = st.builds(lambda values, wrap: wrap(values), kinds, st.sampled_from(wrapped))
    return cells.flatmap(lambda cell: st.lists(cell, min_size=1, max_size=4))


ODD_COLUMNS = _columns_of_one_kind() | st.lists(
    _cells(_cells(st.one_of(*SIMPLE, ODD, ARRAYS, st.sampled_from(MISSING)))), min_size=1, max_size=3
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


@pytest.mark.parametrize("rows", [BLOCK_ROWS, 2], ids=["one block", "blocks of two rows"])
@pytest.mark.parametrize("format", FORMATS.values(), ids=lambda each: each.name)
def test_cells_of_any_type_come_back_as_they_are_or_users_are_told(
    format: Format, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_columns, "BLOCK_ROWS", rows)
    options = {"nested": "json"} if format.name == "csv" else {}

    @many
    @given(ODD_COLUMNS)
    def check(cells: list[Any]) -> None:
        frame = objects(*cells).to_frame("c")
        prepared = inspect_frame(frame, format, options=options)
        verdict = prepared.columns[0].verdict
        event(verdict)
        if verdict == "impossible":
            with pytest.raises(FidelityError, match="Column 'c'"):
                prepared.checked()
            return
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            data = b"".join(prepared.checked().chunks())
        found = parse(data, format, prepared.schema)
        assert len(found) == len(frame)
        if verdict == "lost":
            assert warned
        else:
            assert same_cells(found["c"], frame["c"])

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
def test_zoned_moments_stay_the_same_instants_and_in_their_zone_if_it_is_one(moments: list[dt.datetime]) -> None:
    frame = pd.DataFrame({"t": pd.Series(moments, dtype=object)})
    for each in FORMATS.values():
        prepared = inspect_frame(frame, each)
        if prepared.refusal is not None:
            continue
        found = parse(b"".join(prepared.chunks()), each, prepared.schema)["t"].tolist()
        assert [moment.astimezone(dt.UTC) for moment in found] == [moment.astimezone(dt.UTC) for moment in moments]
        if not prepared.warnings:
            assert [moment.utcoffset() for moment in found] == [moment.utcoffset() for moment in moments]
