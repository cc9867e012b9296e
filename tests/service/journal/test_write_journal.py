from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from digime_pandas._service.journal.records import (
    Ending,
    Fingerprint,
    Intent,
    RunPart,
    Status,
    ending_of_receipt,
    receipt_of,
)
from digime_pandas._service.journal.write_journal import Entry, WriteJournal
from digime_pandas.errors import ConfigurationError, JournalError
from tests.faults.forked import Child, forked

from .journals import INTENT, PART, RECEIPT, Clock, Connections

THREADS = 16
WRITES = 10


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "writes.journal"


@pytest.fixture
def journal(path: Path) -> Iterator[WriteJournal]:
    with WriteJournal(path, now=Clock()) as opened:
        yield opened


def ended(journal: WriteJournal, intent: Intent, status: Status | None) -> Entry:
    """Begin a write in a process that is killed then, or comes to an outcome."""
    entry = journal.begin(intent)
    if status is None:
        journal._forget_in_flight()
    elif status == "delivered":
        journal.end(entry, ending_of_receipt(RECEIPT))
    else:
        journal.end(entry, Ending(status=status, attempts=1, error_type="E", error="e"))
    return entry


def test_an_attempt_is_recorded_with_all_that_is_known(journal: WriteJournal) -> None:
    entry = ended(journal, INTENT, "delivered")
    ended(journal, replace(INTENT, consent_id=None, file_name="b.csv"), "refused")
    first, second = journal.attempts()
    assert first[1:10] == (
        INTENT.key,
        entry.write_id,
        "patient-17",
        "visits.csv",
        "contract",
        "consent",
        INTENT.environment,
        "2026-01-05T00:00:00+00:00",
        "2026-01-05T00:00:01+00:00",
    )
    assert (first.status, first.attempts, first.error_type, first.error) == ("delivered", 2, None, None)
    assert journal.receipts() == [receipt_of(first.receipt or "")]
    assert (second.consent_id, second.status, second.receipt) == (None, "refused", None)
    assert (second.attempts, second.error_type, second.error) == (1, "E", "e")


def test_what_is_recorded_is_there_when_it_is_opened_again(journal: WriteJournal, path: Path) -> None:
    ended(journal, INTENT, "delivered")
    with WriteJournal(path) as second:
        assert second.attempts() == journal.attempts()
    journal.close()
    with WriteJournal(path) as third:
        assert len(third.attempts()) == 1


class TestWriteId:
    @pytest.mark.parametrize(
        ("before", "is_same"),
        [
            ([None], True),
            (["unknown"], True),
            (["pending"], True),
            (["unknown", "refused"], True),
            (["delivered"], False),
            (["refused"], False),
            (["not sent"], False),
            (["unknown", "delivered"], False),
            (["delivered", None], True),
        ],
        ids=str,
    )
    def test_of_a_write_of_its_own_is_the_same_only_while_its_outcome_is_not_known(
        self, journal: WriteJournal, before: list[Status | None], is_same: bool
    ) -> None:
        ids = [ended(journal, INTENT, status).write_id for status in before]
        found = journal.begin(INTENT)
        assert (found.write_id == ids[-1]) == is_same
        assert found.write_id not in {None, "urn:uuid:given", *(ids[:-1] if ids[-1] not in ids[:-1] else ())}
        assert found.delivered is None

    @pytest.mark.parametrize("change", [{"account_id": "p"}, {"fingerprint": Fingerprint("sha256:1", is_exact=True)}])
    def test_of_another_write_is_another(self, journal: WriteJournal, change: dict[str, Any]) -> None:
        assert ended(journal, INTENT, None).write_id != journal.begin(replace(INTENT, **change)).write_id

    def test_of_a_write_that_another_thread_is_sending_is_not_taken(self, journal: WriteJournal) -> None:
        first = journal.begin(INTENT)
        second = journal.begin(INTENT)
        assert first.write_id != second.write_id
        journal.end(second, Ending(status="unknown"))
        assert journal.begin(INTENT).write_id == second.write_id

    def test_of_a_write_whose_end_is_being_recorded_is_not_taken(self, path: Path) -> None:
        clock, others = Clock(), list[Entry]()
        is_ending = threading.Event()

        def now() -> datetime:
            if is_ending.is_set():
                is_ending.clear()
                others.append(writing.begin(INTENT))  # as another thread may in this moment
            return clock()

        with WriteJournal(path, now=now) as writing:
            first = writing.begin(INTENT)
            is_ending.set()
            writing.end(first, ending_of_receipt(RECEIPT))
        assert [each.write_id == first.write_id for each in others] == [False]

    def test_of_what_another_process_did_not_end_is_taken(self, journal: WriteJournal, path: Path) -> None:
        first = journal.begin(INTENT)
        with WriteJournal(path) as other:
            assert other.begin(INTENT).write_id == first.write_id

    @pytest.mark.parametrize("write_id", [None, "urn:uuid:given"])
    def test_that_the_user_gave_stays(self, journal: WriteJournal, write_id: str | None) -> None:
        given = replace(INTENT, write_id=write_id, renews_write_id=False)
        ended(journal, INTENT, None)
        assert [ended(journal, given, None).write_id for _ in range(2)] == [write_id] * 2


