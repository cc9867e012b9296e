from __future__ import annotations

import io
from contextlib import suppress

import pytest

from digime_pandas._tabular.codecs.reading import csv_rows
from digime_pandas._tabular.codecs.reading.csv_rows import CsvRows, line_of_byte, line_of_record, read_header

BOM = "\ufeff".encode()


@pytest.mark.parametrize("size", [1, 3, 1 << 16])
@pytest.mark.parametrize(
    ("data", "header", "rest"),
    [
        (b"a,b\n1,2\n", ["a", "b"], b"1,2\n"),
        (b"a,b\r\n1,2\r\n", ["a", "b"], b"1,2\r\n"),
        (b"a,b\r1,2\r", ["a", "b"], b"1,2\r"),
        (b"a,b", ["a", "b"], b""),
        (b"a", ["a"], b""),
        (b'"a"', ["a"], b""),
        (b'"a\nb","c\r\n"\n1,2\n', ["a\nb", "c\r\n"], b"1,2\n"),
        (b'"a ""b""",c\n1', ['a "b"', "c"], b"1"),
        (BOM + b"a,b\n" + BOM + b"1,2\n", ["a", "b"], BOM + b"1,2\n"),
        (b'"' + BOM + b'a"\n1\n', ["\ufeffa"], b"1\n"),
        (b"\n \t\r\n\na,b\n\n1,2\n", ["a", "b"], b"\n1,2\n"),
        (BOM + b"\na\n", ["a"], b""),
        ("\u00fc,\U0001f600\n1,2\n".encode(), ["\u00fc", "\U0001f600"], b"1,2\n"),
    ],
)
def test_the_header_is_the_first_record_and_rows_follow_it(
    data: bytes, header: list[str], rest: bytes, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_rows, "_READ_BYTES", size)
    stream = io.BytesIO(data)
    assert read_header(stream, skips_blank=True) == header
    assert stream.read() == rest


@pytest.mark.parametrize("data", [b"", b"\n\r\n", b"  \n", BOM])
def test_a_file_of_blank_lines_has_no_header(data: bytes) -> None:
    assert read_header(io.BytesIO(data), skips_blank=True) is None


def test_a_blank_name_is_a_header_where_blank_lines_are_not_skipped() -> None:
    assert read_header(io.BytesIO(b"  \n1\n"), skips_blank=False) == ["  "]
    assert read_header(io.BytesIO(b'""\n1\n'), skips_blank=True) == [""]


@pytest.mark.parametrize("data", [b'"a,b\n1,2\n', b'"a"b,c\n', b"\xff\n", b"a" * 2_000_000])
def test_a_header_that_is_not_csv_is_an_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"first record|line 1"):
        read_header(io.BytesIO(data), skips_blank=True)


def test_lines_are_counted_through_quoted_breaks_and_blank_lines() -> None:
    data = b'a,b\n1,"x\ny"\n\n2,z\r\n3,\r4,w'
    lines = [line_of_record(io.BytesIO(data), number, skips_blank=True) for number in range(6)]
    assert lines == [1, 2, 5, 6, 7, None]
    assert line_of_record(io.BytesIO(data), 2, skips_blank=False) == 4
    assert [line_of_byte(io.BytesIO(data), data.index(each)) for each in (b"a", b"x", b"y", b"z", b"w")] == [
        1,
        2,
        3,
        5,
        7,
    ]


def read_all(rows: CsvRows, size: int) -> bytes:
    return b"".join(iter(lambda: rows.read(size), b""))


@pytest.mark.parametrize("size", [1, 2, 1_000])
@pytest.mark.parametrize(("data", "between"), [(b"1,2", b"\n"), (b"1,2\n", b""), (b"1,2\r", b""), (b"", b"")])
def test_after_the_rows_comes_one_with_a_field_too_many(data: bytes, between: bytes, size: int) -> None:
    rows = CsvRows(io.BytesIO(data), 2)
    content = read_all(rows, size)
    assert content.startswith(BOM + data + between + b",,")
    assert rows.read(size) == b""
    assert rows.ends_in_quotes  # nothing has parsed that row


@pytest.mark.parametrize("size", [1, 2, 1_000])
@pytest.mark.parametrize(
    ("data", "place"), [(b"1,\xff", 2), ("\u00fc".encode()[:1], 0), ("\u00fc\u00fc".encode()[:3], 2)]
)
def test_bytes_that_are_not_utf8_are_found_at_their_place(data: bytes, place: int, size: int) -> None:
    stream = io.BytesIO(b"a\n" + data)
    stream.seek(2)
    rows = CsvRows(stream, 2)
    with pytest.raises(ValueError, match="not UTF-8"):
        read_all(rows, size)
    assert rows.not_text == 2 + place


def test_a_stopped_source_leaves_the_stream_alone() -> None:
    stream = io.BytesIO(b"1,2\n" * 10)
    rows = CsvRows(stream, 2)
    rows.read(4)
    position = stream.tell()
    rows.stop()
    assert rows.read(4) == b""
    assert stream.tell() == position


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 64])
@pytest.mark.parametrize(
    "text",
    [b"a\xc3\xa9\xe6\x9d\xb1\xf0\x9f\x99\x82b", b"\xc3", b"ab\x80", b"\xed\xa0\x80", b"a\xf0\x9f\x99", b"\xff\n"],
)
def test_bytes_that_are_not_utf_8_are_found_in_blocks_of_any_size(text: bytes, size: int) -> None:
    rows = CsvRows(io.BytesIO(text), 1)
    expected = None
    try:
        text.decode()
    except UnicodeDecodeError as error:
        expected = error.start
    with suppress(ValueError):
        while rows.read(size):
            pass
    assert rows.not_text == expected
