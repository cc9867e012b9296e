"""The namespace ``digime`` for frames, series and queries of polars.

Registered by ``import digime_pandas``, whether polars is imported before it or later.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from digime_pandas._client.accessor import FrameAccessor


@pl.api.register_dataframe_namespace("digime")
class PolarsDataFrameNamespace(FrameAccessor):
    """Writes this frame into people's digi.me libraries. It is never changed."""


@pl.api.register_lazyframe_namespace("digime")
class PolarsLazyFrameNamespace(FrameAccessor):
    """Writes the rows of this query into people's digi.me libraries. It is run twice."""


@pl.api.register_series_namespace("digime")
class PolarsSeriesNamespace(FrameAccessor):
    """Writes this series, as a frame of one column, into people's digi.me libraries. It is never changed."""

    def __init__(self, series: Any) -> None:
        super().__init__(series.to_frame())
