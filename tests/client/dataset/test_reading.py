"""Datasets read whole, in pieces and as one file, from a library over loopback."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import dask.dataframe as dd
import pandas as pd
import pytest

import digime_pandas as digime
import digime_pandas.dask
from digime_pandas._client.dataset.manifest import DatasetName
from digime_pandas._client.dataset.reading import alike
from digime_pandas.errors import DatasetError, ReadError
from digime_pandas.sandbox import Sandbox
from tests.client.library.networks import Recording

SUFFIXES = ["csv", "json", "ndjson", "parquet"]
FRAME = pd.DataFrame(
    {
        "n": range(20),
        "note": pd.array(["ü", None, 'a "q"\n, b', ""] * 5, dtype="string"),
        "kind": pd.Categorical([f"kind {number // 6}" for number in range(20)]),
    }
)
INDEXED = FRAME.set_index(pd.date_range("2026-01-01", periods=20, tz="Europe/Rome", name="when"))
READERS: dict[str, Callable[[bytes], pd.DataFrame]] = {
    "csv": lambda content: pd.read_csv(io.BytesIO(content)),
    "json": lambda content: pd.DataFrame(json.loads(content)),
    "ndjson": lambda content: pd.DataFrame([json.loads(line) for line in content.splitlines()]),
    "parquet": lambda content: pd.read_parquet(io.BytesIO(content)).reset_index(drop=True),
}


@pytest.fixture
def network() -> Recording:
    return Recording()


@pytest.fixture
def library(
    sandbox: Sandbox,
    connected: Callable[..., digime.Client],
    authorize: Callable[..., Any],
    account_id: str,
    network: Recording,
) -> Callable[..., Any]:
    """Write the pieces of a frame as a dataset of a person; return what reads it with one of the functions."""
    client = connected(sandbox, transport=network)
    for access in ("write", "read"):
        authorize(sandbox, client, account_id, access)

    def write(name: str, frame: pd.DataFrame, bounds: list[int]) -> Callable[..., Any]:
        ends = [*bounds[1:], len(frame)]
        pieces = [frame.iloc[start:end] for start, end in zip(bounds, ends, strict=True)]
        ddf = dd.from_map(lambda number: pieces[number], range(len(pieces)), meta=frame.iloc[:0])
        ddf.digime.write(name, account_id, client=client)
        return lambda function, **arguments: function(name, account_id=account_id, client=client, **arguments)

    return write


@pytest.mark.slow  # a dataset is written for each
@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("frame", [FRAME, INDEXED], ids=["plain", "indexed"])
@pytest.mark.parametrize("rows", [1, 7, 20, 100])
def test_pieces_have_the_asked_rows_across_the_borders_of_files(
    library: Callable[..., Any], suffix: str, frame: pd.DataFrame, rows: int
) -> None:
    read = library(f"p-*.{suffix}", frame, [0, 3, 3, 11])  # one file has no rows
    pieces = list(read(digime.read_batches, batch_rows=rows))
    assert [len(piece) for piece in pieces] == [rows] * (20 // rows) + [20 % rows] * bool(20 % rows)
    plain = isinstance(frame.index, pd.RangeIndex)
    if plain:
        assert all(list(piece.index) == list(range(len(piece))) for piece in pieces)
    joined = pd.concat([piece.astype({"kind": object}) for piece in pieces], ignore_index=plain)
    expected = read(digime.read_frame).astype({"kind": object})
    pd.testing.assert_frame_equal(joined, expected, check_freq=False)
    assert list(joined["n"]) == list(range(20))
    [column, *_] = read(digime.read_batches, columns=["note"], batch_rows=rows)
    assert list(column.columns) == ["note"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_dataset_without_rows_is_one_empty_piece(library: Callable[..., Any], suffix: str) -> None:
    read = library(f"e-*.{suffix}", FRAME.iloc[:0], [0, 0, 0])
    [piece] = read(digime.read_batches)
    assert piece.shape == (0, 3)
    assert piece["n"].dtype == FRAME["n"].dtype
    assert len(READERS[suffix](read(digime.read_file))) == 0


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_bytes_are_one_file_that_other_programs_read(library: Callable[..., Any], suffix: str) -> None:
    read = library(f"b-*.{suffix}", INDEXED, [0, 3, 3, 11])
    found = READERS[suffix](read(digime.read_file))
    assert list(found["n"]) == list(range(20))
    assert list(found["kind"]) == list(FRAME["kind"])
    assert found["note"].fillna("").tolist() == FRAME["note"].fillna("").tolist()


def test_the_manifest_is_fetched_once_and_files_as_they_are_needed(
    library: Callable[..., Any], network: Recording
) -> None:
    read = library("o-*.csv", FRAME, [0, 5, 10, 15])

    def fetched() -> int:
        """Requests for the content of files; a file's description is asked for with HEAD."""
        return sum(request.method == "GET" and request.url.path.count("/") > 4 for request in network.requests)

    network.requests.clear()
    pieces: Iterator[pd.DataFrame] = read(digime.read_batches, batch_rows=5)
    assert fetched() == 1
    next(pieces)
    assert fetched() == 2
    list(pieces)
    assert fetched() == 5
    network.requests.clear()
    lazy = read(digime_pandas.dask.read_frame, columns=["kind", "n"])
    assert fetched() == 1
    assert list(lazy.columns) == ["kind", "n"]
    assert len(lazy.compute(scheduler="sync")) == 20
    assert fetched() == 5


@pytest.mark.parametrize("function", [digime.read_file, digime.read_frame, digime.read_batches])
def test_all_functions_say_at_once_what_is_missing(
    library: Callable[..., Any], sandbox: Sandbox, account_id: str, function: Callable[..., Any]
) -> None:
    read = library("m-*.csv", FRAME, [0, 5, 10])
    [lost] = [file for file in sandbox.files(account_id) if file.reference[0] == "m-00001-of-00003.csv"]
    sandbox._require_running().context.library._database.execute("DELETE FROM files WHERE file_id = ?", lost.file_id)
    with pytest.raises(DatasetError, match="is not whole") as caught:
        read(function)
    assert caught.value.missing == ("m-00001-of-00003.csv",)


def test_frames_that_are_no_one_table_are_not_joined() -> None:
    frames = [pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]})]
    with pytest.raises(ReadError, match=r"no one table: the first has the columns \['a'\].*\['b'\]"):
        list(alike(frames))
    named = [pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1]}).rename_axis("k")]
    with pytest.raises(ReadError, match=r"and the index \['k'\]"):
        list(alike(named))


@pytest.mark.parametrize("names", [[], ["../x.csv"], ["d-00001-of-00002.csv", "d-00000-of-00002.csv"]])
def test_a_manifest_that_lists_other_files_is_refused(
    client: digime.Client, reader: digime.Authorization, names: list[str]
) -> None:
    name = DatasetName("d-*.csv")
    parts = [{"name": each, "write_id": None, "rows": 1, "size": 1, "sha256": "0" * 64} for each in names]
    content = json.dumps({"version": 1, "dataset": "urn:x", "parts": parts}).encode()
    descriptor = digime.FileDescriptor("application/json", reader.account_id, [name.manifest])
    client.write(content, name.manifest, descriptor, client.authorization(reader.account_id))
    with pytest.raises(ReadError, match="lists other files than those of 'd-"):
        digime.read_file("d-*.csv", account_id=reader.account_id, client=client)
