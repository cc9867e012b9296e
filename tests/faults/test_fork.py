"""What a forked child shares with its parent: values, and nothing else."""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import digime_pandas as digime
from digime_pandas._client.client import Client
from digime_pandas._service.authorization import Authorization, Token, UserAccessToken
from digime_pandas._service.crypto.encrypted_file import EncryptedFile
from digime_pandas._service.http.request import Request
from digime_pandas._service.http.transport import Http
from digime_pandas._service.oauth.token_store import FileTokenStore, MemoryTokenStore
from digime_pandas.errors import AuthorizationError, ConfigurationError, ServiceUnreachableError, TokenStoreError
from digime_pandas.sandbox import Sandbox
from digime_pandas.sandbox._app import build_app
from tests.certificates import certificate as make_certificate

from .forked import Child, Echo, body_of, forked, served

CHILDREN = 6
READS = 20

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here"),
    pytest.mark.usefixtures("no_waiting"),
]

Authorize = Callable[..., Authorization]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(params=["http", "own transport", "tls"])
def echo(request: pytest.FixtureRequest, certificate: Path) -> Iterator[tuple[str, Http, Echo]]:
    """A server, and what asks it: by the default transport, by one that was passed, and by one over TLS."""
    app = Echo()
    kept = httpx.Limits(keepalive_expiry=60)
    makers: dict[str, Callable[[], httpx.HTTPTransport | None]] = {
        "http": lambda: None,
        "own transport": lambda: httpx.HTTPTransport(limits=kept),
        "tls": lambda: httpx.HTTPTransport(verify=ssl.create_default_context(cafile=certificate), limits=kept),
    }
    transport = makers[request.param]()
    # On a clock that stands still, connections are kept however long a fork takes.
    http = Http(timeout=20, max_attempts=1, transport=transport, clock=lambda: 0.0)
    with served(app, certificate if request.param == "tls" else None) as url:
        yield url, http, app
        http.close()


class Taken:
    """What an answer brought; at its end, something may be done."""

    def __init__(self, at_end: Callable[[], object] = lambda: None) -> None:
        self.content = b""
        self._at_end = at_end

    def write(self, piece: bytes) -> None:
        self.content += piece

    def finish(self) -> None:
        self._at_end()

    def close(self) -> None: ...


def read(http: Http, url: str, path: str) -> bytes:
    taken = Taken()
    http.send(lambda: Request("GET", url + path, {}, receive=lambda _: taken), what="ask")
    return taken.content


def wrong_reads(http: Http, url: str, who: str) -> list[str]:
    """Return which of many reads did not bring what was asked for, and what happened instead."""
    found = [what_is_wrong(http, url, f"/{who}-{number}") for number in range(READS)]
    return [each for each in found if each]


def what_is_wrong(http: Http, url: str, path: str) -> str:
    try:
        content = read(http, url, path)
    except ServiceUnreachableError as error:
        return f"{path}: {error}"
    return "" if content == body_of(path) else f"{path}: bytes of another"


def is_right(http: Http, url: str, path: str) -> bool:
    return not what_is_wrong(http, url, path)


