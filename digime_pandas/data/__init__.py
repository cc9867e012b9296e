"""A small real table to try things with; ``SOURCE.md`` beside it names its source and licence (CC0)."""

from __future__ import annotations

from importlib.resources import files

import pandas as pd

__all__ = ["penguins"]

_TEXTS = ("Region", "Individual ID", "Comments")
_CATEGORIES = ("studyName", "Species", "Island", "Stage", "Clutch Completion", "Sex")
_COUNTS = ("Sample Number", "Flipper Length (mm)", "Body Mass (g)")
_MEASURES = ("Culmen Length (mm)", "Culmen Depth (mm)", "Delta 15 N (o/oo)", "Delta 13 C (o/oo)")
_DTYPES = {
    **dict.fromkeys(_TEXTS, "string"),
    **dict.fromkeys(_CATEGORIES, "category"),
    **dict.fromkeys(_COUNTS, "Int64"),
    **dict.fromkeys(_MEASURES, "Float64"),
}


def penguins() -> pd.DataFrame:
    """Return measurements of 344 penguins, one a row, as the people who took them recorded them.

    Returns:
        17 columns: categories, text, integers, floats and a date; some values of each but the date are missing.
    """
    with (files(__name__) / "penguins.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file, dtype=_DTYPES, parse_dates=["Date Egg"])
