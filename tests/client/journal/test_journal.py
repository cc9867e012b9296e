from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pyarrow as pa
import pytest

import digime_pandas as digime
from digime_pandas._client.client import Client
from digime_pandas._client.connect import connect
from digime_pandas._client.journal.journal import Journal
from digime_pandas._client.read import read_frame
from digime_pandas._client.write import write, write_request
from digime_pandas._client.write_plan import check_write_request
from digime_pandas._service.authorization import Authorization
from digime_pandas._service.descriptor import FileDescriptor
from digime_pandas._service.journal.records import RunPart
from digime_pandas._service.journal.write_journal import Entry
from digime_pandas._service.receipt import Receipt
from digime_pandas.errors import (
    APIError,
    AuthorizationExpiredError,
    ConfigurationError,
    FidelityWarning,
    JournalError,
    RefusedError,
    ServiceUnreachableError,
)
from digime_pandas.sandbox import Sandbox

FRAME = pd.DataFrame({"day": ["2026-01-05", "2026-02-09"], "pulse": [61.5, 58.0]})
LOSING = pd.DataFrame({"c0lumn": ["v4lue-in-a-row", "v4lue-two"], "pulse": [61.5, float("inf")]})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "writes.journal"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with Journal(path) as opened:
        yield opened


def statuses(journal: Journal) -> list[str]:
    found: list[str] = journal.to_frame()["status"].tolist()
    return found


def row(journal: Journal) -> dict[str, Any]:
    """The last write of a journal."""
    return {str(name): value for name, value in journal.to_frame().iloc[-1].items()}


Send = Callable[[httpx.Request], httpx.Response]
Upload = Callable[[Send, httpx.Request], httpx.Response]


class Gate(httpx.HTTPTransport):
    """The network; does something else with uploads."""

    def __init__(self, upload: Upload) -> None:
        super().__init__()
        self._upload = upload

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if "permission-access/postbox" in request.url.path:
            return self._upload(super().handle_request, request)
        return super().handle_request(request)


def lose_answer(send: Send, request: httpx.Request) -> httpx.Response:
    send(request).read()
    raise httpx.ReadError("the answer is lost")


def refuse(_: Send, request: httpx.Request) -> httpx.Response:
    assert isinstance(request.stream, Iterable)
    for _each in request.stream:
        pass
    return httpx.Response(400, json={"error": {"code": "InvalidRequest", "message": "no"}})


