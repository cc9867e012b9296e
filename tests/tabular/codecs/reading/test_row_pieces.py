from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest

from digime_pandas._tabular.codecs.reading import row_pieces
from digime_pandas._tabular.codecs.reading.row_pieces import in_pieces, joined


def batches(*sizes: int) -> list[pa.RecordBatch]:
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return [
        pa.RecordBatch.from_pydict({"n": pa.array(range(start, start + size), pa.int64())})
        for start, size in zip(starts, sizes, strict=True)
    ]


@pytest.mark.parametrize("ahead", [0, 1])
@pytest.mark.parametrize(
    ("sizes", "rows", "expected"),
    [
        ((), 3, []),
        ((0,), 3, []),
        ((3,), 3, [3]),
        ((1, 1, 0, 5), 3, [3, 3, 1]),
        ((10,), 3, [3, 3, 3, 1]),
        ((2, 2), 100, [4]),
    ],
)
def test_pieces_have_one_size_whatever_batches_have(
    sizes: tuple[int, ...], rows: int, expected: list[int], ahead: int
) -> None:
    pieces = list(in_pieces(batches(*sizes), rows, ahead=ahead))
    assert [piece.num_rows for piece in pieces] == expected
    assert [n for piece in pieces for n in piece["n"].to_pylist()] == list(range(sum(sizes)))


@pytest.mark.parametrize(("ahead", "read"), [(0, 1), (1, 2)])
def test_a_piece_waits_for_the_rows_that_are_read_ahead(ahead: int, read: int) -> None:
    taken = 0

    def source() -> Iterator[pa.RecordBatch]:
        nonlocal taken
        for batch in batches(2, 2, 2):
            taken += 1
            yield batch

    assert next(in_pieces(source(), 2, ahead=ahead)).num_rows == 2
    assert taken == read


def test_dictionaries_may_differ_from_batch_to_batch() -> None:
    parts = [pa.RecordBatch.from_arrays([pa.array([text]).dictionary_encode()], ["k"]) for text in "abc"]
    (piece,) = in_pieces(parts, 3)
    assert piece["k"].to_pylist() == ["a", "b", "c"]


@pytest.mark.parametrize(("most", "expected"), [(1, [2, 3, 1]), (17, [5, 1]), (1_000, [6])])
def test_small_arrays_are_joined_to_larger_ones(
    most: int, expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_pieces, "_JOINED_BYTES", most)
    found = list(joined(batch.column("n") for batch in batches(2, 3, 1)))
    assert [len(each) for each in found] == expected
    assert pa.concat_arrays(found).to_pylist() == list(range(6))
    assert list(joined([])) == []
