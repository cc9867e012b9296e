"""The accessor ``df.digime`` and ``s.digime``. Stateless, since pandas makes a new one at each access.

What it calls is loaded at the first call: this module is loaded whenever the package is.
"""

from __future__ import annotations

import importlib
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, Literal, Unpack

import pandas as pd

from digime_pandas._client.arguments import WRITE_DEFAULTS, WriteArguments, shows_arguments, shows_write_arguments
from digime_pandas.errors.calls.attributes import NearNames
from digime_pandas.errors.calls.explained import explains_calls

if TYPE_CHECKING:
    from digime_pandas._client.client import Client
    from digime_pandas._client.journal.journal import JournalLike
    from digime_pandas._client.preview import Preview
    from digime_pandas._service.authorization import Authorization
    from digime_pandas._service.descriptor import AccountIds, FileName
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


class FrameAccessor(NearNames):
    """Writes this frame into people's digi.me libraries.

    Args:
        frame: Any frame that `digime_pandas.write` takes.
    """

    def __init__(self, frame: Any) -> None:
        self._frame = frame

    @explains_calls()
    @shows_arguments(SendArguments, {**_SEND_DEFAULTS, **WRITE_DEFAULTS})
    def write(self, file_name: FileName, account_id: AccountIds, **arguments: Unpack[SendArguments]) -> Receipt:
        """Write the frame into a person's digi.me library; the frame is never changed.

        `digime_pandas.write` is the same as a function, whose calls type checkers see.

        Example:
            >>> receipt = df.digime.write("visits.parquet", account_id="patient-17")  # doctest: +SKIP
            >>> receipt.status  # doctest: +SKIP
            'delivered'

        Args:
            file_name: Name of the file, or a path that ends in it; its suffix says the format unless `format` does.
            account_id: The person's id in your own system, or several ids that the file is about.
            client: The client to use. Default: the one of `connect`.
            authorization: The consent to use. Default: the stored one of the account.
            progress: None shows a bar where a write takes long, True always, False never; or a callable.
            journal: A `Journal` that records this write, or the path of one. Default: the client's.
            format: ``"csv"``, ``"json"``, ``"ndjson"`` or ``"parquet"``.
            reference: Texts by which a reader finds the file. Default: its name, a write id and the schema.
            tags: Texts by which files are grouped.
            index: None leaves a default RangeIndex out and keeps any other, True keeps any, False none.
            mime_type: Media type to declare instead of the format's own.
            attrs: Send the frame's `attrs`.
            keep_unused_categories: Send categories that no row has.
            typed: CSV, JSON, NDJSON: send the schema that brings the dtypes back.
            escape_formulas: CSV: put an apostrophe before text that a spreadsheet would take for a formula.
            nested: CSV: ``"json"`` writes lists and dicts as JSON text; ``"refuse"`` refuses them.
            strict: JSON, NDJSON: refuse NaN and the infinities.
            decimals: JSON, NDJSON: decimals as ``"string"`` or as ``"number"``.
            compression: Parquet: ``"snappy"``, ``"zstd"``, ``"gzip"``, ``"brotli"``, ``"lz4"`` or ``"none"``.

        Returns:
            The receipt. Its `rows` are the frame's rows and its `size` is in bytes.

        Raises:
            DigimeError: The file was not delivered, or it is not known whether it was; see `digime_pandas.write`.
        """
        # Without its decorator, which this method has too: every write passes here.
        write = importlib.import_module("digime_pandas._client.write").write.__wrapped__
        receipt: Receipt = write(self._frame, file_name, account_id, **arguments)
        return receipt

    @explains_calls()
    @shows_write_arguments
    def preview(self, file_name: FileName, account_id: AccountIds, **arguments: Unpack[WriteArguments]) -> Preview:
        """Return what `write` would send, without sending it: descriptor, size, first rows, and a verdict per column.

        The arguments are those of `write`; an argument that is not valid raises the same error.

        Example:
            >>> df.digime.preview("visits.csv", account_id="patient-17")  # doctest: +SKIP

        Args:
            file_name: As for `write`.
            account_id: As for `write`.
            arguments: As for `write`: `format`, `reference`, `tags`, `index`, `mime_type`, and options of the format.

        Returns:
            What would be sent, and per column what becomes of it.

        Raises:
            InputError: An argument is not valid, or the frame cannot be previewed.
        """
        shown: Preview = importlib.import_module("digime_pandas._client.preview").preview(
            self._frame, file_name, account_id, **arguments
        )
        return shown

    @explains_calls()
    @shows_arguments(SendEachArguments, {**_SEND_EACH_DEFAULTS, **WRITE_DEFAULTS})
    def write_each(self, by: Hashable, file_name: FileName, **arguments: Unpack[SendEachArguments]) -> pd.DataFrame:
        """Split the rows by the account column `by` and write each part into that person's own library.

        `digime_pandas.write_each` is the same as a function, and says more.

        Example:
            >>> result = visits.digime.write_each("patient", "visits.csv", missing="skip")  # doctest: +SKIP
            >>> result[result["status"] != "delivered"]  # doctest: +SKIP

        Args:
            by: The column of account ids.
            file_name: Name of each file; ``{account_id}`` in it is filled in.
            missing: Where accounts have no consent: ``"error"`` sends nothing, ``"skip"`` writes the others' files.
            drop_null: Leave out rows without an account id instead of refusing them.
            keep_key: Whether the files have the column `by`.
            client: As for `write`.
            workers: How many files are sent at the same time at most.
            progress: As for `write`; a callable is given the persons done and the persons in all.
            journal: As for `write`. With one, the same call made again sends only what is missing.
            errors: ``"collect"`` puts failures into the result, ``"raise"`` ends the run at the first one.
            arguments: As for `write`: `format`, `reference`, `tags`, `index`, `mime_type`, and options of the format.

        Returns:
            One row per account, in order of first appearance: status, outcome, rows, size in bytes, error and more.

        Raises:
            InputError: An argument is not valid, or the rows cannot be split. Nothing was sent.
            NotAuthorizedError: Accounts have no consent, and `missing` is ``"error"``. Nothing was sent.
            DigimeError: The first failure, with ``errors="raise"``.
        """
        outcome: pd.DataFrame = _each().write_each(self._frame, by, file_name, **arguments)
        return outcome

    @explains_calls()
    @shows_arguments(PreviewEachArguments, {**_PREVIEW_EACH_DEFAULTS, **WRITE_DEFAULTS})
    def preview_each(
        self, by: Hashable, file_name: FileName, **arguments: Unpack[PreviewEachArguments]
    ) -> pd.DataFrame:
        """Return what `write_each` would send to whom, without sending it: consent, size and losses per person.

        `digime_pandas.preview_each` is the same as a function, and says more.

        Example:
            >>> visits.digime.preview_each("patient", "visits.csv")  # doctest: +SKIP

        Args:
            by: The column of account ids.
            file_name: As for `write_each`.
            drop_null: As for `write_each`.
            keep_key: As for `write_each`.
            client: Whose stored consents are looked up. Default: the one of `connect`.
            arguments: As for `write`: `format`, `reference`, `tags`, `index`, `mime_type`, and options of the format.

        Returns:
            One row per account: consent, rows, estimated size in bytes, verdict, losses and error.

        Raises:
            InputError: An argument is not valid, or the rows cannot be split.
        """
        shown: pd.DataFrame = _each().preview_each(self._frame, by, file_name, **arguments)
        return shown


@pd.api.extensions.register_dataframe_accessor("digime")
@pd.api.extensions.register_series_accessor("digime")
class DigimeAccessor(FrameAccessor):
    """Writes this frame, or this series as a frame of one column, into people's digi.me libraries."""


def _each() -> Any:
    return importlib.import_module("digime_pandas._client.write_each")
