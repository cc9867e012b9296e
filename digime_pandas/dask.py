"""The accessor for Dask frames: every partition becomes a file of its own, sent from where it is computed.

::

    import digime_pandas.dask  # registers ddf.digime

    result = ddf.digime.write("events-*.parquet", account_id="patient-17")
    frame = digime_pandas.read_frame("events-*.parquet", account_id="patient-17")

Workers get no private key and no refresh token, and need no configuration: the process that calls `write` signs each
upload, and the worker that computed the partition sends it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, Literal, Unpack, overload

import pandas as pd

from digime_pandas._client.arguments import WriteArguments, shows_write_arguments
from digime_pandas._client.client import Client
from digime_pandas._client.dataset.lazy_read import lazy_frame
from digime_pandas._client.journal.journal import JournalLike
from digime_pandas._client.partitions.dataset_write import Errors
from digime_pandas._client.partitions.delayed import DelayedWrite
from digime_pandas._client.partitions.each_write import delayed_each
from digime_pandas._client.partitions.frames import delayed_write
from digime_pandas._client.read import ReadArguments, dataset_of, read_request, shows_read_arguments
from digime_pandas.errors import ConfigurationError, call_site
from digime_pandas.errors.calls.explained import explains_calls

try:
    from dask.dataframe.extensions import register_dataframe_accessor, register_series_accessor
except ImportError as error:
    raise ConfigurationError(
        f"Dask frames need a part that is not installed ({error.name}). Run: pip install 'digime-pandas[dask]'"
    ) from error


class _DatasetArguments(WriteArguments, total=False):
    client: Client | None
    journal: JournalLike | None
    errors: Errors


class _EachArguments(WriteArguments, total=False):
    missing: Literal["error", "skip"]
    drop_null: bool
    keep_key: bool
    client: Client | None
    journal: JournalLike | None
    errors: Literal["collect", "raise"]


@register_dataframe_accessor("digime")
@register_series_accessor("digime")
class DaskDigimeAccessor:
    """Writes the partitions of this frame into a person's digi.me library."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame

    @overload
    def write(
        self,
        file_name: str,
        account_id: str | Iterable[str],
        *,
        compute: Literal[True] = True,
        **arguments: Unpack[_DatasetArguments],
    ) -> pd.DataFrame: ...

    @overload
    def write(
        self,
        file_name: str,
        account_id: str | Iterable[str],
        *,
        compute: Literal[False],
        **arguments: Unpack[_DatasetArguments],
    ) -> DelayedWrite: ...

    @explains_calls()
    @shows_write_arguments
    def write(
        self,
        file_name: str,
        account_id: str | Iterable[str],
        *,
        client: Client | None = None,
        journal: JournalLike | None = None,
        compute: bool = True,
        errors: Errors = "raise",
        **arguments: Unpack[WriteArguments],
    ) -> pd.DataFrame | DelayedWrite:
        """Write every partition as one file, and at last a manifest that lists them.

        The frame is computed once. Each partition is serialized, encrypted and sent by the worker that computed it, as
        many at a time as there are threads; a worker holds the file of each in memory. With the scheduler of processes,
        which has no way back to this one, the files are sent from here, after all are computed. A sending that is
        refused, expires or ends with its worker is repeated with the same write id, so that readers see one file.

        Args:
            file_name: Name with one ``*``, which becomes number and count: ``events-00007-of-00100.parquet``.
            account_id: As for `write`.
            client: As for `write`. It stays in this process, and so do its key and tokens.
            journal: As for `write`. What it has as delivered, with the same content, is not sent again.
            compute: False: nothing is computed now. What is returned has a `compute`, which ``dask.compute`` and
                ``dask.persist`` call too.
            errors: ``"raise"``: an error is raised where partitions failed, after all others were delivered;
                ``"collect"``: the result says so alone. There is a manifest only where none failed.
            arguments: As for `write`. `index` is decided for the whole frame: unnamed ranges are left out of every
                file. By default, each file has its own name, its write id and the dataset's id as `reference`; with
                `reference` there is no manifest.

        Returns:
            One row per partition, in order: account_id, status (``"delivered"``, ``"pending"``, ``"failed"``), outcome
            (of a failed one: ``"not sent"``, ``"refused"``, ``"unknown"``), file_name, mime_type, rows, size (bytes),
            sha256, write_id, delivered_at, attempts, elapsed (seconds), lost, error_type and error.

        Raises:
            DescriptorError: The name has no ``*`` or several. Nothing was computed or sent.
            ConfigurationError: There is no client. Nothing was computed or sent.
            AuthorizationError: The account has not authorized this contract. Nothing was computed or sent.
            InputError: The frame's dtypes cannot be written as asked. Nothing was computed or sent.
            DatasetError: Partitions, or the manifest, were not delivered; its `result` is what else is returned.
        """
        write = delayed_write(
            self._frame,
            file_name,
            account_id,
            arguments,
            client=client,
            journal=journal,
            errors=errors,
            site=call_site(),
        )
        return write.compute() if compute else write

    @overload
    def write_each(
        self, by: Hashable, file_name: str, *, compute: Literal[True] = True, **arguments: Unpack[_EachArguments]
    ) -> pd.DataFrame: ...

    @overload
    def write_each(
        self, by: Hashable, file_name: str, *, compute: Literal[False], **arguments: Unpack[_EachArguments]
    ) -> DelayedWrite: ...

    @explains_calls()
    @shows_write_arguments
    def write_each(
        self,
        by: Hashable,
        file_name: str,
        *,
        missing: Literal["error", "skip"] = "error",
        drop_null: bool = False,
        keep_key: bool = True,
        client: Client | None = None,
        journal: JournalLike | None = None,
        compute: bool = True,
        errors: Literal["collect", "raise"] = "collect",
        **arguments: Unpack[WriteArguments],
    ) -> pd.DataFrame | DelayedWrite:
        """Write each person's rows into that person's own library: one file per person.

        The column of account ids is computed first, so that account ids and consents are checked before anything is
        sent. Then the rows are shuffled, so that each person's are in one partition, and sent from where they are, one
        person after the other in each. The frame is computed twice for that. The order of a person's rows is the
        shuffle's.

        Args:
            by: As for `write_each` of pandas frames.
            file_name: As for `write_each` of pandas frames.
            missing: As for `write_each` of pandas frames.
            drop_null: As for `write_each` of pandas frames.
            keep_key: As for `write_each` of pandas frames.
            client: As for `write`. It stays in this process, and so do its key and tokens.
            journal: As for `write_each` of pandas frames.
            compute: False: nothing is computed now, not even the account ids; what is returned is as for `write`.
            errors: ``"collect"`` puts failures into the result; ``"raise"`` raises the first one when all others have
                been sent, with the result as its attribute `result`.
            arguments: As for `write`. `index` is decided for the whole frame.

        Returns:
            As `write_each` of pandas frames.

        Raises:
            InputError: An argument is not valid, or the rows cannot be split. Nothing was sent.
            NotAuthorizedError: Accounts have no consent that can be used, and `missing` is ``"error"``. Nothing was
                sent.
            DigimeError: The first failure, with ``errors="raise"``.

        Warns:
            FidelityWarning: Files do not hold everything of their rows, or in another form: one warning, at the end.
        """
        write = delayed_each(
            self._frame,
            by,
            file_name,
            arguments,
            missing=missing,
            drop_null=drop_null,
            keep_key=keep_key,
            client=client,
            journal=journal,
            errors=errors,
            site=call_site(),
        )
        return write.compute() if compute else write


@explains_calls()
@shows_read_arguments
def read_frame(
    file_name: str,
    account_id: str,
    *,
    columns: Sequence[str] | None = None,
    **arguments: Unpack[ReadArguments],
) -> Any:
    """Return a dataset in a person's library as a Dask frame, of which each file is a partition.

    Each file is fetched and decrypted when its partition is computed, with the client's key and tokens, which stay in
    this process: compute with ``scheduler="threads"`` where a cluster is connected.

    Args:
        file_name: The name it was written under, with one ``*``.
        account_id: As for `read_frame` of this package.
        columns: As for `read_frame` of this package.
        arguments: As for `read_frame` of this package, without `sha256`.

    Returns:
        The Dask frame. Only the manifest is fetched now, which says the dtypes; the divisions are not known.

    Raises:
        DigimeError: As for `read_frame` of this package, now or when a partition is computed.
    """
    return lazy_frame(dataset_of(read_request(file_name, account_id, **arguments)), columns)
