from __future__ import annotations

from itertools import pairwise
from typing import NoReturn

import pyarrow as pa
import pytest

from digime_pandas._tabular.frames.streamed.rows_ahead import RowsAhead


class OtherRowsError(Exception):
    """There are more rows than there should be."""


def refuse() -> NoReturn:
    raise OtherRowsError


def batches(*sizes: int) -> list[pa.RecordBatch]:
    ends = [sum(sizes[:place]) for place in range(len(sizes) + 1)]
    return [pa.record_batch({"a": pa.array(range(start, end), pa.int64())}) for start, end in pairwise(ends)]


@pytest.mark.parametrize("count", [1, 2, 3, 5, 9, 100])
@pytest.mark.parametrize("sizes", [(9,), (1,) * 9, (0, 4, 0, 5, 0), (3, 3, 3), (8, 1)])
def test_so_many_rows_come_at_a_time(sizes: tuple[int, ...], count: int) -> None:
    read = RowsAhead(iter(batches(*sizes)), 9, refuse)
    found = []
    while (batch := read(count)) is not None:
        found.append(batch.column(0).to_pylist())
    assert found == [list(range(9))[start : start + count] for start in range(0, 9, count)]


@pytest.mark.parametrize("sizes", [(10,), (9, 1), (9, 0, 1)])
def test_more_rows_are_refused_before_the_last_ones_are_given(sizes: tuple[int, ...]) -> None:
    read = RowsAhead(iter(batches(*sizes)), 9, refuse)
    assert read(5) is not None
    with pytest.raises(OtherRowsError):
        read(4)


def test_the_batches_are_read_to_their_end_with_the_last_row() -> None:
    left = iter(batches(9, 0, 0))
    assert RowsAhead(left, 9, refuse)(9) is not None
    assert next(left, None) is None


def test_where_no_rows_are_known_none_may_come() -> None:
    assert RowsAhead(iter(batches(0, 0)), 0, refuse)(1) is None
    with pytest.raises(OtherRowsError):
        RowsAhead(iter(batches(0, 1)), 0, refuse)
