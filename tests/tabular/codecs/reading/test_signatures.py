from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import ipc, orc

from digime_pandas._tabular.codecs.reading.signatures import HEAD_BYTES, certain_kind, likely_kind

TEXT = "id,name\n1,a\n"
TABLE = pa.table({"id": [1, 2]})


def made(write: object) -> bytes:
    buffer = io.BytesIO()
    write(buffer)  # type: ignore[operator]
    return buffer.getvalue()


def zipped(buffer: io.BytesIO) -> None:
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("xl/workbook.xml", TEXT)


def arrow_file(buffer: io.BytesIO) -> None:
    with ipc.new_file(buffer, TABLE.schema) as writer:
        writer.write_table(TABLE)


BINARY = {
    "gzip": gzip.compress(TEXT.encode()),
    "bzip2": bz2.compress(TEXT.encode()),
    "xz": lzma.compress(TEXT.encode()),
    "zstd": pa.compress(TEXT.encode(), "zstd", asbytes=True),
    "ZIP": made(zipped),
    "UTF-16": TEXT.encode("utf-16"),
    "UTF-16 ": TEXT.encode("utf-16-le"),
    "UTF-16  ": TEXT.encode("utf-16-be"),
    "UTF-32": TEXT.encode("utf-32"),
    "Parquet": made(lambda buffer: pq.write_table(TABLE, buffer)),
    "Arrow file": made(arrow_file),
    "ORC": made(lambda buffer: orc.write_table(TABLE, buffer)),
    "encrypted Parquet": b"PARE\x40\x00\x00\x00",
}


@pytest.mark.parametrize(("kind", "data"), BINARY.items(), ids=list(BINARY))
@pytest.mark.parametrize("format_name", ["csv", "json", "ndjson"])
def test_binary_files_are_certainly_no_text(kind: str, data: bytes, format_name: str) -> None:
    for found in (certain_kind(data[:HEAD_BYTES], format_name), likely_kind(data[:HEAD_BYTES], format_name)):
        assert found is not None
        assert kind.strip() in found


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"<!DOCTYPE html>\n<html>", "HTML"),
        (b"\n <HTML lang=en><body>", "HTML"),
        (b'<?xml version="1.0"?>', "XML"),
        (b'[{"id":1}]', "JSON array"),
        (b'\xef\xbb\xbf{"id":1}\n', "JSON objects"),
    ],
)
def test_other_text_is_certainly_no_csv(head: bytes, kind: str) -> None:
    for found in (certain_kind(head, "csv"), likely_kind(head, "csv"), likely_kind(head, "parquet")):
        assert found is not None
        assert kind in found


NAMES = [
    "PARENT",
    "PAR1",
    "ORCID",
    "ORC",
    "<html>",
    "{}",
    "[]",
    "[{}]",
    '{"a":1}',
    "Object",
    "BZh",
    "PK",
    "%PDF",
    "\ufeff",
]


@pytest.mark.parametrize("name", NAMES)
def test_no_csv_is_taken_for_something_else_because_of_its_first_name(name: str) -> None:
    for frame in (pd.DataFrame({name: [1], "b": [2]}), pd.DataFrame({name: [1]})):
        assert certain_kind(frame.to_csv(index=False).encode()[:HEAD_BYTES], "csv") is None


@pytest.mark.parametrize(
    ("format_name", "head"), [("json", b"[1]"), ("ndjson", b'{"a":'), ("parquet", BINARY["Parquet"])]
)
def test_a_damaged_file_is_not_said_to_look_like_its_own_format(format_name: str, head: bytes) -> None:
    assert likely_kind(head, format_name) is None


def test_the_formats_of_json_are_told_apart_and_text_is_told_from_parquet() -> None:
    assert ".ndjson" in str(likely_kind(b'{"a":1}\n{"a":2}\n', "json"))
    assert ".json" in str(likely_kind(b'[{"a":1}]', "ndjson"))
    assert ".csv" in str(likely_kind(TEXT.encode(), "parquet"))
    assert likely_kind(b"", "parquet") is None
