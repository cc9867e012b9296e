from __future__ import annotations

import io
import subprocess
import sys
from csv import reader

import pyarrow as pa
import pytest

from digime_pandas._tabular.codecs import csv
from digime_pandas._tabular.codecs.csv import CsvCodec, encode_csv, escape, unescape
from digime_pandas._tabular.engines.few_rows import TextRows


def test_lines_end_in_crlf_and_the_header_comes_when_asked_for() -> None:
    rows = TextRows(["a", "t"], [pa.array([1, None]), pa.array(["x", ""])])
    none = TextRows(["a", "t"], [pa.nulls(0, pa.int64()), pa.nulls(0, pa.string())])
    assert encode_csv(rows, header=True) == b'a,t\r\n1,x\r\n,""\r\n'
    assert encode_csv(rows, header=False) == b'1,x\r\n,""\r\n'
    assert encode_csv(none, header=True) == b"a,t\r\n"


def test_without_columns_there_are_no_lines() -> None:
    assert encode_csv(TextRows([], []), header=True) == b""


@pytest.mark.parametrize("names", [["", "column_0"], ["a\x00b", "a"], ['say "hi"', "a,b"], ["x\r\ny", "\n"]])
def test_odd_names_are_written_as_they_are(names: list[str]) -> None:
    data = encode_csv(TextRows(names, [pa.array([1])] * 2), header=True)
    assert next(reader(io.StringIO(data.decode(), newline=""))) == names


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


def read(data: bytes, rows: int | None = None, *, typed: bool = False) -> list[dict[str, list[object]]]:
    reader = CsvCodec().open(io.BytesIO(data), typed=typed)
    types = dict.fromkeys(reader.names, pa.string())
    return [{name: values.to_pylist() for name, values in each.items()} for each in reader.columns(types, rows)]


@pytest.mark.parametrize("rows", [None, 1, 2, 100])
@pytest.mark.parametrize(
    "data",
    [
        b"a,b\n1,2\n3,4\n5,6\n",
        b"a,b\r\n1,2\r\n3,4\r\n5,6",
        b"a,b\r1,2\r3,4\r5,6\r",
        b"\n\na,b\n\n1,2\n  \t\n3,4\n\n\n5,6\n\n",
        b'"a",b\n"1",2\n3,"4"\n5,6\n',
    ],
)
def test_line_ends_quotes_and_blank_lines_change_no_row(data: bytes, rows: int | None) -> None:
    pieces = read(data, rows)
    assert [each for piece in pieces for each in piece["a"]] == ["1", "3", "5"]
    assert [each for piece in pieces for each in piece["b"]] == ["2", "4", "6"]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", []),
        (b"\n", []),
        (b"a,b", []),
        (b"a\n", []),
        (b"a,b\n\n", []),
        (b"a,a,a.1\n1,2,3\n", [{"a": ["1"], "a.2": ["2"], "a.1": ["3"]}]),
        (b'"x\ny","x\ny"\n1,2\n3,4\n', [{"x\ny": ["1", "3"], "x\ny.1": ["2", "4"]}]),
        ("a\n\ufeffx\n".encode(), [{"a": ["\ufeffx"]}]),
        (b'a,b\n5" x,"y""z"\n"","q"r\n', [{"a": ['5" x', ""], "b": ['y"z', "qr"]}]),
        (b"a,b\n,\n", [{"a": [None], "b": [None]}]),
    ],
)
def test_what_is_in_a_file_of_others(data: bytes, found: list[object]) -> None:
    assert read(data) == found
    assert read(data, 10) == found


def test_an_empty_line_is_a_missing_value_by_a_schema_and_skipped_without_one() -> None:
    data = b'a\r\n1\r\n\r\n""\r\n\r\n'
    assert read(data, typed=True) == [{"a": ["1", None, "", None]}]
    assert read(data) == [{"a": ["1", ""]}]


WRONG = {
    "too many fields": (b"a,b\n1,2\n\n3,4,5\n", r"3 fields instead of 2: '3,4,5' \(row 2, from line 4\)"),
    "too few fields": (b'a,b\n1,"x\ny"\n3\n', r"1 field instead of 2: '3' \(row 2, from line 4\)"),
    "many fields and no UTF-8": (b"a,b\n1,2,\xff\n", "byte 8 is not UTF-8, on line 2"),
    "no UTF-8": (b"a,b\n1,2\n3,\xff\n", "byte 10 is not UTF-8, on line 3"),
    "an open quote": (b'a,b\n1,"x\n2,y\n3,z\n', r"within a quoted field \(row 1, from line 2\)"),
    "cut off": (b'a,b\n1,x\n2,"trunc', r"within a quoted field \(row 2, from line 3\)"),
    "an open quote in one column": (b'a\n"x\n', r"within a quoted field \(row 1"),
    "a late row": (b"a,b\n" + b"1,2\n" * 500 + b"1,2,3\n", r"row 501, from line 502"),
}


@pytest.mark.parametrize(("data", "reason"), WRONG.values(), ids=list(WRONG))
@pytest.mark.parametrize("rows", [None, 1, 1_000])
def test_an_error_says_in_which_row_and_line_it_is(data: bytes, reason: str, rows: int | None) -> None:
    with pytest.raises(ValueError, match=reason):
        read(data, rows)


@pytest.mark.parametrize("rows", [None, 1, 3])
def test_a_row_may_be_longer_than_a_block(rows: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv, "_BLOCK_BYTES", 1_000)
    monkeypatch.setattr(csv, "_AHEAD_BYTES", 1_000)
    texts = ["x" * size for size in (10, 10, 5_000, 1, 100_000, 3, 3)]
    pieces = read(b"n,t\n" + "".join(f"{i},{text}\n" for i, text in enumerate(texts)).encode(), rows)
    assert [each for piece in pieces for each in piece["t"]] == texts
    assert [each for piece in pieces for each in piece["n"]] == list("0123456")


@pytest.mark.slow
def test_a_process_ends_while_rows_are_left_unread() -> None:
    code = """
import io
from digime_pandas._tabular.codecs.csv import CsvCodec
rows = CsvCodec().open(io.BytesIO(b"a,b\\n" + b"1,some text\\n" * 10_000_000)).columns(None, 10)
print(next(rows).rows)
"""
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, text=True, check=True)
        assert done.stdout == "10\n"
