"""The accessor ``df.digime`` and ``s.digime``. Stateless, since pandas makes a new one at each access.

What it calls is loaded at the first call: this module is loaded whenever the package is.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Unpack

import pandas as pd

from digime_pandas._client.arguments import WRITE_DEFAULTS, WriteArguments, shows_arguments, shows_write_arguments

if TYPE_CHECKING:
    from digime_pandas._client.client import Client
    from digime_pandas._client.journal.journal import JournalLike
    from digime_pandas._client.preview import Preview
    from digime_pandas._service.authorization import Authorization
    from digime_pandas._service.receipt import Receipt


class SendArguments(WriteArguments, total=False):
    """Arguments of `digime_pandas.write` beside frame, file name and account."""

    client: Client | None
    authorization: Authorization | None
    progress: object
    journal: JournalLike | None


_SEND_DEFAULTS: dict[str, object] = {"client": None, "authorization": None, "progress": None, "journal": None}


class SendEachArguments(WriteArguments, total=False):
    """Arguments of `digime_pandas.write_each` beside frame, column and file name."""

    client: Client | None
    workers: int


class FrameAccessor:
    """Writes this frame into people's digi.me libraries.

    Args:
        frame: Any frame that `digime_pandas.write` takes.
    """

    def __init__(self, frame: Any) -> None:
        self._frame = frame

    @shows_arguments(SendArguments, {**_SEND_DEFAULTS, **WRITE_DEFAULTS})
    def write(self, file_name: str, account_id: str | Iterable[str], **arguments: Unpack[SendArguments]) -> Receipt:
        """Write the frame into a person's digi.me library; the frame is never changed.

        See `digime_pandas.write`: the arguments, the result and the errors are the same.

        Example:
            >>> receipt = df.digime.write("visits.parquet", account_id="patient-17")  # doctest: +SKIP
            >>> receipt.status  # doctest: +SKIP
            'delivered'
        """
        receipt: Receipt = importlib.import_module("digime_pandas._client.write").write(
            self._frame, file_name, account_id, **arguments
        )
        return receipt

    @shows_write_arguments
    def preview(self, file_name: str, account_id: str | Iterable[str], **arguments: Unpack[WriteArguments]) -> Preview:
        """Return what `write` would send, without sending it: descriptor, size, first rows, and a verdict per column.

        The arguments are those of `write`; an argument that is not valid raises the same error.

        Example:
            >>> df.digime.preview("visits.csv", account_id="patient-17")  # doctest: +SKIP
        """
        shown: Preview = importlib.import_module("digime_pandas._client.preview").preview(
            self._frame, file_name, account_id, **arguments
        )
        return shown


@pd.api.extensions.register_dataframe_accessor("digime")
@pd.api.extensions.register_series_accessor("digime")
class DigimeAccessor(FrameAccessor):
    """Writes this frame, or this series as a frame of one column, into people's digi.me libraries."""

    @shows_arguments(SendEachArguments, {"client": None, "workers": 4, **WRITE_DEFAULTS})
    def write_each(self, by: str, file_name: str, **arguments: Unpack[SendEachArguments]) -> pd.DataFrame:
        """Split the rows by the account column `by` and write each part into that person's own library.

        Args:
            by: Column of account ids.
            file_name: Name of each person's file.
            arguments: As for `write`; and `workers`, how many files are written at the same time.

        Returns:
            One row per account, indexed by account id: status, file_name, rows, size (bytes), sha256, error.

        Raises:
            InputError: There is no such column, or a row has no account id. Nothing was sent.
        """
        outcome: pd.DataFrame = importlib.import_module("digime_pandas._client.write_each").write_each(
            self._frame, by, file_name, **arguments
        )
        return outcome
