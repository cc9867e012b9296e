"""A run that is stopped, repeated, or not worth going on with."""

from __future__ import annotations

import io
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import httpx
import pandas as pd
import pytest

import digime_pandas as digime
from digime_pandas._client.each.breaker import LIKE_FAILURES
from digime_pandas._client.each.run import Run, Task
from digime_pandas._client.each.table import NOT_SENT, PartResult
from digime_pandas._service.descriptor import WRITE_ID_PREFIX
from digime_pandas.sandbox import Sandbox
from tests.client.each.conftest import Network, refusal


def files_of(sandbox: Sandbox, people: list[str]) -> list[int]:
    return [len(sandbox.files(account_id)) for account_id in people]


def test_the_same_call_sends_what_is_missing(  # noqa: PLR0917 - fixtures
    visits: pd.DataFrame,
    people: list[str],
    sandbox: Sandbox,
    routed: digime.Client,
    network: Network,
    tmp_path: Path,
) -> None:
    path = tmp_path / "writes.journal"
    refused = iter([None, refusal(400, "Busy"), None, refusal(422, "Odd")])
    network.handle = lambda _: next(refused, None)
    first = visits.digime.write_each("who", "v.csv", client=routed, journal=path, workers=1)
    assert first["status"].value_counts().to_dict() == {"delivered": 10, "failed": 2}
    assert first["outcome"][first["status"] == "failed"].tolist() == ["refused"] * 2

    network.deliveries = 0
    again = visits.digime.write_each("who", "v.csv", client=routed, journal=path)
    assert set(again["status"]) == {"delivered"}
    assert network.deliveries == 2
    assert files_of(sandbox, people) == [1] * len(people)
    before = first["status"] == "delivered"
    for name in ("write_id", "sha256", "delivered_at"):
        pd.testing.assert_series_equal(again[name][before], first[name][before])
    with digime.Journal(path) as journal:
        table = journal.to_frame()
    assert table["status"].value_counts().to_dict() == {"delivered": 12}
    assert sorted(table["attempts"]) == [1] * 10 + [2] * 2


@pytest.mark.parametrize(
    ("change", "sent"),
    [
        ({}, 0),
        ({"workers": 3, "errors": "raise", "missing": "skip", "progress": False}, 0),
        ({"tags": ["other"]}, 12),
        ({"escape_formulas": True}, 12),
        ({"keep_key": False}, 12),
        ({"file_name": "other.csv"}, 12),
        ({"file_name": "v-{account_id}.csv"}, 12),
    ],
    ids=str,
)
@pytest.mark.slow
def test_what_makes_it_another_run(  # noqa: PLR0917 - fixtures
    change: dict[str, Any], sent: int, visits: pd.DataFrame, routed: digime.Client, network: Network, tmp_path: Path
) -> None:
    call: dict[str, Any] = {"by": "who", "file_name": "v.csv", "client": routed, "journal": tmp_path / "j"}
    visits.digime.write_each(**call)
    network.deliveries = 0
    result = visits.digime.write_each(**(call | change))
    assert set(result["status"]) == {"delivered"}
    assert network.deliveries == sent


def test_a_person_whose_rows_changed_gets_a_new_file(
    visits: pd.DataFrame, people: list[str], sandbox: Sandbox, client: digime.Client, tmp_path: Path
) -> None:
    journal = tmp_path / "j"
    visits.digime.write_each("who", "v.csv", client=client, journal=journal)
    changed = visits.assign(pulse=visits["pulse"].where(visits["who"] != people[3], -1))
    changed.digime.write_each("who", "v.csv", client=client, journal=journal)
    assert files_of(sandbox, people) == [1] * 3 + [2] + [1] * 8


