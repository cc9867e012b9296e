"""Turns the rows of each account into what sends its file."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, repeat
from typing import Any

from digime_pandas._client.client import Client
from digime_pandas._client.each.job import EachJob
from digime_pandas._client.each.run import Task
from digime_pandas._client.each.table import PartResult, delivered, failed
from digime_pandas._client.journal.journal import Journal
from digime_pandas._client.write import write_request
from digime_pandas._client.write_plan import descriptor_with, inspect_rows
from digime_pandas._service.authorization import Authorization
from digime_pandas._service.journal.records import RunPart
from digime_pandas._service.messages import Upload
from digime_pandas._service.streams import SMALL_BYTES
from digime_pandas._tabular.frames.parts import Block
from digime_pandas._tabular.part_files import PartFile, part_files
from digime_pandas.errors import InputError, collected_warnings


class Sender:
    """Makes the tasks of a run.

    Args:
        job: The files to write.
        client: The client.
        given: The consents, by account.
        journal: Records every write.
    """

    def __init__(
        self,
        job: EachJob,
        client: Client,
        given: Mapping[str, Authorization],
        journal: Journal | None,
        reasons: Container[str],
    ) -> None:
        self._job = job
        self._client = client
        self._given = given
        self._journal = journal
        self._reasons = reasons
        self._run_id = job.run_id(client.base_url, client.contract.client_id)

    def tasks(self, places: Sequence[int]) -> Iterator[tuple[int, Task | PartResult]]:
        """Yield for each account what sends its file, or why that cannot be sent.

        The accounts of whose rows something is lost come last: their files are made one by one.
        """
        alone = {place for place in places if self._job.accounts[place] in self._reasons}
        together = [place for place in places if place not in alone]
        for group, block in chain(self._job.split.blocks(together), self._job.split.blocks(sorted(alone))):
            if isinstance(block, InputError):
                yield from ((place, failed(block)) for place in group)
                continue
            files = repeat(None) if group[0] in alone else self._files(block)
            for number, (place, file) in enumerate(zip(group, files, strict=False)):
                if file is None or len(file.content) > SMALL_BYTES:
                    yield place, partial(self._send, place, block.part(number))
                else:
                    yield place, partial(self._send_file, place, file)

    def _files(self, block: Block) -> Iterable[PartFile | None]:
        """Return the files of a block's accounts where they can be made together."""
        if len(block.places) == 1:
            return [None]
        try:
            files = part_files(inspect_rows(block.rows, self._job.request), block.bounds)
            return repeat(None) if files is None else list(files)
        except Exception:  # noqa: BLE001 - made one by one, it is the error of one account
            return repeat(None)

    def _send(self, place: int, rows: Any) -> PartResult:
        account_id = self._job.accounts[place]
        sent: list[int] = []
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
        except KeyboardInterrupt as error:
            if sent:
                return failed(error)
            raise
        return delivered(receipt)

    def _send_file(self, place: int, file: PartFile) -> PartResult:
        account_id = self._job.accounts[place]
        request = self._job.request_for(account_id)
        upload = Upload(
            file.content,
            len(file.content),
            request.file_name,
            descriptor_with(request, file.schema),
            count_rows=lambda: file.rows,
            renews_write_id=request.carries_schema,
        )
        part = RunPart(self._run_id, account_id)
        return delivered(self._client.upload(upload, self._given[account_id], journal=self._journal, part=part))
