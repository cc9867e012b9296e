"""Dask frames on a cluster of other processes: what they are given, and what comes of it when they end or fail."""

from __future__ import annotations

import io
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Literal

import cloudpickle
import dask
import dask.dataframe as dd
import pandas as pd
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from distributed import Client as Cluster
from distributed import Event, LocalCluster, get_worker

import digime_pandas as digime
import digime_pandas.dask
from digime_pandas._client.partitions import cluster as _cluster
from digime_pandas._client.partitions import delayed as _delayed
from digime_pandas._client.partitions.cluster import ClusterChannel
from digime_pandas._client.partitions.deliveries import Deliveries
from digime_pandas._client.partitions.prepared import PartFacts, prepare_part
from digime_pandas._client.write_plan import check_write_request
from digime_pandas._service.contract import Contract
from digime_pandas._service.grants.upload_grant import UploadGrant, UploadResult
from digime_pandas.errors import DatasetError, ServiceUnreachableError
from digime_pandas.sandbox import Sandbox, SandboxFile
from tests.common.waiting import wait_until

pytestmark = pytest.mark.slow
_ORDERS: tuple[Literal["big", "little"], ...] = ("big", "little")  # of bytes: in files, and in OpenSSL's memory


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A cluster of two processes with one thread each, which know nothing of the client."""
    settings = {
        "distributed.scheduler.allowed-failures": 1,
        "distributed.worker.multiprocessing-method": "spawn",
        # On a busy machine, a worker that was killed takes longer to come back than the cluster waits for it.
        "distributed.deploy.lost-worker-timeout": "600s",
    }
    with (
        dask.config.set(settings),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as local,
        Cluster(local) as connected,
    ):
        yield connected


@dataclass(frozen=True)
class Driver:
    """What is in this process: a client, a person who lets it write and read, and their library."""

    client: digime.Client
    writer: digime.Authorization
    reader: digime.Authorization
    sandbox: Sandbox

    @property
    def account_id(self) -> str:
        return self.reader.account_id

    def copies(self, name: str) -> list[SandboxFile]:
        return [file for file in self.sandbox.files(self.account_id) if file.reference[0] == name]

    def rows(self, name: str) -> list[int]:
        """The rows of all files that a reader sees, each write once; the manifest is none of them."""
        files = [file for file in self.client.files(self.account_id) if not file.name.endswith(".json")]
        one_by_one = sorted(int(value) for file in files for value in file.to_frame()["a"])
        assert one_by_one == sorted(digime.read_frame(name, account_id=self.account_id, client=self.client)["a"])
        return one_by_one


@pytest.fixture
def driver(
    client: digime.Client, person: digime.Authorization, reader: digime.Authorization, sandbox: Sandbox
) -> Driver:
    return Driver(client, person, reader, sandbox)


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame({"a": range(200), "b": [f"row {number}" for number in range(200)]})


def mark(part: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Leave the number of the worker's process in a file that is named after the partition's first row."""
    if len(part):
        (folder / f"{part['a'].iloc[0]}").write_text(str(os.getpid()))
    return part


@pytest.mark.parametrize("partitions", [1, 200])
def test_workers_send_what_they_compute(
    cluster: Cluster, frame: pd.DataFrame, driver: Driver, partitions: int, tmp_path: Path
) -> None:
    before = queues_of(cluster)
    ddf = dd.from_pandas(frame, npartitions=partitions).map_partitions(mark, tmp_path, meta=frame.iloc[:0])
    write = ddf.digime.write("c-*.parquet", driver.account_id, client=driver.client, compute=False)
    assert list(tmp_path.iterdir()) == []

    result = write.compute()

    assert list(result["status"]) == ["delivered"] * partitions
    assert result["file_name"].is_monotonic_increasing
    pids = {int(path.read_text()) for path in tmp_path.iterdir()}
    assert os.getpid() not in pids
    assert pids
    assert driver.rows("c-*.parquet") == list(range(200))
    assert_no_queue_is_left(cluster, before)


def queues_of(cluster: Cluster) -> set[str]:
    return set(cluster.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.extensions["queues"].queues)))


