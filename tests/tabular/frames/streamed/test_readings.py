from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pytest

from digime_pandas._tabular.formats import FORMATS, Format
from digime_pandas._tabular.serialize import SerializableFrame, inspect_frame
from digime_pandas.errors import InputError

PARQUET, CSV = FORMATS["parquet"], FORMATS["csv"]


class Changing:
    """An iterable that gives other batches each time, and is broken when it has none left to give."""

    def __init__(self, *readings: list[Any]) -> None:
        self.left = list(readings)
        self.opened = 0

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        # The schema is taken of a first reading of its own.
        reading = self.left[max(0, self.opened - 1)]
        self.opened += 1
        for item in reading:
            if isinstance(item, Exception):
                raise item
            yield item


def batch(*values: Any, name: str = "a", type: pa.DataType | None = None) -> pa.RecordBatch:
    return pa.record_batch([pa.array(values, type)], names=[name])


def content(frame: SerializableFrame) -> bytes:
    return b"".join(map(bytes, frame.chunks()))


FIRST = [batch(1, 2), batch(3)]
CHANGED: dict[str, list[Any]] = {
    "a value": [batch(1, 2), batch(4)],
    "one more row": [batch(1, 2), batch(3, 4)],
    "one more batch": [batch(1, 2), batch(3), batch(3)],
    "one row less": [batch(1, 2)],
    "no rows": [batch(type=pa.int64())],
    "a null": [batch(1, 2), batch(None, type=pa.int64())],
    "another batch first": [batch(9), batch(1, 2)],
}


@pytest.mark.parametrize("format", FORMATS.values(), ids=lambda each: each.name)
@pytest.mark.parametrize("change", CHANGED)
def test_a_source_that_changes_between_the_readings_is_refused(change: str, format: Format) -> None:
    frame = inspect_frame(Changing(FIRST, CHANGED[change]), format)
    with pytest.raises(InputError, match=r"The Changing gave other rows than the 3 .*Nothing was delivered\."):
        content(frame)


def test_rows_that_come_where_there_were_none_are_refused() -> None:
    frame = inspect_frame(Changing([batch(type=pa.int64())], [batch(1)]), CSV)
    assert frame.rows == 0
    with pytest.raises(InputError, match="other rows than the 0"):
        content(frame)


@pytest.mark.parametrize(
    "again",
    [[batch(3), batch(1, 2)], [batch(1), batch(2), batch(type=pa.int64()), batch(3)], [batch(2, 3, 1)]],
    ids=["order of batches", "other batches", "order of rows"],
)
def test_the_same_rows_in_another_order_or_in_other_batches_are_the_same_source(again: list[Any]) -> None:
    frame = inspect_frame(Changing(FIRST, again), CSV)
    assert sorted(content(frame).split()) == [b"1", b"2", b"3", b"a"]


def test_two_rows_that_swap_a_value_are_a_change() -> None:
    rows = pa.record_batch({"a": [1, 2], "b": ["x", "y"]})
    frame = inspect_frame(Changing([rows], [pa.record_batch({"a": [1, 2], "b": ["y", "x"]})]), CSV)
    with pytest.raises(InputError, match="other rows than the 2"):
        content(frame)


def test_a_batch_with_other_columns_is_named_by_its_number() -> None:
    for other, named in (
        (batch("x"), r"batch 1, .* has column 'a' as string instead of int64"),
        (batch(1, name="b"), r"batch 1, .* has columns 'b' instead of 'a'"),
    ):
        with pytest.raises(InputError, match=f"The list: {named}.*Nothing was sent"):
            inspect_frame([batch(1), other], CSV)


FAILING: dict[str, tuple[list[list[Any]], Callable[[SerializableFrame], bytes], str]] = {
    "to be judged": ([[batch(1), OSError("gone")]], content, r"after 1 row \(OSError: gone\)\. Nothing was sent\."),
    "to be sent": (
        [FIRST, [batch(1, 2), OSError("gone")]],
        content,
        r"after 2 rows \(OSError: gone\)\. Nothing was delivered\.",
    ),
    "to be sent again": (
        [FIRST, FIRST, [OSError("gone")]],
        lambda frame: content(frame) + content(frame),
        r"after 0 rows \(OSError: gone\)\. This attempt delivered nothing\.",
    ),
}


@pytest.mark.parametrize("when", FAILING)
def test_a_source_that_fails_says_when_and_what_is_known(when: str) -> None:
    readings, read, message = FAILING[when]
    with pytest.raises(InputError, match=f"^The Changing failed while it was read, {message}") as caught:
        read(inspect_frame(Changing(*readings), CSV))
    assert isinstance(caught.value.__cause__, OSError)


def test_a_damaged_column_is_a_verdict_with_its_row() -> None:
    bad = pa.array([b"ok", b"\xff"]).view(pa.string())
    batches = [pa.record_batch({"a": ["x"], "b": [1]}), pa.record_batch({"a": bad, "b": [2, 3]})]
    frame = inspect_frame(batches, CSV)
    assert [(each.verdict, each.row) for each in frame.columns] == [("impossible", 2), ("kept", None)]
    assert "first in row 2" in str(frame.refusal)


def test_dictionaries_that_differ_between_batches_become_one() -> None:
    one = pa.DictionaryArray.from_arrays([0, 1, None], ["a", "b"])
    two = pa.DictionaryArray.from_arrays([2, 0, 2], ["b", "never", "c"])
    batches = [pa.record_batch({"k": each}) for each in (one, two)]
    frame = inspect_frame(batches, PARQUET)
    assert "1 dictionary value that no row has" in frame.columns[0].note
    read = frame.source.open()
    found = read(10)
    assert isinstance(found, pa.RecordBatch)
    assert found.column(0).dictionary.to_pylist() == ["a", "b", "c"]
    assert found.column(0).to_pylist() == ["a", "b", None, "c", "b", "c"]
    assert read(10) is None


@pytest.mark.parametrize("name", ["json", "ndjson", "parquet"])
def test_dictionaries_that_do_not_fit_into_one_are_written_batch_by_batch(name: str) -> None:
    halves = [[f"{half}{i}" for i in range(100)] for half in "ab"]
    codes = pa.array(range(100), pa.int8())
    batches = [pa.record_batch({"k": pa.DictionaryArray.from_arrays(codes, each)}) for each in halves]
    frame, expected = (inspect_frame(each, FORMATS[name]) for each in (batches, pa.Table.from_batches(batches)))
    assert (frame.columns, frame.warnings, frame.rows) == (expected.columns, expected.warnings, 200)
    assert content(frame) == content(expected)
    assert content(inspect_frame(batches, CSV)).decode().split() == ["k", *halves[0], *halves[1]]


def test_columns_of_one_name_are_both_there() -> None:
    rows = pa.RecordBatch.from_arrays([pa.array([1, 2]), pa.array(["x", "y"])], names=["a", "a"])
    table = pa.Table.from_batches([rows])
    for each in FORMATS.values():
        found, expected = inspect_frame([rows], each), inspect_frame(table, each)
        assert (found.columns, str(found.refusal)) == (expected.columns, str(expected.refusal))


def test_the_first_rows_can_be_had_without_the_others() -> None:
    source = inspect_frame(Changing(FIRST, FIRST, FIRST), CSV).source
    assert source.head is not None
    assert source.head(2).to_pydict() == {"a": [1, 2]}
    assert source.head(9).to_pydict() == {"a": [1, 2, 3]}
