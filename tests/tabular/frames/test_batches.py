from __future__ import annotations

import pyarrow as pa

from digime_pandas._tabular.frames.batches import SizedBatches
from digime_pandas._tabular.frames.source import column_source_of


def test_batches_grow_and_shrink_with_what_they_give() -> None:
    source = column_source_of(pa.table({"n": range(100_000)}))
    batches = SizedBatches(source, size=8_000, first_bytes=800)
    rows = []
    for batch in batches:
        rows.append(batch.num_rows)
        batches.adapt(batch.num_rows, 4 * batch.num_rows)
    assert rows[:3] == [100, 800, 2_000]
    assert sum(rows) == 100_000


def test_a_batch_of_much_longer_rows_is_split() -> None:
    texts = ["x"] * 512 + ["y" * 10_000] * 64
    batches = SizedBatches(column_source_of(pa.table({"t": texts})), size=20_000, first_bytes=1 << 20)
    sizes = [batch.nbytes for batch in batches]
    assert len(sizes) > 8
    assert max(sizes) <= 2 * 20_000
