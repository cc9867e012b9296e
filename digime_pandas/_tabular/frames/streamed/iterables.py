"""Iterables of record batches: lists and the like, which can be iterated again, and generators, which cannot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import TypeGuard

import pandas as pd
import pyarrow as pa

from digime_pandas._tabular.frames.streamed.batch_source import (
    NOT_SENT,
    BatchSource,
    SingleStream,
    raise_unreadable,
)
from digime_pandas.errors import InputError

_WITH_SCHEMA = "pyarrow.RecordBatchReader.from_batches(schema, batches)"


def is_iterable_of_batches(frame: object) -> TypeGuard[Iterable[object]]:
    """Return whether an object may be an iterable of record batches: it is none of other values or of other columns."""
    if isinstance(frame, str | bytes | Mapping) or hasattr(frame, "__array__") or hasattr(frame, "__arrow_c_array__"):
        return False
    return isinstance(frame, Iterable)


def iterable(frame: Iterable[object]) -> BatchSource | SingleStream:
    """Return the batches of an iterable, whose first item says the schema.

    Args:
        frame: The iterable. The first item of an iterator is taken here.

    Raises:
        InputError: It has no item, or its first one is no batch.
    """
    kind = type(frame).__name__
    items = iter(frame)
    what = f"The {kind}"
    try:
        batches = _batches(items, kind)
        first = next(batches, None)
    except BaseException as error:  # noqa: BLE001 - raised again
        raise_unreadable(error, f"{what} failed while it was read, after 0 rows", NOT_SENT)
    if first is None:
        raise InputError(
            f"frame is a {kind} without a record batch, so that its columns are not known. Give {_WITH_SCHEMA}, which "
            "has a schema."
        )
    if items is not frame:
        return BatchSource(what, first.schema, lambda: _batches(iter(frame), kind))
    close = getattr(items, "close", None)
    return SingleStream(what, first.schema, chain([first], batches), close or _nothing)


def _batches(items: Iterator[object], kind: str) -> Iterator[pa.RecordBatch]:
    for number, item in enumerate(items):
        if isinstance(item, pa.RecordBatch):
            yield item
        elif hasattr(item, "__arrow_c_stream__") and not isinstance(item, pd.DataFrame | pd.Series | pa.ChunkedArray):
            table = pa.table(item)
            yield from table.to_batches() or [pa.RecordBatch.from_pylist([], table.schema)]
        else:
            raise InputError(
                f"frame is a {kind}, whose item {number} is a {type(item).__name__}. Give a pandas DataFrame or "
                "another frame, or an iterable of pyarrow.RecordBatch."
            )


def _nothing() -> None:
    """Stand for the `close` of an iterator that has none."""
