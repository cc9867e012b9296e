"""Frequencies of indexes of times, by the names by which pandas makes them again."""

from __future__ import annotations

from typing import Any

import pandas as pd

from digime_pandas._tabular.columns import Finding

INDEX_OF_TIMES = pd.DatetimeIndex | pd.TimedeltaIndex
"""The classes of indexes that have frequencies; that of periods is in their dtype."""


def frequencies_of(index: pd.Index[Any]) -> tuple[Any, ...]:
    """Return the frequency of each level of an index, or None."""
    levels = index.levels if isinstance(index, pd.MultiIndex) else [index]
    return tuple(each.freq if isinstance(each, INDEX_OF_TIMES) else None for each in levels)


def frequency_name(freq: Any) -> str | None:
    """Return the name by which pandas makes a frequency again.

    Args:
        freq: The frequency of an index, or None.

    Returns:
        The name; None where there is none, as for most offsets with arguments.
    """
    if freq is None:
        return None
    try:
        name: str = freq.freqstr
        return name if pd.tseries.frequencies.to_offset(name) == freq else None
    except Exception:  # noqa: BLE001 - of offsets of all kinds, which raise errors of all kinds
        return None


def named_frequency(index: pd.DatetimeIndex | pd.TimedeltaIndex) -> tuple[str | None, tuple[Finding, ...]]:
    """Return the name of the frequency of an index, and what was found of it: that it has none.

    Args:
        index: An index of times, with a frequency or without.
    """
    name = frequency_name(index.freq)
    if name is not None or index.freq is None:
        return name, ()
    return None, (Finding("frequency without a name", seen=type(index.freq).__name__),)


def with_frequency(index: pd.Index[Any], freq: str | None) -> pd.Index[Any]:
    """Return an index of times with a frequency, or as it is where its values do not have it.

    Args:
        index: The index.
        freq: Name of the frequency, or None.
    """
    if freq is None or not isinstance(index, INDEX_OF_TIMES):
        return index
    try:
        return type(index)(index, freq=freq)
    except ValueError:
        return index
