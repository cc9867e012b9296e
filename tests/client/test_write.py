from __future__ import annotations

import csv
import io
import json
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Any

import httpx
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from digime_pandas._client import write as write_module
from digime_pandas._client.client import Client
from digime_pandas._client.connect import connect
from digime_pandas._client.write import _Attempts, write
from digime_pandas._client.write_plan import check_write_request, plan_write
from digime_pandas._service.authorization import Authorization, Postbox, Token, UserAccessToken
from digime_pandas._service.streams import Buffer, ThreadPlan
from digime_pandas.errors import (
    AuthorizationError,
    AuthorizationExpiredError,
    ConfigurationError,
    InputError,
    NotAuthorizedError,
    RefusedError,
    ServiceUnreachableError,
)
from digime_pandas.sandbox import Sandbox

Connected = Callable[..., Client]
Through = Callable[..., Client]
SUFFIXES = ["csv", "json", "ndjson", "parquet"]
FRAME = pd.DataFrame({"day": ["2026-01-05", "2026-02-09"], "pulse": [61, 58], "note": ['say "hi"', "ü, 中\n"]})
ROWS = 200_000


@pytest.fixture
def through(sandbox: Sandbox, client: Client, connected: Connected) -> Through:
    """Makes clients whose requests go through a gate."""
    return lambda gate, **options: connected(sandbox, transport=gate, tokens=client.tokens, **options)


@pytest.fixture(scope="module")
def large() -> pd.DataFrame:
    """Larger than what is sent in one piece."""
    random = np.random.default_rng(7)
    return pd.DataFrame({"key": np.arange(ROWS), "value": random.random(ROWS), "word": random.choice(["a", "b"], ROWS)})


