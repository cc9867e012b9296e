"""What is written: a small frame, one that is streamed, and one that can be read once, in every format."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pyarrow as pa

SHAPES = ["small", "streamed", "one-shot"]
FORMATS = ["csv", "json", "ndjson", "parquet"]
# Such that no format makes less than the size from which on a file is streamed of them.
_ROWS = 45_000


def body(shape: str) -> object:
    """Return a frame, a new one where it can be read once."""
    if shape == "small":
        return _frame(20)
    if shape == "streamed":
        return _frame(_ROWS)
    table = _table()
    return pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=9_000))


def rows(shape: str) -> int:
    return 20 if shape == "small" else _ROWS


@cache
def _frame(count: int) -> pd.DataFrame:
    numbers = np.random.default_rng(7)
    return pd.DataFrame({name: numbers.random(count) for name in ("a", "b", "c", "d")})


@cache
def _table() -> pa.Table:
    return pa.Table.from_pandas(_frame(_ROWS), preserve_index=False)
