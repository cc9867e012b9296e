"""The journal's rows for those to whom nothing was sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import compress

from digime_pandas._client.client import Client
from digime_pandas._client.each.job import EachJob
from digime_pandas._client.each.run import Run
from digime_pandas._client.each.table import NOT_SENT, PartResult, reason_text
from digime_pandas._client.journal.journal import Journal
from digime_pandas._service.authorization import Authorization
from digime_pandas._service.journal.records import NOTHING_KNOWN, Ending, Intent, RunPart, ending_of_unsent
from digime_pandas.errors import DigimeWarning, JournalError, warn


@contextmanager
def recorded_unsent(
    recorder: UnsentRecorder, results: Sequence[PartResult], begun: AbstractSet[int], run: Run
) -> Iterator[None]:
    """Record to whom nothing is sent: what is known of it before the block, and the rest after it.

    Args:
        recorder: Records it.
        results: What is known of each file; kept up to date in the block.
        begun: The places of files that the journal has a record of; kept up to date in the block.
        run: Says why it ended before all files were sent.

    Raises:
        JournalError: It cannot be recorded before the block.

    Warns:
        DigimeWarning: It cannot be recorded after the block.
    """
    known = {place for place, each in enumerate(results) if each is not NOT_SENT}
    recorder.record(((place, results[place]) for place in sorted(known)), None)
    try:
        yield
    except BaseException as error:
        reason = run.reason or f"{type(error).__name__} ended the run"
        failure = recorder.record_rest(_unsent(results, known | begun), reason)
        if failure is not None:
            error.add_note(failure)
        raise
    failure = recorder.record_rest(_unsent(results, known | begun), run.reason)
    if failure is not None:
        warn(failure, DigimeWarning)


@dataclass(frozen=True, slots=True)
class UnsentRecorder:
    """Records of whom a run sends nothing, and why.

    Attributes:
        job: The files of the run.
        client: The client.
        given: The consents, by account.
        journal: Where it is recorded; None for nowhere.
    """

    job: EachJob
    client: Client
    given: Mapping[str, Authorization]
    journal: Journal | None

    def record(self, results: Iterable[tuple[int, PartResult]], reason: str | None) -> None:
        """Record what nothing was sent of, all at once.

        Args:
            results: Places of accounts, and what is known of their files.
            reason: Why the run ended before it was the turn of those that were not tried.

        Raises:
            JournalError: It cannot be recorded.
        """
        if self.journal is None:
            return
        run_id = self.job.run_id(self.client.base_url, self.client.contract.client_id)
        self.journal.record_unsent([(self._intent(place, run_id), _ending(each, reason)) for place, each in results])

    def record_rest(self, results: Iterable[tuple[int, PartResult]], reason: str | None) -> str | None:
        """Do as `record`; return why it failed: what the run has come to must not be lost for it."""
        try:
            self.record(results, reason)
        except JournalError as error:
            return f"To whom nothing was sent is not in the journal: {error}"
        return None

    def _intent(self, place: int, run_id: str) -> Intent:
        account_id = self.job.accounts[place]
        consent = self.given.get(account_id)
        return Intent(
            environment=self.client.base_url,
            client_id=self.client.contract.client_id,
            contract_id=self.client.contract.contract_id,
            account_id=account_id,
            consent_id=None if consent is None else consent.consent_id,
            file_name=self.job.file_name(account_id),
            mime_type=self.job.request.descriptor.mime_type,
            fingerprint=NOTHING_KNOWN,
            write_id=None,
            renews_write_id=False,
            part=RunPart(run_id, account_id),
        )


def _unsent(results: Sequence[PartResult], recorded: AbstractSet[int]) -> Iterator[tuple[int, PartResult]]:
    is_new = (place not in recorded and each.outcome == "not sent" for place, each in enumerate(results))
    return compress(enumerate(results), is_new)


def _ending(result: PartResult, reason: str | None) -> Ending:
    return ending_of_unsent(result.error, reason_text(reason) if result is NOT_SENT else None)
