"""The accessor ``df.digime`` and ``s.digime``. Stateless, since pandas makes a new one at each access.

What it calls is loaded at the first call: this module is loaded whenever the package is.
"""

from __future__ import annotations

import importlib
from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, Any, Literal, Unpack

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


class PreviewEachArguments(WriteArguments, total=False):
    """Arguments of `digime_pandas.preview_each` beside frame, column and file name."""

    drop_null: bool
    keep_key: bool
    client: Client | None


class SendEachArguments(PreviewEachArguments, total=False):
    """Arguments of `digime_pandas.write_each` beside frame, column and file name."""

    missing: Literal["error", "skip"]
    workers: int
    progress: object
    journal: JournalLike | None
    errors: Literal["collect", "raise"]


_PREVIEW_EACH_DEFAULTS: dict[str, object] = {"drop_null": False, "keep_key": True, "client": None}
_SEND_EACH_DEFAULTS: dict[str, object] = {
    "missing": "error",
    **_PREVIEW_EACH_DEFAULTS,
    "workers": 8,
    "progress": None,
    "journal": None,
    "errors": "collect",
}


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

    @shows_arguments(SendEachArguments, {**_SEND_EACH_DEFAULTS, **WRITE_DEFAULTS})
    def write_each(self, by: Hashable, file_name: str, **arguments: Unpack[SendEachArguments]) -> pd.DataFrame:
        """Split the rows by the account column `by` and write each part into that person's own library.

        See `digime_pandas.write_each`: the arguments, the result and the errors are the same.

        Example:
            >>> result = visits.digime.write_each("patient", "visits.csv", missing="skip")  # doctest: +SKIP
            >>> result[result["status"] != "delivered"]  # doctest: +SKIP
        """
        outcome: pd.DataFrame = _each().write_each(self._frame, by, file_name, **arguments)
        return outcome

    @shows_arguments(PreviewEachArguments, {**_PREVIEW_EACH_DEFAULTS, **WRITE_DEFAULTS})
    def preview_each(self, by: Hashable, file_name: str, **arguments: Unpack[PreviewEachArguments]) -> pd.DataFrame:
        """Return what `write_each` would send to whom, without sending it: consent, size and losses per person.

        See `digime_pandas.preview_each`: the arguments, the result and the errors are the same.

        Example:
            >>> visits.digime.preview_each("patient", "visits.csv")  # doctest: +SKIP
        """
        shown: pd.DataFrame = _each().preview_each(self._frame, by, file_name, **arguments)
        return shown


@pd.api.extensions.register_dataframe_accessor("digime")
@pd.api.extensions.register_series_accessor("digime")
class DigimeAccessor(FrameAccessor):
    """Writes this frame, or this series as a frame of one column, into people's digi.me libraries."""


def _each() -> Any:
    return importlib.import_module("digime_pandas._client.write_each")
