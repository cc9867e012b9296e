"""Large CSV files are read in parts, with the same rows and the same errors as from their start to their end."""

from __future__ import annotations

import datetime as dt
import io
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pandas.testing import assert_frame_equal

from digime_pandas._tabular.codecs.csv import CsvCodec
from digime_pandas._tabular.codecs.reading.large import csv_parts
from digime_pandas._tabular.codecs.reading.large.csv_parts import CsvParts, part_bounds
from digime_pandas._tabular.formats import FORMATS
from digime_pandas._tabular.parse import parse
from digime_pandas._tabular.reading.limits import Limits
from digime_pandas._tabular.serialize import inspect_frame
from digime_pandas.errors import ReadError

CSV = FORMATS["csv"]
ROWS = 60


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Small files are read in parts; of each file, how many, or 0 where that failed."""
    found: list[int] = []

    class _Noted(CsvParts):
        def read(self, open_part: Any) -> Any:
            found.append(0)
            batches = super().read(open_part)
            found[-1] = len(self._sources)
            return batches

    monkeypatch.setattr(csv_parts, "_PART_BYTES", 20)
    monkeypatch.setattr(csv_parts, "thread_count", lambda: 3)
    monkeypatch.setattr("digime_pandas._tabular.codecs.csv.CsvParts", _Noted)
    return found


def lines(*made: str) -> bytes:
    """A file with two columns, of ROWS rows and those that are given, in the middle."""
    rows = [f"{number},t{number}" for number in range(ROWS)]
    return "\n".join(["a,b", *rows[: ROWS // 2], *made, *rows[ROWS // 2 :], ""]).encode()


def serially(data: bytes, **options: Any) -> pd.DataFrame:
    """What a file is that is not in memory."""
    return parse(io.BufferedReader(io.BytesIO(data)), CSV, **options)


@pytest.mark.parametrize(
    "made",
    [
        [],
        ['1,"a, b"', '2,"say ""hi"""', '3,""', "4,"],
        ['1,"two\nlines"', f'2,"{chr(10).join("abcdefghijklmnop")}"', '3,"\n\n\n"'],
        ["1,größer", "2,東京", "3,🙂"] * 20,
        [""] * 10,
        ['"1",x', '"2","\r\n"'],
    ],
    ids=["plain", "quotes", "line feeds in quotes", "long characters", "blank lines", "returns"],
)
def test_rows_are_the_same(made: list[str], parts: list[int]) -> None:
    data = lines(*made)
    found = parse(data, CSV)
    assert parts == [3]
    assert_frame_equal(found, serially(data))
    assert parts == [3]


@pytest.mark.parametrize("made", [['1,5" pipe'], ['1,a"b,"\n', "2,x"][:1] * 3], ids=["inch", "several"])
def test_quotes_that_mislead_do_not(made: list[str], parts: list[int]) -> None:
    # Behind the first of them, line feeds seem to be in quotes that are not, and the other way round.
    data = lines(*made, *['2,"two\nlines"'] * 30).replace(b'"b,"\n', b'"b')
    assert_frame_equal(parse(data, CSV), serially(data))
    assert len(parts) == 1


@pytest.mark.parametrize(
    "made",
    [["1,x,y"], ["1"], ['1,"open'], ["1,\udcff"]],
    ids=["too many", "too few", "open quote", "not UTF-8"],
)
def test_errors_are_the_same(made: list[str], parts: list[int]) -> None:
    data = "\n".join(["a,b", *["1,x"] * 40, *made, *["1,x"] * 40]).encode(errors="surrogateescape")
    with pytest.raises(ReadError) as serial:
        serially(data)
    with pytest.raises(ReadError) as found:
        parse(data, CSV)
    assert parts == [0]
    assert str(found.value) == str(serial.value)


@pytest.mark.parametrize(("limits", "named"), [(Limits(rows=ROWS - 1), "max_rows"), (Limits(bytes=400), "max_bytes")])
def test_all_parts_count_for_limits(limits: Limits, named: str, parts: list[int]) -> None:
    with pytest.raises(ReadError, match=named):
        parse(lines(), CSV, limits=limits)
    assert parts == [0]
    assert len(parse(lines(), CSV, limits=Limits(rows=ROWS))) == ROWS


def test_columns_come_in_their_types_whether_they_are_read_in_parts_or_not(parts: list[int]) -> None:
    moments = pd.date_range("2024-03-30", periods=ROWS, freq="h")
    frame = pd.DataFrame(
        {
            "category": pd.Categorical(["a", "b", None, "c"] * (ROWS // 4), categories=["c", "b", "a"]),
            "numbers": pd.Categorical([3, 1, 2] * (ROWS // 3)),
            "moment": moments.as_unit("us"),
            "local": moments.as_unit("ms").tz_localize("UTC").tz_convert("Europe/London"),
            "nanoseconds": pd.to_datetime(np.array([1 - 2**63, -(2**63), 2**63 - 1] * (ROWS // 3))),
            "day": [dt.date(2024, 1, 1), None] * (ROWS // 2),
            "text": ["=1", "2024-01-01"] * (ROWS // 2),
        }
    ).set_index("moment")
    for options in ({}, {"escape_formulas": True}):
        inspected = inspect_frame(frame, CSV, options=options)
        data = b"".join(bytes(chunk) for chunk in inspected.chunks())
        found = parse(data, CSV, inspected.schema, own=True)
        assert_frame_equal(found, serially(data, schema=inspected.schema, own=True))
        assert_frame_equal(found, frame, check_freq=False, check_categorical=False)
    assert len(parts) == 2


def test_a_small_file_and_one_that_is_not_in_memory_have_no_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(csv_parts, "at_once", refused)
    monkeypatch.setattr(csv_parts, "thread_count", lambda: 8)
    assert len(parse(lines(), CSV)) == ROWS
    monkeypatch.setattr(csv_parts, "_PART_BYTES", 20)
    assert len(serially(lines())) == ROWS
    with pytest.raises(ReadError, match="memory"):
        parse(lines(), CSV)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 50])
def test_parts_begin_behind_line_feeds_outside_quotes(count: int) -> None:
    content = b"".join(b'%d,"two\nlines, %d"\r\n' % (number, number) for number in range(20))
    bounds = part_bounds(memoryview(content), count)
    assert bounds[0] == 0
    assert bounds[-1] == len(content)
    assert bounds == sorted(set(bounds))
    assert {content[bound - 2 : bound] for bound in bounds[1:]} == {b"\r\n"}
    assert len(bounds) - 1 == max(1, min(count, 20))


@pytest.mark.parametrize("content", [b"", b"x" * 100, b'"' + b"\n" * 100, b"\r" * 50])
def test_without_a_line_feed_there_is_one_part(content: bytes) -> None:
    assert part_bounds(memoryview(content), 5) == [*dict.fromkeys([0, len(content)])]


def test_reading_in_types_leaves_what_is_none_of_them_as_text(parts: list[int]) -> None:
    data = lines('1,"2024-01-01T00:00:00"', "2,not a time")
    reader = CsvCodec().open(io.BytesIO(data), typed=True)
    [columns] = reader.columns({"a": pa.int64(), "b": pa.timestamp("us")}, None)
    assert parts == [0]
    assert pa.types.is_string(columns["b"].type)
    assert columns.rows == ROWS + 2
