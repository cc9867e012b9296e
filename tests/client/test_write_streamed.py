"""Sources that do not fit into memory, written by the public functions: and what arrives of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

import digime_pandas as digime
from digime_pandas._client.client import Client
from digime_pandas._client.preview import preview
from digime_pandas._client.write import write
from digime_pandas._client.write_each import write_each
from digime_pandas._service.authorization import Authorization
from digime_pandas._service.crypto import encrypted_file
from digime_pandas.errors import FidelityWarning, InputError
from digime_pandas.sandbox import Sandbox

ROWS = 120_000  # more than what is sent in one piece, in every format


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("rows") / "rows.parquet"
    numbers = pa.array(range(ROWS))
    texts = pa.array([f"{i * 7919 % 1_000_003:x} and {i * 104_729 % 999_983:x}" for i in range(ROWS)])
    pq.write_table(pa.table({"n": numbers, "text": texts}), found, row_group_size=30_000)
    return found


KINDS: dict[str, Callable[[Path], Any]] = {
    "path": lambda path: path,
    "dataset": ds.dataset,
    "scanner": lambda path: ds.dataset(path).scanner(),
    "lazy": pl.scan_parquet,
    "relation": lambda path: duckdb.sql(f"select * from '{path}'"),
    "list": lambda path: pq.read_table(path).to_batches(),
}
ONCE: dict[str, Callable[[Path], Any]] = {
    "generator": lambda path: iter(pq.read_table(path).to_batches(max_chunksize=10_000)),
    "reader": lambda path: pq.read_table(path).to_reader(10_000),
}


def received(sandbox: Sandbox, person: Authorization) -> list[bytes]:
    return [file.path.read_bytes() for file in sandbox.files() if file.user_id == person.user_id]


def rows_of(content: bytes) -> list[int]:
    numbers: list[int] = pq.read_table(pa.BufferReader(content))["n"].to_pylist()
    return numbers


@pytest.fixture
def appended(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of what is put into a temporary file."""
    sizes: list[int] = []
    append = encrypted_file._EncryptedDisk.append

    def note(disk: Any, data: Any) -> None:
        sizes.append(len(data))
        append(disk, data)

    monkeypatch.setattr(encrypted_file._EncryptedDisk, "append", note)
    monkeypatch.setattr(encrypted_file.EncryptedFile.__init__, "__defaults__", (0,))
    return sizes


@pytest.mark.usefixtures("no_waiting")
@pytest.mark.parametrize("kind", [*KINDS, *ONCE])
@pytest.mark.slow
def test_it_arrives_whole_after_a_failed_attempt_and_is_on_disk_only_if_it_cannot_be_read_again(
    *, kind: str, path: Path, sandbox: Sandbox, client: Client, person: Authorization, appended: list[int]
) -> None:
    with sandbox.fail("upload", status=503) as fault:
        receipt = write((KINDS | ONCE)[kind](path), "rows.parquet", account_id=person.account_id, client=client)
    assert (fault.hits, receipt.attempts, receipt.rows) == (1, 2, ROWS)
    [content] = received(sandbox, person)
    assert rows_of(content) == list(range(ROWS))
    assert sum(appended) == (len(content) if kind in ONCE else 0)


class Failing:
    """An iterable of batches that fails, or ends otherwise, in one of its readings."""

    def __init__(self, path: Path, reading: int, *, fails: bool) -> None:
        self.batches = pq.read_table(path).to_batches(max_chunksize=30_000)
        self.reading, self.fails = reading, fails
        self.readings = 0

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        self.readings += 1
        last = self.readings == self.reading
        yield from self.batches[:-1]
        if last and self.fails:
            raise RuntimeError("the database is gone")
        yield self.batches[-1].slice(1) if last else self.batches[-1]


def failing_generator(path: Path) -> Iterator[pa.RecordBatch]:
    yield from pq.read_table(path).to_batches(max_chunksize=30_000)
    raise RuntimeError("the database is gone")


