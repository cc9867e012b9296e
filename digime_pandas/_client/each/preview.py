"""What a write of one file per person would send to whom, as a table."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from typing import Any

import pandas as pd

from digime_pandas._client.each.consents import Consents
from digime_pandas._client.each.job import EachJob
from digime_pandas._client.each.preflight import files_of, inspect_block
from digime_pandas._client.preview import estimated_size
from digime_pandas._client.tables.typed_frame import dtypes_of, typed_frame
from digime_pandas._tabular.frames.parts import Block
from digime_pandas._tabular.parts.part_files import PartFile
from digime_pandas._tabular.serialize import SerializableFrame
from digime_pandas.errors import InputError

COLUMNS = dtypes_of(
    "account_id",
    "consent",
    "file_name",
    "rows",
    "estimated_size",
    "verdict",
    "lost",
    "error",
)
"""The columns, and their dtypes with and without rows."""
_BY_SEVERITY = ("impossible", "lost", "changed", "kept")


def preview_table(job: EachJob, consents: Consents) -> pd.DataFrame:
    """Return the table: one row per account.

    Args:
        job: The files that would be written.
        consents: The consents of their accounts.
    """
    return typed_frame(_rows(job, consents), COLUMNS)


def _rows(job: EachJob, consents: Consents) -> Iterator[dict[str, Any]]:
    for places, block in job.split.blocks(range(len(job.accounts))):
        files = repeat(None) if isinstance(block, InputError) else files_of(job, block)
        inspections = inspect_block(job, places, block)
        for number, (place, found, file) in enumerate(zip(places, inspections, files, strict=False)):
            account_id = job.accounts[place]
            yield {
                "account_id": account_id,
                "consent": consents.state_of(account_id),
                "file_name": job.file_name(account_id),
                "rows": job.split.counts[place],
                **_facts(job, block, number, found, file),
            }


def _facts(
    job: EachJob,
    block: Block | InputError,
    number: int,
    found: SerializableFrame | InputError,
    file: PartFile | None,
) -> dict[str, Any]:
    """Return what is known of an account's file, by its number in the block."""
    if isinstance(found, InputError) or isinstance(block, InputError):
        return {"verdict": "impossible", "error": str(found)}
    verdicts = {each.verdict for each in found.columns}
    return {
        "estimated_size": estimated_size(block.part(number), job.request, found) if file is None else len(file.content),
        "verdict": next((each for each in _BY_SEVERITY if each in verdicts), "kept"),
        "lost": " ".join(found.warnings),
    }