@pytest.mark.usefixtures("no_waiting")
def test_a_file_whose_answer_was_lost_keeps_its_write_id(  # noqa: PLR0917 - fixtures
    visits: pd.DataFrame, people: list[str], sandbox: Sandbox, routed: digime.Client, network: Network, tmp_path: Path
) -> None:
    def lose(request: httpx.Request) -> httpx.Response:
        httpx.HTTPTransport.handle_request(network, request).read()
        raise httpx.ReadError("the answer was lost")

    answers = iter([lose, lose])
    network.handle = lambda request: next(answers, lambda _: None)(request)  # noqa: PLW0108 - another one each time
    first = visits.digime.write_each("who", "v.csv", client=routed, journal=tmp_path / "j", workers=1)
    assert first["outcome"].tolist()[:3] == ["unknown", "unknown", pd.NA]
    again = visits.digime.write_each("who", "v.csv", client=routed, journal=tmp_path / "j", workers=1)
    assert set(again["status"]) == {"delivered"}
    for account_id in people[:2]:
        ids = [
            [text for text in each.reference if text.startswith(WRITE_ID_PREFIX)] for each in sandbox.files(account_id)
        ]
        assert len(ids) == 2
        assert ids[0] == ids[1]


@pytest.mark.parametrize(
    ("status", "code", "most"),
    [
        (400, "InvalidSignature", 2),
        (403, "InvalidClient", 2),
        (406, "SDKInvalid", 2),
        (403, "Forbidden", LIKE_FAILURES + 1),
        (400, None, LIKE_FAILURES + 1),
    ],
)
def test_what_would_fail_for_everybody_ends_the_run(  # noqa: PLR0917 - fixtures
    status: int, code: str | None, most: int, visits: pd.DataFrame, routed: digime.Client, network: Network
) -> None:
    network.handle = lambda _: refusal(status, code)
    result = visits.digime.write_each("who", "v.csv", client=routed, workers=1)
    sent = network.deliveries
    assert sent <= most + 1  # one may be under way already
    assert result["status"].tolist() == ["failed"] * sent + ["not sent"] * (12 - sent)
    rest = result[result["status"] == "not sent"]
    assert len(rest)
    assert set(rest["outcome"]) == {"not sent"}
    assert rest["error"].str.startswith("Not tried: ").all()
    assert rest["error"].str.contains("RefusedError").all()
    assert rest["error_type"].isna().all()


def test_failures_that_differ_or_are_interrupted_by_a_success_do_not_end_it(
    visits: pd.DataFrame, routed: digime.Client, network: Network
) -> None:
    answers = iter([refusal(400, "A" if number % 2 else "B") for number in range(12)])
    network.handle = lambda _: next(answers)
    result = visits.digime.write_each("who", "v.csv", client=routed, workers=1)
    assert result["status"].tolist() == ["failed"] * 12

    mixed = iter([None if number == 6 else refusal(400, "A") for number in range(12)])
    network.handle = lambda _: next(mixed)
    result = visits.digime.write_each("who", "v.csv", client=routed, workers=1)
    assert result["status"].value_counts().to_dict() == {"failed": 11, "delivered": 1}


def test_errors_raise_ends_it_at_the_first_failure_and_tells_of_all(
    visits: pd.DataFrame, people: list[str], sandbox: Sandbox, routed: digime.Client, network: Network
) -> None:
    answers = iter([None, None, refusal(400, "Odd")])
    network.handle = lambda _: next(answers, None)
    with pytest.raises(digime.RefusedError, match="Odd") as raised:
        visits.digime.write_each("who", "v.csv", client=routed, workers=1, errors="raise")
    result = raised.value.result  # type: ignore[attr-defined]
    counts = result["status"].value_counts()
    assert counts["failed"] == 1
    assert counts["not sent"] >= 12 - 3 - 2
    assert files_of(sandbox, people) == [int(status == "delivered") for status in result["status"]]
    assert any("of 12 delivered" in note for note in raised.value.__notes__)


