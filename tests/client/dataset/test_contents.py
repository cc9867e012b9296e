"""Files of a dataset as one file of the same format."""

from __future__ import annotations

import io
import json
from typing import Any

import pandas as pd
import pytest

from digime_pandas._client.dataset.contents import join_as_parquet, join_texts
from digime_pandas._tabular.formats import CSV, JSON, NDJSON, Format
from digime_pandas.errors import ReadError


def joined(format: Format, *contents: bytes) -> bytes:
    return join_texts(format, [f"file {number}" for number in range(len(contents))], contents)


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        ([b"a,b\n1,2\n", b"a,b\n3,4\n"], b"a,b\n1,2\n3,4\n"),
        ([b"a\n", b"a\n1\n", b"a\n"], b"a\n1\n"),
        ([b'"a\nb",c\n1,2\n', b'"a\nb",c\n"x\ny",4\n'], b'"a\nb",c\n1,2\n"x\ny",4\n'),
        ([b'"a ""q""\n",c\n1,2\n', b'"a ""q""\n",c\n'], b'"a ""q""\n",c\n1,2\n'),
        ([b"a\r\n1\r\n", b"a\r\n2\r\n"], b"a\r\n1\r\n2\r\n"),
        ([b"a", b"a"], b"a"),
        ([b"", b""], b""),
    ],
)
def test_csv_files_are_joined_under_one_header(contents: list[bytes], expected: bytes) -> None:
    assert joined(CSV, *contents) == expected


@pytest.mark.parametrize("other", [b"a,c\n1,2\n", b"a\n1\n", b"a,bb\n1,2\n", b'a,"b\n"\n1,2\n', b"b,a\n1,2\n", b""])
def test_csv_files_with_other_columns_are_no_table(other: bytes) -> None:
    with pytest.raises(ReadError, match="'file 1' has other columns than 'file 0'"):
        joined(CSV, b"a,b\n1,2\n", other)


@pytest.mark.parametrize(
    "contents", [[[{"a": 1}, {"a": "]"}], [{"a": None}]], [[], [{"a": 1}], []], [[], []], [[{"a": [1, [2]]}]]]
)
@pytest.mark.parametrize("indent", [None, 1])
def test_json_arrays_are_joined(contents: list[list[Any]], indent: int | None) -> None:
    written = joined(JSON, *(json.dumps(each, indent=indent).encode() + b"\n" for each in contents))
    assert json.loads(written) == [row for rows in contents for row in rows]


def test_what_is_no_array_is_an_error() -> None:
    with pytest.raises(ReadError, match="'file 1' is no JSON array"):
        joined(JSON, b"[]", b'{"a": 1}')


def test_lines_are_joined_and_a_last_one_without_an_end_gets_it() -> None:
    assert joined(NDJSON, b'{"a":1}\n', b"", b'{"a":2}', b'{"a":3}\n') == b'{"a":1}\n{"a":2}\n{"a":3}\n'


@pytest.mark.parametrize("index", [None, pd.Index([7, 9], name="k"), pd.RangeIndex(2)])
def test_a_frame_becomes_one_parquet_file(index: pd.Index[Any] | None) -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None]}, index=index)
    pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(join_as_parquet(frame))), frame)
