"""The journal: a record of every write that outlasts the process.

::

    client = digime.connect(journal="writes.journal")
    ...
    with digime.Journal("writes.journal") as journal:
        journal.to_frame()
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TypeAlias

import pandas as pd

from digime_pandas._client.journal.card import journal_card
from digime_pandas._client.journal.table import journal_table
from digime_pandas._service.journal.write_journal import WriteJournal
from digime_pandas.errors import JournalError
from digime_pandas.errors.calls.attributes import NearNames
from digime_pandas.errors.calls.explained import explains_calls


class Journal(NearNames, WriteJournal):
    """An append-only record of writes: who was to get what, when, under which consent, and what came of it.

    Pass it, or its path, as ``journal=`` to `connect`, `Client` or a single write. That a write is about to be sent is
    on the disk before the first byte of it leaves; threads that write at the same time share one commit. What came of
    it is recorded after the answer. Threads and processes may use one journal at the same time, forked ones too, and a
    process may be killed at any moment. What is recorded is never changed or deleted.

    A write whose outcome is not recorded, or is unknown, has the status ``"unknown"``. The same write made again gets
    **the same write id**, so that readers see one file even where both arrived. It is the same when account, contract,
    environment, file name and content are. The content is told by its SHA-256 where the file is at most 1 MiB, else by
    what is known of it beforehand: size or rows, column types, tags and media type. What you pass as `reference=` is
    used as it is. A write that was delivered, and is called for again, is sent again with a new write id.

    The file holds account ids, file names, tags, ids of contracts, consents and writes, digests, sizes, times, losses
    with the names of their columns, and texts of errors that cannot quote the frame. It holds no values of a frame, no
    tokens or keys, and of the references only the write id and the file name. It is made with mode 0600; its folder,
    where there is none, with mode 0700.

    Args:
        path: The file; made where there is none. It has to be on a disk of this computer. SQLite keeps two more files
            beside it while it is open. A copy that cannot be written, or in a folder that cannot be, can be read.

    Raises:
        ConfigurationError: The path leads to what is no journal, or to one of a later version of this package.
        JournalError: The file cannot be opened or made.
    """

    @explains_calls()
    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)

    @explains_calls()
    def to_frame(self) -> pd.DataFrame:
        """Return a table with one row per write, in the order in which they began.

        Attempts with the same write id are one row. Of `write_each` there is also a row, without a write id, for each
        person to whom nothing was sent: without consent, with rows that cannot be written, or because the run ended
        before.

        Returns:
            The columns `account_id`, `file_name`, `status` (``"delivered"``, ``"pending"``, ``"refused"``,
            ``"unknown"`` or ``"not sent"``), `rows`, `size` (bytes), `sha256`, `write_id`, `contract_id`,
            `consent_id`, `environment`, `started_at` and `ended_at` (UTC), `attempts` (requests that carried the file),
            `losses` (text, empty where there were none), `error_type` and `error`. Missing values where nothing is
            known; the dtypes are the same without rows.

        Raises:
            JournalError: It cannot be read.
        """
        return journal_table(self.attempts())

    def _repr_html_(self) -> str:
        return journal_card(self.path, self._shown())

    def _shown(self) -> pd.DataFrame | JournalError:
        """Return the table, or why there is none: what shows an object must not fail."""
        try:
            return self.to_frame()
        except JournalError as error:
            return error


JournalLike: TypeAlias = Journal | str | os.PathLike[str]


def opened_journal(journal: JournalLike | None, resources: ExitStack) -> Journal | None:
    """Return a journal; one that is given by its path is opened, and closed with `resources`.

    Raises:
        ConfigurationError: It is neither a journal nor the path of one.
        JournalError: The file cannot be opened or made, or not written.
    """
    if journal is None:
        return None
    opened = journal if isinstance(journal, Journal) else resources.enter_context(Journal(journal))
    opened.check_writable()
    return opened
