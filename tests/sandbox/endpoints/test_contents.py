"""How a file begins is shown for the types that are known, whatever is in it, and never fails."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from digime_pandas.sandbox._endpoints.contents import Beginning, beginning_of
from digime_pandas.sandbox._store.library import SandboxFile


def shown(tmp_path: Path, mime_type: str, content: bytes) -> Beginning:
    path = tmp_path / "content"
    path.write_bytes(content)
    return beginning_of(
        SandboxFile(
            file_id="f",
            name="x",
            mime_type=mime_type,
            accounts=("p",),
            reference=(),
            tags=(),
            size=len(content),
            created=datetime(2026, 1, 5, tzinfo=UTC),
            user_id="u",
            client_id="c",
            application_id=None,
            contract_id=None,
            protocol="import",
            descriptor={},
            path=path,
        )
    )


def test_csv_is_a_table_of_its_first_rows_and_columns(tmp_path: Path) -> None:
    lines = [",".join(f"c{column}" for column in range(40)), *(",".join(["1"] * 40) for _ in range(1_000))]
    found = shown(tmp_path, "text/csv; charset=utf-8", "\r\n".join(lines).encode())
    assert [len(found.rows), len(found.rows[0])] == [21, 30]
    assert found.rows[0][:2] == ("c0", "c1")
    assert found.note == "Its first 20 rows."


def test_fields_of_csv_keep_their_line_breaks_and_are_cut(tmp_path: Path) -> None:
    found = shown(tmp_path, "text/csv", b'\xef\xbb\xbfa,b\r\n"1\n2","' + b"x" * 1000 + b'"\r\n')
    assert found.rows == (("a", "b"), ("1\n2", "x" * 200))


def test_parquet_is_a_table_too(tmp_path: Path) -> None:
    frame = pd.DataFrame({"n": range(100), "t": pd.to_datetime(["2026-01-05", ""] * 50)})
    frame.to_parquet(tmp_path / "a.parquet")
    found = shown(tmp_path, "application/vnd.apache.parquet", (tmp_path / "a.parquet").read_bytes())
    assert found.rows[:3] == (("n", "t"), ("0", "2026-01-05 00:00:00"), ("1", ""))
    assert len(found.rows) == 21
    empty = frame.head(0)
    empty.to_parquet(tmp_path / "b.parquet")
    found = shown(tmp_path, "application/vnd.apache.parquet", (tmp_path / "b.parquet").read_bytes())
    assert (found.rows, found.note) == ((("n", "t"),), "It has no rows.")


@pytest.mark.parametrize("mime_type", ["application/json", "application/x-ndjson", "TEXT/plain"])
def test_text_is_shown_by_its_first_lines(tmp_path: Path, mime_type: str) -> None:
    found = shown(tmp_path, mime_type, b"\n".join([b'{"a":"' + b"x" * 500 + b'"}'] * 100))
    assert [len(line) for line in found.text.split("\n")] == [200] * 50


@pytest.mark.parametrize("mime_type", ["image/svg+xml", "application/pdf", "text", ""])
def test_other_types_are_not_shown(tmp_path: Path, mime_type: str) -> None:
    found = shown(tmp_path, mime_type, b"<svg/>")
    assert (found.rows, found.text, found.image) == ((), "", "")
    assert found.note


def test_a_small_image_is_shown_and_a_large_one_is_not(tmp_path: Path) -> None:
    assert shown(tmp_path, "image/png", b"\x89PNG").image == "data:image/png;base64,iVBORw=="
    assert shown(tmp_path, "image/png", bytes((1 << 21) + 1)).image == ""


@pytest.mark.parametrize("content", [b"", b"\0" * 10, b"PAR1", b"\xff\xfe", b'"' * 70_000, b"x" * 200_000])
@pytest.mark.parametrize("mime_type", ["text/csv", "application/json", "application/vnd.apache.parquet", "image/gif"])
def test_whatever_is_in_a_file_it_does_not_fail(tmp_path: Path, mime_type: str, content: bytes) -> None:
    found = shown(tmp_path, mime_type, content)
    assert sum(len(cell) for row in found.rows for cell in row) + len(found.text) <= 50 * 200
