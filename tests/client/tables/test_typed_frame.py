from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pandas as pd

from digime_pandas._client.tables.typed_frame import dtypes_of, typed_frame

DTYPES = dtypes_of("account_id", "rows", "elapsed", "delivered_at")


def test_dtypes_are_the_same_with_and_without_rows() -> None:
    row = {"account_id": "p", "rows": 3, "elapsed": 0.5, "delivered_at": datetime(2026, 1, 5, tzinfo=UTC)}
    expected = ["string", "Int64", "Float64", "datetime64[us, UTC]"]
    tables: list[list[dict[str, Any]]] = [[], [row], [{}], [row, {"rows": None}]]
    for rows in tables:
        frame = typed_frame(rows, DTYPES)
        assert list(map(str, frame.dtypes)) == expected
        assert list(frame.columns) == list(DTYPES)
        assert len(frame) == len(rows)


def test_what_a_row_does_not_have_is_missing() -> None:
    frame = typed_frame([{"rows": 2**60 + 1}, {}], DTYPES)
    assert frame["rows"].tolist() == [2**60 + 1, pd.NA]
    assert frame["account_id"].isna().all()
