"""The accessor ``df.digime`` and ``s.digime``. Stateless: pandas makes a new one at each access."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from digime_pandas._authorization import Authorization
from digime_pandas._client import Client
from digime_pandas._receipt import Receipt
from digime_pandas._write import write


@pd.api.extensions.register_dataframe_accessor("digime")
@pd.api.extensions.register_series_accessor("digime")
class DigimeAccessor:
    """Writes this frame, or this series as a frame of one column, into people's digi.me libraries."""

    def __init__(self, frame: pd.DataFrame | pd.Series) -> None:
        self._frame = frame

    def write(
        self,
        file_name: str,
        *,
        account_id: str | Iterable[str],
        format: str | None = None,
        reference: Iterable[str] | None = None,
        tags: Iterable[str] = (),
        index: bool | None = None,
        mime_type: str | None = None,
        client: Client | None = None,
        authorization: Authorization | None = None,
        progress: object = None,
        **format_options: Any,
    ) -> Receipt:
        """Write the frame into a person's digi.me library; the frame is never changed.

        See `digime_pandas.write`: the arguments, the result and the errors are the same.

        Example:
            >>> receipt = df.digime.write("visits.parquet", account_id="patient-17")  # doctest: +SKIP
            >>> receipt.status  # doctest: +SKIP
            'delivered'
        """
        return write(
            self._frame,
            file_name,
            account_id=account_id,
            format=format,
            reference=reference,
            tags=tags,
            index=index,
            mime_type=mime_type,
            client=client,
            authorization=authorization,
            progress=progress,
            **format_options,
        )
