"""Lazy frames of polars, whose query is run for each reading."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from digime_pandas._tabular.columns import BLOCK_ROWS, Column, is_of_a_library, unreadable, unsupported_column
from digime_pandas._tabular.engines.polars_text import polars_is_usable
from digime_pandas._tabular.frames.arrow_input.polars_columns import exported_columns, unsupported_dtype
from digime_pandas._tabular.frames.streamed.batch_source import BatchSource, raise_unreadable
from digime_pandas.errors import InputError

_ADVICE = "A query that gives other rows each time has to be run once: give frame.collect()."


def lazy_frame(frame: Any) -> BatchSource:
    """Return the rows of a LazyFrame.

    The query runs on the streaming engine of polars, and its rows come in batches. Versions of polars before 1.34
    have no batches: there the result of the query is in memory as a whole.

    Args:
        frame: The query.

    Raises:
        InputError: polars cannot plan it, or cannot run queries in this process.
    """
    if not polars_is_usable():
        raise InputError("frame is a LazyFrame, and polars cannot run queries in a forked process. Collect it before.")
    try:
        columns = frame.collect_schema()
    except BaseException as error:  # noqa: BLE001 - raised again
        raise_unreadable(error, "frame is a LazyFrame, and its query cannot be planned", "Repair it.")
    refused, types = _examined(columns)

    def batches() -> Iterator[pa.RecordBatch]:
        for part in _parts(frame):
            exported = [place for place in range(part.width) if place not in refused]
            arrays: dict[int, Any] = dict(zip(exported, exported_columns(part, exported), strict=True))
            values = [arrays.get(place, pa.chunked_array([pa.nulls(part.height)])) for place in range(part.width)]
            yield from pa.table(values, schema=_named(part.columns, [each.type for each in values])).to_batches()

    return BatchSource("The LazyFrame", _named(columns.names(), types), batches, _ADVICE, refused, is_query=True)


def _examined(columns: Any) -> tuple[dict[int, Column], list[pa.DataType]]:
    """Return the columns that polars does not export, by position, and the types of all in Arrow."""
    import polars as pl

    refused: dict[int, Column] = {}
    types = []
    for place, (name, dtype) in enumerate(columns.items()):
        finding, cause, exported = unsupported_dtype(dtype), None, pa.null()
        if finding is None:
            try:
                [values] = exported_columns(pl.DataFrame({"": pl.Series("", [], dtype=dtype)}), [0])
                exported = values.type
            except BaseException as error:
                if not is_of_a_library(error):
                    raise
                finding, cause = unreadable(error), error
        if finding is not None:
            refused[place] = unsupported_column(name, dtype, finding, cause)
        types.append(exported)
    return refused, types


def _named(names: list[str], types: list[pa.DataType]) -> pa.Schema:
    return pa.schema(list(zip(names, types, strict=True)))


def _parts(frame: Any) -> Iterator[Any]:
    if not hasattr(frame, "collect_batches"):
        yield from frame.collect(engine="streaming").iter_slices(BLOCK_ROWS)
        return
    parts = frame.collect_batches(chunk_size=BLOCK_ROWS, maintain_order=True, engine="streaming")
    try:
        yield from parts
    finally:
        stop = getattr(parts, "stop", None)  # of versions that run the rest of the query without it
        if stop is not None:
            stop()
