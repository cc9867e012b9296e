"""Turns the rows of each account into what sends its file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from digime_pandas._client.client import Client
from digime_pandas._client.each.job import EachJob
from digime_pandas._client.each.preflight import files_of
from digime_pandas._client.each.run import Task
from digime_pandas._client.each.table import PartResult, delivered, failed
from digime_pandas._client.journal.journal import Journal
from digime_pandas._client.write import write_request
from digime_pandas._client.write_plan import new_write_ids
from digime_pandas._service.authorization import Authorization
from digime_pandas._service.journal.records import RunPart
from digime_pandas._service.messages import Upload
from digime_pandas._service.streams import SMALL_BYTES
from digime_pandas._tabular.parts.part_files import PartFile
from digime_pandas.errors import InputError, collected_warnings


class Sender:
    """Makes the tasks of a run.

    Args:
        job: The files to write.
        client: The client.
        given: The consents, by account.
        journal: Records every write.

    Attributes:
        begun: The places of the files that were handed on to be sent, of which the journal has a record.
    """

    def __init__(
        self,
        job: EachJob,
        client: Client,
        given: Mapping[str, Authorization],
        journal: Journal | None,
    ) -> None:
        self._job = job
        self._client = client
        self._given = given
        self._journal = journal
        self.begun: set[int] = set()
        self._run_id = job.run_id(client.base_url, client.contract.client_id)

    def tasks(self, places: Sequence[int]) -> Iterator[tuple[int, Task | PartResult]]:
        """Yield for each account what sends its file, or why that cannot be sent."""
        for group, block in self._job.split.blocks(places):
            if isinstance(block, InputError):
                yield from ((place, failed(block)) for place in group)
                continue
            # Made here, for all: threads that send would wait for their turn after each.
            files = zip(group, files_of(self._job, block), new_write_ids(len(group)), strict=False)
            for number, (place, file, write_id) in enumerate(files):
                if file is None or len(file.content) > SMALL_BYTES:
                    yield place, partial(self._send, place, block.part(number))
                else:
                    yield place, partial(self._send_file, place, file, write_id)

    def _send(self, place: int, rows: Any) -> PartResult:
        account_id = self._job.accounts[place]
        sent: list[int] = []
        self.begun.add(place)
        try:
            # What there is to warn of was said before anything was sent, and is in each receipt.
            with collected_warnings():
                receipt = write_request(
                    rows,
                    self._job.request_for(account_id),
                    client=self._client,
                    authorization=self._given[account_id],
                    progress=lambda done, _: sent.append(done),
                    journal=self._journal,
                    part=RunPart(self._run_id, account_id),
                )
        except (KeyboardInterrupt, InputError) as error:
            if sent:
                return failed(error)
            self.begun.discard(place)  # the rows were refused, or not made, before the write was recorded
            raise
        return delivered(receipt)

    def _send_file(self, place: int, file: PartFile, write_id: str) -> PartResult:
        account_id = self._job.accounts[place]
        file_name = self._job.file_name(account_id)
        upload = Upload(
            file.content,
            len(file.content),
            file_name,
            self._job.descriptor_for(account_id, file_name, write_id, file.schema),
            count_rows=lambda: file.rows,
            find_losses=lambda: file.losses,
            renews_write_id=self._job.request.carries_schema,
        )
        part = RunPart(self._run_id, account_id)
        self.begun.add(place)
        return delivered(self._client.upload(upload, self._given[account_id], journal=self._journal, part=part))