def test_errors_raise_sends_nothing_where_a_part_cannot_be_written(
    visits: pd.DataFrame, people: list[str], sandbox: Sandbox, client: digime.Client
) -> None:
    notes: list[Any] = [{1, 2} if who == people[5] else "well" for who in visits["who"]]
    frame = visits.assign(note=notes)
    with pytest.raises(digime.FidelityError, match=f"Account '{people[5]}': Column 'note'"):
        frame.digime.write_each("who", "v.csv", client=client, errors="raise")
    assert files_of(sandbox, people) == [0] * 12


@pytest.fixture
def interrupted() -> Iterator[threading.Event]:
    """Set once the main thread has its interrupt."""
    noted = threading.Event()

    def interrupt(*_: object) -> None:
        noted.set()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    yield noted
    signal.signal(signal.SIGINT, before)


def interrupt_main() -> None:
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_kill(main, signal.SIGINT)


@pytest.mark.parametrize("moment", ["while it is sent", "while it is reported"])
def test_an_interrupt_waits_for_what_is_under_way_and_loses_nothing(  # noqa: PLR0917 - fixtures
    moment: str,
    visits: pd.DataFrame,
    people: list[str],
    sandbox: Sandbox,
    routed: digime.Client,
    network: Network,
    interrupted: threading.Event,
) -> None:
    is_reported = moment == "while it is reported"
    seen = iter(range(100))

    def report(*_: object) -> None:
        signal.raise_signal(signal.SIGINT)

    def handle(_: httpx.Request) -> None:
        number = next(seen)
        if number == 3 and not is_reported:
            interrupt_main()
        if number >= 3:  # or all may be sent before the main thread has its turn
            interrupted.wait(20)

    network.handle = handle
    progress: Any = report if is_reported else False
    with pytest.raises(KeyboardInterrupt) as raised:
        visits.digime.write_each("who", "v.csv", client=routed, workers=2, progress=progress)
    result = raised.value.result  # type: ignore[attr-defined]
    assert set(result["status"]) == {"delivered", "not sent"}, result["error"].dropna().tolist()
    assert files_of(sandbox, people) == [int(status == "delivered") for status in result["status"]]
    assert network.deliveries == (result["status"] == "delivered").sum()
    assert "The attribute `result`" in raised.value.__notes__[0]


def test_a_second_interrupt_waits_no_longer() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def send() -> PartResult:
        begun.set()
        go_on.wait(60)
        return PartResult("delivered")

    def tasks() -> Iterator[tuple[int, Task]]:
        yield 0, send
        yield 1, send
        begun.wait(20)
        run._news = Waiting()
        raise KeyboardInterrupt

    class Waiting(SimpleQueue[None]):
        """What is waited for after the first interrupt: the second one comes meanwhile."""

        def get(self, *_: Any, **__: Any) -> None:
            threading.Timer(0.01, interrupt_main).start()
            super().get(timeout=20)

    results = [NOT_SENT] * 3
    run = Run(results, workers=1, stops_at_failure=False, report=lambda _: None)
    try:
        with pytest.raises(KeyboardInterrupt):
            run.send(tasks())
        assert results == [PartResult("failed", "unknown"), NOT_SENT, NOT_SENT]
    finally:
        go_on.set()


def send_some(count: int, task: Task, **clocks: Any) -> list[int]:
    """Send so many files with 6 workers; return the places in the order in which they were reported."""
    reported: list[int] = []
    results = [NOT_SENT] * count
    run = Run(results, workers=6, stops_at_failure=False, report=reported.append, **clocks)
    run.send((place, task) for place in range(count))
    assert results == [PartResult("delivered")] * count
    return reported


def test_as_many_files_as_workers_are_under_way_where_answers_take_long() -> None:
    all_at_once = threading.Barrier(6)

    def send() -> PartResult:
        all_at_once.wait(60)
        return PartResult("delivered")

    assert sorted(send_some(12, send)) == list(range(12))


