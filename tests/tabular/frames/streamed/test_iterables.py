from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from digime_pandas._tabular.formats import FORMATS
from digime_pandas._tabular.serialize import SerializableFrame, inspect_frame
from digime_pandas.errors import FidelityError, InputError

CSV = FORMATS["csv"]


def content(frame: SerializableFrame) -> list[bytes]:
    return b"".join(map(bytes, frame.chunks())).split()


def batch(*values: Any, type: pa.DataType | None = None) -> pa.RecordBatch:
    return pa.record_batch({"a": pa.array(values, type or pa.int64())})


@pytest.mark.parametrize("make", [list, tuple, iter], ids=["list", "tuple", "iterator"])
def test_batches_tables_and_frames_of_polars_are_taken(make: Any) -> None:
    items = [
        batch(1),
        pa.table({"a": [2, 3]}),
        batch(),
        pl.DataFrame({"a": [4]}),
        pa.table({"a": pa.array([], "int64")}),
    ]
    assert content(inspect_frame(make(items), CSV)) == [b"a", b"1", b"2", b"3", b"4"]


@pytest.mark.parametrize("make", [list, iter], ids=["list", "iterator"])
def test_every_batch_of_a_first_table_is_there(make: Any) -> None:
    chunked = pa.Table.from_batches([batch(1), batch(2), batch(3)])
    assert content(inspect_frame(make([chunked, batch(4)]), CSV)) == [b"a", b"1", b"2", b"3", b"4"]


@pytest.mark.parametrize("make", [list, iter], ids=["list", "iterator"])
def test_batches_without_rows_are_a_file_without_rows(make: Any) -> None:
    assert content(inspect_frame(make([batch(), batch()]), CSV)) == [b"a"]


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], "a (list|list_iterator) without a record batch.*from_batches"),
        ([1], "whose item 0 is a int"),
        ([batch(1), {"a": 1}], "whose item 1 is a dict"),
        ([pd.DataFrame({"a": [1]})], "whose item 0 is a DataFrame"),
        ([pa.chunked_array([[1]])], "whose item 0 is a ChunkedArray"),
        (
            [batch(1), batch("x", type=pa.string())],
            "batch 1, counted from 0, has column 'a' as string instead of int64",
        ),
    ],
    ids=["none", "number", "dict", "pandas", "array", "other columns"],
)
@pytest.mark.parametrize("make", [list, iter], ids=["list", "iterator"])
def test_what_is_no_batch_is_named_by_its_number(items: list[Any], message: str, make: Any) -> None:
    with pytest.raises(InputError, match=message):
        content(inspect_frame(make(items), CSV))


def test_files_and_sets_are_told_what_they_are() -> None:
    for frame in (io.StringIO("text"), {1}, range(2)):
        with pytest.raises(InputError, match=f"frame is a {type(frame).__name__}, whose item 0 is a (str|int)"):
            inspect_frame(frame, CSV)


class Generator:
    """A generator of batches, and whether it came to its end."""

    def __init__(self, error: Exception | None = None, *, first: bool = False) -> None:
        self.error, self.first = error, first
        self.ended = False

    def __call__(self) -> Iterator[pa.RecordBatch]:
        try:
            if self.error is not None and self.first:
                raise self.error
            yield batch(1, 2)
            if self.error is not None:
                raise self.error
            yield batch(3)
        finally:
            self.ended = True


@pytest.mark.parametrize("first", [True, False])
def test_a_generator_that_fails_is_named_with_its_rows(first: bool) -> None:
    made = Generator(ValueError("no rows"), first=first)
    known = (
        r"after 0 rows \(ValueError: no rows\)\. Nothing was sent" if first else r"after 2 rows .*Nothing was delivered"
    )
    with pytest.raises(InputError, match=f"^The generator failed while it was read, {known}") as caught:
        content(inspect_frame(made(), CSV))
    assert caught.value.__cause__ is made.error
    assert made.ended


def test_an_error_of_this_package_stays_what_it_is() -> None:
    made = Generator(FidelityError("a column", column="a", row=None))
    with pytest.raises(FidelityError, match="a column"):
        content(inspect_frame(made(), CSV))


def test_a_generator_ends_with_the_write_that_cannot_be_carried_out() -> None:
    made = Generator()
    inspect_frame(made(), CSV).close()
    assert made.ended
