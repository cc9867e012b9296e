# The stubs of pyarrow and numpy know fewer inputs than the libraries take.
# mypy: disable-error-code="arg-type, call-overload"
from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest

from digime_pandas._tabular.columns import Finding
from digime_pandas._tabular.frames.arrow_input import arrow_columns
from digime_pandas._tabular.frames.arrow_input.arrow_columns import (
    checked_batches,
    describe_arrow,
    describe_stream,
    first_invalid,
)
from digime_pandas._tabular.frames.streamed.batch_source import readable
from digime_pandas.errors import FidelityError, InputError

_TEXT = pa.large_string()


def text(*values: bytes, short: bool = False) -> pa.Array:
    """An array of text whose letters are whatever these bytes are."""
    return pa.array(values, pa.binary()).view(pa.string()) if short else pa.array(values, pa.large_binary()).view(_TEXT)


def chunked(*arrays: pa.Array) -> pa.ChunkedArray:
    return pa.chunked_array(list(arrays))


@pytest.mark.parametrize("before", [0, 1_001])
@pytest.mark.parametrize("short", [False, True])
@pytest.mark.parametrize(
    ("values", "row"),
    [
        ([], None),
        ([b"plain", b"", b"text of more than eight letters"], None),
        (["é".encode(), "🦆".encode()], None),
        ([b"a", b"b", b"\xff", b"\xfe"], 2),
        ([b"a" * 16, b"a" * 15 + b"\x80"], 1),
        (["é".encode()[:1], "é".encode()[1:]], 0),
    ],
)
def test_the_first_text_that_is_not_utf8_is_found(
    before: int, short: bool, values: list[bytes], row: int | None
) -> None:
    texts = text(*([b"good"] * before), *values, short=short)
    expected = None if row is None else Finding("text that is not UTF-8", before + row)
    assert first_invalid(chunked(texts)) == expected
    later = chunked(text(b"one", b"two", short=short), texts)
    assert first_invalid(later) == (None if row is None else Finding("text that is not UTF-8", before + row + 2))


@pytest.mark.parametrize("last", [b"", b"x", b"0123456789"])
@pytest.mark.parametrize("place", [0, 500, 1_500])
def test_letters_are_looked_at_up_to_the_last_block(place: int, last: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow_columns, "_BLOCK_BYTES", 16)
    values = [b"abc"] * 1_500
    assert first_invalid(chunked(text(*values, last))) is None
    for bad in (b"\xff", b"a\xff", b"\xff" * 20):
        found = first_invalid(chunked(text(*values[:place], bad, *values[place:], last)))
        assert found == Finding("text that is not UTF-8", place)


def test_many_texts_with_offsets_that_go_back_are_never_read() -> None:
    offsets = np.zeros(2_002, "int32")
    offsets[1_000] = 2
    damaged = pa.Array.from_buffers(pa.string(), 2_001, [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(b"ab")])
    finding = first_invalid(chunked(damaged))
    assert finding is not None
    assert (finding.rule, finding.row) == ("invalid Arrow values", 1_000)


@pytest.mark.parametrize("before", [0, 1_001])
def test_text_outside_of_a_slice_does_not_matter(before: int) -> None:
    texts = text(b"\xff", *([b"a"] * (before + 1)), b"\xff")
    assert first_invalid(chunked(texts.slice(1, before + 1))) is None
    assert first_invalid(chunked(texts.slice(1))) == Finding("text that is not UTF-8", before + 1)


def test_a_damaged_dictionary_is_no_matter_of_a_row() -> None:
    damaged = pa.DictionaryArray.from_arrays([0, 0], text(b"fine", b"\xff"))
    assert first_invalid(chunked(damaged)) == Finding("text that is not UTF-8", None)


@pytest.mark.parametrize(
    "damaged",
    [
        pa.DictionaryArray.from_arrays(pa.array([0, 7]), ["a"], safe=False),
        pa.DictionaryArray.from_arrays(pa.array([0, -1]), ["a"], safe=False),
        pa.array([0, 86_400_000_000], pa.int64()).view(pa.time64("us")),
        pa.array([0, -1], pa.int32()).view(pa.time32("ms")),
        pa.Array.from_buffers(
            pa.binary(), 2, [None, pa.py_buffer(np.array([0, 1, 0], "int32").tobytes()), pa.py_buffer(b"ab")]
        ),
    ],
    ids=["code too large", "code too small", "24:00", "before midnight", "offsets that go back"],
)
def test_a_damaged_array_is_never_read(damaged: pa.Array) -> None:
    column = describe_arrow("a", chunked(damaged)).column
    [finding] = column.findings
    assert (finding.rule, finding.row, column.readable) == ("invalid Arrow values", 1, False)
    assert finding.seen is not None
    assert finding.seen.startswith("ArrowInvalid: ")


def test_a_null_among_the_values_of_a_dictionary_is_a_null_of_the_rows() -> None:
    array = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 2]), pa.array(["x", None, "y", None]))
    for keep_unused in (False, True):
        column = describe_arrow("a", chunked(array, array), keep_unused=keep_unused).column
        read = column.read(0, 8)
        assert read.to_pylist() == ["x", None, None, "y"] * 2
        assert read.dictionary.null_count == 0
        assert column.findings == ()


def test_values_are_read_as_the_type_that_is_written() -> None:
    array = pa.array([{"a": 1}], pa.struct([pa.field("a", pa.int8(), nullable=False)]))
    column = describe_arrow("a", chunked(array)).column
    assert column.dtype == "struct<a: int8 not null>"
    assert column.type == column.read(0, 1).type == column.spec.type == pa.struct([("a", pa.int8())])


def test_a_failing_library_makes_a_column_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    error = RuntimeError("first line\nsecond line")

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("digime_pandas._tabular.frames.arrow_input.arrow_columns.facts_of", fail)
    column = describe_arrow("a", chunked(pa.array([1]))).column
    assert column.findings == (Finding("unreadable", seen="RuntimeError: first line"),)
    assert (column.readable, column.cause) == (False, error)


def test_batches_of_a_stream_are_checked_and_their_rows_counted() -> None:
    batches = [pa.record_batch({"a": text(b"one", b"two")}), pa.record_batch({"a": text(b"three", b"\xff")})]
    columns = (describe_stream("a", pa.large_string(), keep_unused=False),)
    checked = checked_batches(batches, columns, keep_unused=False)
    assert next(checked).column(0).to_pylist() == ["one", "two"]
    with pytest.raises(FidelityError, match=r"Column 'a' \(first in row 3\): Arrow text that is not UTF-8") as caught:
        next(checked)
    assert (caught.value.column, caught.value.row) == ("a", 3)


def test_a_stream_that_fails_says_so() -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"a": [1]})
        raise OSError("connection lost")

    stream = readable(batches(), "The stream", pa.schema([("a", pa.int64())]))
    checked = checked_batches(stream, (describe_stream("a", pa.int64(), keep_unused=False),), keep_unused=False)
    assert next(checked).num_rows == 1
    message = r"The stream failed while it was read, after 1 row \(OSError: connection lost\)\. Nothing was delivered"
    with pytest.raises(InputError, match=message) as caught:
        next(checked)
    assert isinstance(caught.value.__cause__, OSError)


def test_an_interrupt_while_a_stream_is_read_stays_one() -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        raise KeyboardInterrupt
        yield

    checked = checked_batches(batches(), (describe_stream("a", pa.int64(), keep_unused=False),), keep_unused=False)
    with pytest.raises(KeyboardInterrupt):
        next(checked)
