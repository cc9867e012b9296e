"""A Dask frame goes out partition by partition, computed once, without keys leaving the process."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import dask
import dask.dataframe as dd
import pandas as pd
import pytest

import digime_pandas as digime
import digime_pandas.dask
from digime_pandas._client.partitions.result import COLUMNS
from digime_pandas.errors import DatasetError, DigimeWarning
from digime_pandas.sandbox import Sandbox, SandboxFile

_PEOPLE = count(1)


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame({"a": range(100), "b": [f"row {number}" for number in range(100)]})


def files_of(sandbox: Sandbox, account_id: str) -> dict[str, SandboxFile]:
    """What is in a library, by name."""
    return {file.reference[0]: file for file in sandbox.files(account_id)}


def test_every_partition_becomes_a_file_and_a_row(
    frame: pd.DataFrame, person: digime.Authorization, client: digime.Client, sandbox: Sandbox
) -> None:
    ddf = dd.from_pandas(frame, npartitions=12)

    result = ddf.digime.write("events-*.parquet", account_id=person.account_id, client=client, tags=["t"])

    names = [f"events-{number:05d}-of-00012.parquet" for number in range(12)]
    assert list(result["file_name"]) == names
    assert set(result["status"]) == {"delivered"}
    assert result["rows"].sum() == 100
    assert {name: str(dtype) for name, dtype in result.dtypes.items()} == {
        name: str(pd.Series(dtype=dtype).dtype) for name, dtype in COLUMNS.items()
    }
    written = files_of(sandbox, person.account_id)
    assert set(written) == {*names, "events-manifest.parquet.json"}
    assert {name for name, file in written.items() if file.tags == ("t",)} == set(names)
    whole = pd.concat([pd.read_parquet(io.BytesIO(written[name].content)) for name in names], ignore_index=True)
    pd.testing.assert_frame_equal(whole, frame, check_dtype=False)


def test_the_manifest_lists_the_files_and_is_written_last(
    frame: pd.DataFrame, person: digime.Authorization, client: digime.Client, sandbox: Sandbox
) -> None:
    ddf = dd.from_pandas(frame.set_index("a"), npartitions=3)

    result = ddf.digime.write("m-*.csv", person.account_id, client=client)

    files = files_of(sandbox, person.account_id)
    manifest = json.loads(files["m-manifest.csv.json"].content)
    assert manifest["rows"] == 100
    assert [part["name"] for part in manifest["parts"]] == list(result["file_name"])
    for name in ("rows", "size", "sha256", "write_id"):
        assert [part[name] for part in manifest["parts"]] == list(result[name])
    assert [column["name"] for column in manifest["schema"]] == ["a", "b"]
    for part in manifest["parts"]:
        assert sha256(files[part["name"]].content).hexdigest() == part["sha256"]
    assert all(manifest["dataset"] in file.reference for file in files.values())
    assert sandbox.files(person.account_id)[-1].reference[0] == "m-manifest.csv.json"


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

    files = files_of(sandbox, person.account_id)
    heads = {name: file.content.splitlines()[0] for name, file in files.items() if name.endswith(".csv")}
    assert set(heads.values()) == {b"a,b"}, heads
    assert len(heads) == 6


@pytest.mark.parametrize("name", ["events.csv", "*-*.csv"])
def test_the_name_needs_one_star(frame: pd.DataFrame, name: str, client: digime.Client) -> None:
    with pytest.raises(digime.DescriptorError, match=r"'\*'"):
        dd.from_pandas(frame, npartitions=1).digime.write(name, account_id="a", client=client)


@pytest.mark.slow
@pytest.mark.parametrize("scheduler", ["processes", "executor"])
def test_other_processes_compute_and_this_one_sends(
    frame: pd.DataFrame, client: digime.Client, person: digime.Authorization, sandbox: Sandbox, scheduler: str
) -> None:
    """Nothing of the client can be in the tasks: it refuses to be pickled."""
    ddf = dd.from_pandas(frame, npartitions=3)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
        used = executor if scheduler == "executor" else "processes"
        with dask.config.set(scheduler=used, num_workers=1):
            result = ddf.digime.write(f"{scheduler}-*.csv", person.account_id, client=client)
    assert list(result["status"]) == ["delivered"] * 3
    assert set(result["file_name"]) < set(files_of(sandbox, person.account_id))


def test_a_series_is_written_too(
    frame: pd.DataFrame, person: digime.Authorization, client: digime.Client, sandbox: Sandbox
) -> None:
    dd.from_pandas(frame["a"], npartitions=2).digime.write("a-*.csv", account_id=person.account_id, client=client)

    names = ["a-00000-of-00002.csv", "a-00001-of-00002.csv", "a-manifest.csv.json"]
    assert sorted(files_of(sandbox, person.account_id)) == names


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
@pytest.mark.slow
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
    assert [file.client_id for file in written] == [two_sessions.contract.client_id] * 4


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


@pytest.mark.slow  # a thousand files
def test_a_thousand_partitions_most_of_them_empty(
    reader: digime.Authorization, client: digime.Client, sandbox: Sandbox
) -> None:
    frame = pd.DataFrame({"a": range(1000)})
    ddf = dd.from_map(lambda number: frame.iloc[number : number + (number % 3 == 0)], range(1000), meta=frame.iloc[:0])
    result = ddf.digime.write("many-*.csv", reader.account_id, client=client)

    assert list(result["status"]) == ["delivered"] * 1000
    assert list(result["rows"]) == [number % 3 == 0 for number in range(1000)]
    assert result["file_name"].is_unique
    assert len(sandbox.files(reader.account_id)) == 1001
    expected = list(range(0, 1000, 3))
    arguments: dict[str, Any] = {"account_id": reader.account_id, "client": client}
    assert list(digime.read_frame("many-*.csv", **arguments)["a"]) == expected
    assert [len(piece) for piece in digime.read_batches("many-*.csv", batch_rows=100, **arguments)] == [100] * 3 + [34]
    assert list(pd.read_csv(io.BytesIO(digime.read_file("many-*.csv", **arguments)))["a"]) == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda part: part[["b", "a"]], r"columns \['b', 'a'\].*says \['a', 'b'\]"),
        (lambda part: part.assign(c=1), r"columns \['a', 'b', 'c'\]"),
        (lambda part: part.rename_axis("k"), r"index levels \['k'\], and its Dask frame says \[None\]"),
    ],
    ids=["order", "more", "index"],
)
def test_partitions_that_are_not_as_the_frame_says_are_not_sent(
    frame: pd.DataFrame, person: digime.Authorization, client: digime.Client, change: Any, message: str
) -> None:
    """Dask itself compares them in some of its functions only."""
    parts = [frame.head(2), change(frame.tail(2))]
    ddf = dd.from_map(lambda number: parts[number], range(2), meta=frame.iloc[:0])
    with pytest.raises(DatasetError, match=message) as caught:
        ddf.digime.write("l-*.csv", person.account_id, client=client)
    assert list(caught.value.result["status"]) == ["delivered", "failed"]


def broken(part: pd.DataFrame) -> pd.DataFrame:
    """Fails for the partition that holds 40."""
    if 40 in part["a"].to_numpy():
        raise RuntimeError("no such disk")
    return part


@pytest.mark.parametrize("scheduler", ["threads", "sync"])
@pytest.mark.slow
def test_a_partition_that_fails_is_named_and_the_others_arrive(
    frame: pd.DataFrame, person: digime.Authorization, client: digime.Client, sandbox: Sandbox, scheduler: str
) -> None:
    ddf = dd.from_pandas(frame, npartitions=5).map_partitions(broken, meta=frame.iloc[:0])
    with dask.config.set(scheduler=scheduler):
        with pytest.raises(
            DatasetError, match=r"1 of 5 files.*00002-of-00005\.csv: RuntimeError: no such disk"
        ) as caught:
            ddf.digime.write("f-*.csv", person.account_id, client=client)
        collected = ddf.digime.write("g-*.csv", person.account_id, client=client, errors="collect")

    assert caught.value.missing == ("f-00002-of-00005.csv",)
    for result in (caught.value.result, collected):
        assert list(result["status"]) == ["delivered"] * 2 + ["failed"] + ["delivered"] * 2
        assert list(result["outcome"].dropna()) == ["not sent"]
    names = {f"{letter}-{number:05d}-of-00005.csv" for letter in "fg" for number in (0, 1, 3, 4)}
    assert set(files_of(sandbox, person.account_id)) == names
    assert len(sandbox.files(person.account_id)) == len(names)


def test_a_column_that_cannot_be_written_in_one_partition_fails_that_one(
    person: digime.Authorization, client: digime.Client
) -> None:
    frame = pd.DataFrame({"x": pd.Series([1, 2, object()], dtype=object)})
    with dask.config.set({"dataframe.convert-string": False}):
        ddf = dd.from_map(lambda number: frame.iloc[number : number + 1], range(3), meta=frame.iloc[:0])
        result = ddf.digime.write("x-*.parquet", person.account_id, client=client, errors="collect")
    assert list(result["status"]) == ["delivered", "delivered", "failed"]
    assert list(result["error_type"].dropna()) == ["FidelityError"]


def test_what_a_journal_has_as_delivered_is_not_sent_again(
    frame: pd.DataFrame, person: digime.Authorization, client: digime.Client, sandbox: Sandbox, tmp_path: Path
) -> None:
    whole = dd.from_pandas(frame, npartitions=5)
    journal = tmp_path / "writes.journal"
    cut = whole.map_partitions(broken, meta=frame.iloc[:0])
    first = cut.digime.write("j-*.csv", person.account_id, client=client, journal=journal, errors="collect")
    second = whole.digime.write("j-*.csv", person.account_id, client=client, journal=journal)
    third = whole.digime.write("j-*.csv", person.account_id, client=client, journal=journal)

    assert list(second["status"]) == ["delivered"] * 5
    assert list(second["write_id"]) == list(third["write_id"])
    sent = first["status"] == "delivered"
    assert list(second["write_id"][sent]) == list(first["write_id"][sent])
    assert len(sandbox.files(person.account_id)) == 6
    with digime.Journal(journal) as opened:
        table = opened.to_frame()
    assert list(table["status"]) == ["delivered"] * 6
    assert table["file_name"].is_unique


def test_what_cannot_be_done_is_refused_before_anything_is_computed(
    frame: pd.DataFrame, client: digime.Client, person: digime.Authorization
) -> None:
    ddf = dd.from_pandas(frame, npartitions=2).map_partitions(broken, meta=frame.iloc[:0])
    with pytest.raises(digime.NotAuthorizedError, match="nobody"):
        ddf.digime.write("a-*.csv", "nobody", client=client)
    with pytest.raises(digime.InputError, match="errors is 'ignore'"):
        ddf.digime.write("a-*.csv", person.account_id, client=client, errors="ignore")


def mixed(rows: int) -> pd.DataFrame:
    """A frame whose partitions have different categories and an empty one among them."""
    frame = pd.DataFrame({"when": pd.date_range("2026-01-01", periods=rows, tz="Europe/Rome"), "n": range(rows)})
    kinds, sizes = pd.Index([f"kind {number}" for number in range(rows // 10 + 1)]), pd.Index(["s", "m", "l"])
    frame["kind"] = pd.Categorical.from_codes([number // 10 for number in range(rows)], kinds)
    frame["size"] = pd.Categorical.from_codes([number % 3 for number in range(rows)], sizes, ordered=True)
    return frame.set_index("when")


@pytest.mark.parametrize("suffix", ["parquet", "csv", "ndjson"])
@pytest.mark.parametrize("partitions", [1, 4])
@pytest.mark.slow
def test_a_dataset_is_read_as_one_frame(
    reader: digime.Authorization, client: digime.Client, suffix: str, partitions: int
) -> None:
    frame = mixed(40)
    ddf = dd.from_pandas(frame, npartitions=partitions)
    ddf.digime.write(f"d-*.{suffix}", reader.account_id, client=client)

    def read(**arguments: Any) -> pd.DataFrame:
        return digime.read_frame(f"d-*.{suffix}", account_id=reader.account_id, client=client, **arguments)

    expected = frame.assign(kind=frame["kind"].cat.remove_unused_categories())
    pd.testing.assert_frame_equal(read(), expected, check_freq=False)
    pd.testing.assert_frame_equal(read(columns=["n"], limit=15), frame[["n"]].head(15), check_freq=False)
    lazy = digime_pandas.dask.read_frame(f"d-*.{suffix}", account_id=reader.account_id, client=client)
    assert lazy.npartitions == partitions
    pd.testing.assert_frame_equal(lazy[["n"]].compute(scheduler="threads"), frame[["n"]], check_freq=False)
    with dask.config.set(scheduler="processes"), pytest.raises(digime.DigimeError, match="scheduler='threads'"):
        lazy.compute()


def test_a_dataset_of_empty_partitions_keeps_its_dtypes(reader: digime.Authorization, client: digime.Client) -> None:
    frame = mixed(20)
    ddf = dd.from_pandas(frame, npartitions=4)
    ddf = ddf[ddf["n"] >= 10]
    ddf.digime.write("e-*.csv", reader.account_id, client=client)
    back = digime.read_frame("e-*.csv", account_id=reader.account_id, client=client)
    assert list(back["n"]) == list(range(10, 20))
    nothing = ddf[ddf["n"] > 99]
    result = nothing.digime.write("e-*.csv", reader.account_id, client=client)
    assert list(result["rows"]) == [0, 0, 0, 0]
    back = digime.read_frame("e-*.csv", account_id=reader.account_id, client=client)
    assert len(back) == 0
    assert back["n"].dtype == frame["n"].dtype


@pytest.mark.parametrize("lost", ["part", "manifest"])
def test_a_dataset_that_is_not_whole_says_what_is_missing(
    frame: pd.DataFrame, reader: digime.Authorization, client: digime.Client, sandbox: Sandbox, lost: str
) -> None:
    ddf = dd.from_pandas(frame, npartitions=4)
    if lost == "manifest":
        ddf = ddf.map_partitions(broken, meta=frame.iloc[:0])
    ddf.digime.write("w-*.csv", reader.account_id, client=client, errors="collect")
    name = "w-00001-of-00004.csv"
    if lost == "part":
        file_id = files_of(sandbox, reader.account_id)[name].file_id
        library = sandbox._require_running().context.library
        library._database.execute("DELETE FROM files WHERE file_id = ?", file_id)
    with pytest.raises(DatasetError, match=r"'w-\*\.csv' is not whole.*00001-of-00004") as caught:
        digime.read_frame("w-*.csv", account_id=reader.account_id, client=client)
    assert caught.value.missing == ((name,) if lost == "part" else (name, "w-manifest.csv.json"))


def test_there_is_no_such_dataset(reader: digime.Authorization, client: digime.Client) -> None:
    with pytest.raises(digime.FileNotInLibraryError, match=r"no 'none-\*\.csv'"):
        digime.read_frame("none-*.csv", account_id=reader.account_id, client=client)
    with pytest.raises(digime.InputError, match="sha256 is of one file"):
        digime.read_frame("none-*.csv", account_id=reader.account_id, client=client, sha256="0" * 64)


def test_a_newer_dataset_of_the_same_name_is_read_and_never_mixed_with_the_older(
    frame: pd.DataFrame, reader: digime.Authorization, client: digime.Client
) -> None:
    for part in (frame.head(50), frame.tail(20)):
        dd.from_pandas(part, npartitions=2).digime.write("n-*.csv", reader.account_id, client=client)
    back = digime.read_frame("n-*.csv", account_id=reader.account_id, client=client)
    assert list(back["a"]) == list(range(80, 100))


@pytest.fixture
def people(sandbox: Sandbox, client: digime.Client) -> list[str]:
    """Five people who let `client` write."""
    ids = [f"dask-{next(_PEOPLE)}" for _ in range(5)]
    for account_id in ids:
        with client.begin_authorization(account_id) as flow:
            flow.complete(sandbox.approve(flow.url))
    return ids


def rows_of(sandbox: Sandbox, account_id: str) -> list[dict[Any, Any]]:
    [file] = sandbox.files(account_id)
    return pd.read_csv(io.BytesIO(file.content)).to_dict("records")


@pytest.mark.parametrize("partitions", [1, 7])
@pytest.mark.parametrize("dtype", ["object", "category", "string"])
@pytest.mark.slow
def test_each_person_gets_all_their_rows_in_one_file(
    people: list[str], client: digime.Client, sandbox: Sandbox, partitions: int, dtype: str
) -> None:
    frame = pd.DataFrame({"who": people * 8, "n": range(40)}).astype({"who": dtype})
    ddf = dd.from_pandas(frame, npartitions=partitions)

    result = ddf.digime.write_each("who", "{account_id}.csv", client=client)

    assert sorted(result.index) == sorted(people)
    assert set(result["status"]) == {"delivered"}
    assert set(result["rows"]) == {8}
    for place, account_id in enumerate(people):
        rows = rows_of(sandbox, account_id)
        assert {row["who"] for row in rows} == {account_id}
        assert sorted(row["n"] for row in rows) == list(range(place, 40, 5))
        assert result.loc[account_id, "file_name"] == f"{account_id}.csv"


def test_a_person_who_gave_no_consent_is_refused_or_skipped(
    people: list[str], client: digime.Client, sandbox: Sandbox
) -> None:
    frame = pd.DataFrame({"who": [*people, "stranger"], "n": range(6)})
    ddf = dd.from_pandas(frame, npartitions=3)
    with pytest.raises(digime.NotAuthorizedError, match=r"1 of 6 accounts has no consent.*'stranger'"):
        ddf.digime.write_each("who", "a.csv", client=client)
    assert not any(sandbox.files(account_id) for account_id in people)
    result = ddf.digime.write_each("who", "a.csv", client=client, missing="skip", keep_key=False)
    assert result["status"].to_dict() == dict.fromkeys(people, "delivered") | {"stranger": "skipped"}
    assert all(set(rows_of(sandbox, account_id)[0]) == {"n"} for account_id in people)


def test_a_person_s_rows_that_cannot_be_written_keep_no_other_back(
    people: list[str], client: digime.Client, sandbox: Sandbox
) -> None:
    frame = pd.DataFrame({"who": people, "x": pd.Series([1, 2, object(), 4, 5], dtype=object)})
    with dask.config.set({"dataframe.convert-string": False}):
        ddf = dd.from_pandas(frame, npartitions=2)
        result = ddf.digime.write_each("who", "a.parquet", client=client)
        with pytest.raises(digime.FidelityError) as caught:
            ddf.digime.write_each("who", "a.parquet", client=client, errors="raise")
    assert list(result["status"][people]) == ["delivered", "delivered", "failed", "delivered", "delivered"]
    assert caught.value.result["status"].value_counts().to_dict() == {"delivered": 4, "failed": 1}  # type: ignore[attr-defined] # set on the error
    assert sandbox.files(people[2]) == []


def test_keys_that_are_one_account_id_are_refused_wherever_they_are(client: digime.Client) -> None:
    with dask.config.set({"dataframe.convert-string": False}):
        mixed_keys = dd.from_pandas(pd.DataFrame({"who": pd.Series([1, "1"], dtype=object)}), npartitions=2)
        with pytest.raises(digime.InputError, match="one account id, written in two ways"):
            mixed_keys.digime.write_each("who", "a.csv", client=client)
        gaps = dd.from_pandas(pd.DataFrame({"who": ["a", None], "n": [1, 2]}), npartitions=2)
        with pytest.raises(digime.InputError, match="no account id"):
            gaps.digime.write_each("who", "a.csv", client=client)
        with pytest.raises(digime.InputError, match="by='nobody'"):
            gaps.digime.write_each("nobody", "a.csv", client=client)


def test_a_frame_that_is_another_each_time_is_noticed(
    people: list[str], client: digime.Client, sandbox: Sandbox
) -> None:
    computed: list[int] = []

    def growing(part: pd.DataFrame) -> pd.DataFrame:
        computed.append(len(part))
        return pd.concat([part] * len(computed))

    frame = pd.DataFrame({"who": people, "n": range(5)})
    ddf = dd.from_pandas(frame, npartitions=1).map_partitions(growing, meta=frame.iloc[:0])
    result = ddf.digime.write_each("who", "a.csv", client=client)
    assert set(result["status"]) == {"failed"}
    assert set(result["outcome"]) == {"not sent"}
    assert result["error"].str.contains("persist").all()
    assert not any(sandbox.files(account_id) for account_id in people)


def test_losses_of_persons_are_said_once_at_the_call(people: list[str], client: digime.Client) -> None:
    frame = pd.DataFrame({"who": people, "x": [1.0, float("inf"), 2.0, float("inf"), 3.0]})
    ddf = dd.from_pandas(frame, npartitions=2)
    with pytest.warns(digime.FidelityWarning, match="in the files of 2 of 5 accounts, such as 'a.json' of") as warned:
        ddf.digime.write_each("who", "a.json", client=client)
    assert [warning.filename for warning in warned] == [__file__]


def test_a_second_run_with_the_journal_sends_only_what_is_missing(
    people: list[str], client: digime.Client, sandbox: Sandbox, tmp_path: Path
) -> None:
    frame = pd.DataFrame({"who": people * 2, "n": range(10)})
    ddf = dd.from_pandas(frame, npartitions=1)
    journal = tmp_path / "writes.journal"
    first = ddf[ddf["who"] != people[0]].digime.write_each("who", "a.csv", client=client, journal=journal)
    second = ddf.digime.write_each("who", "a.csv", client=client, journal=journal)
    assert len(second) == 5
    assert list(second["write_id"][first.index]) == list(first["write_id"])
    assert all(len(sandbox.files(account_id)) == 1 for account_id in people)


def interrupt_at_40(part: pd.DataFrame) -> pd.DataFrame:
    if 40 in part["a"].to_numpy():
        raise KeyboardInterrupt
    return part


def test_an_interrupt_carries_the_result_so_far(
    frame: pd.DataFrame, person: digime.Authorization, client: digime.Client, sandbox: Sandbox
) -> None:
    ddf = dd.from_pandas(frame, npartitions=5).map_partitions(interrupt_at_40, meta=frame.iloc[:0])
    with dask.config.set(scheduler="sync"), pytest.raises(KeyboardInterrupt) as caught:
        ddf.digime.write("i-*.csv", person.account_id, client=client)
    result = caught.value.result  # type: ignore[attr-defined] # set on the interrupt
    assert len(result) == 5
    assert {"not sent"} <= set(result["status"]) <= {"delivered", "not sent"}
    delivered = result["file_name"][result["status"] == "delivered"]
    assert set(files_of(sandbox, person.account_id)) == set(delivered)
