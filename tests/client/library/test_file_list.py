"""A list of files is a list, a table, and what it shows is text."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pandas as pd
import pytest

from digime_pandas._client.library.file import LibraryFile
from digime_pandas._client.library.file_list import COLUMNS, LibraryFiles

FILE = LibraryFile(
    name="<b>visits\u202e.csv",
    file_id="id-1",
    mime_type="text/csv",
    accounts=("p-1",),
    reference=("<b>visits\u202e.csv", "urn:uuid:1"),
    tags=("t1", "<i>"),
    updated=datetime(2026, 1, 5, 9, 30, tzinfo=UTC),
    contract_id="c",
    fetch=lambda _: pytest.fail("nothing is fetched"),
    rows=1234,
    size=20_000,
    size_is_exact=True,
)
FILES = LibraryFiles([FILE, replace(FILE, name="b.bin", rows=None, size=63, size_is_exact=False, tags=())])


def test_it_is_a_list_whose_slices_show_themselves_too() -> None:
    assert list(FILES) == [FILE, FILES[1]]
    assert isinstance(FILES, list)
    assert FILES[0] is FILE
    assert isinstance(FILES[:1], LibraryFiles)
    assert len(FILES[:1]) == 1


def test_the_table_has_its_dtypes_with_and_without_files() -> None:
    table = FILES.to_frame()
    assert table["name"].tolist() == ["<b>visits\u202e.csv", "b.bin"]
    assert table["rows"].tolist() == [1234, pd.NA]
    assert table["size"].tolist() == [20_000, 63]
    assert table["tags"].tolist() == ["t1, <i>", ""]
    assert table["updated"].tolist() == [pd.Timestamp("2026-01-05 09:30", tz="UTC")] * 2
    assert table["write_id"].tolist() == ["urn:uuid:1"] * 2
    for each in (table, LibraryFiles().to_frame()):
        assert each.dtypes.astype(str).to_dict() == {name: str(dtype) for name, dtype in COLUMNS.items()}


def test_no_control_character_of_others_is_in_the_table() -> None:
    sent = replace(FILE, name="a\x1b[2Jb.csv", tags=("t\x07",), mime_type="text/csv\x9b", file_id="i\x00d")
    (row,) = LibraryFiles([sent]).to_frame().to_dict("records")
    assert row["name"] == "a\\x1b[2Jb.csv"
    assert (row["tags"], row["mime_type"], row["file_id"]) == ("t\\x07", "text/csv\\x9b", "i\\x00d")


def test_as_text_it_is_a_table() -> None:
    assert repr(FILES).splitlines() == [
        "2 files",
        "Name                 Rows   Size            Changed                  Tags",
        "<b>visits\\u202e.csv  1,234  20.0 kB         2026-01-05 09:30:00 UTC  t1, <i>",
        "b.bin                       about 63 bytes  2026-01-05 09:30:00 UTC",
    ]
    assert repr(LibraryFiles()) == "0 files"


def test_in_html_names_stay_text() -> None:
    for page in (FILES._repr_html_(), FILE._repr_html_()):
        assert "<b>visits" not in page
        assert "<i>" not in page
        assert "&lt;b&gt;visits\\u202e.csv" in page
        assert "1,234" in page
    assert "<table" not in LibraryFiles()._repr_html_()


def test_a_long_list_says_what_is_left_out() -> None:
    many = LibraryFiles(replace(FILE, name=f"f{number}.csv") for number in range(51))
    assert repr(many).startswith("51 files, of which these are the first 50\n")
    assert "f49.csv" in many._repr_html_()
    assert "f50.csv" not in many._repr_html_()


def test_a_file_is_one_line_as_text_and_says_how_it_is_read() -> None:
    shown = "'<b>visits\\u202e.csv', 1,234 rows, 20.0 kB, 2026-01-05 09:30:00 UTC, tags='t1, <i>', contract_id='c'"
    assert repr(FILE) == f"<LibraryFile {shown}>"
    bare = replace(FILE, name="x", rows=None, size=None, tags=())
    assert repr(bare) == "<LibraryFile 'x', 2026-01-05 09:30:00 UTC, contract_id='c'>"
    assert "file.to_frame()" in FILE._repr_html_()
    other = replace(FILE, name="../a/letter.pdf", mime_type="application/pdf")._repr_html_()
    assert "file.read()" in other
    assert "file.save(&#x27;letter.pdf&#x27;)" in other