class TestConnections:
    def test_parent_and_children_read_their_own_bytes_at_the_same_time(self, echo: tuple[str, Http, Echo]) -> None:
        url, http, _ = echo
        assert is_right(http, url, "/first")

        # They begin when all are there: the server is a thread here, and a fork while it begins TLS would leave a lock
        # of OpenSSL held in the child.
        gate, opened = os.pipe()

        def read_when_all_are_there(who: str) -> list[str]:
            os.read(gate, 1)
            return wrong_reads(http, url, who)

        children = [Child(partial(read_when_all_are_there, f"child-{i}")) for i in range(CHILDREN)]
        os.write(opened, bytes(CHILDREN))
        wrong = [wrong_reads(http, url, "parent")]

        wrong += [child.result() for child in children]
        os.close(gate)
        os.close(opened)
        assert wrong == [[]] * (CHILDREN + 1)

    def test_children_forked_while_other_threads_read_do_not_hang(self, echo: tuple[str, Http, Echo]) -> None:
        url, http, _ = echo
        over = threading.Event()
        wrong: list[str] = []

        def keep_reading(who: str) -> None:
            while not over.is_set():
                wrong.extend(wrong_reads(http, url, who))

        threads = [threading.Thread(target=keep_reading, args=(f"thread-{i}",)) for i in range(3)]
        for thread in threads:
            thread.start()
        try:
            wrong += [forked(partial(what_is_wrong, http, url, f"/child-{i}")) for i in range(3 * CHILDREN)]
        finally:
            over.set()
            for thread in threads:
                thread.join()
        assert set(wrong) == {""}

    def test_the_parents_connection_outlives_its_children(self, echo: tuple[str, Http, Echo]) -> None:
        url, http, app = echo
        assert is_right(http, url, "/1")
        assert forked(lambda: is_right(http, url, "/2"))
        assert forked(http.close) is None
        assert is_right(http, url, "/3")
        assert sorted(app.peers.values()) == [1, 2]

    def test_a_child_of_a_child_has_connections_of_its_own_too(self, echo: tuple[str, Http, Echo]) -> None:
        url, http, app = echo

        def child() -> bool:
            return is_right(http, url, "/2") and forked(lambda: is_right(http, url, "/3")) and is_right(http, url, "/4")

        assert is_right(http, url, "/1")
        assert forked(child)
        assert sorted(app.peers.values()) == [1, 1, 2]

    def test_a_closed_client_is_closed_in_the_child_too(self, echo: tuple[str, Http, Echo]) -> None:
        url, http, _ = echo
        http.close()
        with pytest.raises(ConfigurationError, match="closed"):
            forked(lambda: read(http, url, "/1"))

    def test_a_fork_in_the_middle_of_an_answer_leaves_it_to_the_parent(self, echo: tuple[str, Http, Echo]) -> None:
        url, http, _ = echo

        children: list[Child] = []
        taken = Taken(at_end=lambda: children.append(Child(partial(what_is_wrong, http, url, "/child"))))
        http.send(lambda: Request("GET", f"{url}/parent", {}, receive=lambda _: taken), what="ask")
        assert taken.content == body_of("/parent")
        assert [child.result() for child in children] == [""]
        assert is_right(http, url, "/after")

    def test_locks_that_are_held_at_the_fork_are_free_in_the_child(self, echo: tuple[str, Http, Echo]) -> None:
        url, http, _ = echo
        line: Any = http._exchanger.get().line
        lock = line.connections._lock if hasattr(line, "connections") else line.transport._pool._optional_thread_lock
        with lock, http._exchanger._lock:
            child = Child(lambda: is_right(http, url, "/child"))
            assert child.result()
        assert is_right(http, url, "/parent")


class TestTransports:
    def test_one_that_may_hold_connections_nobody_knows_of_is_refused_in_the_child(self) -> None:
        class Unknown(httpx.BaseTransport):
            def handle_request(self, request: httpx.Request) -> httpx.Response:
                return httpx.Response(200, request=request)

        http = Http(transport=Unknown())
        assert read(http, "http://127.0.0.1", "/") == b""
        with pytest.raises(ConfigurationError, match=r"Unknown.*in each process"):
            forked(lambda: read(http, "http://127.0.0.1", "/"))

    def test_one_without_connections_goes_on(self) -> None:
        http = Http(transport=httpx.MockTransport(lambda _: httpx.Response(200, content=b"yes")))
        assert forked(lambda: read(http, "http://127.0.0.1", "/")) == b"yes"

    def test_a_child_does_not_end_what_another_client_of_the_same_transport_does(self) -> None:
        app = Echo()
        with served(app) as url:
            transport = httpx.HTTPTransport(limits=httpx.Limits(keepalive_expiry=60))
            first, second = Http(transport=transport), Http(transport=transport)
            assert is_right(first, url, "/1")

            def child() -> bool:
                both = is_right(first, url, "/2"), is_right(second, url, "/3"), is_right(first, url, "/4")
                return both == (True, True, True)

            assert forked(child)
            assert sorted(app.peers.values()) == [1, 3]
            first.close()


