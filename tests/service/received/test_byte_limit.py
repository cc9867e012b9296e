from __future__ import annotations

import math
from typing import Any

import pytest

from digime_pandas._service.received.byte_limit import MOST_STREAMED_BYTES, MOST_WHOLE_BYTES, ByteLimit
from digime_pandas.errors import InputError, ReadError


def test_without_an_argument_the_default_counts() -> None:
    assert ByteLimit.of(None) == ByteLimit(MOST_WHOLE_BYTES)
    assert ByteLimit.of(None, in_pieces=True).most == MOST_STREAMED_BYTES
    assert ByteLimit.of(None, in_place=True) == ByteLimit(MOST_WHOLE_BYTES, in_place=True)
    assert ByteLimit.of(5) == ByteLimit(5, is_default=False)
    assert ByteLimit.of(5, in_place=True) == ByteLimit(5, is_default=False, in_place=True)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, math.inf, "5", True, False, b"5", [5]])
def test_what_is_no_number_of_bytes_is_refused(wrong: Any) -> None:
    with pytest.raises(InputError, match=r"max_bytes is .*whole number above 0"):
        ByteLimit.of(wrong)


def test_the_error_names_the_limit_what_there_is_and_the_argument() -> None:
    limit = ByteLimit.of(1_000)
    limit.check(1_000)
    with pytest.raises(ReadError, match=r"more than 1,000 bytes, and max_bytes is 1,000\. Pass a larger max_bytes="):
        limit.check(1_001)
    with pytest.raises(ReadError, match="has 5,000 bytes"):
        limit.check(5_000, is_whole=True)


def test_by_default_few_bytes_may_not_stand_for_very_many() -> None:
    ByteLimit().check_decompressed(64 << 20, 1_175)
    with pytest.raises(ReadError, match=r"1,175 bytes of it stand for more than.*max_bytes="):
        ByteLimit().check_decompressed((64 << 20) + 1, 1_175)
    ByteLimit.of(1 << 30).check_decompressed((64 << 20) + 1, 1_175)
