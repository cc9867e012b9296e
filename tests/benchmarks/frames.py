"""The frames that are measured: mixed sales rows, many floats, long texts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa

SALES_ROWS, WIDE_ROWS, TEXT_ROWS = 1_000_000, 200_000, 200_000
_BATCH_ROWS = 50_000
_TEXT = (
    "Grüße, Ärzte und Übungen; naïve café, “quoted” text\nsecond line 東京 データ здравствуйте plain words about a "
    'visit and what was said: "take two, call me", then nothing more 🙂 for a while'
)


def sales(rows: int = SALES_ROWS) -> pd.DataFrame:
    """Return ten columns of the kinds that business tables have, nulls included; from 1 M rows on they repeat."""
    if rows > SALES_ROWS:
        return pd.concat([sales(SALES_ROWS)] * (rows // SALES_ROWS), ignore_index=True)
    random = np.random.default_rng(1)
    start = np.datetime64("2026-01-01", "us")
    names = np.array([f"Customer {i:05d}" for i in range(20_000)], dtype=object)
    cities = np.array(["Zürich", "London", "New York, NY", "São Paulo", "東京"], dtype=object)
    channels = np.array(["web", "shop", "phone", "partner"], dtype=object)
    frame = pd.DataFrame(
        {
            "order_id": np.arange(rows, dtype=np.int64) + 10**9,
            "ordered": pd.to_datetime(
                start + random.integers(0, 31_536_000, rows).astype("timedelta64[s]")
            ).tz_localize("Europe/London", ambiguous=True, nonexistent="shift_forward"),
            "customer": pd.array(names[random.integers(0, len(names), rows)], dtype="str"),
            "city": pd.array(cities[random.integers(0, len(cities), rows)], dtype="str"),
            "channel": pd.Categorical(channels[random.integers(0, len(channels), rows)]),
            "items": pd.array(random.integers(1, 100, rows), dtype="Int64"),
            "discount": np.where(random.random(rows) < 0.3, np.nan, random.random(rows)),
            "price": np.round(random.lognormal(3.0, 1.0, rows), 2),
            "returned": random.random(rows) < 0.05,
            "due": pd.to_datetime(
                np.datetime64("2026-01-01", "s") + random.integers(0, 365, rows).astype("timedelta64[D]")
            ),
        }
    )
    frame.loc[random.random(rows) < 0.05, "customer"] = None
    frame.loc[random.random(rows) < 0.02, "city"] = None
    frame.loc[random.random(rows) < 0.1, "items"] = pd.NA
    return frame


def sales_stream(rows: int) -> pa.RecordBatchReader:
    """Return sales rows that are never there as a whole: one batch, again and again."""
    batch = pa.RecordBatch.from_pandas(sales(min(rows, _BATCH_ROWS)), preserve_index=False)
    return pa.RecordBatchReader.from_batches(batch.schema, (batch for _ in range(0, rows, _BATCH_ROWS)))


def wide(rows: int = WIDE_ROWS) -> pd.DataFrame:
    """Return fifty columns of doubles that need all their digits."""
    values = np.random.default_rng(2).standard_normal((rows, 50))
    return pd.DataFrame(values, columns=[f"feature_{i:02d}" for i in range(50)])


def text(rows: int = TEXT_ROWS) -> pd.DataFrame:
    """Return four columns of long texts in several scripts, with quotes, commas and line breaks."""
    random = np.random.default_rng(3)
    words = _TEXT.split(" ")
    columns = {}
    for name in ("note", "summary", "answer", "remark"):
        pool = [" ".join(random.choice(words, random.integers(10, 30))) for _ in range(5_000)]
        tails = random.integers(0, 10**9, rows)
        columns[name] = pd.array([f"{pool[i % 5_000]} {tails[i]}" for i in range(rows)], dtype="str")
    return pd.DataFrame(columns)


def object_columns(rows: int) -> dict[str, pd.Series[Any]]:
    """Return columns of the dtype object: of values that are told by their types, and of ones that are compared."""
    start = dt.datetime(2026, 1, 1)  # noqa: DTZ001 - naive on purpose
    zone = ZoneInfo("Europe/London")
    cells: dict[str, Callable[[int], Any]] = {
        "text": lambda i: f"text {i}" if i % 10 else None,
        "int": lambda i: i,
        "float": lambda i: i / 7,
        "datetime": lambda i: start + dt.timedelta(seconds=i),
        "lists of text": lambda i: [f"tag {i % 100}", "b"],
        "dicts": lambda i: {"id": i, "name": "x", "score": 0.5},
        "arrays of 8 floats": lambda i: np.full(8, i / 7),
        "datetime in a zone": lambda i: dt.datetime.fromtimestamp(1.7e9 + i, zone),
        "Decimal": lambda i: Decimal(i) / 100,
        "dicts, some without a member": lambda i: {"id": i, "name": "x"} if i % 2 else {"id": i},
    }
    columns = {}
    for name, cell in cells.items():
        values = np.empty(rows, dtype=object)
        for i in range(rows):
            values[i] = cell(i)
        columns[name] = pd.Series(values, dtype=object)
    return columns


FRAMES: dict[str, Callable[[int], Any]] = {"sales": sales, "wide": wide, "text": text, "stream": sales_stream}
ROWS = {"sales": SALES_ROWS, "wide": WIDE_ROWS, "text": TEXT_ROWS}


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to measure: a frame, where it goes and as what."""

    frame: str
    rows: int
    format: str
    protocol: str

    def make(self) -> Any:
        """Return the frame."""
        return FRAMES[self.frame](self.rows)
