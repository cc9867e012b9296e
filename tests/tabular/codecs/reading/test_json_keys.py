from __future__ import annotations

import pytest

from digime_pandas._tabular.codecs.reading.json_keys import check_names
from digime_pandas._tabular.reading.limits import MOST_COLUMNS, Limits
from digime_pandas.errors import ReadError

LIMITS = Limits(bytes=1 << 24)


def check(lines: list[bytes], limits: Limits = LIMITS) -> None:
    check_names(lines, sum(map(len, lines)), limits)


def test_rows_of_the_same_names_may_be_many() -> None:
    check([b'{"a": 1, "b": {"c": 2}}'] * 100_000)


@pytest.mark.parametrize(
    "line", ['{{"k{0}": 1}}', '{{"a": {{"k{0}": 1}}}}', '{{"a": [{{"k{0}": 1}}]}}', '{{"a{0}": {{"b": 1}}}}']
)
def test_rows_that_each_have_a_name_of_their_own_may_not(line: str) -> None:
    with pytest.raises(ReadError, match="max_bytes"):
        check([line.format(number).encode() for number in range(20_000)])


def test_few_rows_with_names_of_their_own_among_many_others_are_found() -> None:
    lines = [b'{"a": 1}' if number % 20 else b'{"k%d": 1}' % number for number in range(100_000)]
    with pytest.raises(ReadError, match="max_bytes"):
        check(lines)


def test_one_row_of_very_many_names_is_found() -> None:
    row = b"{" + b",".join(b'"k%d":1' % number for number in range(MOST_COLUMNS + 1)) + b"}"
    with pytest.raises(ReadError, match=r"100,001 columns"):
        check([b"{}", row], Limits())


def test_what_is_no_json_is_left_to_the_parser() -> None:
    check([b"{", b"null", b'{"a": "' + b":" * 500_000 + b'"}'] * 10, Limits())
