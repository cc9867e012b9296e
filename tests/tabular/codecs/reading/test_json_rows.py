from __future__ import annotations

import io

import pytest

from digime_pandas._tabular.codecs.reading.json_rows import first_fault, ndjson_lines, parse_object
from digime_pandas._tabular.engines.json_depth import DEEPEST_JSON


def test_blank_lines_are_left_out() -> None:
    assert list(ndjson_lines(io.BytesIO(b'\n{"a":1}\r\n \t\n{"a":2}'))) == [b'{"a":1}\r\n', b'{"a":2}']


def test_a_byte_order_mark_is_skipped_at_the_beginning_of_a_file_only() -> None:
    mark = "\ufeff".encode()
    assert list(ndjson_lines(io.BytesIO(mark + b'{"a":1}'))) == [b'{"a":1}']
    assert first_fault(io.BytesIO(mark + b'{"a":1}\n')) is None
    for text in (mark + mark + b'{"a":1}', b"\n" + mark + b'{"a":1}'):
        assert first_fault(io.BytesIO(text)) is not None


def test_an_object_is_what_its_text_says() -> None:
    assert parse_object('{"a":"\u00fc"}\n'.encode()) == {"a": "\u00fc"}
    assert parse_object(b'{"a":"\\ud800"}') == {"a": "\ud800"}


WRONG = {
    "no value": (b'{"a":}', r"Expecting value \(character 6\)"),
    "no object": (b"[1]", "not an object"),
    "null": (b"null", "not an object"),
    "two objects": (b'{"a":1}{"a":2}', "Extra data"),
    "not UTF-8": (b'{"a":"\xff"}', "decode"),
    "UTF-16": ('{"a":1}'.encode("utf-16"), "decode"),
    "a surrogate in UTF-8": (b'{"a":"\xed\xa0\x80"}', "decode"),
    "too many digits": (b'{"a":' + b"9" * 5_000 + b"}", "digits"),
    "too deep": (b'{"a":' + b"[" * DEEPEST_JSON + b"]" * DEEPEST_JSON + b"}", "deep"),
    "far too deep": (b'{"a":' + b"[" * 100_000, "deep"),
}


@pytest.mark.parametrize(("text", "reason"), WRONG.values(), ids=list(WRONG))
def test_the_first_fault_has_its_line_and_its_row(text: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_object(text)
    fault = first_fault(io.BytesIO(b'{"a":1}\n\n' + text + b"\n"))
    assert fault is not None
    assert fault.startswith("line 3 (row 2): ")


def test_where_every_line_is_an_object_there_is_no_fault() -> None:
    assert first_fault(io.BytesIO(b'{"a":1}\n\n{}\n')) is None
