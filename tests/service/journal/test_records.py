from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from digime_pandas._service.descriptor import FileDescriptor
from digime_pandas._service.journal.records import (
    Fingerprint,
    RunPart,
    Status,
    ending_of_error,
    ending_of_receipt,
    fingerprint_of,
    receipt_of,
    status_of,
)
from digime_pandas._service.messages import Upload
from digime_pandas._service.upload import FileOutcome
from digime_pandas.errors import FidelityError, InputError, RefusedError

from .journals import INTENT, PART, RECEIPT

FILE = Upload(b"a\n1\n", 4, "a.csv", FileDescriptor("text/csv", "p", ["a.csv", "urn:uuid:1"]))
LARGE = replace(FILE, content=lambda: [b"a\n1\n"], count_rows=lambda: 7)


class TestKey:
    @pytest.mark.parametrize(
        "change",
        [
            {"environment": "https://other.test/v1.7/"},
            {"client_id": "application_other"},
            {"account_id": "patient-18"},
            {"file_name": "visits2.csv"},
            {"fingerprint": Fingerprint("sha256:1", is_exact=True)},
            {"part": RunPart("run", "part")},
        ],
    )
    def test_another_write_has_another_key(self, change: dict[str, object]) -> None:
        assert replace(INTENT, **change).key != INTENT.key  # type: ignore[arg-type] # mixed values

    def test_the_same_write_under_a_new_id_or_consent_has_the_same_key(self) -> None:
        assert replace(INTENT, write_id="urn:uuid:other", consent_id="other", contract_id="other").key == INTENT.key

    def test_parts_have_write_ids_that_follow_from_run_part_and_content(self) -> None:
        assert PART.new_write_id() == replace(PART, write_id="urn:uuid:other").new_write_id()
        others = [
            replace(PART, part=RunPart("run", "other")),
            replace(PART, part=RunPart("other", "part")),
            replace(PART, fingerprint=Fingerprint("sha256:1", is_exact=True)),
        ]
        assert len({each.new_write_id() for each in (PART, *others)}) == 4
        assert INTENT.new_write_id() != INTENT.new_write_id()

    def test_a_write_id_that_the_user_gave_stays(self) -> None:
        assert replace(PART, renews_write_id=False).new_write_id() == "urn:uuid:given"
        assert replace(PART, renews_write_id=False, write_id=None).new_write_id() is None


class TestFingerprint:
    def test_a_small_file_is_told_by_its_bytes(self) -> None:
        found = fingerprint_of(FILE)
        assert found.is_exact
        assert found == fingerprint_of(replace(FILE, descriptor=FileDescriptor("text/plain", "p")))
        assert found != fingerprint_of(replace(FILE, content=b"a\n2\n"))

    @pytest.mark.parametrize(
        "change",
        [
            {"size": 5},
            {"count_rows": lambda: 8},
            {"descriptor": FileDescriptor("text/plain", "p", ["a.csv"])},
            {"descriptor": FileDescriptor("text/csv", "p", ["a.csv", "another schema"])},
            {"descriptor": FileDescriptor("text/csv", "p", ["a.csv"], ["t"])},
        ],
    )
    def test_any_other_is_told_by_what_is_known_of_it(self, change: dict[str, object]) -> None:
        found = fingerprint_of(LARGE)
        assert not found.is_exact
        assert found == fingerprint_of(
            replace(LARGE, descriptor=FileDescriptor("text/csv", "p", ["a.csv", "urn:uuid:2"]))
        )
        assert found != fingerprint_of(replace(LARGE, **change))  # type: ignore[arg-type] # mixed values


@pytest.mark.parametrize(
    ("statuses", "status"),
    [
        ([None], "unknown"),
        (["refused"], "refused"),
        (["not sent", "refused"], "refused"),
        (["refused", "not sent"], "not sent"),
        ([None, "refused"], "unknown"),
        (["unknown", "not sent"], "unknown"),
        (["pending", "unknown"], "pending"),
        (["delivered", None, "pending"], "delivered"),
        (["unknown", "delivered"], "delivered"),
    ],
)
def test_what_was_once_delivered_or_unknown_stays_so(statuses: Sequence[Status | None], status: Status) -> None:
    assert status_of(statuses) == status


def test_a_receipt_is_kept_without_references_that_may_hold_data() -> None:
    ending = ending_of_receipt(RECEIPT)
    assert (ending.status, ending.attempts, ending.error_type, ending.error) == ("delivered", 2, None, None)
    assert ending.receipt is not None
    kept = replace(RECEIPT.descriptor, reference=("visits.csv", "urn:uuid:given"))
    assert receipt_of(ending.receipt) == replace(RECEIPT, descriptor=kept)
    assert "c4tegory" not in ending.receipt
    assert "n0te" not in ending.receipt


def test_a_receipt_without_such_references_is_kept_too() -> None:
    alone = replace(RECEIPT, descriptor=FileDescriptor("text/csv", "p", ["n0te"]))
    ending = ending_of_receipt(alone)
    assert receipt_of(ending.receipt or "").descriptor.reference == ()
    assert "reference" not in json.loads(ending.receipt or "")["descriptor"]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (RefusedError("The service said no.", outcome="refused"), "The service said no. And a note."),
        (FidelityError("v4lue", column="pulse", row=3), "About column 'pulse' (first in row 3)."),
        (FidelityError("v4lue", column="pulse"), "About column 'pulse'."),
        (FidelityError("v4lue"), None),
        (InputError("v4lue"), None),
        (LookupError("v4lue"), None),
        (KeyboardInterrupt("v4lue"), None),
    ],
)
def test_errors_are_kept_with_a_text_only_where_it_quotes_no_frame(error: BaseException, text: str | None) -> None:
    error.add_note("And a note.")
    ending = ending_of_error(error, FileOutcome("refused", 3))
    assert (ending.status, ending.attempts, ending.receipt) == ("refused", 3, None)
    assert (ending.error_type, ending.error) == (type(error).__name__, text)
