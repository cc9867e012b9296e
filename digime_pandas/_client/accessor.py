"""The accessor ``df.digime`` and ``s.digime``. Stateless, since pandas makes a new one at each access.

What it calls is loaded at the first call: this module is loaded whenever the package is.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from digime_pandas._client.client import Client
    from digime_pandas._client.preview import Preview
    from digime_pandas._service.authorization import Authorization
    from digime_pandas._service.receipt import Receipt


class FrameAccessor:
    """Writes this frame into people's digi.me libraries.

    Args:
        frame: Any frame that `digime_pandas.write` takes.
    """

    def __init__(self, frame: Any) -> None:
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
        receipt: Receipt = importlib.import_module("digime_pandas._client.write").write(
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
        return receipt

    def preview(
        self,
        file_name: str,
        *,
        account_id: str | Iterable[str],
        format: str | None = None,
        reference: Iterable[str] | None = None,
        tags: Iterable[str] = (),
        index: bool | None = None,
        mime_type: str | None = None,
        **format_options: Any,
    ) -> Preview:
        """Say what `write` would send, without sending it: descriptor, size, first rows, and the fate of each column.

        The arguments are those of `write`, and so are the errors in what was asked for.

        Example:
            >>> df.digime.preview("visits.csv", account_id="patient-17")  # doctest: +SKIP
        """
        shown: Preview = importlib.import_module("digime_pandas._client.preview").preview(
            self._frame,
            file_name,
            account_id=account_id,
            format=format,
            reference=reference,
            tags=tags,
            index=index,
            mime_type=mime_type,
            **format_options,
        )
        return shown


@pd.api.extensions.register_dataframe_accessor("digime")
@pd.api.extensions.register_series_accessor("digime")
class DigimeAccessor(FrameAccessor):
    """Writes this frame, or this series as a frame of one column, into people's digi.me libraries."""

    def write_each(
        self,
        by: str,
        file_name: str,
        *,
        format: str | None = None,
        reference: Iterable[str] | None = None,
        tags: Iterable[str] = (),
        index: bool | None = None,
        mime_type: str | None = None,
        client: Client | None = None,
        workers: int = 4,
        **format_options: Any,
    ) -> pd.DataFrame:
        """Split the rows by the account column `by` and write each part into that person's own library.

        Args:
            by: Column of account ids.
            file_name: Name of each person's file.
            format: As for `write`.
            reference: As for `write`.
            tags: As for `write`.
            index: As for `write`.
            mime_type: As for `write`.
            client: As for `write`.
            workers: How many files are written at the same time.
            format_options: As for `write`.

        Returns:
            One row an account, indexed by account id: status, file_name, rows, size (bytes), sha256, error.

        Raises:
            InputError: There is no such column, or a row has no account id. Nothing was sent.
        """
        outcome: pd.DataFrame = importlib.import_module("digime_pandas._client.write_each").write_each(
            self._frame,
            by,
            file_name,
            format=format,
            reference=reference,
            tags=tags,
            index=index,
            mime_type=mime_type,
            client=client,
            workers=workers,
            **format_options,
        )
        return outcome
