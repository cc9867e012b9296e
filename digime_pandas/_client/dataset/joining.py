"""Joins the frames of a dataset's files: dtypes stay, where files that were written alone differ in them."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd


def join_frames(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return frames one after the other, as one frame.

    A column of categories gets those of all frames, in the order in which they first come; it becomes a column of plain
    values where the frames' orders of its categories contradict each other. Frames without rows say nothing of dtypes
    if others have rows. A default index is counted through, others are joined.

    Args:
        frames: At least one frame; all have the same columns.
    """
    filled = [frame for frame in frames if len(frame)] or list(frames[:1])
    if len(filled) == 1:
        return filled[0]
    for position in range(filled[0].shape[1]):
        filled = _with_same_categories(filled, position)
    counted = all(isinstance(frame.index, pd.RangeIndex) and frame.index.name is None for frame in filled)
    return pd.concat(filled, ignore_index=counted)


def _with_same_categories(frames: list[pd.DataFrame], position: int) -> list[pd.DataFrame]:
    dtypes = [frame.dtypes.iloc[position] for frame in frames]
    if not all(isinstance(dtype, pd.CategoricalDtype) for dtype in dtypes) or len(set(dtypes)) == 1:
        return frames
    joined = _joined_dtype(dtypes)
    if joined is None:
        return frames
    return [_with_dtype(frame, position, joined) for frame in frames]


def _joined_dtype(dtypes: Sequence[pd.CategoricalDtype]) -> pd.CategoricalDtype | None:
    """Return one dtype for all; None where order matters and no frame has the categories of all in their order."""
    ordered = {bool(dtype.ordered) for dtype in dtypes}
    if len(ordered) > 1:
        return None
    every = dtypes[0].categories
    for dtype in dtypes[1:]:
        every = every.append(dtype.categories.difference(every, sort=False))
    if not ordered.pop():
        return pd.CategoricalDtype(every)
    longest = max((dtype.categories for dtype in dtypes), key=len)
    agrees = all(list(longest[longest.isin(dtype.categories)]) == list(dtype.categories) for dtype in dtypes)
    return pd.CategoricalDtype(longest, ordered=True) if agrees else None


def _with_dtype(frame: pd.DataFrame, position: int, dtype: pd.CategoricalDtype) -> pd.DataFrame:
    frame = frame.copy(deep=False)
    frame.isetitem(position, frame.iloc[:, position].astype(dtype).array)
    return frame
