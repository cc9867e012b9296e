"""What can be known of the files before any is sent: whose cannot be written, and what is lost for whom."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, repeat

import pandas as pd

from digime_pandas._client.each.job import EachJob
from digime_pandas._client.write_plan import inspect_rows
from digime_pandas._tabular.fidelity import Reason, warning_sentences
from digime_pandas._tabular.frames.parts import Block, rows_between
from digime_pandas._tabular.parts.part_files import InspectPart, PartFile, part_files, part_inspector
from digime_pandas._tabular.serialize import SerializableFrame
from digime_pandas.errors import FidelityError, InputError


@dataclass(frozen=True, slots=True)
class Preflight:
    """What is known of the files before any is sent.

    Attributes:
        refusals: Why a file cannot be written, for each account whose cannot.
        reasons: What there is to warn of, for each account for which there is something.
        general: What there is to warn of for all accounts, by the frame's type alone.
        whole: The inspection of all rows.
    """

    refusals: Mapping[str, InputError]
    reasons: Mapping[str, Sequence[Reason]]
    general: Sequence[Reason]
    whole: SerializableFrame

    def warning(self, count: int) -> str:
        """Return one text about everything that there is to warn of; empty where there is nothing.

        Args:
            count: How many accounts there are.
        """
        accounts: dict[tuple[str, str, str], list[str]] = defaultdict(list)
        texts: dict[tuple[str, str, str], Reason] = {}
        for account_id, reasons in self.reasons.items():
            for reason in reasons:
                accounts[_kind(reason)].append(account_id)
                texts.setdefault(_kind(reason), reason)
        # Counts of the whole frame say more than those of one part.
        texts |= {_kind(each): each for each in self.whole.reasons if _kind(each) in accounts}
        found = [(verdict, f"{text} (for {_some(accounts[kind], count)})") for kind, (verdict, text) in texts.items()]
        return " ".join(warning_sentences([*self.general, *found]))


def check_parts(job: EachJob) -> Preflight:
    """Inspect the rows of all accounts together, and those of each account alone where something was found.

    What is not found in all rows together is not found in some of them.

    Raises:
        InputError: No file can be written with these arguments and dtypes.
    """
    whole = inspect_rows(job.split.whole(), job.request)
    general = _general(job, whole)
    refusals: dict[str, InputError] = {}
    reasons: dict[str, Sequence[Reason]] = {}
    if whole.refusal is not None or whole.reasons:
        for places, block in job.split.blocks(range(len(job.accounts))):
            for place, found in zip(places, inspect_block(job, places, block), strict=True):
                if isinstance(found, InputError):
                    refusals[job.accounts[place]] = found
                elif found.reasons:
                    reasons[job.accounts[place]] = found.reasons
    if refusals and len(refusals) == len(job.accounts):
        raise whole.refusal or next(iter(refusals.values()))
    return Preflight(refusals, reasons, general, whole)


def inspect_block(
    job: EachJob, places: Sequence[int], block: Block | InputError
) -> Iterator[SerializableFrame | InputError]:
    """Yield the inspection of each account's rows, or why they cannot be written.

    Args:
        job: The files to write.
        places: The accounts of the block.
        block: Their rows, or why they could not be taken.
    """
    if isinstance(block, InputError):
        yield from repeat(block, len(places))
        return
    inspect = _inspector(job, block)
    for place, (start, stop) in zip(places, pairwise(block.bounds), strict=True):
        account_id = job.accounts[place]
        try:
            found = inspect(start, stop)
        except InputError as error:
            yield _about_account(error, account_id)
            continue
        yield found if found.refusal is None else _about_account(found.refusal, account_id)


def files_of(job: EachJob, block: Block) -> Sequence[PartFile | None]:
    """Return the files of a block's accounts; None in the place of one that is to be made alone."""
    alone: Sequence[None] = [None] * len(block.places)
    if len(alone) == 1:
        return alone
    try:
        return list(part_files(inspect_rows(block.rows, job.request), block.rows, block.bounds))
    except Exception:  # noqa: BLE001 - made one by one, it is the error of one account
        return alone


def _inspector(job: EachJob, block: Block) -> InspectPart:
    try:
        return part_inspector(inspect_rows(block.rows, job.request), block.rows)
    except InputError:  # which is the error of whoever has the rows
        return lambda start, stop: inspect_rows(rows_between(block.rows, start, stop), job.request)


def _general(job: EachJob, whole: SerializableFrame) -> list[Reason]:
    """Return what there is to warn of because all files leave out the frame's `attrs`."""
    frame = job.split.whole()
    if not job.left_out_attrs or not isinstance(frame, pd.DataFrame):
        return []
    head = rows_between(frame, 0, 0)
    head.attrs = job.left_out_attrs
    plain = rows_between(frame, 0, 0)
    known = {*whole.reasons, *inspect_rows(plain, job.request).reasons}
    return [each for each in inspect_rows(head, job.request).reasons if each not in known]


def _about_account(error: InputError, account_id: str) -> InputError:
    """Return an error that names the account, too: the rows it counts are that account's."""
    text = f"Account {account_id!r}: {error}"
    if isinstance(error, FidelityError):
        return FidelityError(text, column=error.column, row=error.row)
    return InputError(text)


def _kind(reason: Reason) -> tuple[str, str, str]:
    """Return what is the same for one reason in different parts, which differ in how many values it is true of."""
    verdict, text = reason
    return verdict, text.partition("': ")[0], text.rpartition(": ")[2]


def _some(accounts: Sequence[str], count: int) -> str:
    few = len(accounts) == 1
    return f"{len(accounts):,} of {count:,} accounts, {'' if few else 'such as '}{accounts[0]!r}"
