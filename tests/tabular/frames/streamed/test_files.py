from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from digime_pandas._tabular.formats import FORMATS
from digime_pandas._tabular.serialize import inspect_frame
from digime_pandas.errors import InputError

CSV = FORMATS["csv"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    rows = pa.table({"n": range(4_000), "text": [f"some text {i}" for i in range(4_000)]})
    pq.write_table(rows, tmp_path / "rows.parquet", row_group_size=1_000, compression="none", use_dictionary=False)
    return tmp_path / "rows.parquet"


def damage(path: Path, group: int) -> None:
    """Overwrite the pages of a row group."""
    chunk = pq.read_metadata(path).row_group(group).column(1)
    with path.open("r+b") as file:
        file.seek(chunk.data_page_offset)
        file.write(b"\xff" * chunk.total_compressed_size)


@pytest.mark.parametrize("make", [Path, str, pq.ParquetFile], ids=["path", "text", "ParquetFile"])
def test_a_damaged_row_group_is_told_of_before_anything_is_sent(make: Any, path: Path) -> None:
    damage(path, 1)
    with pytest.raises(InputError, match=r"^The Parquet ?[Ff]ile.* failed while it was read, .*Nothing was sent\."):
        inspect_frame(make(path), CSV)


def test_a_row_group_that_is_damaged_later_is_told_of(path: Path) -> None:
    frame = inspect_frame(path, CSV)
    damage(path, 3)
    with pytest.raises(InputError, match=r"rows\.parquet' failed while it was read, .*Nothing was delivered\."):
        list(frame.chunks())


def test_a_file_that_is_replaced_or_removed_later_is_told_of(path: Path) -> None:
    frame = inspect_frame(path, CSV)
    pq.write_table(pq.read_table(path).slice(1), path)
    with pytest.raises(InputError, match="gave other rows than the 4,000 that were judged"):
        list(frame.chunks())
    path.unlink()
    with pytest.raises(InputError, match=r"after 0 rows .*This attempt delivered nothing"):
        list(frame.chunks())


def test_a_relative_path_stays_where_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    frame = inspect_frame("rows.parquet", CSV)
    monkeypatch.chdir(os.sep)
    assert sum(map(len, frame.chunks())) > 4_000


@pytest.mark.parametrize("make", [Path, str])
def test_what_is_no_parquet_file_says_what_to_give(make: Any, tmp_path: Path) -> None:
    text = tmp_path / "rows.csv"
    text.write_text("a,b\n1,2\n")
    for path, message in (
        (tmp_path / "none.parquet", "none.parquet', where there is no file"),
        (tmp_path, "which is a folder. Give pyarrow.dataset.dataset"),
        (text, "rows.csv', which cannot be read as a Parquet file .*pandas or polars first; client.write"),
    ):
        with pytest.raises(InputError, match=message):
            inspect_frame(make(path), CSV)
    with pytest.raises(InputError, match="NUL"):
        inspect_frame("\0", CSV)


@pytest.mark.parametrize("text", ["", "name,diagnosis\nAda,secret\n", "secret" * 1_000])
def test_text_that_is_no_path_is_not_shown(text: str) -> None:
    with pytest.raises(InputError, match=rf"frame is a str of {len(text):,} characters, .*not the path") as caught:
        inspect_frame(text, CSV)
    assert "secret" not in str(caught.value)


def test_a_closed_parquet_file_is_told_of(path: Path) -> None:
    with pq.ParquetFile(path) as file:
        pass
    with pytest.raises(InputError, match="The ParquetFile failed while it was read"):
        inspect_frame(file, CSV)


def test_a_file_without_rows_keeps_its_columns(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": pa.array([], pa.int64())}), tmp_path / "empty.parquet")
    frame = inspect_frame(tmp_path / "empty.parquet", CSV)
    assert (frame.rows, b"".join(map(bytes, frame.chunks()))) == (0, b"a\r\n")
