"""The namespace ``digime`` for frames and series of polars.

Registered by ``import digime_pandas`` where polars was imported before it, and by ``import digime_pandas.polars``.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from digime_pandas._client.accessor import FrameAccessor


@pl.api.register_dataframe_namespace("digime")
class PolarsDataFrameNamespace(FrameAccessor):
    """Writes this frame into people's digi.me libraries. It is never changed."""


@pl.api.register_series_namespace("digime")
class PolarsSeriesNamespace(FrameAccessor):
    """Writes this series, as a frame of one column, into people's digi.me libraries. It is never changed."""

    def __init__(self, series: Any) -> None:
        super().__init__(series.to_frame())
