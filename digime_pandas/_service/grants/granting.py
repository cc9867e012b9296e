"""Makes grants with a contract's key, and records what came of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from digime_pandas._service.authorization import Authorization
from digime_pandas._service.descriptor import WRITE_ID_PREFIX, FileDescriptor, check_file_name
from digime_pandas._service.grants.upload_grant import UploadGrant, UploadResult
from digime_pandas._service.http.transport import DEFAULT_TIMEOUT
from digime_pandas._service.journal.records import (
    Fingerprint,
    Intent,
    RunPart,
    ending_of_error,
    ending_of_receipt,
    fingerprint_of,
)
from digime_pandas._service.journal.write_journal import Entry, WriteJournal
from digime_pandas._service.messages import Upload
from digime_pandas._service.oauth.authorizations import ContractAuthorizations
from digime_pandas._service.receipt import Receipt
from digime_pandas._service.upload import FileOutcome
from digime_pandas.errors import DescriptorError, InputError

GRANT_SECONDS = 240.0
"""How long a grant is good for: a minute less than five, which is how far clocks may differ (inferred)."""


def make_grant(
    consents: ContractAuthorizations,
    file_name: str,
    descriptor: FileDescriptor,
    authorization: Authorization,
    *,
    intent: int | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    now: Callable[[], float] = time.time,
) -> UploadGrant:
    """Sign the request of one upload.

    Args:
        consents: The write contract's.
        file_name: Checked name of the file.
        descriptor: What the library is told about it.
        authorization: The person's consent, whose access token is not known to have expired.
        intent: Number of the intent in a journal.
        timeout: Seconds that one network step of sending may take.
        now: Clock, Unix seconds.

    Raises:
        AuthorizationError: The authorization cannot be used.
    """
    consents.check(authorization)
    upload = Upload(_no_content, None, file_name, descriptor)
    made_at = now()
    token, api = authorization.user_access_token.access_token, consents.api
    if authorization.postbox is None:
        signed = api.sign_import(upload, token.secret)
    else:
        signed = api.sign_for_postbox(upload, authorization.postbox, token.secret)
    return UploadGrant(
        file_name=file_name,
        descriptor=descriptor,
        account_id=authorization.account_id,
        contract_id=api.contract.contract_id,
        consent_id=authorization.consent_id,
        environment=api.base_url,
        expires_at=min(made_at + GRANT_SECONDS, token.expiry),
        timeout=timeout,
        intent=intent,
        signed=signed,
    )


def grant_upload(
    consents: ContractAuthorizations,
    file_name: str,
    descriptor: FileDescriptor,
    authorization: Authorization,
    journal: WriteJournal | None,
) -> UploadGrant:
    """Grant one upload, with its intent recorded where there is a journal; see `Client.grant`."""
    file_name = check_file_name(file_name)
    if not isinstance(descriptor, FileDescriptor):
        raise DescriptorError(f"file_descriptor is a {type(descriptor).__name__}; pass a FileDescriptor.")
    fresh = consents.ensure_fresh(authorization)
    if journal is None:
        return make_grant(consents, file_name, descriptor, fresh)
    upload = Upload(_no_content, None, file_name, descriptor)
    intent = intent_of(consents, upload, fresh, fingerprint_of(upload), None)
    return make_grant(consents, file_name, descriptor, fresh, intent=journal.begin(intent).number)


def settle_upload(grant: UploadGrant, result: UploadResult, journal: WriteJournal | None, rows: int | None) -> Receipt:
    """Record what came of a grant, where its intent was recorded; see `Client.settle`."""
    if not isinstance(grant, UploadGrant) or not isinstance(result, UploadResult):
        raise InputError(
            f"settle() was given a {type(grant).__name__} and a {type(result).__name__}; pass the UploadGrant and what "
            "its send() returned."
        )
    if journal is None or grant.intent is None:
        return grant.receipt(result, rows=rows)
    entry = Entry(grant.intent, grant.write_id)
    if result.error is not None:
        known = "unknown" if result.is_replay else result.status
        outcome = FileOutcome(known, result.attempts)  # type: ignore[arg-type] # there is an error
        journal.end(entry, ending_of_error(result.error, outcome))
        raise result.error
    receipt = grant.receipt(result, rows=rows)
    journal.end(entry, ending_of_receipt(receipt))
    return receipt


def intent_of(
    consents: ContractAuthorizations,
    file: Upload,
    authorization: Authorization,
    fingerprint: Fingerprint,
    part: RunPart | None,
) -> Intent:
    """Return the intent of a file that another process sends; of `file`, the content does not count."""
    write_id = next((text for text in file.descriptor.reference if text.startswith(WRITE_ID_PREFIX)), None)
    return Intent(
        environment=consents.api.base_url,
        client_id=consents.api.contract.client_id,
        contract_id=consents.api.contract.contract_id,
        account_id=authorization.account_id,
        consent_id=authorization.consent_id,
        file_name=file.file_name,
        mime_type=file.descriptor.mime_type,
        fingerprint=fingerprint,
        write_id=write_id,
        renews_write_id=file.renews_write_id,
        part=part,
    )


_no_content = partial(iter, ())
