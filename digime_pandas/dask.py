"""The accessor for Dask frames: every partition becomes a file of its own, written where it is computed.

::

    import digime_pandas.dask  # registers ddf.digime

    receipts = ddf.digime.write("events-*.parquet", account_id="patient-17")

Keys and tokens are not sent to other processes. On a cluster of other processes or machines each worker connects by its
own environment variables and finds the authorization in its own token store (a folder they share, or one filled
beforehand).
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, Unpack

import pandas as pd

from digime_pandas._client.arguments import WriteArguments, shows_write_arguments
from digime_pandas._client.client import Client
from digime_pandas._client.connect import current_client
from digime_pandas._client.write import write_request
from digime_pandas._client.write_plan import WriteRequest, check_write_request, plan_write
from digime_pandas.errors import CallSite, ConfigurationError, DescriptorError, call_site, warnings_at

try:
    import dask
    from dask.base import get_scheduler
    from dask.dataframe.extensions import register_dataframe_accessor, register_series_accessor
except ImportError as error:
    raise ConfigurationError(
        f"Dask frames need a part that is not installed ({error.name}). Run: pip install 'digime-pandas[dask]'"
    ) from error

_COLUMNS = ("status", "file_name", "mime_type", "rows", "size", "sha256", "attempts", "elapsed")


@register_dataframe_accessor("digime")
@register_series_accessor("digime")
class DaskDigimeAccessor:
    """Writes the partitions of this frame into a person's digi.me library."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame

    @shows_write_arguments
    def write(
        self,
        file_name: str,
        account_id: str | Iterable[str],
        *,
        client: Client | None = None,
        **arguments: Unpack[WriteArguments],
    ) -> pd.DataFrame:
        """Write every partition as one file. The frame is computed once, a partition at a time on each worker.

        Args:
            file_name: Name with one ``*``, which becomes the partition's number, padded to one width.
            account_id: As for `write`.
            client: As for `write`; for schedulers of this process only. Other processes connect by their own
                environment.
            arguments: As for `write`. `index` is decided for the whole frame: unnamed ranges are left out of every
                file. By default, each file has its own name and write id as `reference`.

        Returns:
            One row per partition, in order: status, file_name, mime_type, rows, size (bytes), sha256, attempts and
            elapsed (seconds).

        Raises:
            DescriptorError: The name has no ``*`` or several. Nothing was computed or sent.
            ConfigurationError: A client was passed, and the work is done by other processes; or there is none, and it
                is done by this one. Nothing was computed or sent.
            InputError: The frame's dtypes cannot be written as asked. Nothing was computed or sent.
            DigimeError: The first partition that could not be written; others may have been.
        """
        if not isinstance(file_name, str) or file_name.count("*") != 1:
            raise DescriptorError(f"file_name is {file_name!r}; put one '*' for the partition: 'events-*.parquet'.")
        request = check_write_request(file_name.replace("*", "0"), account_id, arguments, is_part=True)
        meta = self._frame._meta  # noqa: SLF001 - Dask's name for the empty frame of the same dtypes
        if request.index is None:
            keeps_index = meta.index.name is not None or not isinstance(meta.index, pd.RangeIndex)
            request = replace(request, index=keeps_index)
        # What cannot be written is refused before anything is computed.
        plan_write(meta, request)
        parts = self._frame.to_delayed()
        width = len(str(max(len(parts) - 1, 0)))
        names = [file_name.replace("*", str(number).zfill(width)) for number in range(len(parts))]
        write_partition = partial(_write_partition, client=self._client(client), site=call_site())
        task = dask.delayed(write_partition, pure=False)
        tasks = [
            task(part, request.for_part(name, request.descriptor.accounts))
            for part, name in zip(parts, names, strict=True)
        ]
        return pd.DataFrame(list(dask.compute(*tasks)), columns=list(_COLUMNS))

    def _client(self, client: Client | None) -> Client | None:
        """Return the client for the tasks, or None where they run in other processes, which make their own."""
        if _runs_in_this_process(get_scheduler(collections=[self._frame])):
            return current_client(client)
        if client is not None:
            raise ConfigurationError(
                "client= holds a private key, which is not sent to other processes. Leave it out and set the DIGIME_* "
                "variables where the workers run."
            )
        return None


def _runs_in_this_process(scheduler: Any) -> bool:
    if isinstance(scheduler, partial):  # Dask's form of an executor: its `submit` is the first argument
        return any(isinstance(getattr(each, "__self__", None), ThreadPoolExecutor) for each in scheduler.args[:1])
    module = getattr(scheduler, "__module__", "")
    return module.split(".")[0] == "dask" and "multiprocessing" not in module


def _write_partition(
    part: pd.DataFrame | pd.Series, request: WriteRequest, *, client: Client | None, site: CallSite
) -> dict[str, Any]:
    with warnings_at(site):
        receipt = write_request(part, request, client=client, progress=False)
    return {name: getattr(receipt, name) for name in _COLUMNS}