class TestPartsOfRuns:
    @pytest.mark.parametrize("before", [None, "unknown", "pending", "refused", "not sent"])
    def test_that_were_not_delivered_are_sent_under_the_same_id(
        self, journal: WriteJournal, before: Status | None
    ) -> None:
        first = ended(journal, PART, before)
        again = journal.begin(PART)
        assert (again.write_id, again.delivered) == (first.write_id, None)

    @pytest.mark.parametrize("change", [{}, {"write_id": None, "renews_write_id": False}])
    def test_that_were_delivered_are_told_and_not_recorded_again(
        self, journal: WriteJournal, change: dict[str, Any]
    ) -> None:
        part = replace(PART, **change)
        first = ended(journal, part, "delivered")
        for _ in range(2):
            again = journal.begin(part)
            assert (again.number, again.write_id) == (None, first.write_id)
            assert again.delivered == journal.receipts()[0]
            journal.end(again, Ending(status="refused"))
        assert len(journal.attempts()) == 1

    def test_of_which_the_content_is_not_known_exactly_are_sent_again_under_the_same_id(
        self, journal: WriteJournal
    ) -> None:
        part = replace(PART, fingerprint=Fingerprint("known:0", is_exact=False))
        first = ended(journal, part, "delivered")
        again = journal.begin(part)
        assert (again.write_id, again.delivered) == (first.write_id, None)
        assert again.number is not None

    def test_of_another_run_are_others(self, journal: WriteJournal) -> None:
        first = ended(journal, PART, "delivered")
        other = journal.begin(replace(PART, part=RunPart("other", "part")))
        assert other.delivered is None
        assert other.write_id != first.write_id


class TestGroups:
    def test_threads_share_commits(self, path: Path) -> None:
        connections = Connections()
        with WriteJournal(path, connect=connections) as journal:
            writes = [replace(INTENT, account_id=f"p-{number}") for number in range(THREADS * WRITES)]
            together = threading.Barrier(THREADS)

            def write(mine: list[Intent]) -> None:
                together.wait()
                for each in mine:
                    ended(journal, each, "delivered")

            with ThreadPoolExecutor(THREADS) as threads:
                list(threads.map(write, [writes[start::THREADS] for start in range(THREADS)]))
            commits = connections.latest.executed.count("COMMIT")
            assert {each.account_id for each in journal.attempts()} == {each.account_id for each in writes}
            assert len(journal.receipts()) == len(writes)
        assert commits < len(writes)

    @pytest.mark.parametrize("what", ["intent", "outcome"])
    def test_an_intent_is_synced_and_an_outcome_is_not(self, path: Path, what: str) -> None:
        connections = Connections()
        with WriteJournal(path, connect=connections) as journal:
            entry = journal.begin(INTENT)
            if what == "outcome":
                connections.latest.executed.clear()
                journal.end(entry, Ending(status="unknown"))
            pragmas = [each for each in connections.latest.executed if each.startswith("PRAGMA synchronous")]
        assert pragmas[-1:] == ["PRAGMA synchronous=FULL" if what == "intent" else "PRAGMA synchronous=NORMAL"]


class TestFailures:
    @pytest.mark.parametrize("failing", ["BEGIN", "SELECT", "INSERT INTO intents", "COMMIT"])
    def test_an_intent_that_cannot_be_recorded_is_an_error_and_leaves_nothing(self, path: Path, failing: str) -> None:
        connections = Connections()
        with WriteJournal(path, connect=connections) as journal:
            connections.latest.failing = failing
            with pytest.raises(JournalError, match="disk is full"):
                journal.begin(INTENT)
            connections.latest.failing = ""
            assert journal.attempts() == []
            assert journal._in_flight == set()

    def test_an_outcome_that_cannot_be_recorded_leaves_the_write_unknown(self, path: Path) -> None:
        connections = Connections()
        with WriteJournal(path, connect=connections) as journal:
            entry = journal.begin(INTENT)
            connections.latest.failing = "INSERT INTO outcomes"
            with pytest.raises(JournalError, match="disk is full"):
                journal.end(entry, Ending(status="delivered"))
            connections.latest.failing = ""
            assert journal.attempts()[0].status is None
            assert journal.begin(INTENT).write_id == entry.write_id

    def test_text_that_is_not_unicode_is_kept_escaped(self, journal: WriteJournal) -> None:
        journal.end(journal.begin(INTENT), Ending(status="refused", error="odd \ud800"))
        assert journal.attempts()[0].error == "odd \\ud800"

    @pytest.mark.parametrize("given", ["", "a\0b", 5, None, b""], ids=repr)
    def test_what_is_no_path_is_refused(self, given: Any) -> None:
        with pytest.raises(ConfigurationError, match="Pass the path of a file"):
            WriteJournal(given)


def test_a_pickled_journal_opens_the_same_file(journal: WriteJournal) -> None:
    entry = journal.begin(INTENT)
    with pickle.loads(pickle.dumps(journal)) as other:
        assert [each.id for each in other.attempts()] == [entry.number]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_takes_what_its_parent_did_not_end(journal: WriteJournal) -> None:
    first = journal.begin(INTENT)
    assert forked(lambda: journal.begin(INTENT).write_id) == first.write_id
    assert len(journal.attempts()) == 2


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_threads_of_several_processes_write_at_the_same_time(path: Path) -> None:
    def write_all(process: str) -> Callable[[], int]:
        def work() -> int:
            with WriteJournal(path) as journal, ThreadPoolExecutor(THREADS) as threads:
                mine = [replace(INTENT, account_id=f"{process}-{number}") for number in range(THREADS * WRITES)]
                return len(list(threads.map(lambda each: ended(journal, each, "delivered"), mine)))

        return work

    children = [Child(write_all(f"process-{number}")) for number in range(3)]
    assert [each.result() for each in children] == [THREADS * WRITES] * 3
    with WriteJournal(path) as journal:
        found = journal.attempts()
        assert len({each.account_id for each in found}) == len(found) == 3 * THREADS * WRITES
        assert {each.status for each in found} == {"delivered"}
