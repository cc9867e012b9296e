"""A Dask frame goes out partition by partition, computed once, without keys leaving the process."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import dask
import dask.dataframe as dd
import pandas as pd
import pytest

import digime_pandas as digime
import digime_pandas.dask
from digime_pandas.errors import DigimeWarning
from digime_pandas.sandbox import Sandbox


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame({"a": range(100), "b": [f"row {number}" for number in range(100)]})


def test_every_partition_becomes_a_file_and_a_row(
    frame: pd.DataFrame, person: digime.Authorization, client: digime.Client, sandbox: Sandbox
) -> None:
    ddf = dd.from_pandas(frame, npartitions=12)

    result = ddf.digime.write("events-*.parquet", account_id=person.account_id, client=client)

    assert list(result["file_name"]) == [f"events-{number:02d}.parquet" for number in range(12)]
    assert set(result["status"]) == {"delivered"}
    assert result["rows"].sum() == 100
    written = {
        file.reference[0]: pd.read_parquet(io.BytesIO(file.content)) for file in sandbox.files(person.account_id)
    }
    whole = pd.concat([written[name] for name in result["file_name"]], ignore_index=True)
    pd.testing.assert_frame_equal(whole, frame, check_dtype=False)


def test_the_frame_is_computed_once_and_not_before_it_is_known_to_be_writable(
    frame: pd.DataFrame, person: digime.Authorization, client: digime.Client
) -> None:
    computed: list[int] = []

    def seen(part: pd.DataFrame) -> pd.DataFrame:
        computed.append(len(part))
        return part

    ddf = dd.from_pandas(frame, npartitions=4).map_partitions(seen, meta=frame.iloc[:0])

    with pytest.raises(digime.FormatError):
        ddf.digime.write("events-*.doc", account_id=person.account_id, client=client)
    assert computed == []
    ddf.digime.write("events-*.csv", account_id=person.account_id, client=client)
    assert sum(computed) == len(frame)


def test_an_index_that_says_something_is_in_every_file_and_a_plain_range_in_none(
    frame: pd.DataFrame, person: digime.Authorization, client: digime.Client, sandbox: Sandbox
) -> None:
    for name, indexed in (("plain", frame), ("named", frame.set_index("a"))):
        ddf = dd.from_pandas(indexed, npartitions=3)
        ddf.digime.write(f"{name}-*.csv", account_id=person.account_id, client=client)

    heads = {file.reference[0]: file.content.splitlines()[0] for file in sandbox.files(person.account_id)}
    assert set(heads.values()) == {b"a,b"}, heads
    assert len(heads) == 6


@pytest.mark.parametrize("name", ["events.csv", "*-*.csv"])
def test_the_name_needs_one_star(frame: pd.DataFrame, name: str, client: digime.Client) -> None:
    with pytest.raises(digime.DescriptorError, match=r"'\*'"):
        dd.from_pandas(frame, npartitions=1).digime.write(name, account_id="a", client=client)


def test_a_client_is_not_sent_to_other_processes(frame: pd.DataFrame, client: digime.Client) -> None:
    ddf = dd.from_pandas(frame, npartitions=1)

    with dask.config.set(scheduler="processes"), pytest.raises(digime.ConfigurationError, match="private key"):
        ddf.digime.write("events-*.csv", account_id="a", client=client)


def test_a_series_is_written_too(
    frame: pd.DataFrame, person: digime.Authorization, client: digime.Client, sandbox: Sandbox
) -> None:
    dd.from_pandas(frame["a"], npartitions=2).digime.write("a-*.csv", account_id=person.account_id, client=client)

    assert len(sandbox.files(person.account_id)) == 2


@pytest.fixture
def two_sessions(
    sandbox: Sandbox, client: digime.Client, person: digime.Authorization, other_contract: digime.Contract
) -> Iterator[digime.Client]:
    """A session of this thread, and one of another thread that connected another contract later."""

    def connect(contract: digime.Contract, tokens: digime.MemoryTokenStore) -> digime.Client:
        return digime.connect(contract, base_url=sandbox.base_url, onboard_url=sandbox.onboard_url, tokens=tokens)

    assert isinstance(client.tokens, digime.MemoryTokenStore)
    with connect(sandbox.contract, client.tokens) as ours:
        with ThreadPoolExecutor(1) as thread, pytest.warns(DigimeWarning):
            theirs = thread.submit(connect, other_contract, digime.MemoryTokenStore()).result(20)
        with theirs:
            yield ours


@pytest.mark.parametrize("scheduler", ["default", "threads", "sync", "executor"])
def test_the_client_is_the_one_of_the_thread_that_calls(
    frame: pd.DataFrame, person: digime.Authorization, two_sessions: digime.Client, sandbox: Sandbox, scheduler: str
) -> None:
    ddf = dd.from_pandas(frame, npartitions=3)
    with ThreadPoolExecutor(2) as executor:
        named = {"default": None, "executor": executor}.get(scheduler, scheduler)
        with dask.config.set(scheduler=named):
            result = ddf.digime.write("session-*.csv", account_id=person.account_id)
    assert set(result["status"]) == {"delivered"}
    written = [file for file in sandbox.files(person.account_id) if file.name.startswith("session-")]
    assert [file.client_id for file in written] == [two_sessions.contract.client_id] * 3


def test_an_executor_of_other_processes_is_not_of_this_one(frame: pd.DataFrame, client: digime.Client) -> None:
    ddf = dd.from_pandas(frame, npartitions=1)
    with (
        ProcessPoolExecutor(1) as executor,
        dask.config.set(scheduler=executor),
        pytest.raises(digime.ConfigurationError, match="private key"),
    ):
        ddf.digime.write("events-*.csv", account_id="a", client=client)


def test_without_a_client_nothing_is_computed(frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("DIGIME_")]:
        monkeypatch.delenv(name)
    computed: list[int] = []

    def seen(part: pd.DataFrame) -> pd.DataFrame:
        computed.append(len(part))
        return part

    ddf = dd.from_pandas(frame, npartitions=2).map_partitions(seen, meta=frame.iloc[:0])
    with pytest.raises(digime.ConfigurationError, match="DIGIME_APPLICATION_ID"):
        ddf.digime.write("events-*.csv", account_id="a")
    assert computed == []
