from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest

from digime_pandas._tabular.columns import Finding, unsupported_column
from digime_pandas._tabular.frames.streamed.batch_source import BatchSource, readable
from digime_pandas.errors import InputError

SCHEMA = pa.schema([("a", pa.int64())])


class Closed:
    """An iterator of batches that says whether it was closed."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error
        self.closed = False

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"a": [1]})
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("error", [None, OSError("gone"), KeyboardInterrupt(), MemoryError()])
def test_what_is_read_is_closed_at_its_end(error: BaseException | None) -> None:
    source = Closed(error)
    found = readable(source, "The source", SCHEMA)
    assert next(found).num_rows == 1
    kind = InputError if isinstance(error, OSError) else StopIteration if error is None else type(error)
    with pytest.raises(kind):
        next(found)
    assert source.closed


def test_what_is_left_early_is_closed_too() -> None:
    source = Closed()
    found = readable(source, "The source", SCHEMA)
    next(found)
    found.close()
    assert source.closed


def test_many_columns_are_not_all_named() -> None:
    schema = pa.schema([(f"column {i}", pa.int64()) for i in range(1000)])
    found = readable([pa.record_batch({"a": [1]})], "The source", schema)
    with pytest.raises(InputError, match="columns 'a' instead of 'column 0', 'column 1', 'column 2' and 997 more"):
        next(found)


def test_a_column_that_is_not_exported_has_no_reader() -> None:
    column = unsupported_column("n", "Int128", Finding("other"))
    source = BatchSource("The source", SCHEMA, lambda: iter(()), refused={0: column})
    with pytest.raises(InputError, match="Column 'n' is Int128"):
        source.reader()
