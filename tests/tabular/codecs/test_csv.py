from __future__ import annotations

import csv
import io

import pyarrow as pa
import pytest

from digime_pandas._tabular.codecs.csv import encode_csv, escape, unescape


def batch(**columns: object) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(columns)


def test_lines_end_in_crlf_and_the_header_comes_when_asked_for() -> None:
    rows = batch(a=[1, None], t=["x", ""])
    assert encode_csv(rows, header=True) == b'a,t\r\n1,x\r\n,""\r\n'
    assert encode_csv(rows, header=False) == b'1,x\r\n,""\r\n'
    assert encode_csv(rows.slice(0, 0), header=True) == b"a,t\r\n"


def test_without_columns_there_are_no_lines() -> None:
    assert encode_csv(pa.RecordBatch.from_arrays([], names=[]), header=True) == b""


@pytest.mark.parametrize("names", [["", "column_0"], ["a\x00b", "a"], ['say "hi"', "a,b"], ["x\r\ny", "\n"]])
def test_odd_names_are_written_as_they_are(names: list[str]) -> None:
    data = encode_csv(pa.RecordBatch.from_arrays([pa.array([1])] * 2, names=names), header=True)
    assert next(csv.reader(io.StringIO(data.decode(), newline=""))) == names


def test_escaping_is_undone_exactly_whatever_the_text_began_with() -> None:
    texts = pa.array(["=1", "'=1", "''=1", "'", "'x", "-", "+", "@", "\t", "\r", "", None, "x=1", " =1"])
    escaped = escape(texts)
    assert not any(text.startswith(tuple("=+-@\t\r")) for text in escaped.to_pylist() if text)
    assert unescape(escaped).equals(texts)
    assert unescape(escape(texts.cast(pa.large_string()))).equals(texts.cast(pa.large_string()))


def test_only_text_is_escaped() -> None:
    numbers = pa.array([-1, 1])
    assert escape(numbers) is numbers
    assert unescape(numbers) is numbers