BROKEN: dict[str, tuple[Callable[[Path], Any], str]] = {
    # The first reading takes the schema, the second one judges, the third one sends.
    "judging": (lambda path: Failing(path, 2, fails=True), r"The Failing failed .*is gone\)\. Nothing was sent\."),
    "sending": (lambda path: Failing(path, 3, fails=True), r"The Failing failed .*is gone\)\. Nothing was delivered\."),
    "changed": (lambda path: Failing(path, 3, fails=False), r"The Failing gave other rows .*Nothing was delivered\."),
    "generator": (failing_generator, r"The generator failed .*after 120,000 rows .*Nothing was delivered\."),
}


@pytest.mark.usefixtures("no_waiting")
@pytest.mark.parametrize("suffix", ["csv", "json", "ndjson", "parquet"])
@pytest.mark.parametrize("when", BROKEN)
@pytest.mark.slow
def test_an_error_in_a_source_leaves_nothing_in_the_library(
    *, when: str, suffix: str, path: Path, sandbox: Sandbox, client: Client, person: Authorization, tmp_path: Path
) -> None:
    make, message = BROKEN[when]
    journal = digime.Journal(tmp_path / "journal")
    with pytest.raises(InputError, match=message):
        write(make(path), f"rows.{suffix}", account_id=person.account_id, client=client, journal=journal)
    assert received(sandbox, person) == []
    assert set(journal.to_frame()["status"]) <= {"not sent"}
    journal.close()


def test_what_values_lose_is_known_before_anything_is_sent(
    sandbox: Sandbox, client: Client, person: Authorization
) -> None:
    batches = [pa.record_batch({"x": pa.array([0.5])}), pa.record_batch({"x": pa.array([float("inf")])})]
    with pytest.raises(FidelityWarning, match=r"'x': 1 infinite value .*: null"):  # as the tests make it an error
        write(batches, "x.json", account_id=person.account_id, client=client)
    assert received(sandbox, person) == []
    with pytest.warns(FidelityWarning, match=r"'x': 1 infinite value .*: null"):
        receipt = write(batches, "x.json", account_id=person.account_id, client=client)
    assert "inf" in receipt.losses[0]


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["csv", "json", "ndjson", "parquet"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_preview_shows_what_a_write_sends(kind: str, suffix: str, path: Path) -> None:
    few = pq.read_table(path).slice(0, 2_000)
    few_path = path.with_name(f"few-{kind}-{suffix}.parquet")
    pq.write_table(few, few_path)
    shown, expected = preview(KINDS[kind](few_path), f"x.{suffix}", "a"), preview(few, f"x.{suffix}", "a")
    assert (shown.rows, shown.sample) == (2_000, expected.sample)
    assert [each.verdict for each in shown.columns] == [each.verdict for each in expected.columns] == ["kept"] * 2
    if suffix in {"csv", "ndjson"}:
        assert shown.estimated_size == expected.estimated_size
    whole, expected = preview(KINDS[kind](path), f"x.{suffix}", "a"), preview(pq.read_table(path), f"x.{suffix}", "a")
    assert (whole.rows, whole.sample) == (ROWS, expected.sample)
    assert whole.estimated_size == pytest.approx(expected.estimated_size, rel=0.1)


def test_an_iterator_is_not_used_up_by_a_preview(path: Path) -> None:
    batches = iter(pq.read_table(path).to_batches())
    with pytest.raises(InputError, match="of which a preview would take the first batch"):
        preview(batches, "x.csv", "a")
    assert sum(batch.num_rows for batch in batches) == ROWS


@pytest.mark.parametrize("kind", [*KINDS, *ONCE])
def test_one_file_each_is_written_of_any_of_them(
    kind: str, tmp_path: Path, sandbox: Sandbox, client: Client, person: Authorization
) -> None:
    pq.write_table(pa.table({"who": [person.account_id] * 2, "n": [1, 2]}), tmp_path / "rows.parquet")
    result = write_each((KINDS | ONCE)[kind](tmp_path / "rows.parquet"), "who", "x.parquet", client=client)
    assert result["status"].to_dict() == {person.account_id: "delivered"}
    [content] = received(sandbox, person)
    assert rows_of(content) == [1, 2]
