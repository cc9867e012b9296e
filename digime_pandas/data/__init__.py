"""A small real table to try things with; ``SOURCE.md`` beside it names its source and licence (CC0)."""

from __future__ import annotations

from importlib.resources import files

import pandas as pd

__all__ = ["penguins"]

_TEXTS = ("Region", "Individual ID", "Comments")
_CATEGORIES = ("studyName", "Species", "Island", "Stage", "Clutch Completion", "Sex")
_COUNTS = ("Sample Number", "Flipper Length (mm)", "Body Mass (g)")


def penguins() -> pd.DataFrame:
    """Return measurements of 344 penguins, one a row, as the people who took them recorded them.

    Returns:
        17 columns: categories, text, nullable integers, floats and dates; some values are missing.
    """
    dtypes = dict.fromkeys(_TEXTS, "string") | dict.fromkeys(_CATEGORIES, "category") | dict.fromkeys(_COUNTS, "Int64")
    with (files(__name__) / "penguins.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file, dtype=dtypes, parse_dates=["Date Egg"])
