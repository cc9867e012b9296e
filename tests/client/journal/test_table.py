from __future__ import annotations

from dataclasses import replace

import pandas as pd

from digime_pandas._client.journal.table import COLUMNS, journal_table
from digime_pandas._service.descriptor import FileDescriptor
from digime_pandas._service.journal.records import ending_of_receipt, receipt_of
from digime_pandas._service.journal.write_journal import Attempt
from digime_pandas._service.receipt import Receipt

RECEIPT = ending_of_receipt(
    Receipt(
        status="delivered",
        file_name="visits.csv",
        rows=3,
        size=120,
        sha256="0" * 64,
        expires=None,
        attempts=2,
        elapsed=0.25,
        environment="https://api.test/v1.7/",
        descriptor=FileDescriptor("text/csv", "patient-17", ["urn:uuid:1"]),
        losses=("Not everything is in the file: a.", "Written in another form: b."),
    )
).receipt
CUT_OFF = Attempt(
    id=1,
    key="key",
    write_id="urn:uuid:1",
    account_id="patient-17",
    file_name="visits.csv",
    contract_id="contract",
    consent_id="first",
    environment="https://api.test/v1.7/",
    started_at="2026-01-05T00:00:00+00:00",
    ended_at=None,
    status=None,
    receipt=None,
    attempts=None,
    error_type=None,
    error=None,
)
REFUSED = CUT_OFF._replace(
    id=2, ended_at="2026-01-05T00:00:02.000005+00:00", status="refused", attempts=3, error_type="E", error="e"
)
DELIVERED = CUT_OFF._replace(
    id=3,
    consent_id="second",
    started_at="2026-01-05T00:00:03+00:00",
    ended_at="2026-01-05T00:00:04+00:00",
    status="delivered",
    receipt=RECEIPT,
    attempts=2,
)


def row(*attempts: Attempt) -> dict[str, object]:
    (found,) = journal_table(attempts).astype(object).to_dict("records")
    return {str(name): None if pd.isna(value) else value for name, value in found.items()}


def test_without_rows_it_has_the_same_dtypes() -> None:
    empty, full = journal_table([]), journal_table([CUT_OFF, DELIVERED._replace(write_id=None)])
    assert len(empty) == 0
    assert len(full) == 2
    assert empty.dtypes.to_dict() == full.dtypes.to_dict()
    assert {name: str(dtype) for name, dtype in full.dtypes.items()} == dict(COLUMNS)


def test_a_write_that_was_cut_off_is_unknown_and_nothing_else_is_known() -> None:
    found = row(CUT_OFF)
    assert found["status"] == "unknown"
    assert (found["account_id"], found["file_name"], found["write_id"]) == ("patient-17", "visits.csv", "urn:uuid:1")
    assert (found["contract_id"], found["consent_id"]) == ("contract", "first")
    assert found["started_at"] == pd.Timestamp("2026-01-05", tz="UTC")
    nothing = ("rows", "size", "sha256", "ended_at", "attempts", "losses", "error_type", "error")
    assert [found[name] for name in nothing] == [None] * len(nothing)


def test_attempts_with_one_write_id_are_one_row_that_says_what_came_of_them() -> None:
    found = row(CUT_OFF, REFUSED, DELIVERED)
    assert (found["status"], found["rows"], found["size"], found["sha256"]) == ("delivered", 3, 120, "0" * 64)
    assert (found["attempts"], found["consent_id"]) == (5, "second")
    assert found["started_at"] == pd.Timestamp("2026-01-05", tz="UTC")
    assert found["ended_at"] == pd.Timestamp("2026-01-05 00:00:04", tz="UTC")
    assert found["losses"] == "Not everything is in the file: a. Written in another form: b."
    assert (found["error_type"], found["error"]) == (None, None)


def test_what_an_attempt_ran_into_is_shown_while_the_outcome_is_not_known() -> None:
    found = row(CUT_OFF, REFUSED)
    assert (found["status"], found["error_type"], found["error"], found["attempts"]) == ("unknown", "E", "e", 3)
    assert found["ended_at"] == pd.Timestamp("2026-01-05 00:00:02.000005", tz="UTC")


def test_no_losses_are_an_empty_text() -> None:
    without = replace(receipt_of(RECEIPT or ""), losses=())
    assert row(DELIVERED._replace(receipt=ending_of_receipt(without).receipt))["losses"] == ""


def test_writes_without_a_write_id_and_of_other_contents_are_rows_of_their_own() -> None:
    own = [CUT_OFF._replace(write_id=None), REFUSED._replace(write_id=None), DELIVERED._replace(key="other")]
    assert journal_table([*own, CUT_OFF._replace(id=9)])["status"].tolist() == [
        "unknown",
        "refused",
        "delivered",
        "unknown",
    ]
