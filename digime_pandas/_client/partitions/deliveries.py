"""Grants the parts of a run, one sending at a time, and keeps what came of each.

This runs in the process that has the keys and the tokens. Those that have the data ask for a grant, send with it, and
say what came of it with the next question, until there is nothing more to send.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from digime_pandas._client.partitions.prepared import PartFacts
from digime_pandas._service.authorization import Authorization
from digime_pandas._service.descriptor import WRITE_ID_PREFIX, FileDescriptor
from digime_pandas._service.grants.granting import intent_of, make_grant
from digime_pandas._service.grants.upload_grant import UploadGrant, UploadResult
from digime_pandas._service.http.error_replies import is_retryable
from digime_pandas._service.http.transport import DEFAULT_ATTEMPTS
from digime_pandas._service.journal.records import (
    Ending,
    Fingerprint,
    RunPart,
    ending_of_error,
    ending_of_receipt,
)
from digime_pandas._service.journal.write_journal import Entry, WriteJournal
from digime_pandas._service.messages import Upload
from digime_pandas._service.oauth.authorizations import ContractAuthorizations
from digime_pandas._service.receipt import Receipt
from digime_pandas._service.upload import FileOutcome
from digime_pandas.errors import (
    APIError,
    CallSite,
    FidelityWarning,
    GrantExpiredError,
    InvalidTokenError,
    Outcome,
    warn,
    warnings_at,
)

_log = logging.getLogger("digime_pandas")
_STOP_SECONDS = 60.0
_TOO_LATE = "TimestampOutOfRange"  # of the sandbox; what the service answers is not known


def warn_of_losses(facts: PartFacts) -> None:
    """Warn of what is not in a part's file, or there in another form."""
    if facts.losses:
        accounts = ", ".join(map(repr, facts.descriptor.accounts))
        warn(f"{facts.file_name!r} for {accounts}: {' '.join(facts.losses)}", FidelityWarning)