def unreachable(_: Send, request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("no route")


@pytest.fixture
def through(sandbox: Sandbox, client: Client, connected: Callable[..., Client]) -> Callable[..., Client]:
    """Makes clients whose uploads go another way, if there is one, and are tried once."""
    return lambda upload, **options: connected(
        sandbox,
        tokens=client.tokens,
        max_attempts=1,
        transport=None if upload is None else Gate(upload),
        **options,
    )


class TestGivenAs:
    @pytest.mark.parametrize("kind", [str, Path, Journal])
    def test_an_argument_of_a_write(self, client: Client, person: Authorization, path: Path, kind: Any) -> None:
        given = kind(path)
        receipt = write(FRAME, "a.csv", person.account_id, client=client, journal=given)
        FRAME.digime.write("b.csv", person.account_id, client=client, journal=given)
        client.write(b"c", "c.bin", FileDescriptor("a/b", person.account_id), person, journal=given)
        if kind is Journal:
            given.close()
        assert list(path.parent.iterdir()) == [path], "a journal given by its path is closed after the call"
        with Journal(path) as journal:
            assert journal.to_frame()["file_name"].tolist() == ["a.csv", "b.csv", "c.bin"]
            assert journal.receipts()[0].write_id == receipt.write_id

    def test_an_argument_of_a_client_whose_writes_are_all_recorded(
        self, sandbox: Sandbox, client: Client, connected: Callable[..., Client], person: Authorization, path: Path
    ) -> None:
        recording = connected(sandbox, tokens=client.tokens, journal=path)
        write(FRAME, "a.csv", person.account_id, client=recording)
        recording.write(b"b", "b.bin", FileDescriptor("a/b", person.account_id), person)
        assert recording.journal is not None
        assert statuses(recording.journal) == ["delivered", "delivered"]
        recording.close()
        assert list(path.parent.iterdir()) == [path]

    def test_an_argument_of_connect(self, path: Path) -> None:
        client = connect("sandbox", journal=str(path))
        with client.begin_authorization("p") as flow:
            flow.complete(client.sandbox.approve(flow.url))
        FRAME.digime.write("a.csv", "p")
        assert client.journal is not None
        assert statuses(client.journal) == ["delivered"]

    def test_a_journal_that_was_passed_stays_open_when_its_client_is_closed(
        self, sandbox: Sandbox, connected: Callable[..., Client], journal: Journal
    ) -> None:
        connected(sandbox, journal=journal).close()
        assert statuses(journal) == []

    def test_one_of_the_call_goes_before_the_clients(
        self, through: Callable[..., Client], person: Authorization, path: Path, journal: Journal
    ) -> None:
        with through(None, journal=path.with_name("clients")) as recording:
            write(FRAME, "a.csv", person.account_id, client=recording, journal=journal)
            assert recording.journal is not None
            assert (statuses(recording.journal), statuses(journal)) == ([], ["delivered"])

    @pytest.mark.parametrize("given", [5, "", b"path"])
    def test_anything_else_is_refused_before_anything_is_sent(
        self, sandbox: Sandbox, client: Client, person: Authorization, given: Any
    ) -> None:
        with pytest.raises(ConfigurationError, match="Pass the path of a file"):
            write(FRAME, "a.csv", person.account_id, client=client, journal=given)
        assert sandbox.files(person.account_id) == []

    def test_without_one_no_database_is_loaded(self) -> None:
        code = (
            "import sys, digime_pandas, digime_pandas._client.write\n"
            "digime_pandas.Client, digime_pandas.Journal\n"
            "print('sqlite3' in sys.modules)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        assert done.stdout.strip() == b"False"


class TestRecord:
    def test_of_a_delivery(self, client: Client, reader: Authorization, journal: Journal) -> None:
        with pytest.warns(FidelityWarning):
            receipt = write(LOSING, "a.json", reader.account_id, client=client, journal=journal, tags=["t"])
        found = row(journal)
        assert (found["status"], found["rows"], found["size"], found["sha256"]) == (
            "delivered",
            2,
            receipt.size,
            receipt.sha256,
        )
        assert (found["account_id"], found["file_name"], found["write_id"]) == (
            reader.account_id,
            "a.json",
            receipt.write_id,
        )
        assert (found["contract_id"], found["consent_id"], found["environment"]) == (
            client.contract.contract_id,
            client.authorization(reader.account_id).consent_id,
            client.base_url,
        )
        assert found["losses"] == receipt.losses[0]
        assert "inf" in receipt.losses[0]
        assert found["started_at"] < receipt.delivered_at <= found["ended_at"]
        (again,) = journal.receipts()
        assert again.verify(client)
        kept = replace(receipt.descriptor, reference=receipt.descriptor.reference[:2])
        assert again == replace(receipt, descriptor=kept)

    def test_of_a_stream_has_the_losses_that_its_values_gave(
        self, client: Client, person: Authorization, journal: Journal
    ) -> None:
        table = pa.Table.from_pandas(LOSING)
        stream = pa.RecordBatchReader.from_batches(table.schema, table.to_batches())
        with pytest.warns(FidelityWarning) as warned:
            receipt = write(stream, "a.json", person.account_id, client=client, journal=journal)
        said = f"'a.json' for account {person.account_id!r}: {' '.join(receipt.losses)}"
        assert [str(each.message) for each in warned] == [said]
        assert row(journal)["losses"] == " ".join(receipt.losses)
        assert row(journal)["rows"] == 2

    @pytest.mark.parametrize(
        ("upload", "status"), [(lose_answer, "unknown"), (refuse, "refused"), (unreachable, "not sent")]
    )
    def test_of_a_failure(
        self, through: Callable[..., Client], person: Authorization, journal: Journal, upload: Upload, status: str
    ) -> None:
        error = RefusedError if upload is refuse else ServiceUnreachableError
        with pytest.raises(error) as raised:
            write(FRAME, "a.csv", person.account_id, client=through(upload), journal=journal)
        found = row(journal)
        assert (found["status"], found["error_type"], found["attempts"]) == (status, error.__name__, 1)
        notes = getattr(raised.value, "__notes__", [])
        assert found["error"] == " ".join([str(raised.value), *notes])
        assert ["Whether the file is in the library is not known" in each for each in notes] == [True] * (
            status == "unknown"
        )
        assert found["sha256"] is pd.NA

    def test_of_a_consent_that_ended_says_that_nothing_was_sent(
        self, client: Client, person: Authorization, journal: Journal
    ) -> None:
        pair = person.user_access_token
        over = replace(pair.access_token, expiry=1)
        ended = replace(person, user_access_token=replace(pair, access_token=over, refresh_token=over))
        client.tokens.put(client.base_url, client.contract.client_id, ended)
        with pytest.raises(AuthorizationExpiredError):
            write(FRAME, "a.csv", person.account_id, client=client, journal=journal)
        found = row(journal)
        assert (found["status"], found["error_type"], found["attempts"]) == ("not sent", "AuthorizationExpiredError", 0)

    def test_of_a_stream_that_breaks_off_says_that_nothing_was_sent_and_quotes_nothing(
        self, client: Client, person: Authorization, journal: Journal
    ) -> None:
        def pieces() -> Iterator[bytes]:
            yield b"a"
            raise LookupError("v4lue-in-a-row")

        with pytest.raises(LookupError):
            client.write(pieces(), "a.bin", FileDescriptor("a/b", person.account_id), person, journal=journal)
        found = row(journal)
        assert (found["status"], found["error_type"], found["error"]) == ("not sent", "LookupError", pd.NA)

    def test_of_given_references_has_the_write_id_that_is_among_them(
        self, sandbox: Sandbox, client: Client, person: Authorization, journal: Journal
    ) -> None:
        for reference in (["n0te"], ["n0te", "urn:uuid:of-the-user"]):
            write(FRAME, "a.csv", person.account_id, client=client, journal=journal, reference=reference)
            assert list(sandbox.files(person.account_id)[-1].reference) == reference
        assert journal.to_frame()["write_id"].isna().tolist() == [True, False]
        assert row(journal)["write_id"] == "urn:uuid:of-the-user"

    def test_has_no_data_no_reference_and_no_token(
        self, sandbox: Sandbox, client: Client, reader: Authorization, through: Callable[..., Client], path: Path
    ) -> None:
        frame = LOSING.assign(group=pd.Categorical(["c4tegory-one", "c4tegory-two"]))
        frame.attrs["source"] = "4ttribute"
        before = [client.authorization(reader.account_id, access=access) for access in ("write", "read")]
        sandbox.expire_access_tokens()  # so that one write refreshes, too
        with Journal(path) as journal:
            with pytest.warns(FidelityWarning):
                write(frame, "a.json", reader.account_id, client=client, journal=journal, attrs=True)
            frame.attrs = {}
            write(frame, "b.csv", reader.account_id, client=client, journal=journal, reference=["n0te"])
            for upload in (lose_answer, refuse):
                with pytest.raises(APIError):
                    write(frame, "c.csv", reader.account_id, client=through(upload), journal=journal)
            held = b"".join(each.read_bytes() for each in path.parent.iterdir())
        held += path.read_bytes()
        after = [client.authorization(reader.account_id, access=access) for access in ("write", "read")]
        tokens = {
            token.value
            for each in before + after
            for token in (each.user_access_token.access_token, each.user_access_token.refresh_token)
        }
        assert len(tokens) > 4
        postbox = before[0].postbox
        assert postbox is not None
        data = {"v4lue", "c4tegory", "4ttribute", "n0te", "c0lumn", "urn:x-digime-pandas:schema", postbox.id}
        assert reader.account_id.encode() in held
        assert b"a.json" in held
        assert [each for each in data | tokens if each.encode() in held] == []


class TestSameWriteId:
    def test_a_write_made_again_after_a_lost_answer_leaves_one_file(
        self, sandbox: Sandbox, client: Client, reader: Authorization, through: Callable[..., Client], journal: Journal
    ) -> None:
        for _ in range(2):
            with pytest.raises(ServiceUnreachableError):
                write(FRAME, "a.csv", reader.account_id, client=through(lose_answer), journal=journal)
        receipt = write(FRAME, "a.csv", reader.account_id, client=client, journal=journal)
        assert len(sandbox.files(reader.account_id)) == 3
        assert [file.write_id for file in client.files(reader.account_id)] == [receipt.write_id]
        pd.testing.assert_frame_equal(read_frame("a.csv", account_id=reader.account_id, client=client), FRAME)
        assert statuses(journal) == ["delivered"]
        assert row(journal)["attempts"] == 3
        assert receipt.verify(client)

    @pytest.mark.parametrize(
        "change",
        [
            {"frame": FRAME.head(1)},
            {"file_name": "b.csv"},
            {"tags": ["t"], "frame": FRAME.tail(1)},
        ],
    )
    def test_another_write_has_another(
        self, client: Client, person: Authorization, through: Callable[..., Client], journal: Journal, change: Any
    ) -> None:
        arguments: dict[str, Any] = {
            "frame": FRAME,
            "file_name": "a.csv",
            "account_id": person.account_id,
            "journal": journal,
        }
        with pytest.raises(ServiceUnreachableError):
            write(**(arguments | {"client": through(lose_answer)}))
        lost = row(journal)["write_id"]
        assert write(**(arguments | {"client": client} | change)).write_id != lost

    def test_a_write_that_was_delivered_is_sent_again_when_it_is_called_for(
        self, client: Client, reader: Authorization, journal: Journal
    ) -> None:
        receipts = [write(FRAME, "a.csv", reader.account_id, client=client, journal=journal) for _ in range(2)]
        assert len(client.files(reader.account_id)) == 2
        assert journal.to_frame()["write_id"].tolist() == [each.write_id for each in receipts]

    def test_the_same_from_two_threads_is_two_files(
        self, client: Client, reader: Authorization, journal: Journal
    ) -> None:
        def send(_: int) -> Receipt:
            return write(FRAME, "a.csv", reader.account_id, client=client, journal=journal, progress=False)

        with ThreadPoolExecutor(4) as threads:
            receipts = list(threads.map(send, range(8)))
        assert len({each.write_id for each in receipts}) == 8
        assert len(client.files(reader.account_id)) == 8

    def test_a_part_of_a_run_is_sent_until_it_is_delivered_and_not_again(
        self, sandbox: Sandbox, client: Client, reader: Authorization, through: Callable[..., Client], journal: Journal
    ) -> None:
        def send(sender: Client, run: str = "run", frame: pd.DataFrame = FRAME) -> Receipt:
            request = check_write_request("a.csv", reader.account_id, {})
            return write_request(frame, request, client=sender, journal=journal, part=RunPart(run, reader.account_id))

        with pytest.raises(ServiceUnreachableError):
            send(through(lose_answer))
        first = send(client)
        assert len(sandbox.files(reader.account_id)) == 2
        again = send(through(unreachable))
        assert (again.write_id, again.sha256, again.authorization) == (first.write_id, first.sha256, None)
        assert len(sandbox.files(reader.account_id)) == 2
        assert statuses(journal) == ["delivered"]
        assert len(client.files(reader.account_id)) == 1
        others = {send(client, run="another").write_id, send(client, frame=FRAME.head(1)).write_id}
        assert len(others | {first.write_id}) == 3


class TestJournalThatFails:
    @pytest.fixture
    def broken(self, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> Journal:
        def end(entry: Entry, ending: object) -> None:
            raise JournalError("the disk is full")

        monkeypatch.setattr(journal, "end", end)
        return journal

    def test_before_the_write_nothing_is_sent(
        self, sandbox: Sandbox, client: Client, person: Authorization, journal: Journal
    ) -> None:
        journal.close()
        with pytest.raises(ConfigurationError, match="is closed"):
            write(FRAME, "a.csv", person.account_id, client=client, journal=journal)
        assert sandbox.files(person.account_id) == []

    def test_after_the_write_its_receipt_is_returned(
        self, client: Client, person: Authorization, broken: Journal, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.WARNING, "digime_pandas"):
            receipt = write(FRAME, "a.csv", person.account_id, client=client, journal=broken)
        assert receipt.status == "delivered"
        assert "(delivered) is not in the journal" in caplog.text
        assert receipt.write_id is not None
        assert receipt.write_id in caplog.text
        assert statuses(broken) == ["unknown"]

    def test_after_the_write_its_error_is_raised(
        self, through: Callable[..., Client], person: Authorization, broken: Journal, caplog: pytest.LogCaptureFixture
    ) -> None:
        with pytest.raises(RefusedError) as raised, caplog.at_level(logging.WARNING, "digime_pandas"):
            write(FRAME, "a.csv", person.account_id, client=through(refuse), journal=broken)
        assert "(refused) is not in the journal" in raised.value.__notes__[-1]


def test_receipts_go_to_json_and_back(client: Client, reader: Authorization) -> None:
    for receipt in (
        write(FRAME, "a.parquet", reader.account_id, client=client),
        client.write(b"b", "b.bin", FileDescriptor("a/b", reader.account_id, ["b.bin"]), reader_of(client, reader)),
    ):
        assert receipt.delivered_at is not None
        assert (receipt.account_id, receipt.contract_id) == (reader.account_id, client.contract.contract_id)
        assert receipt.consent_id == client.authorization(reader.account_id).consent_id
        again = digime.Receipt.from_dict(json.loads(json.dumps(receipt.to_dict(), allow_nan=False)))
        assert again == receipt
        assert again.verify(client)


def reader_of(client: Client, person: Authorization) -> Authorization:
    """The same person's consent to write."""
    return client.authorization(person.account_id)
