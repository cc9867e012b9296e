"""The write of a frame as a dataset: each part a file, and in the end their manifest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal
from uuid import uuid4

import pandas as pd

from digime_pandas._client.client import Client
from digime_pandas._client.dataset.manifest import (
    MANIFEST_TYPE,
    DatasetName,
    EmptyFile,
    Manifest,
    ManifestPart,
    schema_of,
)
from digime_pandas._client.journal.journal import Journal, JournalLike, opened_journal
from digime_pandas._client.partitions.deliveries import Deliveries
from digime_pandas._client.partitions.prepared import prepare_part
from digime_pandas._client.partitions.result import raise_failures, result_frame, row_of, stopping
from digime_pandas._client.write_plan import WriteRequest
from digime_pandas._service.authorization import Authorization
from digime_pandas._service.descriptor import SCHEMA_PREFIX, WRITE_ID_PREFIX, FileDescriptor
from digime_pandas._service.journal.records import RunPart
from digime_pandas._service.messages import Upload
from digime_pandas._service.receipt import Receipt
from digime_pandas.errors import CallSite, DatasetError, DigimeError, InputError

Errors = Literal["raise", "collect"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetWrite:
    """A dataset that is to be written.

    Args:
        name: Its name.
        request: The checked arguments of the write.
        meta: A frame without rows, with the dtypes of the parts.
        count: How many parts it has.
        client: Has the keys and the tokens.
        authorization: The person's consent.
        journal: As for `write`.
        errors: ``"raise"`` or ``"collect"``.
        site: The user's line, for warnings.
    """

    name: DatasetName
    request: WriteRequest
    meta: pd.DataFrame | pd.Series[Any]
    count: int
    client: Client
    authorization: Authorization
    journal: JournalLike | None
    errors: Errors
    site: CallSite

    @property
    def file_names(self) -> list[str]:
        """The names of the parts' files, which are their keys too."""
        return self.name.files(self.count)

    @property
    def run(self) -> str:
        """Names the run in the journal."""
        return f"dataset {self.name.pattern}"

    @property
    def dataset(self) -> str:
        """The reference that all files carry."""
        contract, account_id = self.client.contract, self.authorization.account_id
        return self.name.reference(
            environment=self.client.base_url, client_id=contract.client_id, account_id=account_id
        )

    def requests(self) -> Mapping[str, WriteRequest]:
        """Return the request of each part by the name of its file. References that were given are used as they are."""
        accounts, dataset = self.request.descriptor.accounts, self.dataset
        requests = {}
        for name in self.file_names:
            part = self.request.for_part(name, accounts)
            if part.carries_schema:
                reference = (*part.descriptor.reference, dataset)
                part = replace(part, descriptor=replace(part.descriptor, reference=reference))
            requests[name] = part
        return requests

    def carry_out(self, deliver: Callable[[Deliveries], object]) -> pd.DataFrame:
        """Deliver all parts, and then the manifest.

        Args:
            deliver: Computes and sends the parts, each of which is granted by what it is given.

        Returns:
            One row per part, in order.

        Raises:
            DatasetError: With ``errors="raise"``: a part, or the manifest, was not delivered.
            KeyboardInterrupt: An interrupt. What was under way is waited for; the result so far is its `result`.
        """
        with ExitStack() as resources:
            resources.callback(self.client.note_written)
            journal = opened_journal(self.journal, resources) or self.client.journal
            deliveries = Deliveries(
                self.client.write_consents, self.run, lambda _: self.authorization, journal, self.site
            )
            with stopping(deliveries, partial(self._result, deliveries)):
                deliver(deliveries)
            result = self._result(deliveries)
            if self.errors == "raise":
                raise_failures(repr(self.name.pattern), result)
            receipts = [deliveries.of(name).receipt for name in self.file_names]
            if self.request.carries_schema and all(receipts):
                self._write_manifest([each for each in receipts if each is not None], journal, result)
        return result

    def _result(self, deliveries: Deliveries) -> pd.DataFrame:
        account_id = self.authorization.account_id
        return result_frame(row_of(account_id, name, deliveries.of(name)) for name in self.file_names)

    def _write_manifest(self, receipts: list[Receipt], journal: Journal | None, result: pd.DataFrame) -> None:
        content = Manifest(self.dataset, tuple(map(_part_of, receipts)), self._schema(), self._empty()).to_json()
        reference = (self.name.manifest, f"{WRITE_ID_PREFIX}{uuid4()}", self.dataset)
        # Without the tags: what reads all files of a tag expects rows.
        descriptor = FileDescriptor(MANIFEST_TYPE, self.request.descriptor.accounts, reference)
        upload = Upload(content, len(content), self.name.manifest, descriptor, renews_write_id=True)
        try:
            part = RunPart(self.run, self.name.manifest)
            self.client.upload(upload, self.authorization, journal=journal, part=part)
        except DigimeError as failure:
            error = DatasetError(
                f"All {len(receipts)} files of {self.name.pattern!r} were delivered, and their manifest was not, "
                f"without which the dataset is not whole for readers: {failure}"
            )
            error.missing, error.result = (self.name.manifest,), result
            raise error from failure

    def _empty(self) -> EmptyFile | None:
        """Return a file of the dataset without rows; None where not even that can be written."""
        try:
            prepared = prepare_part(self.meta, self.name.pattern, self.request)
        except InputError:
            return None
        schemas = (
            text.removeprefix(SCHEMA_PREFIX)
            for text in prepared.facts.descriptor.reference
            if text.startswith(SCHEMA_PREFIX)
        )
        return EmptyFile(self.request.descriptor.mime_type, b"".join(prepared.pieces), next(schemas, None))

    def _schema(self) -> tuple[tuple[str, str], ...]:
        frame = self.meta.to_frame() if isinstance(self.meta, pd.Series) else self.meta
        index = frame.index
        levels = index.dtypes.items() if isinstance(index, pd.MultiIndex) else [(index.name, index.dtype)]
        return schema_of(levels if self.request.index else (), dict(frame.dtypes.items()))


def _part_of(receipt: Receipt) -> ManifestPart:
    return ManifestPart(receipt.file_name, receipt.write_id, receipt.rows or 0, receipt.size, receipt.sha256)
