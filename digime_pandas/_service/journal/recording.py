"""Sends a file with its intent and its outcome recorded."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

from digime_pandas._service.authorization import Authorization
from digime_pandas._service.endpoints import Endpoints
from digime_pandas._service.journal.records import (
    Ending,
    Intent,
    RunPart,
    Status,
    ending_of_error,
    ending_of_receipt,
    fingerprint_of,
)
from digime_pandas._service.journal.write_journal import Entry, WriteJournal
from digime_pandas._service.messages import Upload
from digime_pandas._service.oauth.authorizations import ContractAuthorizations
from digime_pandas._service.receipt import Receipt
from digime_pandas._service.upload import FileOutcome, upload
from digime_pandas.errors import DigimeError

_log = logging.getLogger("digime_pandas")


def send_file(
    consents: ContractAuthorizations,
    file: Upload,
    authorization: Authorization,
    *,
    journal: WriteJournal | None,
    part: RunPart | None = None,
) -> Receipt:
    """Send a file, with its intent and its outcome recorded where there is a journal.

    Args:
        consents: The write contract's.
        file: What to send. The write id among its references may be replaced, where it allows that.
        authorization: The person's consent; refreshed where it is known to have expired.
        journal: The journal.
        part: The part of a run that the file is, if it is one.

    Returns:
        The receipt. A part that the journal has as delivered, with the same content, is not sent again: its receipt of
        then is returned, without an authorization.

    Raises:
        JournalError: The intent cannot be recorded. Nothing was sent.
        AuthorizationError: The authorization cannot be used (any longer).
        APIError: The file was not delivered, or it is not known whether it was.
        DigimeError: Any of these has the attributes `outcome` and `write_id`.
    """
    if journal is None:
        return _send(consents, file, authorization, FileOutcome())
    return _send_recorded(consents, file, authorization, journal, part)


def _send(
    consents: ContractAuthorizations, file: Upload, authorization: Authorization, outcome: FileOutcome
) -> Receipt:
    """Send a file; an error says what is known of the file, whatever request it is about."""
    clock = consents.api.clock
    started = clock()
    try:
        fresh = consents.ensure_fresh(authorization)
        # One request, as it is for most files, has a deadline of its own.
        several = nullcontext() if fresh is authorization else consents.api.one_deadline(clock() - started)
        with several:
            receipt = upload(consents.api, file, fresh, refresh=consents.refresh, outcome=outcome, clock=clock)
    except DigimeError as error:
        error.outcome, error.write_id = outcome.known, file.descriptor.write_id
        raise
    _log.info("%s: %s (%d bytes, attempts: %d)", receipt.status, file.file_name, receipt.size, receipt.attempts)
    return receipt


def _send_recorded(
    consents: ContractAuthorizations,
    file: Upload,
    authorization: Authorization,
    journal: WriteJournal,
    part: RunPart | None,
) -> Receipt:
    try:
        entry = journal.begin(_intent(file, authorization, consents.api, part))
    except DigimeError as error:
        error.outcome, error.write_id = "not sent", file.descriptor.write_id
        raise
    if entry.delivered is not None:
        return entry.delivered
    file, outcome = _with_write_id(file, entry.write_id), FileOutcome()
    try:
        receipt = _send(consents, file, authorization, outcome)
    except BaseException as error:
        failure = _end(journal, entry, outcome.known, partial(ending_of_error, error, outcome))
        if failure is not None:
            error.add_note(failure)
        raise
    _end(journal, entry, receipt.status, partial(ending_of_receipt, receipt))
    return receipt


def _intent(file: Upload, authorization: Authorization, api: Endpoints, part: RunPart | None) -> Intent:
    return Intent(
        environment=api.base_url,
        client_id=api.contract.client_id,
        contract_id=api.contract.contract_id,
        account_id=authorization.account_id,
        consent_id=authorization.consent_id,
        file_name=file.file_name,
        mime_type=file.descriptor.mime_type,
        fingerprint=fingerprint_of(file),
        write_id=file.descriptor.write_id,
        renews_write_id=file.renews_write_id,
        part=part,
    )


def _with_write_id(file: Upload, write_id: str | None) -> Upload:
    """Return the file with another write id in the place of its own."""
    own = file.descriptor.write_id
    if own is None or write_id is None or own == write_id:
        return file
    reference = tuple(write_id if text == own else text for text in file.descriptor.reference)
    return replace(file, descriptor=file.descriptor.with_checked(file.descriptor.accounts, reference))


def _end(journal: WriteJournal, entry: Entry, status: Status, make_ending: Callable[[], Ending]) -> str | None:
    """Record how a write ended; return, and log, why that failed: its receipt or its error must not be lost for it."""
    try:
        journal.end(entry, make_ending())
    except Exception as failure:  # noqa: BLE001 - see above
        said = f"The outcome of this write ({status}) is not in the journal, where it stays unknown: {failure}"
        _log.warning("%s (write id %s)", said, entry.write_id)
        return said
    return None