@pytest.fixture(params=["http", "tls"])
def writer(
    request: pytest.FixtureRequest, sandbox: Sandbox, certificate: Path, connected: Callable[..., Client]
) -> Iterator[Client]:
    """A client of the shared sandbox."""
    if request.param == "http":
        yield connected(sandbox)
        return
    with served(build_app(sandbox._require_running().context), certificate) as url:
        transport = httpx.HTTPTransport(verify=ssl.create_default_context(cafile=certificate))
        client = connected(sandbox, base_url=f"{url}/v1.7/", transport=transport)
        yield client
        client.close()


def frame_of(who: str, rows: int = 50) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "who": [who] * rows,
            "n": range(rows),
            "x": [i / 7 for i in range(rows)],
            "t": ['a "b", c', "", "é", "l\r\nm", "-"] * (rows // 5),
            "raw": [b"\x00\xff", b"", None, b"a", b"b"] * (rows // 5),
        }
    )


def written_and_read(client: Client, account_id: str, who: str, suffix: str, rows: int = 50) -> bool:
    frame = frame_of(who, rows)
    receipt = digime.write(frame, f"{who}.{suffix}", account_id=account_id, client=client)
    back = digime.read_frame(f"{who}.{suffix}", account_id=account_id, sha256=receipt.sha256, client=client)
    pd.testing.assert_frame_equal(back, frame)
    return True


class TestWrites:
    def test_parent_and_children_write_and_read_back_at_the_same_time(
        self, sandbox: Sandbox, writer: Client, authorize: Authorize, account_id: str
    ) -> None:
        people = [f"{account_id}-{i}" for i in range(5)]
        for each in people:
            authorize(sandbox, writer, each)
            authorize(sandbox, writer, each, "read")
        assert written_and_read(writer, people[0], "before", "csv")

        formats = ["csv", "json", "ndjson", "parquet"]
        children = [
            Child(partial(written_and_read, writer, each, f"child{i}", formats[i % 4]))
            for i, each in enumerate(people[1:])
        ]
        assert written_and_read(writer, people[0], "during", "parquet")
        assert all(child.result() for child in children)
        assert written_and_read(writer, people[0], "after", "json")

    @pytest.mark.parametrize("suffix", ["csv", "json", "ndjson", "parquet"])
    @pytest.mark.parametrize("rows", [5, 60_000])
    def test_a_child_writes_every_format_after_its_parent_used_the_threads_of_polars(
        self, client: Client, reader: Authorization, suffix: str, rows: int
    ) -> None:
        assert written_and_read(client, reader.account_id, "parent", suffix, rows)
        assert forked(lambda: written_and_read(client, reader.account_id, "child", suffix, rows))

    @pytest.mark.parametrize("suffix", ["csv", "json", "ndjson", "parquet"])
    def test_a_child_writes_frames_of_polars_and_lists(
        self, client: Client, reader: Authorization, suffix: str
    ) -> None:
        frame = pl.DataFrame({"n": [1, None], "s": ["ü", None], "l": [[1.5, None], []], "o": [{"k": b"\x00"}, None]})
        frame.lazy().select(pl.all().reverse()).collect()
        options: dict[str, Any] = {"nested": "json"} if suffix == "csv" else {}

        def write() -> bytes:
            digime.write(frame, f"p.{suffix}", account_id=reader.account_id, client=client, **options)
            return digime.read_file(f"p.{suffix}", account_id=reader.account_id, client=client)

        in_parent = write()
        in_child = forked(write)
        assert in_child == in_parent

    def test_a_child_writes_while_another_thread_of_its_parent_is_in_the_middle_of_a_write(
        self, client: Client, reader: Authorization
    ) -> None:
        begun, go_on = threading.Event(), threading.Event()

        def batches() -> Iterator[pa.RecordBatch]:
            for number in range(40):
                yield pa.record_batch({"n": range(number, number + 50_000)})
                if number == 20:
                    begun.set()
                    assert go_on.wait(60)

        def write() -> None:
            stream = pa.RecordBatchReader.from_batches(pa.schema({"n": pa.int64()}), batches())
            receipts.append(digime.write(stream, "long.csv", account_id=reader.account_id, client=client))

        receipts: list[digime.Receipt] = []
        thread = threading.Thread(target=write)
        thread.start()
        try:
            assert begun.wait(60)
            assert forked(lambda: written_and_read(client, reader.account_id, "child", "csv", 60_000))
        finally:
            go_on.set()
            thread.join()
        assert [receipt.rows for receipt in receipts] == [40 * 50_000]