def test_threads_that_keep_a_processor_busy_are_few() -> None:
    under_way, most = set[int](), 0

    def send() -> PartResult:
        nonlocal most
        under_way.add(threading.get_ident())
        most = max(most, len(under_way))
        time.sleep(0.005)
        under_way.discard(threading.get_ident())
        return PartResult("delivered")

    send_some(60, send, thread_clock=time.monotonic)
    assert 1 < most < 6


def test_each_file_is_reported_once_and_by_the_calling_thread() -> None:
    reporting: list[int] = []

    def send() -> PartResult:
        return PartResult("delivered")

    results = [NOT_SENT] * 500
    run = Run(
        results,
        workers=2,
        stops_at_failure=False,
        report=lambda place: reporting.extend([place] * (threading.current_thread() is threading.main_thread())),
    )
    run.send((place, send if place % 7 else PartResult("failed", "not sent")) for place in range(500))
    assert sorted(reporting) == list(range(500))


def test_a_pending_file_is_no_failure(
    visits: pd.DataFrame, routed: digime.Client, network: Network, people: list[str]
) -> None:
    one = visits[visits["who"] == people[0]]
    network.handle = lambda _: httpx.Response(200, json={"status": "pending", "expires": 0})
    result = one.digime.write_each("who", "v.csv", client=routed)
    assert result["status"].tolist() == ["pending"], result["error"].tolist()
    assert repr(result).startswith("0 of 1 delivered (1 pending)\n")


def test_files_are_as_they_are_with_any_number_of_workers(
    visits: pd.DataFrame, people: list[str], sandbox: Sandbox, client: digime.Client
) -> None:
    for workers in (1, 5, 50):
        result = visits.digime.write_each("who", f"v{workers}.csv", client=client, workers=workers)
        assert list(result.index) == people
        for account_id in people:
            (file,) = [each for each in sandbox.files(account_id) if each.reference[0] == f"v{workers}.csv"]
            held = pd.read_csv(io.BytesIO(file.content))
            assert held["pulse"].tolist() == visits["pulse"][visits["who"] == account_id].tolist()


def test_a_run_needs_no_journal_to_be_told_apart(visits: pd.DataFrame, client: digime.Client) -> None:
    first = visits.digime.write_each("who", "v.csv", client=client)
    second = visits.digime.write_each("who", "v.csv", client=client)
    assert not set(first["write_id"]) & set(second["write_id"])


def test_a_large_file_is_sent_again_under_its_write_id(
    people: list[str], sandbox: Sandbox, client: digime.Client, authorize: Any, tmp_path: Path
) -> None:
    frame = pd.DataFrame({"who": people[0], "text": ["x" * 1_000] * 1_200})
    authorize(sandbox, client, people[0], "read")
    for _ in range(2):
        result = frame.digime.write_each("who", "v.csv", client=client, journal=tmp_path / "j")
        assert result["size"].tolist() > [1 << 20]
    assert files_of(sandbox, people[:1]) == [2]
    assert [each.name for each in client.files(people[0])] == ["v.csv"]


def test_another_contract_s_key_ends_the_run(
    visits: pd.DataFrame, sandbox: Sandbox, client: digime.Client, connected: Any, other_contract: digime.Contract
) -> None:
    own = sandbox.contract
    mixed = digime.Contract(own.application_id, own.contract_id, other_contract.private_key)
    result = visits.digime.write_each("who", "v.csv", client=connected(sandbox, contract=mixed, tokens=client.tokens))
    assert "not sent" in set(result["status"])
    assert set(result["error_type"].dropna()) == {"ContractError"}


def test_an_interrupt_that_a_library_raises_in_a_thread_ends_the_run() -> None:
    def interrupted() -> PartResult:
        raise KeyboardInterrupt

    results = [NOT_SENT] * 3
    run = Run(results, workers=1, stops_at_failure=False, report=lambda _: None)
    with pytest.raises(KeyboardInterrupt):
        run.send([(0, lambda: PartResult("delivered")), (1, interrupted), (2, interrupted)])
    assert results == [PartResult("delivered"), NOT_SENT, NOT_SENT]
