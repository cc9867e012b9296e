"""Writes that are carried out later, by Dask's own schedulers; those of clusters are with the tests of clusters."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dask
import dask.dataframe as dd
import pandas as pd
import pytest

import digime_pandas as digime
import digime_pandas.dask
from digime_pandas._client.partitions.delayed import DelayedWrite
from digime_pandas.errors import DatasetError
from digime_pandas.sandbox import Sandbox

FRAME = pd.DataFrame({"a": range(100)})


@pytest.fixture
def people(sandbox: Sandbox, client: digime.Client, authorize: Callable[..., Any], account_id: str) -> list[str]:
    ids = [f"{account_id}-{number}" for number in range(3)]
    for each in ids:
        authorize(sandbox, client, each)
    return ids


@pytest.fixture
def writes(client: digime.Client, people: list[str]) -> tuple[DelayedWrite, DelayedWrite, list[int]]:
    """A delayed dataset for the first person, a delayed file per person, and what was computed of their frame."""
    computed: list[int] = []

    def seen(part: pd.DataFrame) -> pd.DataFrame:
        computed.append(len(part))
        return part

    frame = FRAME.assign(who=[people[number % 3] for number in FRAME["a"]])
    ddf = dd.from_pandas(frame, npartitions=4).map_partitions(seen, meta=frame.iloc[:0])
    whole = ddf.digime.write("d-*.csv", people[0], client=client, compute=False)
    each = ddf.digime.write_each("who", "a.csv", client=client, compute=False)
    return whole, each, computed


def by_compute(whole: Any, each: Any, scheduler: Any) -> Any:
    return dask.compute(whole, each, scheduler=scheduler)


def by_persist(whole: Any, each: Any, scheduler: Any) -> Any:
    persisted = dask.persist(whole, each, scheduler=scheduler)
    return [one.compute(scheduler=scheduler) for one in persisted]


def by_methods(whole: Any, each: Any, scheduler: Any) -> Any:
    return whole.compute(scheduler=scheduler), each.persist(scheduler=scheduler).compute(scheduler=scheduler)


@pytest.mark.parametrize("scheduler", [None, "threads", "sync", "executor"])
@pytest.mark.parametrize("carry_out", [by_compute, by_persist, by_methods])
@pytest.mark.slow
def test_nothing_is_computed_or_sent_before_and_all_of_it_then(
    writes: tuple[DelayedWrite, DelayedWrite, list[int]],
    people: list[str],
    sandbox: Sandbox,
    scheduler: Any,
    carry_out: Callable[..., Any],
) -> None:
    whole, each, computed = writes
    assert dask.is_dask_collection(whole)
    assert dask.is_dask_collection(each)
    assert computed == []
    assert not any(map(sandbox.files, people))

    with ThreadPoolExecutor(1) as executor:  # which the write and its partitions must not wait for both
        result, table = carry_out(whole, each, executor if scheduler == "executor" else scheduler)

    assert list(result["status"]) == ["delivered"] * 4
    assert list(result["rows"]) == [25] * 4
    assert list(table["status"]) == ["delivered"] * 3
    assert table["rows"].sum() == 100
    assert [len(sandbox.files(person)) for person in people] == [6, 1, 1]
    assert sum(computed) == 300  # once for the dataset, twice for the persons


def failing(part: pd.DataFrame) -> pd.DataFrame:
    if 40 in part["a"].to_numpy():
        raise RuntimeError("no such disk")
    return part


def test_failures_are_named_and_the_others_arrive(client: digime.Client, people: list[str], sandbox: Sandbox) -> None:
    ddf = dd.from_pandas(FRAME, npartitions=5).map_partitions(failing, meta=FRAME.iloc[:0])
    write = ddf.digime.write("f-*.csv", people[0], client=client, compute=False)
    with pytest.raises(DatasetError, match=r"1 of 5 files.*f-00002-of-00005\.csv: RuntimeError") as caught:
        dask.compute(write)
    assert caught.value.missing == ("f-00002-of-00005.csv",)
    assert len(sandbox.files(people[0])) == 4


def test_bad_arguments_are_errors_at_once(client: digime.Client, people: list[str]) -> None:
    ddf = dd.from_pandas(FRAME.assign(who=people[0]), npartitions=2).map_partitions(failing)
    for arguments in ({"by": "nobody"}, {"file_name": "a.doc"}, {"errors": "ignore"}, {"missing": "maybe"}):
        given: dict[str, Any] = {"by": "who", "file_name": "a.csv"} | arguments
        with pytest.raises(digime.InputError):
            ddf.digime.write_each(**given, client=client, compute=False)


def test_missing_consents_are_found_when_it_is_carried_out(client: digime.Client, people: list[str]) -> None:
    ddf = dd.from_pandas(FRAME.assign(who="stranger"), npartitions=2)
    write = ddf.digime.write_each("who", "a.csv", client=client, compute=False)
    with pytest.raises(digime.NotAuthorizedError, match="'stranger'"):
        dask.compute(write)


def test_it_is_not_sent_to_other_processes(writes: tuple[DelayedWrite, DelayedWrite, list[int]]) -> None:
    whole, _, computed = writes
    for attempt in (lambda: dask.compute(whole, scheduler="processes"), lambda: pickle.dumps(whole)):
        with pytest.raises(digime.DigimeError, match="key"):
            attempt()
    assert computed == []