def assert_no_queue_is_left(cluster: Cluster, before: set[str]) -> None:
    """All queues are closed but those of before: of workers that were killed in other tests.

    The scheduler may know of the end of a task, or of a write, before it knows that its queues were closed.
    """
    wait_until(lambda: queues_of(cluster) <= before)


@pytest.fixture(params=["granted", "sent"])
def moment(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A worker is killed before it sends its file, or after the service took it and before that is known here."""
    answer, killed, moment = Deliveries.answer, list[int](), str(request.param)

    def kill(deliveries: Deliveries, facts: PartFacts, result: UploadResult | None) -> UploadGrant | None:
        is_it = facts.file_name == "k-00003-of-00010.csv" and (result is not None) == (moment == "sent")
        if not is_it or killed:
            return answer(deliveries, facts, result)
        grant = answer(deliveries, facts, result) if moment == "granted" else None
        killed.append(int((tmp_path / "60").read_text()))
        os.kill(killed[0], signal.SIGKILL)
        return grant

    monkeypatch.setattr(Deliveries, "answer", kill)
    yield moment
    assert len(killed) == 1


@pytest.mark.usefixtures("cluster")
def test_a_killed_worker_leaves_no_row_twice(frame: pd.DataFrame, driver: Driver, tmp_path: Path, moment: str) -> None:
    ddf = dd.from_pandas(frame, npartitions=10).map_partitions(mark, tmp_path, meta=frame.iloc[:0])
    journal = tmp_path / "writes.journal"
    result = ddf.digime.write("k-*.csv", driver.account_id, client=driver.client, journal=journal)

    assert list(result["status"]) == ["delivered"] * 10
    copies = driver.copies("k-00003-of-00010.csv")
    assert len(copies) == (2 if moment == "sent" else 1)
    assert result["attempts"][3] == 1
    assert {file.reference[1] for file in copies} == {result["write_id"][3]}
    assert driver.rows("k-*.csv") == list(range(200))
    with digime.Journal(journal) as opened:
        table = opened.to_frame()
    assert list(table["status"]) == ["delivered"] * 11
    assert table["write_id"].is_unique


def end_process(part: pd.DataFrame) -> pd.DataFrame:
    """End the worker wherever the partition that holds 40 is computed."""
    if 40 in part["a"].to_numpy():
        os.kill(os.getpid(), signal.SIGKILL)
    return part


def fail(part: pd.DataFrame) -> pd.DataFrame:
    """Fail for the partition that holds 40."""
    if 40 in part["a"].to_numpy():
        raise RuntimeError("no such disk")
    return part


@pytest.mark.parametrize(("broken", "error"), [(fail, "RuntimeError"), (end_process, "KilledWorker")])
@pytest.mark.usefixtures("cluster")
def test_what_cannot_be_computed_is_named_and_the_others_arrive(
    frame: pd.DataFrame, driver: Driver, broken: Callable[[pd.DataFrame], pd.DataFrame], error: str
) -> None:
    ddf = dd.from_pandas(frame, npartitions=5).map_partitions(broken, meta=frame.iloc[:0])
    with pytest.raises(DatasetError, match=f"1 of 5 files.*f-00001-of-00005.csv: {error}") as caught:
        ddf.digime.write("f-*.csv", driver.account_id, client=driver.client)
    assert list(caught.value.result["error_type"].dropna()) == [error]
    names = sorted({file.reference[0] for file in driver.sandbox.files(driver.account_id)})
    assert names == [f"f-{number:05d}-of-00005.csv" for number in (0, 2, 3, 4)]


@pytest.mark.usefixtures("cluster")
def test_an_expired_token_is_refreshed_here(
    frame: pd.DataFrame, connected: Callable[..., digime.Client], authorize: Callable[..., Any]
) -> None:
    with Sandbox() as own:
        client = connected(own)
        before = authorize(own, client, "p")
        own.expire_access_tokens()
        result = dd.from_pandas(frame, npartitions=2).digime.write("t-*.csv", "p", client=client)
        assert list(result["status"]) == ["delivered"] * 2
        assert client.authorization("p").user_access_token != before.user_access_token


@pytest.mark.usefixtures("cluster")
def test_an_interrupt_waits_for_what_is_under_way_and_carries_the_result(
    frame: pd.DataFrame, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, main = Deliveries.answer, threading.get_ident()
    delivered = count()

    def interrupt(deliveries: Deliveries, facts: PartFacts, result: UploadResult | None) -> UploadGrant | None:
        if result is not None and next(delivered) == 3:
            signal.pthread_kill(main, signal.SIGINT)
        return answer(deliveries, facts, result)

    monkeypatch.setattr(Deliveries, "answer", interrupt)
    ddf = dd.from_pandas(frame, npartitions=50)
    with pytest.raises(KeyboardInterrupt) as caught:
        ddf.digime.write("i-*.csv", driver.account_id, client=driver.client)
    result = caught.value.result  # type: ignore[attr-defined] # set on the interrupt
    assert set(result["status"]) == {"delivered", "not sent"}
    assert set(result["outcome"].dropna()) == {"not sent"}
    sent = {file.reference[0] for file in driver.sandbox.files(driver.account_id)}
    assert sent == set(result["file_name"][result["status"] == "delivered"])
    assert len(sent) >= 3


def ask_late(name: str, facts: PartFacts) -> str:
    try:
        return str(ClusterChannel(name).ask(facts, None))
    except ServiceUnreachableError as error:
        return str(error)


def test_a_worker_that_asks_after_the_end_does_not_wait_on(cluster: Cluster) -> None:
    request = check_write_request("late.csv", "p", {})
    facts = prepare_part(pd.DataFrame({"a": [1]}), "late.csv", request).facts
    Event("ended", client=cluster).set()
    assert "'late.csv' was not granted" in cluster.submit(ask_late, "ended", facts).result(60)
    Event("ended", client=cluster).clear()


@pytest.fixture
def people(driver: Driver, authorize: Callable[..., Any], account_id: str) -> list[str]:
    """Six people who let the driver's client write."""
    people = [f"{account_id}-{number}" for number in range(6)]
    for each in people:
        authorize(driver.sandbox, driver.client, each)
    return people


@pytest.mark.parametrize("way", ["compute", "persist", "cluster"])
def test_delayed_writes_are_delivered_by_dask(  # noqa: PLR0917 - fixtures
    cluster: Cluster, frame: pd.DataFrame, driver: Driver, people: list[str], way: str, tmp_path: Path
) -> None:
    before = queues_of(cluster)
    frame = frame.assign(who=[people[number % 6] for number in frame["a"]])
    ddf = dd.from_pandas(frame, npartitions=4).map_partitions(mark, tmp_path, meta=frame.iloc[:0])
    write = ddf.digime.write("d-*.csv", driver.account_id, client=driver.client, compute=False)
    each = ddf.digime.write_each("who", "a.csv", client=driver.client, compute=False)
    assert list(tmp_path.iterdir()) == []
    assert not any(driver.sandbox.files(who) for who in [driver.account_id, *people])

    if way == "compute":
        result, table = dask.compute(write, each)
    elif way == "persist":
        result, table = dask.compute(*dask.persist(write, each))
    else:
        result, table = cluster.gather(cluster.compute([write, each]))

    assert list(result["status"]) == ["delivered"] * 4
    assert list(table["status"]) == ["delivered"] * 6
    assert driver.rows("d-*.csv") == list(range(200))
    assert table["rows"].sum() == 200
    assert [len(driver.sandbox.files(who)) for who in people] == [1] * 6
    assert os.getpid() not in {int(path.read_text()) for path in tmp_path.iterdir()}
    assert_no_queue_is_left(cluster, before)


@pytest.mark.usefixtures("cluster")
def test_a_delayed_write_that_fails_says_so_through_dask(frame: pd.DataFrame, driver: Driver) -> None:
    ddf = dd.from_pandas(frame, npartitions=5).map_partitions(fail, meta=frame.iloc[:0])
    write = ddf.digime.write("f-*.csv", driver.account_id, client=driver.client, compute=False)
    with pytest.raises(DatasetError, match=r"1 of 5 files.*f-00001-of-00005\.csv: RuntimeError") as caught:
        dask.compute(write)
    assert caught.value.missing == ("f-00001-of-00005.csv",)
    assert list(caught.value.result["status"]).count("delivered") == 4
    assert len(driver.sandbox.files(driver.account_id)) == 4


def end_waiting(part: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """End the worker that waits for the delayed write, once."""
    if any(str(key).startswith("digime-write-") for key in get_worker().state.tasks):
        with suppress(FileExistsError):
            (folder / "ended").touch(exist_ok=False)
            os.kill(os.getpid(), signal.SIGKILL)
    return part


@pytest.mark.usefixtures("cluster")
def test_a_delayed_write_outlives_the_worker_that_waits_for_it(
    frame: pd.DataFrame, driver: Driver, tmp_path: Path
) -> None:
    ddf = dd.from_pandas(frame, npartitions=10).map_partitions(end_waiting, tmp_path, meta=frame.iloc[:0])
    write = ddf.digime.write("o-*.csv", driver.account_id, client=driver.client, compute=False)
    [result] = dask.compute(write)
    assert (tmp_path / "ended").exists()
    assert list(result["status"]) == ["delivered"] * 10
    assert driver.rows("o-*.csv") == list(range(200))
    assert result["attempts"].sum() == 10


def end_once(part: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """End the worker that is the first to compute the partition that holds 40, once it is counted."""
    if len(part.columns) > 1 and 40 in part["a"].to_numpy():
        with suppress(FileExistsError):
            (folder / "ended").touch(exist_ok=False)
            os.kill(os.getpid(), signal.SIGKILL)
    return part


@pytest.mark.usefixtures("cluster")
def test_each_person_gets_all_rows_though_a_worker_ends(
    frame: pd.DataFrame, driver: Driver, people: list[str], tmp_path: Path
) -> None:
    frame = frame.assign(who=[people[number % 6] for number in frame["a"]])
    ddf = dd.from_pandas(frame, npartitions=4).map_partitions(end_once, tmp_path, meta=frame.iloc[:0])
    result = ddf.digime.write_each("who", "a.csv", client=driver.client)

    assert (tmp_path / "ended").exists()
    assert list(result["status"]) == ["delivered"] * 6
    assert result["rows"].sum() == 200
    for number, each in enumerate(people):
        files = driver.sandbox.files(each)
        assert len({file.reference[1] for file in files}) == 1  # the write id
        rows = pd.read_csv(io.BytesIO(files[-1].content))
        assert sorted(rows["a"]) == list(range(number, 200, 6))
        assert set(rows["who"]) == {each}


def secrets_of(contract: Contract, *authorizations: digime.Authorization) -> dict[str, list[bytes]]:
    """Forms in which keys and refresh tokens could be found."""
    der = contract.private_key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    private = contract.private_key.private_numbers()
    numbers = [number.to_bytes(256, order) for number in (private.d, private.p, private.q) for order in _ORDERS]
    found = {"key": [b64encode(der)[100:160], *(each.strip(b"\0")[8:68] for each in numbers)]}
    for number, each in enumerate(authorizations):
        token = each.user_access_token.refresh_token.value.encode()
        in_base64 = [b64encode(b" " * shift + token)[4:60] for shift in range(3)]
        found[f"refresh token {number}"] = [token, *in_base64]
    return found


def memory_of(pid: int) -> Iterator[bytes]:
    """All readable memory of another process, region by region."""
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            start, end = (int(text, 16) for text in line.split(" ")[0].split("-"))
            if line.split(" ")[1].startswith("rw"):
                try:
                    memory.seek(start)
                    yield memory.read(end - start)
                except (OSError, ValueError, OverflowError):
                    continue


HOLDER = """
import sys
import threading
import digime_pandas
contract = digime_pandas.Contract("a", "c", sys.stdin.buffer.read(int(sys.argv[1])))
print("ready", flush=True)
sys.stdin.read()
"""


def test_a_key_is_found_in_the_memory_of_a_process_that_has_it(driver: Driver) -> None:
    key = driver.client.contract.private_key
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    command = [sys.executable, "-c", HOLDER, str(len(pem))]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(digime.__file__).parent.parent
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdin.write(pem)
        holder.stdin.flush()
        assert holder.stdout.readline() == b"ready\n"
        content = b"\n".join(memory_of(holder.pid))
        holder.stdin.close()
    assert sum(form in content for form in secrets_of(driver.client.contract)["key"]) >= 3


@pytest.fixture
def sent(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[bytes]]:
    """Pickles of all graphs that the cluster is given, and of all grants that workers are."""
    found: dict[str, list[bytes]] = {"graphs": [], "grants": []}
    compute, get, reply = Cluster.compute, Cluster.get, _cluster.send_reply

    def computing(self: Cluster, collections: Any, *arguments: Any, **options: Any) -> Any:
        every = collections if isinstance(collections, list) else [collections]
        found["graphs"] += [cloudpickle.dumps(dict(each.__dask_graph__())) for each in every]
        return compute(self, collections, *arguments, **options)

    def getting(self: Cluster, graph: Any, *arguments: Any, **options: Any) -> Any:
        found["graphs"].append(cloudpickle.dumps(graph))
        return get(self, graph, *arguments, **options)

    def replying(reply_to: str, cluster: Cluster, content: bytes) -> None:
        found["grants"].append(content)
        reply(reply_to, cluster, content)

    monkeypatch.setattr(Cluster, "compute", computing)
    monkeypatch.setattr(Cluster, "get", getting)
    monkeypatch.setattr(_cluster, "send_reply", replying)
    monkeypatch.setattr(_delayed, "send_reply", replying)
    return found


@pytest.mark.timeout(300)  # all memory of the workers is searched for each form
def test_workers_have_no_key_and_no_refresh_token(  # noqa: PLR0917 - fixtures
    cluster: Cluster,
    frame: pd.DataFrame,
    driver: Driver,
    people: list[str],
    sent: dict[str, list[bytes]],
    tmp_path: Path,
) -> None:
    client, account_id = driver.client, driver.account_id
    needles = secrets_of(client.contract, driver.writer, driver.reader, client.authorization(people[0]))
    assert client.read_contract is not None
    needles |= {f"{name} to read": forms for name, forms in secrets_of(client.read_contract).items()}
    frame = frame.assign(who=[people[number % 6] for number in frame["a"]])
    whole = dd.from_pandas(frame, npartitions=8)
    ddf = whole.map_partitions(mark, tmp_path, meta=frame.iloc[:0])
    write = ddf.digime.write("secret-marker-*.csv", account_id, client=client, compute=False)
    write.compute()
    dask.compute(write, ddf.digime.write_each("who", "secret-marker.csv", client=client, compute=False))
    failing = whole.map_partitions(fail, meta=frame.iloc[:0])
    failed = failing.digime.write("failing-*.csv", account_id, client=client, errors="collect")
    assert "failed" in set(failed["status"])
    assert any(b"secret-marker-00007-of-00008" in graph for graph in sent["graphs"])
    granted = [pickle.loads(reply) for reply in sent["grants"]]
    assert sum(isinstance(each, UploadGrant) for each in granted) >= 8 + 8 + 6 + 7

    environments = cluster.run(lambda: dict(os.environ))
    environment = repr(environments)
    logs = repr(cluster.get_worker_logs())
    assert "no such disk" in logs
    settings = {name for each in environments.values() for name in each if name.startswith("DIGIME_")}
    assert settings <= {"DIGIME_TEST_EXAMPLES"}  # of the tests themselves
    searched = {name: b"\n".join(pickles) for name, pickles in sent.items()}
    searched |= {"environment": environment.encode(), "logs": logs.encode()}
    seen = set()
    for pid in {int(path.read_text()) for path in tmp_path.iterdir()}:
        searched[f"memory of {pid}"] = b"\n".join(memory_of(pid))
        assert re.search(rb"secret-marker-0000\d-of-00008", searched[f"memory of {pid}"])
        seen.add(pid)
    assert seen
    hits = {
        (place, name)
        for place, content in searched.items()
        for name, forms in needles.items()
        for form in forms
        if form in content
    }
    assert hits == set()