@pytest.fixture(params=[True, False], ids=["two cores", "more cores"])
def cores(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if this machine had two, or more of them: serializing and sealing take as many threads as there are cores."""
    monkeypatch.setattr(write_module, "FEW_CORES", request.param)


class Gate(httpx.HTTPTransport):
    """The network, counted; breaks the first uploads after so many pieces, or answers them itself."""

    def __init__(self, breaks: int = 0, pieces: int = 2, status: int | None = None) -> None:
        super().__init__()
        self.breaks, self.pieces, self.status = breaks, pieces, status
        self.requests: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request.url.path)
        if not self.breaks or "permission-access" not in request.url.path:
            return super().handle_request(request)
        self.breaks -= 1
        assert isinstance(request.stream, Iterable)
        for number, _ in enumerate(request.stream, 1):
            if number == self.pieces:
                break
        if self.status is not None:
            return httpx.Response(self.status)
        raise httpx.WriteError("the cable is cut")


def rows_of(content: bytes, suffix: str) -> list[dict[str, Any]]:
    """The rows of a file, read by a program that is not ours."""
    if suffix == "csv":
        return list(csv.DictReader(io.StringIO(content.decode(), newline="")))
    if suffix == "json":
        rows: list[dict[str, Any]] = json.loads(content)
        return rows
    if suffix == "ndjson":
        return [json.loads(line) for line in content.splitlines()]
    return pq.read_table(io.BytesIO(content)).to_pylist()  # type: ignore[no-any-return]


def stored(sandbox: Sandbox, authorization: Authorization) -> bytes:
    """The latest file of a person's library."""
    return [file for file in sandbox.files() if file.user_id == authorization.user_id][-1].path.read_bytes()


def our_threads() -> list[str]:
    return [
        each.name for each in threading.enumerate() if each.name.startswith("digime") and each.name != "digime-sandbox"
    ]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_frame_arrives_as_other_programs_read_it(
    either_sandbox: Sandbox, either_client: Client, either_person: Authorization, suffix: str
) -> None:
    receipt = write(
        FRAME, f"visits.{suffix}", account_id=either_person.account_id, tags=["visits"], client=either_client
    )
    content = stored(either_sandbox, either_person)
    expected = FRAME.to_dict("records")
    if suffix == "csv":
        expected = [{name: str(value) for name, value in row.items()} for row in expected]
    assert rows_of(content, suffix) == expected
    assert (receipt.status, receipt.rows, receipt.size) == ("delivered", 2, len(content))
    assert receipt.sha256 == sha256(content).hexdigest()
    assert (receipt.descriptor.accounts, receipt.descriptor.tags) == ((either_person.account_id,), ("visits",))
    assert receipt.verify(either_client)


@pytest.mark.usefixtures("no_waiting", "cores")
@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.slow
def test_a_frame_in_many_pieces_arrives_whole_even_after_the_network_broke(
    either_sandbox: Sandbox,
    either_person: Authorization,
    connected: Connected,
    large: pd.DataFrame,
    suffix: str,
) -> None:
    client = connected(either_sandbox, transport=Gate(breaks=2))
    receipt = write(
        large, f"large.{suffix}", account_id=either_person.account_id, client=client, authorization=either_person
    )
    content = stored(either_sandbox, either_person)
    assert (receipt.rows, receipt.attempts, receipt.size) == (ROWS, 3, len(content))
    assert receipt.sha256 == sha256(content).hexdigest()
    found = pd.DataFrame(rows_of(content, suffix)).astype(large.dtypes.to_dict())
    pd.testing.assert_frame_equal(found, large)


def single_pass(frame: pd.DataFrame) -> pa.RecordBatchReader:
    table = pa.Table.from_pandas(frame)
    return pa.RecordBatchReader.from_batches(table.schema, iter(table.to_batches(max_chunksize=10_000)))


def relation(frame: pd.DataFrame) -> object:
    import duckdb  # held by a module, it complains of leaks when Python ends

    return duckdb.from_df(frame)


@pytest.mark.parametrize(
    "make",
    [pl.from_pandas, pa.Table.from_pandas, single_pass, relation, lambda frame: frame["value"]],
    ids=["polars", "table", "reader", "duckdb", "series"],
)
@pytest.mark.usefixtures("no_waiting")
def test_whatever_exports_arrow_arrives_whole_even_after_the_network_broke(
    sandbox: Sandbox,
    through: Through,
    person: Authorization,
    large: pd.DataFrame,
    make: Callable[[pd.DataFrame], object],
) -> None:
    client = through(Gate(breaks=2))
    receipt = write(make(large), "large.parquet", account_id=person.account_id, client=client, authorization=person)
    table = pq.read_table(io.BytesIO(stored(sandbox, person)))
    assert receipt.attempts == 3
    assert table["value"].to_pylist() == large["value"].tolist()


@pytest.mark.parametrize(("suffix", "encrypt"), [("csv", 0), ("parquet", 1)])
def test_two_cores_encrypt_row_groups_beside_what_hashes_and_sends_them(
    suffix: str, encrypt: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_module, "FEW_CORES", True)
    plan = plan_write(FRAME, check_write_request(f"a.{suffix}", "patient-17", {}))
    token = Token("0" * 160, 4_000_000_000)
    authorization = Authorization(
        account_id="patient-17",
        access="write",
        user_access_token=UserAccessToken(token, token),
        postbox=Postbox("postbox", "key"),
    )
    assert write_module._thread_plan(plan, authorization) == ThreadPlan(serialize=1, encrypt=encrypt)


def test_chunks_are_sent_in_pieces_and_let_go_one_after_the_other() -> None:
    chunks: list[Buffer] = [memoryview(bytearray(b"ab") * 1_000_000), memoryview(b"c"), b""]
    alive = [weakref.ref(chunk) for chunk in chunks if isinstance(chunk, memoryview)]
    sizes, held = [], []

    def begun() -> Iterator[Buffer]:
        while chunks:
            yield chunks.pop(0)

    for piece in _Attempts(begun(), lambda: iter(())).pieces():
        sizes.append(len(piece))
        del piece
        held.append([each() is not None for each in alive])
    assert sizes == [1 << 20, 2_000_000 - (1 << 20), 1]
    assert held == [[True, True], [True, True], [False, True]]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("gate", [{"status": 400}, {}, {"pieces": 1}], ids=["refused", "broken", "broken at once"])
@pytest.mark.usefixtures("no_waiting", "cores")
def test_a_failed_write_leaves_no_thread_behind_while_its_error_is_held(
    through: Through, person: Authorization, large: pd.DataFrame, suffix: str, gate: dict[str, int]
) -> None:
    client = through(Gate(99, **gate), max_attempts=2)
    for frame in (large, single_pass(large)):
        with pytest.raises((RefusedError, ServiceUnreachableError)) as raised:
            write(frame, f"large.{suffix}", account_id=person.account_id, client=client, authorization=person)
        assert our_threads() == []
        assert raised.value.outcome == ("refused" if gate.get("status") else "not sent")


def test_an_error_of_the_stream_ends_the_write_and_nothing_is_delivered(
    sandbox: Sandbox, client: Client, person: Authorization, large: pd.DataFrame
) -> None:
    table = pa.Table.from_pandas(large)

    def batches() -> Iterator[pa.RecordBatch]:
        yield from table.to_batches(max_chunksize=10_000)[:6]
        raise LookupError("the cursor is gone")

    reader = pa.RecordBatchReader.from_batches(table.schema, batches())
    with pytest.raises(InputError, match="the cursor is gone"):
        write(reader, "large.csv", account_id=person.account_id, client=client)
    assert our_threads() == []
    assert [file for file in sandbox.files() if file.user_id == person.user_id] == []


class TestBeforeAnythingIsSent:
    @pytest.fixture
    def gate(self) -> Gate:
        return Gate()

    @pytest.fixture
    def gated(self, through: Through, gate: Gate) -> Client:
        return through(gate)

    @pytest.mark.parametrize(
        "bad",
        [
            {"file_name": "visits.xlsx"},
            {"file_name": "visits.csv", "format": "json"},
            {"account_id": ""},
            {"account_id": []},
            {"tags": "visits"},
            {"reference": "visits"},
            {"mime_type": "csv"},
            {"file_name": "a/visits.csv"},
            {"file_name": 'a".csv'},
            {"file_name": "a\r\nX: 1.csv"},
            {"file_name": f"{'ü' * 126}.csv"},
            {"frame": pd.DataFrame([[1, 2]], columns=["a", "a"]), "file_name": "a.json"},
            {"frame": object()},
            {"progress": "yes"},
            {"no_such_option": 1},
        ],
    )
    def test_bad_input_is_an_error_of_input(
        self, gated: Client, gate: Gate, person: Authorization, bad: dict[str, Any]
    ) -> None:
        arguments: dict[str, Any] = {"frame": FRAME, "file_name": "visits.csv", "account_id": person.account_id}
        with pytest.raises(InputError):
            write(**(arguments | {"client": gated} | bad))
        assert gate.requests == []

    def test_an_account_without_consent_is_answered_with_the_call_to_run(self, gated: Client, gate: Gate) -> None:
        with pytest.raises(NotAuthorizedError, match=r"digime\.authorize\('nobody'\)"):
            write(FRAME, "visits.csv", account_id="nobody", client=gated)
        assert gate.requests == []

    def test_an_ended_consent_is_answered_with_the_call_to_run(
        self, gated: Client, gate: Gate, person: Authorization
    ) -> None:
        pair = person.user_access_token
        ended = replace(
            pair, access_token=replace(pair.access_token, expiry=1), refresh_token=replace(pair.refresh_token, expiry=1)
        )
        gated.tokens.put(gated.base_url, gated.contract.client_id, replace(person, user_access_token=ended))
        with pytest.raises(AuthorizationExpiredError, match=r"digime\.authorize\("):
            write(FRAME, "visits.csv", account_id=person.account_id, client=gated)
        assert gate.requests == []
        assert our_threads() == []

    def test_another_persons_authorization_is_refused(self, gated: Client, gate: Gate, person: Authorization) -> None:
        with pytest.raises(InputError, match="another person's library"):
            write(FRAME, "visits.csv", account_id="someone", client=gated, authorization=person)
        assert gate.requests == []

    def test_an_authorization_for_reading_is_refused(self, gated: Client, gate: Gate, reader: Authorization) -> None:
        with pytest.raises(AuthorizationError, match="'write' is needed"):
            write(FRAME, "visits.csv", account_id=reader.account_id, client=gated, authorization=reader)
        assert gate.requests == []

    def test_what_is_no_authorization_and_no_client_is_named(self, gated: Client, gate: Gate) -> None:
        with pytest.raises(InputError, match="authorization is a str"):
            write(FRAME, "visits.csv", account_id="p", client=gated, authorization="p")  # type: ignore[arg-type] # wrong on purpose
        with pytest.raises(ConfigurationError, match="client is a str"):
            write(FRAME, "visits.csv", account_id="p", client="sandbox")  # type: ignore[arg-type] # wrong on purpose
        assert gate.requests == []


def test_several_accounts_are_named_and_the_first_ones_consent_is_used(
    sandbox: Sandbox, client: Client, person: Authorization
) -> None:
    write(FRAME, "visits.csv", account_id=[person.account_id, "another"], client=client)
    (file,) = [file for file in sandbox.files() if file.user_id == person.user_id]
    assert file.accounts == (person.account_id, "another")


def test_the_default_client_is_used(sandbox: Sandbox) -> None:
    client = connect("sandbox")
    with client.begin_authorization("p") as flow:
        flow.complete(client.sandbox.approve(flow.url))
    assert write(FRAME, "visits.csv", account_id="p").environment == client.base_url


def test_a_frame_without_rows_or_columns_is_written_too(
    sandbox: Sandbox, client: Client, person: Authorization
) -> None:
    for suffix in SUFFIXES:
        receipt = write(FRAME.head(0), f"empty.{suffix}", account_id=person.account_id, client=client)
        assert (receipt.status, receipt.rows) == ("delivered", 0)
        assert rows_of(stored(sandbox, person), suffix) == []


def test_progress_is_told_in_order_up_to_the_whole_body(
    client: Client, person: Authorization, large: pd.DataFrame
) -> None:
    told: list[tuple[int, int | None]] = []
    write(large, "large.csv", account_id=person.account_id, client=client, progress=lambda *sent: told.append(sent))
    counts = [sent for sent, _ in told]
    assert counts == sorted(counts)
    assert counts[-1] > 1 << 20


def test_a_query_is_closed_when_there_is_no_consent(client: Client) -> None:
    database = pytest.importorskip("duckdb").connect()
    with pytest.raises(NotAuthorizedError) as caught:
        write(database.sql("select 1 as n"), "n.csv", account_id="nobody", client=client)
    assert caught.value.__traceback__ is not None
    assert database.sql("select 1").fetchall() == [(1,)]
