"""Arrow values handed to polars. It is imported at the first use, so that importing the package stays light."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    import polars as pl


def to_polars(batch: pa.RecordBatch) -> pl.DataFrame:
    """Return a batch as a polars frame, without copying numbers.

    Args:
        batch: Columns of the types that `plain` gives: polars panics at some others.
    """
    import polars as pl

    # On their way, an empty name would be replaced and a name would end at its first NUL.
    numbered = pa.Table.from_batches([batch]).rename_columns([str(i) for i in range(batch.num_columns)])
    frame = pl.DataFrame(pl.from_arrow(numbered))
    frame.columns = batch.schema.names
    return frame
