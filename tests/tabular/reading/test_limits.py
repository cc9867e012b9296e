from __future__ import annotations

import sys
from typing import Any

import pytest

from digime_pandas._tabular.reading.arguments import check_limits
from digime_pandas._tabular.reading.limits import MOST_COLUMNS, Limits
from digime_pandas.errors import InputError, ReadError


def test_without_arguments_the_defaults_count() -> None:
    assert check_limits(None, None) == Limits()
    assert check_limits(5, 2**70) == Limits(5, sys.maxsize)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "5", True])
def test_what_is_no_number_is_refused_by_the_name_of_its_argument(wrong: Any) -> None:
    with pytest.raises(InputError, match="max_rows"):
        check_limits(None, wrong)
    with pytest.raises(InputError, match="max_bytes"):
        check_limits(wrong, None)


def test_each_error_names_what_there_is_and_the_argument_that_allows_more() -> None:
    limits = Limits(bytes=100, rows=5)
    limits.check_rows(5)
    limits.check_bytes(100)
    limits.check_columns(MOST_COLUMNS)
    with pytest.raises(ReadError, match=r"has 6 rows, and max_rows is 5.*max_rows="):
        limits.check_rows(6, are_all=True)
    with pytest.raises(ReadError, match="more than 5 rows"):
        limits.check_rows(6)
    with pytest.raises(ReadError, match=r"more than 100 bytes.*max_bytes="):
        limits.check_bytes(101)
    with pytest.raises(ReadError, match=r"100,001 columns.*read_file"):
        limits.check_columns(MOST_COLUMNS + 1)
    with pytest.raises(ReadError, match=r"on one line.*max_bytes="):
        limits.check_text(limits.text_bytes + 1)
