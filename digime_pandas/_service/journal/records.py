"""What a journal holds of each write, as values. No data, no token, and of the references the write id and the name."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal
from uuid import UUID, uuid4, uuid5

from digime_pandas._service.descriptor import WRITE_ID_PREFIX
from digime_pandas._service.messages import Upload
from digime_pandas._service.receipt import Receipt
from digime_pandas._service.upload import FileOutcome
from digime_pandas.errors import DigimeError, FidelityError, InputError

Status = Literal["delivered", "pending", "refused", "unknown", "not sent"]

_WRITE_IDS = UUID("6d4f6f0a-4b0f-5a3b-9a35-0c1b8d0f6e21")
"""The namespace of the write ids that are derived."""


@dataclass(frozen=True, slots=True)
class RunPart:
    """A part of a run: of a call that writes many files, and can be made again until all have arrived.

    Args:
        run: Names the run; the same in each repetition.
        part: Names the part within the run, such as an account id or the number of a partition.
    """

    run: str
    part: str


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Tells contents apart before they are sent.

    Args:
        text: The same for the same content.
        is_exact: Whether it is another one for any other content. One that is not comes of what is known of the content
            beforehand: size, references (names, schema), tags and media type.
    """

    text: str
    is_exact: bool


NOTHING_KNOWN = Fingerprint("none", is_exact=False)
"""The fingerprint of what was never made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A write that is about to be sent.

    Attributes:
        environment: Base URL of the API.
        client_id: The `client_id` of the contract that writes.
        contract_id: Its contract id.
        account_id: The account into whose library it goes.
        consent_id: The consent's id at the service, if it was told.
        file_name: The name given to the write.
        mime_type: The media type that is declared.
        fingerprint: Tells its content from others.
        write_id: The write id among its references, if there is one.
        renews_write_id: Whether another one may take its place.
        part: The part of a run that it is; None for a write of its own.
        key: The same for each repetition of the same write, and for no other.
    """

    environment: str
    client_id: str
    contract_id: str
    account_id: str
    consent_id: str | None
    file_name: str
    mime_type: str
    fingerprint: Fingerprint
    write_id: str | None
    renews_write_id: bool
    part: RunPart | None
    key: str = field(init=False)

    def __post_init__(self) -> None:
        run, part = (None, None) if self.part is None else (self.part.run, self.part.part)
        target = [self.environment, self.client_id, self.account_id, run, part, self.file_name, self.fingerprint.text]
        object.__setattr__(self, "key", sha256(json.dumps(target).encode()).hexdigest())

    def new_write_id(self) -> str | None:
        """Return the write id of a first attempt: of a part, one that follows from run, part and content."""
        if not self.renews_write_id:
            return self.write_id
        return f"{WRITE_ID_PREFIX}{uuid4() if self.part is None else uuid5(_WRITE_IDS, self.key)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How an attempt at a write ended.

    Attributes:
        status: What became of the file.
        receipt: JSON of the receipt's dict, where there is a receipt.
        attempts: Requests that carried the file, where that is known.
        error_type: Name of the error's class.
        error: The error's text, where it cannot quote what is in the frame.
    """

    status: Status
    receipt: str | None = None
    attempts: int | None = None
    error_type: str | None = None
    error: str | None = None


def fingerprint_of(file: Upload) -> Fingerprint:
    """Return the fingerprint of a file that is to be sent: the SHA-256 of its bytes where it is small."""
    if isinstance(file.content, bytes):
        return Fingerprint(f"sha256:{sha256(file.content).hexdigest()}", is_exact=True)
    descriptor = file.descriptor
    references = [text for text in descriptor.reference if not text.startswith(WRITE_ID_PREFIX)]
    known = [file.size, file.count_rows(), descriptor.mime_type, descriptor.accounts, references, descriptor.tags]
    return Fingerprint(f"known:{sha256(json.dumps(known).encode()).hexdigest()}", is_exact=False)


def ending_of_receipt(receipt: Receipt) -> Ending:
    """Return how a write ended that came to a receipt."""
    values = receipt.to_dict()
    kept = [
        text for text in receipt.descriptor.reference if text.startswith(WRITE_ID_PREFIX) or text == receipt.file_name
    ]
    # References may hold data: the schema has categories.
    values["descriptor"] = {name: value for name, value in values["descriptor"].items() if name != "reference"}
    if kept:
        values["descriptor"]["reference"] = kept
    return Ending(status=receipt.status, receipt=json.dumps(values), attempts=receipt.attempts)


def ending_of_error(error: BaseException, outcome: FileOutcome) -> Ending:
    """Return how a write ended that came to an error, of which `outcome` says what it means for the file."""
    return Ending(
        status=outcome.known,
        attempts=outcome.attempts,
        error_type=type(error).__name__,
        error=_text_of(error),
    )


def ending_of_unsent(error: BaseException | None, reason: str | None) -> Ending:
    """Return how a write ended of which nothing was sent.

    Args:
        error: Why, where there is an error that says it.
        reason: Why, where there is none.
    """
    if error is None:
        return Ending(status="not sent", attempts=0, error=reason)
    return Ending(status="not sent", attempts=0, error_type=type(error).__name__, error=_text_of(error))


def status_of(statuses: Sequence[Status | None]) -> Status:
    """Return the status of a write after all attempts with its write id, oldest first; None is one without an end."""
    found = {"unknown" if each is None else each for each in statuses}
    for decisive in ("delivered", "pending", "unknown"):
        if decisive in found:
            return decisive
    return statuses[-1] or "unknown"


def receipt_of(text: str) -> Receipt:
    """Return the receipt of an `Ending`."""
    values: Mapping[str, Any] = json.loads(text)
    return Receipt.from_dict(values)


def _text_of(error: BaseException) -> str | None:
    """Return an error's text; errors about a frame, and those of other packages, may quote its values."""
    if isinstance(error, FidelityError):
        row = "" if error.row is None else f" (first in row {error.row})"
        return None if error.column is None else f"About column {error.column!r}{row}."
    if not isinstance(error, DigimeError) or isinstance(error, InputError):
        return None
    return " ".join([str(error), *getattr(error, "__notes__", ())])