@dataclass(slots=True)
class Delivery:
    """What is known of one part.

    Attributes:
        facts: Of the part as it was computed last; None where it never was.
        authorization: The person's consent, refreshed or not.
        entry: The journal's.
        write_id: The write id of all sendings; None before the first.
        grant: The latest one.
        grants: How many there were.
        attempts: Requests that carried the file.
        in_doubt: Whether a sending may have arrived of which no reply tells.
        refreshed: Whether the token was refreshed since the service refused it.
        receipt: Once it was delivered.
        error: Why it was not, once that is certain.
        outcome: What is known of the file after the error.
    """

    facts: PartFacts | None = None
    authorization: Authorization | None = None
    entry: Entry | None = None
    write_id: str | None = None
    grant: UploadGrant | None = None
    grants: int = 0
    attempts: int = 0
    in_doubt: bool = False
    refreshed: bool = False
    receipt: Receipt | None = None
    error: BaseException | None = None
    outcome: Outcome = "not sent"
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be sent."""
        return self.receipt is not None or self.error is not None


class Deliveries:
    """Grants the parts of one run. Threads may share one.

    Args:
        consents: The write contract's.
        run: Names the run in the journal: the same in each repetition.
        authorize: Returns the authorization of an account.
        journal: The journal, or None.
        site: The user's line, for warnings.
        check: Called with what is known of a part before it is granted; what it raises keeps the part from being sent.
        most_grants: Grants for one part, after which its last error counts.
    """

    def __init__(
        self,
        consents: ContractAuthorizations,
        run: str,
        authorize: Callable[[str], Authorization],
        journal: WriteJournal | None,
        site: CallSite,
        *,
        check: Callable[[PartFacts], object] = warn_of_losses,
        most_grants: int = DEFAULT_ATTEMPTS,
    ) -> None:
        self._consents = consents
        self._run = run
        self._authorize = authorize
        self._journal = journal
        self._site = site
        self._check = check
        self._most_grants = most_grants
        self._deliveries: dict[str, Delivery] = {}
        self._lock = threading.Lock()
        self._under_way: set[str] = set()
        self._changed = threading.Condition()
        self._is_stopped = False

    def of(self, key: str) -> Delivery:
        """Return what is known of a part."""
        with self._lock:
            return self._deliveries.setdefault(key, Delivery())

    def facts(self) -> list[PartFacts]:
        """Return what is known of the parts that were delivered."""
        with self._lock:
            every = list(self._deliveries.values())
        return [each.facts for each in every if each.facts is not None and each.receipt is not None]

    def answer(self, facts: PartFacts, result: UploadResult | None) -> UploadGrant | None:
        """Return a grant for sending a part, or None where there is nothing (more) to send.

        Args:
            facts: What is known of the part.
            result: What came of the grant before; None in the first question of a process that has the part. Where
                another one asked before, that one has ended: whether its sending arrived is not known.
        """
        delivery = self.of(facts.key)
        with delivery.lock, warnings_at(self._site):
            if delivery.is_over or (self._is_stopped and result is None):
                return None
            delivery.facts = facts
            grant = None
            try:
                grant = self._begin(delivery, facts) if result is None else self._go_on(delivery, facts, result)
            except Exception as error:  # noqa: BLE001 - of this part alone; the others go on
                self._fail(delivery, error, None if result is None else result.error)
            self._note_under_way(facts.key, grant is not None)
            return grant

    def stop(self) -> None:
        """Begin no sending any more, and wait for those that are under way, for a minute at most."""
        with self._changed:
            self._is_stopped = True
            self._changed.wait_for(lambda: not self._under_way, _STOP_SECONDS)

    def fail(self, key: str, error: BaseException) -> None:
        """Note that a part was not computed, or that the process that was to send it ended, as often as was tried."""
        delivery = self.of(key)
        with delivery.lock:
            if not delivery.is_over:
                delivery.in_doubt |= delivery.grant is not None
                self._fail(delivery, error, None)
        self._note_under_way(key, is_it=False)

    def _note_under_way(self, key: str, is_it: bool) -> None:
        with self._changed:
            (self._under_way.add if is_it else self._under_way.discard)(key)
            self._changed.notify_all()

    def _begin(self, delivery: Delivery, facts: PartFacts) -> UploadGrant | None:
        delivery.in_doubt |= delivery.grant is not None
        if delivery.authorization is None:
            delivery.authorization = self._authorize(facts.descriptor.accounts[0])
        self._check(facts)
        delivery.authorization = self._consents.ensure_fresh(delivery.authorization)
        if self._journal is not None and delivery.entry is None:
            delivery.entry = self._record(self._journal, delivery.authorization, facts)
            delivery.write_id = delivery.entry.write_id
            delivery.receipt = delivery.entry.delivered
            if delivery.receipt is not None:
                return None
        return self._grant(delivery, facts, delivery.authorization)

    def _record(self, journal: WriteJournal, authorization: Authorization, facts: PartFacts) -> Entry:
        upload = Upload(
            partial(iter, ()), facts.size, facts.file_name, facts.descriptor, renews_write_id=facts.renews_write_id
        )
        fingerprint = Fingerprint(f"sha256:{facts.sha256}", is_exact=True)
        part = RunPart(self._run, facts.key)
        return journal.begin(intent_of(self._consents, upload, authorization, fingerprint, part))

    def _go_on(self, delivery: Delivery, facts: PartFacts, result: UploadResult) -> UploadGrant | None:
        assert delivery.grant is not None
        assert delivery.authorization is not None
        delivery.attempts += result.attempts
        if result.error is None and (result.status == "delivered" or delivery.refreshed):
            receipt = delivery.grant.receipt(result, rows=facts.rows, losses=facts.losses)
            delivery.receipt = replace(receipt, attempts=delivery.attempts)
            self._end(delivery, partial(ending_of_receipt, delivery.receipt))
            return None
        # The service may keep what it answers 'pending' to.
        delivery.in_doubt |= result.status in {"unknown", "pending"} or result.is_replay
        if result.error is None or isinstance(result.error, InvalidTokenError):
            if delivery.refreshed and result.error is not None:
                raise result.error
            delivery.authorization = self._consents.refresh(delivery.authorization)
            delivery.refreshed = True
        elif self._is_stopped or delivery.grants >= self._most_grants or not _is_worth_another(result, facts):
            raise result.error
        return self._grant(delivery, facts, delivery.authorization)

    def _grant(self, delivery: Delivery, facts: PartFacts, authorization: Authorization) -> UploadGrant:
        descriptor = facts.descriptor
        if facts.renews_write_id:
            delivery.write_id = delivery.write_id or _write_id_of(descriptor)
            descriptor = _with_write_id(descriptor, delivery.write_id)
        delivery.grant = make_grant(self._consents, facts.file_name, descriptor, authorization)
        delivery.grants += 1
        return delivery.grant

    def _fail(self, delivery: Delivery, error: BaseException, about_file: BaseException | None) -> None:
        """Note why a part was not delivered.

        Args:
            delivery: The part.
            error: Why.
            about_file: The error of the latest sending, if that is why.
        """
        delivery.error = error
        delivery.outcome = "refused" if delivery.attempts else "not sent"
        if isinstance(error, APIError) and error is about_file:
            delivery.outcome = error.outcome
        if delivery.in_doubt:
            delivery.outcome = "unknown"
            error.add_note("An earlier sending of this file may have arrived. Write it again with the same journal.")
        outcome = FileOutcome(delivery.outcome, delivery.attempts)
        self._end(delivery, partial(ending_of_error, error, outcome))

    def _end(self, delivery: Delivery, make_ending: Callable[[], Ending]) -> None:
        if self._journal is None or delivery.entry is None:
            return
        try:
            self._journal.end(delivery.entry, make_ending())
        except Exception as failure:  # noqa: BLE001 - the receipt or the error must not be lost for it
            _log.warning(
                "The outcome of a write is not in the journal, where it stays unknown: %s (write id %s)",
                failure,
                delivery.entry.write_id,
            )


def _is_worth_another(result: UploadResult, facts: PartFacts) -> bool:
    error = result.error
    if result.status == "unknown" and facts.descriptor.write_id is None:
        return False  # nothing would tell the copy from the file
    if not isinstance(error, APIError):
        return isinstance(error, GrantExpiredError)
    return result.is_replay or error.code == _TOO_LATE or is_retryable(error)


def _write_id_of(descriptor: FileDescriptor) -> str | None:
    return next((text for text in descriptor.reference if text.startswith(WRITE_ID_PREFIX)), None)


def _with_write_id(descriptor: FileDescriptor, write_id: str | None) -> FileDescriptor:
    own = _write_id_of(descriptor)
    if own is None or write_id is None:
        return descriptor
    return replace(descriptor, reference=tuple(write_id if text == own else text for text in descriptor.reference))
