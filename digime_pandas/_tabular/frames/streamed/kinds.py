"""Which kinds of objects give record batches, and whether they can be read again."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from digime_pandas._tabular.frames.streamed.batch_source import BatchSource, SingleStream
from digime_pandas._tabular.frames.streamed.files import parquet_file, parquet_path
from digime_pandas._tabular.frames.streamed.iterables import is_iterable_of_batches, iterable
from digime_pandas._tabular.frames.streamed.polars_query import lazy_frame
from digime_pandas._tabular.frames.streamed.queries import dataset, relation, scanner

# By module and class: no module is loaded for these, since an object of one has loaded it.
_KINDS: tuple[tuple[str, str, Callable[[Any], BatchSource | SingleStream]], ...] = (
    ("pyarrow.parquet", "ParquetFile", parquet_file),
    ("pyarrow.dataset", "Dataset", dataset),
    ("pyarrow.dataset", "Fragment", dataset),
    ("pyarrow.dataset", "Scanner", scanner),
    ("polars", "LazyFrame", lazy_frame),
    ("duckdb", "DuckDBPyRelation", relation),
)


def batches_of(frame: object) -> BatchSource | SingleStream | None:
    """Return the record batches of an object, or None where it is of no kind that is known here.

    Args:
        frame: The path of a Parquet file, a pyarrow ParquetFile, Dataset, Fragment or Scanner, a polars LazyFrame, a
            DuckDB relation, or an iterable of record batches.

    Raises:
        InputError: It is of such a kind, and cannot be read.
    """
    if isinstance(frame, str | os.PathLike):
        return parquet_path(frame)
    for module, name, make in _KINDS:
        kind = getattr(sys.modules.get(module), name, None)
        if kind is not None and isinstance(frame, kind):
            return make(frame)
    if not hasattr(frame, "__arrow_c_stream__") and is_iterable_of_batches(frame):
        return iterable(frame)
    return None