class TestStores:
    KEY = ("https://api.test/", "app_contract", "patient-17")

    def authorization(self, value: str) -> Authorization:
        return Authorization("patient-17", "write", UserAccessToken(Token(value, 1), Token("r", 2)))

    def test_a_child_goes_on_with_a_copy_of_what_is_in_memory(self) -> None:
        store = MemoryTokenStore()
        store.put(*self.KEY[:2], self.authorization("before"))

        def child() -> bool:
            copied = store.get(*self.KEY) == self.authorization("before")
            store.put(*self.KEY[:2], self.authorization("child"))
            return copied

        assert forked(child)
        assert store.get(*self.KEY) == self.authorization("before")

    def test_locks_that_are_held_at_the_fork_are_free_in_the_child(self) -> None:
        store = MemoryTokenStore()

        def child() -> bool:
            with store.lock(*self.KEY, timeout=0):
                return store.list() == []

        with store.lock(*self.KEY, timeout=0), store._guard:
            assert forked(child)

    def test_a_lock_on_a_file_stays_the_parents(self, tmp_path: Path) -> None:
        store = FileTokenStore(tmp_path / "tokens")

        def try_it() -> bool:
            try:
                with store.lock(*self.KEY, timeout=0):
                    return True
            except TokenStoreError:
                return False

        with store.lock(*self.KEY, timeout=1):
            assert not forked(try_it)
            assert not try_it()
        assert forked(try_it)
        assert try_it()


class TestFlows:
    def test_a_child_cannot_wait_for_the_browser_and_its_end_leaves_the_listener_to_the_parent(
        self, sandbox: Sandbox, client: Client, account_id: str
    ) -> None:
        with client.begin_authorization(account_id) as flow:
            with pytest.raises(AuthorizationError, match="process that began this authorization"):
                forked(lambda: flow.wait(30))
            assert forked(flow.close) is None

            assert httpx.get(sandbox.approve(flow.url), trust_env=False).status_code == 200
            assert flow.wait(30).account_id == account_id

    def test_a_childs_end_does_not_cancel_what_the_parent_waits_for_in_a_shared_store(
        self, sandbox: Sandbox, connected: Callable[..., Client], tmp_path: Path
    ) -> None:
        client = connected(sandbox, tokens=FileTokenStore(tmp_path / "tokens"))
        with client.begin_authorization("patient-17") as flow:
            address = sandbox.approve(flow.url)
            assert forked(flow.close) is None
            assert forked(lambda: client.complete_authorization(address).account_id) == "patient-17"
            assert flow.complete(address) == client.authorization("patient-17")

    def test_a_child_can_complete_a_flow_whose_locks_another_thread_held(
        self, sandbox: Sandbox, client: Client, account_id: str
    ) -> None:
        with client.begin_authorization(account_id) as flow, flow._lock:
            address = sandbox.approve(flow.url)
            assert forked(lambda: flow.complete(address).account_id) == account_id


def test_a_file_that_is_kept_is_read_by_both_at_the_same_time() -> None:
    with EncryptedFile() as file:
        for letter in range(16):
            file.append(bytes([letter]) * (1 << 20))

        def read_all() -> bool:
            parts = [(i * 7919 * 64) % (15 << 20) for i in range(2000)]
            return all(
                file.read_at(part, 64) == b"".join(bytes([(part + i) >> 20]) for i in range(64)) for part in parts
            )

        children = [Child(read_all) for _ in range(2)]
        assert read_all()
        assert all(child.result() for child in children)
