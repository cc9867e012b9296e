"""The journal has a row for each person to whom nothing was sent, with the reason."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest

import digime_pandas as digime
from digime_pandas._service.journal.write_journal import WriteJournal
from digime_pandas.errors import DigimeWarning, JournalError
from digime_pandas.sandbox import Sandbox

from .conftest import Network, refusal


def table_of(path: Path) -> pd.DataFrame:
    with digime.Journal(path) as journal:
        return journal.to_frame().set_index("account_id")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "j"


def test_people_without_consent_and_rows_that_cannot_be_written(
    visits: pd.DataFrame, people: list[str], client: digime.Client, path: Path
) -> None:
    notes: list[Any] = [{1, 2} if who == people[5] else "well" for who in visits["who"]]
    nobody = f"{people[0]}-nobody"
    frame = pd.concat([visits.assign(note=notes), pd.DataFrame({"who": [nobody], "pulse": 1, "note": "x"})])
    result = frame.digime.write_each("who", "v.json", client=client, missing="skip", journal=path)
    table = table_of(path)
    assert table.index.is_unique
    assert set(table.index) == {*people, nobody}
    unsent = table[table["status"] == "not sent"]
    assert unsent["error_type"].to_dict() == {nobody: "NotAuthorizedError", people[5]: "FidelityError"}
    assert "No write authorization is stored" in unsent.loc[nobody, "error"]  # type: ignore[operator]
    assert unsent.loc[people[5], "error"] == "About column 'note' (first in row 0)."
    assert unsent[["write_id", "rows", "size"]].isna().all(axis=None)
    assert unsent["attempts"].tolist() == [0, 0]
    assert unsent["file_name"].tolist() == ["v.json"] * 2
    assert unsent["consent_id"].isna().to_dict() == {nobody: True, people[5]: False}
    assert unsent["started_at"].notna().all()
    assert unsent["ended_at"].notna().all()
    delivered = table[table["status"] == "delivered"]
    assert delivered["write_id"].to_dict() == result["write_id"].dropna().to_dict()


def test_those_whose_turn_did_not_come_before_the_run_ended(
    visits: pd.DataFrame, people: list[str], routed: digime.Client, network: Network, path: Path
) -> None:
    network.handle = lambda _: refusal(400, "InvalidSignature")
    result = visits.digime.write_each("who", "v.csv", client=routed, workers=1, journal=path)
    table = table_of(path)
    assert sorted(table.index) == people
    not_tried = result["error"].str.startswith("Not tried: the contract cannot be used")
    assert not_tried.sum() > 1
    assert table.loc[people, "status"].tolist() == ["not sent" if each else "refused" for each in not_tried]
    assert table["error"][not_tried.index[not_tried]].to_dict() == result["error"][not_tried].to_dict()
    # They are no attempts: what is sent later has a row of its own.
    network.handle = lambda _: None
    visits.digime.write_each("who", "v.csv", client=routed, journal=path)
    again = table_of(path)
    assert (again["status"] == "delivered").sum() == len(people)
    assert (again["status"] == "not sent").sum() == not_tried.sum()


@pytest.mark.parametrize("how", ["an interrupt", "a first failure"])
def test_those_whose_turn_did_not_come_before_the_call_ended(  # noqa: PLR0917 - fixtures
    how: str, visits: pd.DataFrame, people: list[str], routed: digime.Client, network: Network, path: Path
) -> None:
    interrupted = threading.Event()

    def interrupt(done: int, _: object) -> None:
        if done:
            interrupted.set()
            raise KeyboardInterrupt

    def handle(_: httpx.Request) -> httpx.Response | None:
        if how == "a first failure":
            return refusal(400, "Other")
        if network.deliveries > 3:  # or all may be sent before the main thread has its turn
            interrupted.wait(20)
        return None

    network.handle = handle
    call: dict[str, Any] = {"client": routed, "workers": 1, "journal": path, "errors": "raise"}
    with pytest.raises((KeyboardInterrupt, digime.RefusedError)) as raised:
        visits.digime.write_each("who", "v.csv", progress=interrupt if how == "an interrupt" else False, **call)
    result: pd.DataFrame = raised.value.result  # type: ignore[attr-defined]
    table = table_of(path)
    assert sorted(table.index) == people
    unsent = table[table["status"] == "not sent"]
    assert sorted(unsent.index) == sorted(result.index[result["status"] == "not sent"])
    reason = (
        "KeyboardInterrupt ended the run" if how == "an interrupt" else "errors='raise' ends it at the first failure"
    )
    assert set(unsent["error"]) == {f"Not tried: {reason}."}


def test_rows_of_a_large_file_that_cannot_be_written(
    people: list[str], client: digime.Client, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import digime_pandas._client.each.sending as module

    def refuse(*_: Any, **__: Any) -> Any:
        raise digime.FidelityError("no", column="x")

    monkeypatch.setattr(module, "write_request", refuse)
    frame = pd.DataFrame({"who": people[0], "x": range(3)})
    result = frame.digime.write_each("who", "v.csv", client=client, journal=path)  # one person's are made alone
    assert result["outcome"].tolist() == ["not sent"]
    assert table_of(path)["error"].tolist() == ["About column 'x'."]


def test_nothing_is_sent_where_it_cannot_be_recorded_before(  # noqa: PLR0917 - fixtures
    visits: pd.DataFrame,
    people: list[str],
    client: digime.Client,
    sandbox: Sandbox,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: Any) -> None:
        raise JournalError("full")

    monkeypatch.setattr(WriteJournal, "record_unsent", refuse)
    with pytest.raises(JournalError, match="full"):
        visits.digime.write_each("who", "v.csv", client=client, journal=path)
    assert all(sandbox.files(each) == [] for each in people)


def test_the_result_is_not_lost_where_it_cannot_be_recorded_after(
    visits: pd.DataFrame, routed: digime.Client, network: Network, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, calls = WriteJournal.record_unsent, iter(range(2))

    def refuse_once(self: WriteJournal, writes: Any) -> None:
        if next(calls):
            raise JournalError("full")
        record(self, writes)

    monkeypatch.setattr(WriteJournal, "record_unsent", refuse_once)
    network.handle = lambda _: refusal(400, "InvalidSignature")
    with pytest.warns(DigimeWarning, match="To whom nothing was sent is not in the journal: full"):
        result = visits.digime.write_each("who", "v.csv", client=routed, workers=1, journal=path)
    assert "not sent" in set(result["status"])


def test_the_client_s_journal_has_them_too(visits: pd.DataFrame, sandbox: Sandbox, connected: Any, path: Path) -> None:
    with connected(sandbox, tokens=digime.MemoryTokenStore(), journal=path) as client:
        visits.digime.write_each("who", "v.csv", client=client, missing="skip")
    assert table_of(path)["status"].tolist() == ["not sent"] * 12
